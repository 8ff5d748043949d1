"""The HLS C++ against the simulation: every tensor, every saturation, equal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.sim.models import random_model
from xlic.accelerator.design import SMALL, Design
from xlic.accelerator.native import native_devices
from xlic.architecture import ANALYSIS_NAMES, SYNTHESIS_NAMES
from xlic.errors import InputError
from xlic.images import read_image
from xlic.quantization.model import load_quantized
from xlic.rungs.accelerator import AcceleratorRung
from xlic.rungs.int16 import Int16Rung
from xlic.rungs.registry import open_rung
from xlic.shipped import LAMBDAS, PHOTOS, model_path, photo_path

pytestmark = pytest.mark.hls

DESIGNS = {
    "16x4x16": Design(),
    "4x2x8": SMALL,
    "8x8x8": Design(pof=8, poy=8, pox=8, input_words=700),
    "4x4x16": Design(pof=4, poy=4, pox=16, weight_words=1 << 15, channels=100),
    "8x2x16": Design(pof=8, poy=2, pox=16, weight_words=1 << 15, param_words=2000),
}


def hls(model, design=None):
    design = design or Design()
    return AcceleratorRung("hls", model, native_devices(design), design)


def unlike(rung, model, pixels, symbols=None):
    """Names of tensors and counts in which ``rung`` differs from the simulation."""
    sim, size = Int16Rung(model), pixels.shape[:2]
    runs = []
    for each in (sim, rung):
        encoded = each.analyze(pixels, keep=ANALYSIS_NAMES)
        given = sim.analyze(pixels).output if symbols is None else symbols
        runs.append((encoded, each.synthesize(given, size, keep=SYNTHESIS_NAMES)))
    found = []
    for expected, got in zip(*runs, strict=True):
        assert expected.tensors.keys() == got.tensors.keys()
        for name, tensor in expected.tensors.items():
            same = np.array_equal(got.tensors[name], tensor)
            if not same or got.tensors[name].dtype != np.asarray(tensor).dtype:
                found.append(name)
        if not np.array_equal(expected.output, got.output):
            found.append("output")
        if got.output.dtype != expected.output.dtype:
            found.append("dtype of output")
        if dict(expected.saturations) != dict(got.saturations):
            found.append(f"saturations {expected.saturations} {got.saturations}")
    return found


def noise(seed, height, width):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("photo", PHOTOS)
@pytest.mark.parametrize("lmbda", LAMBDAS)
def test_photographs_at_full_size(photo, lmbda):
    model = load_quantized(model_path(lmbda))
    assert unlike(hls(model), model, read_image(photo_path(photo)).pixels) == []


def test_a_photograph_on_a_small_array():
    model = load_quantized(model_path())
    pixels = np.ascontiguousarray(read_image(photo_path()).pixels[40:117, 200:333])
    assert (
        unlike(hls(model, replace(SMALL, weight_words=1 << 18, pass_words=1024)), model, pixels)
        == []
    )


@pytest.mark.parametrize("size", [(1, 1), (33, 71), (64, 16), (3, 130)])
@pytest.mark.parametrize("design", DESIGNS)
def test_full_range_integers_on_all_shapes_of_array(design, size):
    filters = {"4x2x8": 7, "8x8x8": 16}.get(design, 13)
    model = random_model(seed=size[1], filters=filters)
    assert unlike(hls(model, DESIGNS[design]), model, noise(1, *size)) == []


@pytest.mark.parametrize("seed", range(3))
def test_extreme_weights_and_symbols(seed):
    model = random_model(seed=seed, filters=6, extreme=True)
    ends = np.array([-(1 << 31), -32768, -1, 0, 1, 32767, (1 << 31) - 1])
    rng = np.random.default_rng(seed)
    pixels = rng.choice(np.array([0, 255], np.uint8), (40, 57, 3))
    rung = hls(model, DESIGNS["8x2x16"])
    assert unlike(rung, model, pixels, rng.choice(ends, (3, 4, 6))) == []
    assert sum(rung.analyze(pixels).saturations.values()) > 0


def test_kept_tensors_change_nothing_else():
    model = random_model(seed=2, filters=9)
    rung, pixels = hls(model, SMALL), noise(2, 30, 40)
    all_kept, none_kept = rung.analyze(pixels, keep=ANALYSIS_NAMES), rung.analyze(pixels)
    assert none_kept.tensors == {}
    assert none_kept.saturations == all_kept.saturations
    assert np.array_equal(none_kept.output, all_kept.output)
    assert len(rung.execution.layers) == 3


def test_pictures_of_many_sizes_share_a_rung():
    model = random_model(seed=3, filters=4)
    rung = hls(model, SMALL)
    for size in ((20, 30), (90, 100), (1, 7), (90, 100), (20, 30)):
        assert unlike(rung, model, noise(size[0], *size)) == []


def test_seconds_come_from_the_clock_where_it_is_known():
    model = random_model(seed=3, filters=4)
    timed = AcceleratorRung("hls", model, native_devices(SMALL), SMALL, clock_hz=2e8)
    run = timed.analyze(noise(1, 16, 16), keep=("ana_1",))
    assert list(run.seconds) == ["ana_0", "ana_1", "ana_2"]
    cycles = [timed.execution.layers[layer].cycles for layer in (0, 2, 3)]
    assert [run.seconds[name] * 2e8 for name in run.seconds] == pytest.approx(cycles)
    assert hls(model, SMALL).analyze(noise(1, 16, 16)).seconds == {}


def test_progress_is_told():
    told = []
    model = random_model(seed=3, filters=4)
    hls(model, SMALL).analyze(noise(1, 8, 8), progress=lambda *step: told.append(step))
    assert told == [("hls encode", 0, 1), ("done", 1, 1)]


@pytest.mark.parametrize(
    "call",
    [
        lambda rung: rung.analyze(np.zeros((4, 4), np.uint8)),
        lambda rung: rung.analyze(np.zeros((4, 4, 3), np.float64)),
        lambda rung: rung.analyze(np.zeros((4, 4, 3), np.uint8), keep=("syn_0",)),
        lambda rung: rung.synthesize(np.zeros((1, 1, 3), np.int32), (4, 4)),
        lambda rung: rung.synthesize(np.zeros((1, 1, 4), np.float32), (4, 4)),
    ],
)
def test_unusable_inputs_are_refused_like_anywhere(call):
    with pytest.raises(InputError):
        call(hls(random_model(seed=3, filters=4), SMALL))


@pytest.mark.selfcheck
def test_one_bit_of_one_weight_is_seen():
    model = load_quantized(model_path())
    kernel = model.convs["ana_1"].kernel.copy()
    kernel[2, 2, 5, 9] ^= 1 << 6
    spoilt = replace(
        model, convs={**model.convs, "ana_1": replace(model.convs["ana_1"], kernel=kernel)}
    )
    pixels = np.ascontiguousarray(read_image(photo_path()).pixels[:64, :64])
    found = unlike(hls(spoilt), model, pixels)
    assert "ana_1" in found
    assert "ana_0" not in found


def test_the_registry_knows_the_rung(quantized):
    assert open_rung("hls", None, quantized).name == "hls"
    with pytest.raises(InputError, match="quantized model"):
        open_rung("hls", None, None)
