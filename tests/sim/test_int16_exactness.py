"""The INT16 simulation computes the contract of docs/int16.md to the last bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sim import oracle
from tests.sim.models import random_model
from xlic import convolution
from xlic.architecture import (
    ANALYSIS_NAMES,
    LAYER_NAMES,
    SYNTHESIS_NAMES,
    ConvLayer,
    symbol_size,
)
from xlic.convolution import Convolution
from xlic.errors import InputError
from xlic.quantization.model import ConvIntegers, GdnIntegers
from xlic.rungs.int16 import Int16Rung, _Gdn

pytestmark = pytest.mark.sim

SIZES = [(1, 1), (1, 5), (17, 33), (16, 16), (31, 7), (40, 23)]


def compare(model, image, symbols, size):
    """Names of all tensors and counts that differ between simulation and oracle."""
    rung = Int16Rung(model)
    differing = []
    for names, run, (tensors, saturations) in (
        (ANALYSIS_NAMES, rung.analyze(image, keep=ANALYSIS_NAMES), oracle.analyze(image, model)),
        (
            SYNTHESIS_NAMES,
            rung.synthesize(symbols, size, keep=SYNTHESIS_NAMES),
            oracle.synthesize(symbols, size, model),
        ),
    ):
        assert set(run.tensors) == set(names) == set(tensors)
        differing += [n for n in names if not np.array_equal(run.tensors[n], tensors[n])]
        if run.saturations != saturations:
            differing.append("saturations")
    return differing


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("extreme", [False, True], ids=["full-range", "only-extremes"])
def test_every_tensor_equals_plain_integer_arithmetic(size, extreme):
    rng = np.random.default_rng(size[0] * 100 + size[1])
    model = random_model(seed=size[0], filters=5, extreme=extreme)
    image = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    symbols = rng.integers(-300, 300, (*symbol_size(*size), 5))
    assert compare(model, image, symbols, size) == []


@pytest.mark.parametrize(
    ("tensor", "field"),
    [("ana_0", "kernel"), ("ana_1", "bias"), ("ana_2", "shift"), ("syn_1", "shift")],
)
def test_the_comparison_sees_one_changed_integer_of_a_convolution(tensor, field):
    model = random_model(seed=3, filters=3)
    conv = model.convs[tensor]
    values = getattr(conv, field).copy()
    # Large enough to move a result by one, small enough to be a plausible slip.
    values.reshape(-1)[1] += {"kernel": 1 << 12, "bias": 1 << int(conv.shift[1]), "shift": 1}[field]
    changed = replace(model, convs={**model.convs, tensor: replace(conv, **{field: values})})
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
    symbols = rng.integers(-300, 300, (1, 1, 3))
    sound, _ = oracle.analyze(image, model)
    sound |= oracle.synthesize(symbols, (16, 16), model)[0]
    rung = Int16Rung(changed)
    tensors = {**rung.analyze(image, keep=ANALYSIS_NAMES).tensors}
    tensors |= rung.synthesize(symbols, (16, 16), keep=SYNTHESIS_NAMES).tensors
    first = next(name for name in LAYER_NAMES if not np.array_equal(tensors[name], sound[name]))
    assert first == tensor


@settings(deadline=None, max_examples=20, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    filters=st.integers(1, 4),
)
def test_any_model_and_size_equals_plain_integer_arithmetic(seed, height, width, filters):
    rng = np.random.default_rng(seed)
    model = random_model(seed, filters)
    image = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    symbols = rng.integers(-(2**31), 2**31, (*symbol_size(height, width), filters))
    symbols >>= rng.integers(0, 31, symbols.shape)
    assert compare(model, image, symbols, (height, width)) == []


def test_the_longest_accumulation_of_extremes_is_exact():
    layer = ConvLayer("ana_1", "down", 5, 2, 128, 128, True, None)
    kernel = np.full(layer.kernel_shape, -32768, np.int16)
    kernel[2, 2, 5, ::2] = 32767
    x = np.full((5, 5, 128), -32768, np.int16)
    x[2, 2, 7] = 32767
    sums = []
    out = np.zeros((3, 3, 128))
    Convolution(layer, kernel).each_block(x, lambda block, place: place.store(out, block))
    sums = oracle.convolve(x, kernel, layer)
    assert sums.max() > 3198 * 2**30
    assert np.array_equal(out, sums)


def test_float64_sums_stay_exact_when_kernels_carry_their_shift():
    rng = np.random.default_rng(1)
    layer = ConvLayer("syn_1", "up", 5, 2, 128, 16, True, None)
    kernel = rng.integers(-32768, 32768, layer.kernel_shape).astype(np.int16)
    shift = rng.integers(1, 48, 16)
    x = rng.integers(-32768, 32768, (3, 4, 128)).astype(np.int16)
    out = np.zeros((6, 8, 16))
    Convolution(layer, kernel * np.ldexp(1.0, -shift)).each_block(
        x, lambda block, place: place.store(out, block)
    )
    assert np.array_equal(np.ldexp(out, shift), oracle.convolve(x, kernel, layer))


@pytest.mark.parametrize("shift", [1, 2, 7, 15])
def test_every_rounding_tie_of_a_convolution_goes_up(shift):
    """A centre tap of 1 passes pixels through; bias supplies all remainders around ties."""
    filters = 8
    model = random_model(seed=1, filters=filters)
    kernel = np.zeros((9, 9, 3, filters), np.int16)
    kernel[4, 4, 0] = 1
    half = 1 << (shift - 1)
    bias = np.array([-1, 0, 1, half - 1, half, half + 1, -half, -3 * half], np.int64)
    conv = ConvIntegers(kernel, bias, np.full(filters, shift))
    model = replace(model, convs={**model.convs, "ana_0": conv})
    image = np.zeros((16, 64, 3), np.uint8)
    image[..., 0] = np.arange(1024).reshape(16, 64) % 256
    got = Int16Rung(model).analyze(image, keep=("ana_0",)).tensors["ana_0"]
    exact = (image[::4, ::4, :1].astype(int) + bias) / 2**shift
    ties = exact % 1 == 0.5
    assert ties.any()
    assert np.array_equal(got, np.floor(exact + 0.5))
    assert np.array_equal(got[ties], np.ceil(exact)[ties])


def every_int16_against(norm: int, factor: int, inverse: bool):
    """All int16 values through the division or product with the normalizer held at ``norm``."""
    x = np.arange(-32768, 32768)[:, None]
    gdn = GdnIntegers(
        np.zeros((1, 1), np.int16),
        np.array([2 * norm], np.int64),
        np.array([1]),
        np.array([factor]),
    )
    values = x.astype(np.float64)
    clipped = _Gdn(gdn, inverse)(values)
    function = oracle.gdn_inverse if inverse else oracle.gdn_forward
    expected, count = function(x, gdn)
    return np.array_equal(values, expected) and int(clipped.sum()) == count


@pytest.mark.parametrize("norm", [1, 2, 3, 4, 255, 65535, 65536, 65537, 2**24 - 2, 2**24 - 1])
def test_division_and_product_are_exact_for_every_int16(norm):
    assert all(every_int16_against(norm, k, inverse=False) for k in (0, 1, 9, 20, 31, 36))
    assert all(every_int16_against(norm, s, inverse=True) for s in (1, 2, 9, 24, 39, 47))


@pytest.mark.parametrize(
    ("beta", "norm", "clips"),
    [(0, 1, 0), (-(2**40), 1, 0), (2**25 - 2, 2**24 - 1, 0), (2**40, 2**24 - 1, 2)],
)
def test_the_normalizer_is_held_between_one_and_24_bits(beta, norm, clips):
    gdn = GdnIntegers(np.zeros((1, 1), np.int16), np.array([beta]), np.array([1]), np.array([1]))
    x = np.array([[5.0], [-300.0]])
    counted = _Gdn(gdn, inverse=False)(x)
    assert x.tolist() == [[(5 * 2 + norm // 2) // norm], [-((300 * 2 + norm // 2) // norm)]]
    # Below one is defined; above 24 bits is a saturation.
    assert counted.tolist() == [clips]


def test_saturations_are_counted_per_channel():
    model = random_model(seed=7, filters=4)
    image = np.random.default_rng(2).integers(0, 256, (24, 24, 3)).astype(np.uint8)
    run = Int16Rung(model).analyze(image)
    _, expected = oracle.analyze(image, model)
    assert sum(expected.values()) > 0
    assert {n: int(c.sum()) for n, c in run.channel_saturations.items()} == expected


@pytest.mark.parametrize("symbol", [-(2**31), 2**31 - 1])
def test_every_32_bit_symbol_enters_the_decoder(symbol):
    model = random_model(seed=2, filters=3)
    symbols = np.full((1, 1, 3), symbol, np.int32)
    run = Int16Rung(model).synthesize(symbols, (16, 16), keep=SYNTHESIS_NAMES)
    tensors, saturations = oracle.synthesize(symbols, (16, 16), model)
    assert all(np.array_equal(run.tensors[n], tensors[n]) for n in SYNTHESIS_NAMES)
    assert run.saturations == saturations
    assert saturations["latents"] == 3


@pytest.mark.parametrize(
    "symbols",
    [
        np.array([-(2**63)]),
        np.array([2**31]),
        np.array([2**64 - 1], np.uint64),
        np.array([0.0]),
    ],
)
def test_what_is_no_32_bit_integer_does_not_enter_the_decoder(symbols):
    with pytest.raises(InputError, match="symbols"):
        Int16Rung(random_model(seed=2, filters=1)).synthesize(symbols.reshape(1, 1, 1), (1, 1))


@pytest.mark.parametrize("shape", [(3, 4500), (4500, 3)])
def test_long_pictures_are_cut_into_tiles_that_fit_together(shape, monkeypatch):
    monkeypatch.setattr(convolution, "_TILE_COLUMNS", 70)
    rng = np.random.default_rng(0)
    model = random_model(seed=4, filters=2)
    image = rng.integers(0, 256, (*shape, 3)).astype(np.uint8)
    symbols = rng.integers(-300, 300, (*symbol_size(*shape), 2))
    assert compare(model, image, symbols, shape) == []
