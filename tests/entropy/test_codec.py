from __future__ import annotations

import collections
import dataclasses
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.entropy.mutations import KINDS, mutations
from tests.entropy.reference import any_symbols, make_tables, random_tables
from xlic.architecture import symbol_size
from xlic.entropy.codec import (
    checksum,
    compress,
    decompress,
    has_checksum,
    zeroth_order_entropy,
)
from xlic.entropy.tfci import Tfci, pack, unpack
from xlic.errors import FormatError, InputError

pytestmark = pytest.mark.sim

SIZE = (37, 50)


def sample(seed=0, channels=4, size=SIZE):
    rng = np.random.default_rng(seed)
    tables = random_tables(rng, channels)
    return any_symbols(rng, tables, *symbol_size(*size), top=200), tables


@settings(deadline=2000, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 100), st.integers(1, 100))
def test_what_is_compressed_is_decompressed(seed, channels, height, width):
    symbols, tables = sample(seed, channels, (height, width))
    decoded, size = decompress(compress(symbols, (height, width), tables), tables)
    assert size == (height, width)
    assert decoded.dtype == np.int32
    assert np.array_equal(decoded, symbols)


def test_the_models_name_travels_with_the_stream():
    symbols, tables = sample()
    assert unpack(compress(symbols, SIZE, tables, model="bls2017-0.125")).model == "bls2017-0.125"
    assert unpack(compress(symbols, SIZE, tables)).model is None


def test_a_file_without_a_checksum_is_read():
    symbols, tables = sample()
    content = unpack(compress(symbols, SIZE, tables))
    plain = pack(Tfci(content.string, content.image_size, content.symbol_size))
    assert len(compress(symbols, SIZE, tables)) - len(plain) <= 18
    assert np.array_equal(decompress(plain, tables)[0], symbols)


def test_every_flipped_bit_is_told_or_harmless():
    symbols, tables = sample()
    data = compress(symbols, SIZE, tables)
    harmless = 0
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            decoded, size = decompress(damaged, tables)
        except FormatError:
            continue
        assert np.array_equal(decoded, symbols)
        assert size == SIZE
        harmless += 1
    # Lengths and numbers that are not the shortest have no bits to spare: nothing is harmless.
    assert harmless == 0


def test_every_cut_is_told():
    symbols, tables = sample()
    data = compress(symbols, SIZE, tables)
    for length in range(len(data)):
        with pytest.raises(FormatError):
            decompress(data[:length], tables)


def test_the_checksum_tells_what_the_stream_cannot():
    # The tables differ in a bin of the same width, so any stream of one is a stream of the other.
    symbols = np.array([[[0], [1], [0], [1]]], np.int32)
    tables, other = make_tables([[0, 1024, 2048, 4096]]), make_tables([[0, 1024, 2048, 4096]], [5])
    content = unpack(compress(symbols, (16, 64), tables))
    plain = pack(Tfci(content.string, content.image_size, content.symbol_size))
    assert np.array_equal(decompress(plain, other)[0], symbols + 5)
    with pytest.raises(FormatError, match="do not match its checksum"):
        decompress(pack(content), other)


def test_the_checksum_covers_every_size_and_symbol_and_no_dtype():
    symbols, _ = sample()
    expected = checksum(symbols, SIZE)
    assert checksum(np.asfortranarray(symbols.astype(np.int64)), SIZE) == expected
    changed = symbols.copy()
    changed[1, 2, 3] += 1
    assert checksum(changed, SIZE) != expected
    assert checksum(symbols, (SIZE[0] + 1, SIZE[1])) != expected
    assert checksum(symbols.reshape(-1, 1, 4), SIZE) != expected


def test_other_tables_are_refused_with_the_remedy():
    symbols, tables = sample()
    data = compress(symbols, SIZE, tables)
    with pytest.raises(FormatError, match="weights it was made with"):
        decompress(data, sample(seed=1)[1])
    with pytest.raises(FormatError, match="weights it was made with"):
        decompress(data, sample(channels=5)[1])


