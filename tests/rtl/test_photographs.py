"""Whole photographs through the default design with real weights: equality, cycles, prediction.

Cycles are exact figures of the RTL and of the memory model, the same on every machine.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from xlic.accelerator.compiler import compile_transform
from xlic.accelerator.cycles import predict
from xlic.accelerator.design import Design
from xlic.accelerator.measure import measure_rtl, predict_measure
from xlic.accelerator.timing import MemoryTiming
from xlic.images import read_image
from xlic.quantization.model import load_quantized
from xlic.shipped import model_path, photo_path

pytestmark = [pytest.mark.rtl, pytest.mark.usefixtures("verilator")]

FAST = MemoryTiming(latency=60)
SLOW = MemoryTiming(latency=200, stall=8)

UTILIZATION = {"encode": 0.92, "decode": 0.90}
"""Least share of the multipliers' cycles at 768×512, everything from start to done counted."""
UTILIZATION_LARGE = {"encode": 0.97, "decode": 0.93}
"""The same at 2048×1365."""
LAYER_UTILIZATION_LARGE = 0.95
SYN_2_UTILIZATION_LARGE = 0.78
"""Its 48 outputs per position take 19 taps in 3 passes, where 15.2 would be ideal."""
SLOW_MEMORY_COST = 0.03
"""Most utilization that latency 200 and a stall in eight may cost."""
PREDICTION_ERROR = 0.03
"""Of the cycle model, per layer."""
CYCLES_PER_SECOND = 250_000
"""Of the compiled simulation, on one core."""


@pytest.fixture(scope="module")
def model():
    return load_quantized(model_path())


def photograph(height, width):
    """The shipped photograph, mirrored at its edges to that size."""
    pixels = read_image(photo_path("coffee")).pixels
    short = [max(0, size - have) for size, have in zip((height, width), pixels.shape, strict=False)]
    return np.pad(pixels, ((0, short[0]), (0, short[1]), (0, 0)), "symmetric")[:height, :width]


def check_prediction(model, measure):
    predicted = predict_measure(
        model, measure.size, measure.transform, measure.design, measure.memory
    )
    for expected, layer in zip(predicted.layers, measure.layers, strict=True):
        assert abs(expected.cycles / layer.cycles - 1) <= PREDICTION_ERROR, layer.name


@pytest.mark.parametrize("transform", UTILIZATION)
def test_a_photograph_equals_the_simulation_at_full_use_of_the_array(model, transform):
    begin = time.process_time()
    measure = measure_rtl(model, photograph(512, 768), transform, Design(), FAST)
    print(f"{measure.cycles / (time.process_time() - begin):.0f} cycles/s, all included")
    assert measure.equal
    assert measure.macs == 4_413_456_384
    assert measure.utilization >= UTILIZATION[transform]
    check_prediction(model, measure)


@pytest.mark.nightly
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("transform", UTILIZATION)
def test_a_photograph_on_slow_memory(model, transform):
    pixels = photograph(512, 768)
    slow = measure_rtl(model, pixels, transform, Design(), SLOW)
    fast = predict_measure(model, slow.size, transform, Design(), FAST)
    assert slow.equal
    assert slow.utilization >= fast.utilization - SLOW_MEMORY_COST
    check_prediction(model, slow)


@pytest.mark.nightly
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("memory", [FAST, SLOW], ids=["fast", "slow"])
@pytest.mark.parametrize("transform", UTILIZATION)
def test_a_large_photograph(model, transform, memory):
    measure = measure_rtl(model, photograph(1365, 2048), transform, Design(), memory)
    assert measure.equal
    cost = 0 if memory is FAST else SLOW_MEMORY_COST
    assert measure.utilization >= UTILIZATION_LARGE[transform] - cost
    for layer in measure.layers:
        least = SYN_2_UTILIZATION_LARGE if layer.name == "syn_2" else LAYER_UTILIZATION_LARGE
        assert layer.utilization >= least - cost, layer.name
    check_prediction(model, measure)


@pytest.mark.selfcheck
def test_a_prediction_knows_the_memory(model):
    """Slower memory must cost what it costs, or the comparison above would show nothing."""
    compiled = compile_transform(model, "decode", (64, 96), Design())
    fast = predict(compiled, FAST)
    slow = predict(compiled, MemoryTiming(latency=3000))
    narrow = predict(compiled, MemoryTiming(bytes_per_cycle=2))
    total = sum(layer.cycles for layer in fast)
    assert sum(layer.cycles for layer in slow) > total + 3 * 3000
    assert sum(layer.cycles for layer in narrow) > 1.5 * total
