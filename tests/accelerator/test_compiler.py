"""Compiled programs compute the INT16 contract: an interpreter of the document runs them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.accelerator.chains import (
    Shape,
    check_chain,
    compare,
    padding_is_zero,
    random_input,
    random_spec,
    random_symbols,
    run_compiled,
)
from tests.sim import oracle
from tests.sim.models import random_model
from xlic.accelerator.compiler import compile_layers, compile_transform
from xlic.accelerator.design import SMALL, Design
from xlic.accelerator.isa import Destination, InFormat
from xlic.accelerator.memory import Layout
from xlic.accelerator.records import ParamRecord
from xlic.architecture import ANALYSIS_NAMES, SYNTHESIS_NAMES, symbol_size
from xlic.errors import InputError
from xlic.quantization.model import load_quantized
from xlic.rungs.int16 import Int16Rung
from xlic.shipped import model_path

pytestmark = pytest.mark.sim

SIZES = [(1, 1), (5, 7), (33, 47), (16, 64), (70, 3)]
DESIGNS = {
    "small": SMALL,
    "default": Design(),
    "8x8x8": Design(pof=8, poy=8, pox=8),
}
IN_FORMATS = (InFormat.I16, InFormat.U8, InFormat.S32)


def run_chain(seed, shapes, size, cin, design, in_format=InFormat.I16, keep=(), crop=None):
    rng = np.random.default_rng(seed)
    specs, channels = [], cin
    for index, shape in enumerate(shapes):
        from_bytes = index == 0 and in_format is InFormat.U8
        specs.append(random_spec(rng, index, shape, channels, from_bytes))
        channels = shape.cout
    symbols = random_symbols(rng, cin) if in_format is InFormat.S32 else None
    values = random_input(rng, in_format, (*size, cin))
    return check_chain(specs, values, design, keep, in_format=in_format, symbols=symbols, crop=crop)


@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
@pytest.mark.parametrize("filters", [4, 8, 20, 24])
@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
class TestTransforms:
    def test_encode(self, design, filters, size):
        model = random_model(filters, filters)
        image = np.random.default_rng(size[0]).integers(0, 256, (*size, 3)).astype(np.uint8)
        compiled = compile_transform(model, "encode", size, design, keep=ANALYSIS_NAMES)
        window, results = run_compiled(compiled, image)
        assert set(compiled.memory.tensors) == set(ANALYSIS_NAMES)
        compare(compiled, window, results, *oracle.analyze(image, model))
        assert all(padding_is_zero(compiled, window, name) for name in ANALYSIS_NAMES)

    def test_decode(self, design, filters, size):
        model = random_model(filters, filters)
        shape = (*symbol_size(*size), filters)
        symbols = np.random.default_rng(size[1]).integers(-300, 300, shape)
        compiled = compile_transform(model, "decode", size, design, keep=SYNTHESIS_NAMES)
        window, results = run_compiled(compiled, symbols)
        assert set(compiled.memory.tensors) == set(SYNTHESIS_NAMES)
        assert compiled.output == "syn_2"
        tensors, counts = oracle.synthesize(symbols, size, model)
        compare(compiled, window, results, tensors, counts, symbols="latents")
        assert all(padding_is_zero(compiled, window, name) for name in SYNTHESIS_NAMES[:-1])


@pytest.mark.parametrize("seed", range(3))
def test_extreme_integers_neither_overflow_nor_differ(seed):
    model = random_model(seed, 8, extreme=True)
    rng = np.random.default_rng(seed)
    image = rng.choice(np.array([0, 255], np.uint8), (20, 36, 3))
    compiled = compile_transform(model, "encode", (20, 36), SMALL)
    compare(compiled, *run_compiled(compiled, image), *oracle.analyze(image, model))
    symbols = rng.choice(np.array([-(2**31), 2**31 - 1, 0, 5]), (*symbol_size(20, 36), 8))
    compiled = compile_transform(model, "decode", (20, 36), SMALL)
    tensors, counts = oracle.synthesize(symbols, (20, 36), model)
    compare(compiled, *run_compiled(compiled, symbols), tensors, counts, symbols="latents")


def test_shipped_model_runs_on_the_default_design():
    model = load_quantized(model_path())
    image = np.random.default_rng(0).integers(0, 256, (24, 40, 3)).astype(np.uint8)
    compiled = compile_transform(model, "encode", (24, 40), Design())
    window, _ = run_compiled(compiled, image)
    run = Int16Rung(model).analyze(image, keep=("gdn_0",))
    assert np.array_equal(compiled.read(window, "ana_2"), run.output)
    assert np.array_equal(compiled.read(window, "gdn_0"), run.tensors["gdn_0"])
    compiled = compile_transform(model, "decode", (24, 40), Design())
    window, _ = run_compiled(compiled, run.output)
    assert np.array_equal(
        compiled.read(window, "syn_2"), Int16Rung(model).synthesize(run.output, (24, 40)).output
    )


KERNELS = [(1, 1), (3, 1), (5, 2), (9, 4), (7, 4), (9, 3), (3, 2), (1, 2), (11, 4), (15, 5), (1, 4)]


@pytest.mark.parametrize(("kernel", "stride"), KERNELS)
@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize("design", [SMALL, Design()], ids=["small", "default"])
class TestSingleLayers:
    def test_to_maps(self, kernel, stride, direction, design):
        shape = Shape(direction, kernel, stride, 11)
        run_chain(1, [shape], (8, 24), 5, design)

    def test_normalized(self, kernel, stride, direction, design):
        shape = Shape(direction, kernel, stride, 9, normalized=True)
        compiled = run_chain(2, [shape], (9, 23), 3, design, keep=["conv_0"])
        assert [entry.extra for entry in compiled.layers] == [True, False]

    @pytest.mark.parametrize("cout", [1, 3])
    def test_to_pictures(self, kernel, stride, direction, design, cout):
        shape = Shape(direction, kernel, stride, cout, picture=True)
        compiled = run_chain(3, [shape], (9, 23), 4, design)
        raster = direction == "up" and (kernel, stride) in [(9, 4), (7, 4), (1, 4)]
        wanted = Layout.PICTURE if raster else Layout.BLOCKS
        assert compiled.memory.tensor("conv_0").layout is wanted

    def test_to_cropped_pictures(self, kernel, stride, direction, design):
        shape = Shape(direction, kernel, stride, 3, picture=True)
        for crop in ((1, 1), (2, 3)):
            run_chain(4, [shape], (9, 23), 4, design, crop=crop)

    def test_from_pictures(self, kernel, stride, direction, design):
        shape = Shape(direction, kernel, stride, 5)
        run_chain(5, [shape], (9, 23), 3, design, InFormat.U8)

    def test_from_symbols(self, kernel, stride, direction, design):
        shape = Shape(direction, kernel, stride, 5)
        if direction == "down" and stride > 1:
            with pytest.raises(InputError, match="strides over symbols"):
                run_chain(6, [shape], (9, 23), 10, design, InFormat.S32)
            return
        run_chain(6, [shape], (9, 23), 10, design, InFormat.S32)


@st.composite
def chains(draw):
    """Up to three layers, an input and a design that holds them."""
    in_format = draw(st.sampled_from(IN_FORMATS))
    cin = draw(st.integers(1, 3 if in_format is InFormat.U8 else 18))
    size = draw(st.tuples(st.integers(1, 12), st.integers(1, 20)))
    shapes = []
    height, width = size
    for index in range(draw(st.integers(1, 3))):
        strided = in_format is not InFormat.S32 or index > 0
        direction = draw(st.sampled_from(["down", "up"] if strided else ["up"]))
        stride = draw(st.integers(1, 4))
        kernel = draw(st.sampled_from(range(1, 3 * stride + 1, 2)))
        shapes.append(
            Shape(direction, kernel, stride, draw(st.integers(1, 18)), draw(st.booleans()))
        )
        if direction == "down":
            height, width = -(-height // stride), -(-width // stride)
        else:
            height, width = height * stride, width * stride
        if height * width > 600:
            break
    if draw(st.booleans()):
        last = shapes.pop()
        cout = draw(st.integers(1, 3))
        shapes.append(Shape(last.direction, last.kernel, last.stride, cout, picture=True))
    design = Design(
        pof=draw(st.sampled_from([4, 8, 16])),
        poy=draw(st.sampled_from([2, 4, 8])),
        pox=draw(st.sampled_from([8, 16])),
    )
    kept = [f"conv_{i}" for i, shape in enumerate(shapes) if shape.normalized]
    keep = draw(st.lists(st.sampled_from(kept), unique=True)) if kept else []
    crop = None
    if shapes[-1].picture and draw(st.booleans()):
        crop = (draw(st.integers(1, height)), draw(st.integers(1, width)))
    return shapes, size, cin, design, in_format, keep, crop


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32 - 1), chains())
def test_chains_of_any_layers(seed, chain):
    run_chain(seed, *chain)


class TestTheProgram:
    def test_shares_weights_parameters_and_taps_of_a_layer_compiled_twice(self):
        model = random_model(3, 24)
        plain = compile_transform(model, "encode", (40, 40), SMALL)
        kept = compile_transform(model, "encode", (40, 40), SMALL, keep=["ana_0", "ana_1"])
        assert len(kept.layers) == 5
        for section in ("taps", "params", "weights"):
            assert len(getattr(kept.program, section)) == len(getattr(plain.program, section))
        assert kept.program.passes[0].weight_base == 0

    def test_first_uses_weights_in_the_order_of_their_addresses(self):
        model = random_model(3, 24)
        for transform in ("encode", "decode"):
            program = compile_transform(model, transform, (40, 40), SMALL).program
            seen = 0
            for entry in program.passes:
                assert entry.weight_base <= seen
                seen = max(seen, entry.weight_base + entry.cycles)
            assert seen == len(program.weights)

    def test_marks_phases_tiles_and_halves(self):
        model = random_model(3, 8)
        program = compile_transform(model, "decode", (40, 40), SMALL).program
        for layer in program.layers:
            passes = [program.passes[index] for index in layer.pass_range]
            assert [entry.tile_end for entry in passes].count(1) == 1
            phases = {(entry.phase_y, entry.phase_x) for entry in passes}
            assert sum(entry.phase_begin for entry in passes) == len(phases)
            assert sum(entry.emit_begin for entry in passes) == len(phases)
            assert sum(entry.emit_end for entry in passes) == len(phases)

    def test_of_a_picture_layer_stores_only_tiles_that_are_wanted(self):
        model = random_model(3, 4)
        program = compile_transform(model, "decode", (1, 1), SMALL).program
        assert (program.layers[-1].in_height, program.layers[-1].tiles_y) == (4, 1)

    def test_skips_lanes_beyond_the_channels(self):
        program = compile_transform(random_model(3, 5), "encode", (8, 8), SMALL).program
        entry = program.passes[1]
        assert entry.goes_to is Destination.HOLD
        params = program.params[entry.param_base : entry.param_base + 4]
        assert [param.skipped for param in params] == [False, True, True, True]
        assert not program.weights[entry.weight_base : entry.weight_base + 243, 1:].any()

    def test_turns_padding_of_symbols_into_zero_and_only_the_first_layer_has_symbols(self):
        program = compile_transform(random_model(3, 5), "decode", (8, 8), SMALL).program
        first, *others = program.layers
        padding = program.params[first.in_params :][5:8]
        assert padding == 3 * (ParamRecord(0, 0, 0),)
        assert first.in_format == InFormat.S32
        assert all(layer.in_format == InFormat.I16 for layer in others)
        assert all(layer.in_params == layer.core_y == 0 for layer in others)

    def test_is_the_same_every_time(self):
        model = random_model(3, 8)
        first, second = (compile_transform(model, "decode", (9, 9), SMALL) for _ in range(2))
        assert first.program.to_bytes() == second.program.to_bytes()

    def test_counts_the_macs_of_the_architecture(self):
        compiled = compile_transform(random_model(3, 8), "encode", (32, 32), SMALL, ["ana_0"])
        assert [entry.macs for entry in compiled.layers] == [
            64 * 81 * 3 * 8,
            64 * 81 * 3 * 8 + 64 * 64,
            16 * 25 * 64 + 16 * 64,
            4 * 25 * 64,
        ]
        assert [entry.names for entry in compiled.layers] == [
            ("ana_0",),
            ("ana_0", "gdn_0"),
            ("ana_1", "gdn_1"),
            ("ana_2",),
        ]


def test_poison_covers_what_the_accelerator_writes_and_nothing_else():
    compiled = compile_transform(random_model(3, 8), "encode", (9, 9), SMALL)
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    window = compiled.new_window()
    compiled.write_input(window, image)
    compiled.poison(window, 0x77)
    assert np.array_equal(compiled.read(window, "image"), image)
    assert (compiled.read(window, "ana_2") == 0x7777).all()
    clean, _ = run_compiled(compiled, image)
    poisoned, _ = run_compiled(compiled, image, fill=0x77)
    for name in compiled.memory.tensors:
        assert np.array_equal(compiled.read(clean, name), compiled.read(poisoned, name))


def test_an_input_of_one_channel_and_one_pixel():
    rng = np.random.default_rng(0)
    spec = random_spec(rng, 0, Shape("down", 1, 1, 1), 1, from_bytes=False)
    compiled = compile_layers([spec], (1, 1, 1), SMALL)
    values = np.array([[[7]]], np.int16)
    window, _ = run_compiled(compiled, values)
    kernel, bias, shift = (int(v.reshape(())) for v in vars(spec.conv).values())
    result = (kernel * 7 + bias + (1 << (shift - 1))) >> shift
    assert compiled.read(window, compiled.output) == np.clip(result, -32768, 32767)
