from __future__ import annotations

import functools
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.entropy.reference import (
    any_symbols,
    likely_symbols,
    make_tables,
    random_tables,
    slow_decode,
    slow_encode,
)
from xlic.entropy import rangecoder
from xlic.entropy.rangecoder import MAX_IMPLICIT_BYTES, decode, encode, minimum_bits
from xlic.errors import FormatError, InputError

pytestmark = pytest.mark.sim

INT32 = np.iinfo(np.int32)

GOLDEN_TABLES = make_tables(
    [[0, 40, 300, 1500, 3000, 3900, 4080, 4096], [0, 1, 4000, 4096], [0, 2048, 4096]], [-3, -1, 0]
)
# Made with tensorflow-compression 2.14.1: create_range_encoder([], lookup), lookup being the rows
# of GOLDEN_TABLES one after the other with −12 in front of each; entropy_encode_channel of
# symbols − cdf_offset; entropy_encode_finalize.
GOLDEN = {
    "bin 0 alone": (np.array([[[-3, -1, 0]]]), "0000"),
    "zeros": (np.zeros((2, 3, 3), int), "722f"),
    "ramp": (np.arange(-9, 9).reshape(2, 3, 3), "ff37eddbff9fc2c4459fb6f9b14d3a5cdc2b07d3"),
    "escapes": (
        np.array([[[100, -100, 1], [4, 2, -1], [-4, -2, 1]]]),
        "ff0313e84af3f7bce7ffff28",
    ),
    "far escapes": (
        np.array([[[2**29, -(2**29), 12345]], [[-70000, 70000, -1]]]),
        "ff0000000fffffff3e80000017ffffffd0012158fd00019a24fb8002673d",
    ),
    "mixture": (
        (np.arange(45) * 7919 % 11 - 5).reshape(3, 5, 3),
        "ff5fafdaff3cd94be29f71b2cbc17f75b66d94c5ba836fbc76b1050370289cd8f630a6a38a19fccf15",
    ),
}

seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("name", GOLDEN)
def test_streams_are_the_recorded_ones_of_tensorflow_compression(name):
    symbols, expected = GOLDEN[name]
    assert encode(symbols, GOLDEN_TABLES).hex() == expected
    assert np.array_equal(decode(bytes.fromhex(expected), symbols.shape, GOLDEN_TABLES), symbols)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_slow_reference_gives_the_recorded_streams_too(name):
    symbols, expected = GOLDEN[name]
    assert slow_encode(symbols, GOLDEN_TABLES)[0].hex() == expected
    assert np.array_equal(
        slow_decode(bytes.fromhex(expected), symbols.shape, GOLDEN_TABLES), symbols
    )


@settings(deadline=None, max_examples=60)
@given(seeds, st.integers(1, 6), st.integers(1, 5), st.integers(1, 5), st.integers(1, 16))
def test_streams_are_those_of_exact_arithmetic(seed, channels, height, width, precision):
    rng = np.random.default_rng(seed)
    tables = random_tables(rng, channels, precision)
    symbols = any_symbols(rng, tables, height, width)
    expected, reach = slow_encode(symbols, tables)
    data = encode(symbols, tables)
    assert data == expected.ljust(reach - MAX_IMPLICIT_BYTES, b"\0")
    decoded = decode(data, symbols.shape, tables)
    assert decoded.dtype == np.int32
    assert np.array_equal(decoded, symbols)
    assert np.array_equal(slow_decode(data, symbols.shape, tables), symbols)


def test_carries_run_through_many_delayed_bytes_exactly():
    # Bin 1 keeps the interval around ½ for as long as it is coded; bin 0 or 2 then decides.
    tables = make_tables([[0, 1023, 3072, 4095, 4096]])
    for length in range(1, 60):
        for last in (0, 2):
            symbols = np.array([1] * length + [last, 0, 2, 1], np.int32).reshape(-1, 1, 1)
            assert encode(symbols, tables) == slow_encode(symbols, tables)[0]
            assert np.array_equal(decode(encode(symbols, tables), symbols.shape, tables), symbols)


def test_another_bin_width_gives_another_stream():
    symbols, expected = GOLDEN["mixture"]
    other = GOLDEN_TABLES.cdf.copy()
    other[0, 3] += 1
    tables = make_tables([list(other[0, :8]), [0, 1, 4000, 4096], [0, 2048, 4096]], [-3, -1, 0])
    assert encode(symbols, tables).hex() != expected


@pytest.mark.parametrize("offset", [INT32.min, -100, 0, 100, INT32.max])
@pytest.mark.parametrize("value", [INT32.min, -(2**30), -1, 0, 1, 2**30, INT32.max])
def test_every_int32_survives_beside_any_table(offset, value):
    tables = make_tables([[0, 2000, 4000, 4096]], [offset])
    symbols = np.full((2, 2, 1), value, np.int64)
    data = encode(symbols, tables)
    assert data == slow_encode(symbols, tables)[0]
    assert np.array_equal(decode(data, symbols.shape, tables), symbols)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int64", ">i4", "uint64"])
