"""The cycle model against the RTL's counters, on small and odd layers, designs and memories."""

from __future__ import annotations

import numpy as np
import pytest

from tests.rtl.devices import DESIGNS
from tests.sim.models import random_model
from xlic.accelerator.design import Design
from xlic.accelerator.measure import measure_rtl, predict_measure
from xlic.accelerator.timing import MemoryTiming

pytestmark = [pytest.mark.rtl, pytest.mark.usefixtures("verilator")]

TOLERANCE = 0.03
"""Of a layer's cycles."""


@pytest.mark.parametrize("transform", ["encode", "decode"])
@pytest.mark.parametrize(
    ("design", "filters", "size", "memory"),
    [
        ("4x2x8", 8, (97, 130), MemoryTiming()),
        ("4x2x8", 20, (61, 90), MemoryTiming(latency=200)),
        ("4x2x8", 32, (50, 64), MemoryTiming(latency=30, stall=8)),
        ("4x2x8", 24, (130, 50), MemoryTiming(latency=10, bytes_per_cycle=8)),
        ("8x8x8", 32, (140, 150), MemoryTiming()),
        ("16x4x16", 64, (130, 200), MemoryTiming()),
        ("16x4x16", 128, (64, 200), MemoryTiming(latency=200, stall=8)),
    ],
)
def test_every_layer_is_predicted(transform, design, filters, size, memory):
    model, design = random_model(1, filters), DESIGNS[design]
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    measured = measure_rtl(model, pixels, transform, design, memory)
    predicted = predict_measure(model, size, transform, design, memory)
    for expected, layer in zip(predicted.layers, measured.layers, strict=True):
        print(
            layer.name, expected.cycles, layer.cycles, f"{expected.cycles / layer.cycles - 1:+.4f}"
        )
    for expected, layer in zip(predicted.layers, measured.layers, strict=True):
        assert expected.cycles == pytest.approx(layer.cycles, rel=TOLERANCE), layer.name
    assert predicted.cycles == pytest.approx(measured.cycles, rel=TOLERANCE)


def test_the_array_s_work_is_predicted_exactly():
    from xlic.accelerator.compiler import compile_transform
    from xlic.accelerator.cycles import predict
    from xlic.accelerator.driver import array_cycles

    compiled = compile_transform(random_model(1, 20), "encode", (40, 50), Design())
    assert sum(layer.active for layer in predict(compiled, MemoryTiming())) == array_cycles(
        compiled.program
    )
