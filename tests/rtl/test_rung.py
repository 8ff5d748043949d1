"""The RTL against the simulation: every tensor, every saturation, equal."""

from __future__ import annotations

import numpy as np
import pytest

from tests.rtl.devices import DESIGNS, HARSH, rtl_rung
from tests.sim.models import random_model
from xlic.accelerator.timing import MemoryTiming
from xlic.architecture import ANALYSIS_NAMES, SYNTHESIS_NAMES
from xlic.rungs.int16 import Int16Rung

pytestmark = [pytest.mark.rtl, pytest.mark.usefixtures("verilator")]

SIZES = [(1, 1), (1, 17), (33, 2), (16, 16), (65, 47), (50, 129)]


def check(model, design, size, timing=None, seed=1):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    sim, rtl = Int16Rung(model), rtl_rung(model, design, timing)
    encoded = sim.analyze(pixels, keep=ANALYSIS_NAMES)
    decoded = sim.synthesize(encoded.output, size, keep=SYNTHESIS_NAMES)
    same(encoded, rtl.analyze(pixels, keep=ANALYSIS_NAMES))
    same(decoded, rtl.synthesize(encoded.output, size, keep=SYNTHESIS_NAMES))


def same(expected, got):
    assert expected.tensors.keys() == got.tensors.keys()
    for name, tensor in expected.tensors.items():
        assert np.array_equal(got.tensors[name], tensor), name
    assert np.array_equal(got.output, expected.output)
    assert dict(got.saturations) == dict(expected.saturations)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[1]}x{size[0]}")
@pytest.mark.parametrize("design", DESIGNS)
def test_every_tensor_of_every_size_equals_the_simulation(design, size):
    # 20 filters: no multiple of the lanes, nor of the 8 channels of a beat.
    check(random_model(2, 20), DESIGNS[design], size)


@pytest.mark.parametrize("filters", [1, 3, 8, 33, 40])
def test_every_number_of_filters_equals_the_simulation(filters):
    check(random_model(filters, filters), DESIGNS["8x8x8"], (37, 41))


@pytest.mark.parametrize("design", DESIGNS)
def test_slow_and_uneven_memory_changes_nothing_but_the_time(design):
    check(random_model(5, 12), DESIGNS[design], (50, 70), HARSH)


@pytest.mark.parametrize("seed", range(4))
def test_integers_that_clip_everywhere_equal_the_simulation(seed):
    check(random_model(seed, 9, extreme=True), DESIGNS["4x2x8"], (29, 35), seed=seed)


@pytest.mark.parametrize(
    "timing",
    [
        MemoryTiming(latency=1, write_latency=1, outstanding=1),
        MemoryTiming(latency=400, outstanding=1),
        MemoryTiming(bytes_per_cycle=1),
        MemoryTiming(stalls={"b": 2, "aw": 2}, stall=0),
        MemoryTiming(stalls={"ar": 2, "r": 2, "w": 2}, stall=5, seed=9),
    ],
    ids=["prompt", "one-at-a-time", "a-byte-a-cycle", "late-answers", "ragged"],
)
def test_each_way_in_which_memory_can_be_slow_changes_nothing(timing):
    check(random_model(6, 8), DESIGNS["4x2x8"], (34, 45), timing)


def test_runs_on_one_device_do_not_see_each_other():
    model, size = random_model(3, 8), (40, 24)
    rng = np.random.default_rng(0)
    rtl, sim = rtl_rung(model, DESIGNS["4x2x8"]), Int16Rung(model)
    for _ in range(3):
        pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        symbols = sim.analyze(pixels).output
        assert np.array_equal(rtl.analyze(pixels).output, symbols)
        picture = sim.synthesize(symbols, size).output
        assert np.array_equal(rtl.synthesize(symbols, size).output, picture)


@pytest.mark.selfcheck
def test_one_changed_weight_is_seen():
    model = random_model(4, 8)
    changed = random_model(4, 8)
    changed.convs["ana_1"].kernel[2, 2, 3, 4] ^= 1 << 12
    pixels = np.random.default_rng(1).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    expected = Int16Rung(model).analyze(pixels, keep=("ana_0", "ana_1"))
    got = rtl_rung(changed, DESIGNS["4x2x8"]).analyze(pixels, keep=("ana_0", "ana_1"))
    assert np.array_equal(got.tensors["ana_0"], expected.tensors["ana_0"])
    assert not np.array_equal(got.tensors["ana_1"], expected.tensors["ana_1"])