@pytest.mark.parametrize(
    ("size", "complaint"),
    [((37, 100), "must be"), ((0, 50), "at least 1×1"), ((1 << 15, 1 << 15), "crop")],
)
def test_sizes_that_do_not_fit_the_symbols_are_refused(size, complaint):
    symbols, tables = sample()
    with pytest.raises(InputError) as caught:
        compress(symbols, size, tables)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("rows", [[[0, 4095, 4096]] * 128, [[0, 2048, 3000, 4096]] * 128])
def test_a_header_of_2_to_the_26_pixels_with_ten_bytes_is_refused_at_once(rows):
    side = 1 << 13
    bomb = pack(Tfci(b"0123456789", (side, side), symbol_size(side, side)))
    tracemalloc.start()
    with pytest.raises(FormatError, match="truncated"):
        decompress(bomb, make_tables(rows))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@settings(deadline=2000, max_examples=80)
@given(st.binary(max_size=60), st.integers(1, 1 << 13), st.integers(1, 1 << 13))
def test_random_streams_under_any_header_give_symbols_or_a_format_error(string, height, width):
    _, tables = sample()
    bomb = pack(Tfci(string, (height, width), symbol_size(height, width)))
    try:
        symbols, size = decompress(bomb, tables)
    except FormatError:
        return
    assert size == (height, width)
    assert symbols.shape == (*symbol_size(height, width), 4)


def test_entropy_is_the_bits_of_each_channels_histogram():
    symbols = np.zeros((4, 4, 3), np.int32)
    symbols[:2, :, 1] = 7  # two values at ½: 1 bit each
    symbols[..., 2] = np.arange(16).reshape(4, 4)  # sixteen values: 4 bits each
    assert zeroth_order_entropy(symbols) == pytest.approx(16 * 1 + 16 * 4)
    assert zeroth_order_entropy(symbols[..., :1]) == 0


def test_entropy_of_other_things_than_symbols_is_refused():
    with pytest.raises(InputError, match="must be integer"):
        zeroth_order_entropy(np.zeros((2, 2, 2)))
    with pytest.raises(InputError, match="must be integer"):
        zeroth_order_entropy(np.zeros((2, 2), int))


def with_entries_in_order(data, order):
    """The same file with its entries in another order, as a map may have them."""
    assert data[0] == 0x0A
    position = 2 if data[1] < 0x80 else 3
    entries = []
    while position < len(data):
        assert data[position] == 0x0A
        wide = data[position + 1] >= 0x80
        size = data[position + 1] & 0x7F | (data[position + 2] << 7 if wide else 0)
        end = position + 2 + wide + size
        entries.append(data[position:end])
        position = end
    return data[: len(data) - sum(map(len, entries))] + b"".join(entries[k] for k in order)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2), (2, 0, 3, 1)])
def test_no_damage_to_a_file_with_a_checksum_gives_other_symbols(order):
    symbols, tables = sample(size=(60, 80))
    data = with_entries_in_order(compress(symbols, (60, 80), tables), order)
    assert np.array_equal(decompress(data, tables)[0], symbols)
    outcomes = collections.Counter()
    for kind, damaged in mutations(data, 1500, seed=sum(10**k * n for k, n in enumerate(order))):
        try:
            decoded, size = decompress(damaged, tables)
        except FormatError:
            outcomes["told", kind] += 1
            continue
        same = np.array_equal(decoded, symbols) and size == (60, 80)
        assert same or not has_checksum(damaged), (kind, damaged.hex())
        outcomes["unlike and unchecked" if not same else "harmless"] += 1
    # A checksum goes only with its whole entry and with the lengths around it put right.
    assert outcomes["unlike and unchecked"] == 0
    assert all(outcomes["told", kind.__name__.strip("_")] > 150 for kind in KINDS)


def test_damage_to_the_key_of_the_checksum_is_told():
    symbols, tables = sample()
    data = compress(symbols, SIZE, tables)
    assert data.count(b"CRC") == 1
    with pytest.raises(FormatError, match="'CZC'"):
        decompress(data.replace(b"CRC", b"CZC"), tables)


def test_whether_a_file_has_a_checksum_is_told():
    symbols, tables = sample()
    content = unpack(compress(symbols, SIZE, tables))
    assert has_checksum(pack(content))
    assert not has_checksum(pack(dataclasses.replace(content, checksum=None)))