def test_symbols_of_any_integer_dtype_and_memory_order_give_the_same_stream(dtype):
    rng = np.random.default_rng(1)
    tables = random_tables(rng, 3)
    symbols = np.abs(likely_symbols(rng, tables, 4, 5))
    other = np.asfortranarray(symbols.astype(dtype))
    assert encode(other, tables) == encode(symbols, tables)


def test_read_only_arrays_and_buffers_are_accepted():
    rng = np.random.default_rng(2)
    tables = random_tables(rng, 3)
    symbols = likely_symbols(rng, tables, 2, 2)
    symbols.flags.writeable = tables.cdf.flags.writeable = False
    data = encode(symbols, tables)
    for buffer in (data, bytearray(data), memoryview(data)):
        assert np.array_equal(decode(buffer, symbols.shape, tables), symbols)


def test_symbols_that_are_all_in_bin_0_take_no_bytes():
    tables = make_tables([[0, 4000, 4096]])
    symbols = np.zeros((3, 3, 1), np.int32)
    assert encode(symbols, tables) == b""
    assert np.array_equal(decode(b"", symbols.shape, tables), symbols)


@pytest.mark.parametrize("count", [15, 16, 17, 31, 32, 33])
def test_sixteen_bits_are_shifted_out_as_soon_as_they_are_certain(count):
    tables = make_tables([[0, 2048, 4096]])
    symbols = np.zeros((count, 1, 1), np.int32)
    assert encode(symbols, tables) == b"\0\0" * (count // 16)
    assert np.array_equal(decode(encode(symbols, tables), symbols.shape, tables), symbols)


@pytest.mark.parametrize(
    ("symbols", "complaint"),
    [
        (np.zeros((2, 2, 3)), "symbols are float64[2, 2, 3], must be integer [h, w, 2]"),
        (np.zeros((2, 2, 2), bool), "symbols are bool"),
        (np.zeros((2, 2), int), "must be integer [h, w, 2]"),
        (np.zeros((0, 2, 2), int), "must be integer [h, w, 2]"),
        ([[[1, 2]]], "symbols are list"),
        (np.zeros((2, 2, 3), int), "3 channels of symbols, but entropy tables for 2"),
        (np.full((1, 1, 2), 2**31), "more than int32 holds"),
        (np.full((1, 1, 2), -(2**31) - 1), "more than int32 holds"),
        (np.full((1, 1, 2), 2**64 - 1, np.uint64), "more than int32 holds"),
    ],
)
def test_unusable_symbols_are_refused(symbols, complaint):
    tables = make_tables([[0, 1, 4096], [0, 1, 4096]])
    with pytest.raises(InputError) as caught:
        encode(symbols, tables)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("shape", [(0, 1, 2), (1, -1, 2), (1, 1, 3)])
def test_unusable_shapes_are_refused(shape):
    with pytest.raises(InputError, match=r"must be at least 1|3 channels"):
        decode(b"", shape, make_tables([[0, 1, 4096], [0, 1, 4096]]))


@functools.cache
def stream(seed=5, channels=16, height=6, width=6):
    rng = np.random.default_rng(seed)
    tables = random_tables(rng, channels)
    symbols = any_symbols(rng, tables, height, width, top=300)
    return encode(symbols, tables), symbols, tables


def test_a_stream_that_is_cut_off_is_refused_as_truncated():
    # A loss of a few bytes at the very end looks like zeros that were left out.
    data, symbols, tables = stream()
    for length in range(len(data) - 32):
        with pytest.raises(FormatError, match=r"truncated|damaged"):
            decode(data[:length], symbols.shape, tables)


def test_decoding_stops_soon_behind_the_end_of_the_stream():
    # Bin 0 is so likely that 800 symbols of it would fit the 100 bytes; others stand there.
    tables = make_tables([[0, 3700, 3900, 4090, 4096]])
    symbols = np.random.default_rng(0).integers(1, 3, (800, 1, 1))
    data = encode(symbols, tables)[:100]
    assert 800 * minimum_bits(tables) < 8 * len(data)
    with pytest.raises(FormatError, match="truncated stream: its 100 bytes"):
        decode(data, symbols.shape, tables)


def test_bytes_behind_the_end_are_refused():
    data, symbols, tables = stream()
    for tail in (b"\0", b"\0\0\0\0\0", b"x", bytes(1000)):
        with pytest.raises(FormatError, match="do not end where"):
            decode(data + tail, symbols.shape, tables)


def test_a_number_that_gives_the_same_symbols_but_that_no_encoder_picks_is_refused():
    data, symbols, tables = stream(channels=2, height=2, width=3)
    others = 0
    for byte in range(256):
        other = data[:-1] + bytes([byte])
        if other != data and np.array_equal(slow_decode(other, symbols.shape, tables), symbols):
            others += 1
            with pytest.raises(FormatError, match="do not end where"):
                decode(other, symbols.shape, tables)
    assert others > 0


def test_another_shape_or_another_models_tables_are_refused():
    data, (height, width, channels), tables = stream()[0], stream()[1].shape, stream()[2]
    for shape in ((height - 1, width, channels), (2 * height, width, channels)):
        with pytest.raises(FormatError):
            decode(data, shape, tables)
    with pytest.raises(FormatError):
        decode(data, (height, width, channels), stream(seed=6)[2])


def test_an_escape_of_over_32_bits_is_refused():
    tables = make_tables([[0, 1, 2]], precision=1)  # bin 1 is the escape, at probability ½
    with pytest.raises(FormatError, match="escape code of over 32 bits"):
        decode(b"\x80\x00\x00\x00\x40", (1, 1, 1), tables)  # 1, then 32 zeros, then 1


def test_a_symbol_beyond_int32_is_refused():
    near = make_tables([[0, 2000, 4096]], [0])
    far = make_tables([[0, 2000, 4096]], [INT32.max])
    data = encode(np.full((1, 1, 1), 7), near)
    with pytest.raises(FormatError, match="beyond int32"):
        decode(data, (1, 1, 1), far)


def test_a_shape_that_cannot_fit_the_stream_is_refused_before_memory_is_taken():
    steep = make_tables([[0, 4095, 4096]] * 128)
    for tables in (steep, random_tables(np.random.default_rng(3), 128)):
        tracemalloc.start()
        with pytest.raises(FormatError, match="truncated stream: its 10 bytes"):
            decode(b"0123456789", (1024, 1024, 128), tables)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1 << 20


def test_a_shape_that_fits_the_stream_passes_the_bound_however_likely_its_symbols():
    # The bound must never refuse what the decoder would read: the likeliest symbols there are.
    for rows in ([[0, 4095, 4096]] * 4, [[0, 1, 4095, 4096]] * 4, [[0, 2048, 4096]] * 4):
        tables = make_tables(rows)
        likeliest = np.diff(tables.cdf, axis=1).argmax(axis=1)
        symbols = np.broadcast_to(likeliest, (3000, 10, 4))
        data = encode(symbols, tables)
        assert np.array_equal(decode(data, symbols.shape, tables), symbols)
        assert 0 < symbols[..., 0].size * minimum_bits(tables) < 8 * (len(data) + 12)


def test_a_stream_of_endless_zeros_keeps_them_where_tensorflow_leaves_them_out():
    # Bin 1 is [¼, ¾): the number ½ codes any number of it, and TensorFlow writes one byte.
    tables = make_tables([[0, 1024, 3072, 4096]])
    symbols = np.ones((1000, 1, 1), np.int32)
    assert slow_encode(symbols, tables)[0] == b"\x80"
    data = encode(symbols, tables)
    assert data.rstrip(b"\0") == b"\x80"
    assert np.array_equal(decode(data, symbols.shape, tables), symbols)
    with pytest.raises(FormatError, match="truncated"):
        decode(b"\x80", symbols.shape, tables)


@settings(deadline=2000, max_examples=150)
@given(st.binary(max_size=200), st.integers(1, 9), st.integers(1, 9), st.integers(0, 9))
@example(b"", 9, 9, 0)
@example(b"\xff" * 200, 9, 9, 1)
def test_random_bytes_give_symbols_that_encode_to_them_or_a_format_error(data, h, w, seed):
    tables = random_tables(np.random.default_rng(seed), 3)
    try:
        symbols = decode(data, (h, w, 3), tables)
    except FormatError:
        return
    assert encode(symbols, tables) == data


@settings(deadline=2000, max_examples=150)
@given(st.data())
def test_a_flipped_bit_gives_another_stream_or_a_format_error(data):
    original, symbols, tables = stream()
    bit = data.draw(st.integers(0, 8 * len(original) - 1))
    damaged = bytearray(original)
    damaged[bit // 8] ^= 1 << bit % 8
    try:
        decoded = decode(damaged, symbols.shape, tables)
    except FormatError:
        return
    assert not np.array_equal(decoded, symbols)


def test_the_kernels_give_the_same_uncompiled(monkeypatch):
    expected, symbols, tables = stream(channels=4)
    monkeypatch.setattr(rangecoder, "_compiled", lambda kernel: kernel)
    assert encode(symbols, tables) == expected
    assert np.array_equal(decode(expected, symbols.shape, tables), symbols)


def test_a_machine_without_a_writable_cache_compiles_all_the_same(monkeypatch):
    numba = pytest.importorskip("numba")
    calls = []

    def njit(signature, cache=False, **options):
        calls.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda kernel: kernel

    monkeypatch.setattr(numba, "njit", njit)
    kernel = rangecoder._encode_kernel
    assert rangecoder._compiled.__wrapped__(kernel) is kernel
    assert calls == [True, False]
