"""Single layers and chains of any kernel and stride on the RTL, against the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from tests.accelerator.chains import Shape, expected, random_input, random_spec, random_symbols
from tests.rtl.devices import DESIGNS, HARSH
from xlic.accelerator.compiler import compile_layers
from xlic.accelerator.driver import Driver
from xlic.accelerator.isa import InFormat
from xlic.accelerator.verilated import open_verilated

pytestmark = [pytest.mark.rtl, pytest.mark.usefixtures("verilator")]

KERNELS = [(1, 1), (3, 1), (3, 2), (5, 2), (7, 3), (9, 3), (7, 4), (9, 4), (11, 4), (1, 2)]


def run(specs, values, design, *, in_format=InFormat.I16, symbols=None, crop=None, timing=None):
    compiled = compile_layers(
        specs, values.shape, design, input_format=in_format, symbols=symbols, crop=crop
    )
    tensors, counts = expected(specs, values, symbols, crop)
    with open_verilated(design, compiled.memory.bytes, timing=timing) as device:
        execution = Driver(device).execute(compiled, values)
        for entry, counters in zip(compiled.layers, execution.layers, strict=True):
            found = compiled.read(device.memory, entry.output)
            assert np.array_equal(found, tensors[entry.output]), entry.output
            assert counters.conv_saturations == counts.get(entry.names[0], 0)
            if len(entry.names) == 2:
                assert counters.activation_saturations == counts[entry.names[1]]
        if symbols is not None:
            assert execution.layers[0].input_saturations == counts["symbols"]


@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize(("kernel", "stride"), KERNELS)
@pytest.mark.parametrize("normalized", [False, True], ids=["conv", "normalized"])
def test_kernels_and_strides(direction, kernel, stride, normalized):
    rng = np.random.default_rng(kernel * 100 + stride)
    shape = (13, 21, 5) if direction == "up" else (13 * stride + 1, 11 * stride + 2, 5)
    spec = random_spec(rng, 0, Shape(direction, kernel, stride, 7, normalized), 5, False)
    run([spec], random_input(rng, InFormat.I16, shape), DESIGNS["4x2x8"])


@pytest.mark.parametrize(("kernel", "stride"), KERNELS)
@pytest.mark.parametrize("crop", [None, (1, 3)], ids=["whole", "cropped"])
def test_pictures_out(kernel, stride, crop):
    rng = np.random.default_rng(kernel)
    spec = random_spec(rng, 0, Shape("up", kernel, stride, 3, picture=True), 6, False)
    values = random_input(rng, InFormat.I16, (9, 11, 6))
    size = (9 * stride, 11 * stride)
    cut = (
        None if crop is None else tuple(max(1, a - b % a) for a, b in zip(size, crop, strict=True))
    )
    run([spec], values, DESIGNS["4x2x8"], crop=cut)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (5, 2), (7, 3), (7, 4), (9, 4)])
@pytest.mark.parametrize("width", [1, 6, 35])
def test_pictures_in(kernel, stride, width):
    rng = np.random.default_rng(width)
    spec = random_spec(rng, 0, Shape("down", kernel, stride, 6, True), 3, True)
    values = random_input(rng, InFormat.U8, (23, width, 3))
    run([spec], values, DESIGNS["4x2x8"], in_format=InFormat.U8)


@pytest.mark.parametrize("channels", [1, 4, 11, 16])
@pytest.mark.parametrize("size", [(1, 1), (5, 9), (7, 20)])
def test_symbols_in(channels, size):
    rng = np.random.default_rng(channels)
    spec = random_spec(rng, 0, Shape("up", 5, 2, 6, True), channels, False)
    values = random_input(rng, InFormat.S32, (*size, channels))
    symbols = random_symbols(rng, channels)
    run([spec], values, DESIGNS["4x2x8"], in_format=InFormat.S32, symbols=symbols)


@pytest.mark.parametrize("design", DESIGNS)
def test_a_chain_of_unlike_layers_under_stalls(design):
    rng = np.random.default_rng(7)
    shapes = [
        Shape("down", 5, 2, 24, True),
        Shape("up", 3, 1, 9),
        Shape("down", 3, 2, 17, True),
        Shape("up", 9, 4, 12, True),
        Shape("up", 5, 2, 3, picture=True),
    ]
    specs, cin = [], 3
    for index, shape in enumerate(shapes):
        specs.append(random_spec(rng, index, shape, cin, index == 0))
        cin = shape.cout
    values = random_input(rng, InFormat.U8, (41, 75, 3))
    run(specs, values, DESIGNS[design], in_format=InFormat.U8, timing=HARSH)
