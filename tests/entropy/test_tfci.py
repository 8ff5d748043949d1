from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xlic.architecture import symbol_size
from xlic.entropy.tfci import Tfci, pack, unpack
from xlic.errors import FormatError
from xlic.images import MAX_PIXELS, MAX_SIDE

pytestmark = pytest.mark.sim

# Made with tensorflow-compression 2.14.1: PackedTensors().pack of [string (1,), int32 (2,),
# int32 (2,)], the second with model = "bls2017".
STRING = bytes.fromhex("ff37eddbff9fc2c4459fb6f9b14d3a5cdc2b07d3")
GOLDEN = bytes.fromhex(
    "0a390a0b0a010312061a040a0202030a1d0a010112180a160a14ff37eddbff9fc2c4459fb6f9b14d3a5cdc2b07d3"
    "0a0b0a010212061a040a021121"
)
GOLDEN_WITH_MODEL = bytes.fromhex(
    "0a4c0a0b0a010312061a040a0202030a1d0a010112180a160a14ff37eddbff9fc2c4459fb6f9b14d3a5cdc2b07d3"
    "0a0b0a010212061a040a0211210a110a024d44120b0a090a07626c7332303137"
)


def block(number, content):
    """A length-delimited field, contents under 128 bytes."""
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def feature(key, value):
    return block(1, block(1, key) + block(2, value))


def int64s(*encoded):
    return block(3, block(1, b"".join(encoded)))


STRING_FEATURE = feature(b"\x01", block(1, block(1, b"abc")))
IMAGE_FEATURE = feature(b"\x02", int64s(b"\x11\x21"))
SYMBOLS_FEATURE = feature(b"\x03", int64s(b"\x02\x03"))
WHOLE = Tfci(b"abc", (17, 33), (2, 3))


def test_files_of_tensorflow_compression_are_read():
    assert unpack(GOLDEN) == Tfci(STRING, (17, 33), (2, 3))
    assert unpack(GOLDEN_WITH_MODEL) == Tfci(STRING, (17, 33), (2, 3), "bls2017")


def test_a_written_file_holds_the_same_entries_as_one_of_tensorflow_compression():
    ours = pack(Tfci(STRING, (17, 33), (2, 3), "bls2017"))
    assert len(ours) == len(GOLDEN_WITH_MODEL)
    assert sorted(ours) == sorted(GOLDEN_WITH_MODEL)


@settings(max_examples=50)
@given(
    st.binary(max_size=400),
    st.integers(1, 8192),
    st.integers(1, 8192),
    st.none() | st.text("bls2017-λ0.125", max_size=20),
    st.none() | st.integers(0, 2**32 - 1),
)
def test_what_is_packed_is_unpacked(string, height, width, model, checksum):
    content = Tfci(string, (height, width), symbol_size(height, width), model, checksum)
    assert unpack(pack(content)) == content


@pytest.mark.parametrize("order", list(itertools.permutations(range(5))))
def test_entries_may_come_in_any_order_the_value_before_the_key_too(order):
    model, checksum = feature(b"MD", block(1, block(1, b"m"))), feature(b"CRC", int64s(b"\x07"))
    entries = [STRING_FEATURE, IMAGE_FEATURE, SYMBOLS_FEATURE, model, checksum]
    swapped = block(1, block(2, int64s(b"\x07")) + block(1, b"CRC"))
    whole = Tfci(b"abc", (17, 33), (2, 3), "m", 7)
    assert unpack(block(1, b"".join(entries[k] for k in order))) == whole
    entries[4] = swapped
    assert unpack(block(1, b"".join(entries[k] for k in order))) == whole


UNKNOWN = {
    "a number": b"\x20\x96\x01",
    "eight bytes": b"\x29" + bytes(8),
    "four bytes": b"\x35" + bytes(4),
    "a block": block(9, b"?"),
}


@pytest.mark.parametrize("unknown", UNKNOWN.values(), ids=UNKNOWN)
def test_what_no_writer_writes_is_refused_wherever_it_is(unknown):
    # Who takes the tag of the checksum's entry for an unknown field has a file without a checksum.
    inside = block(1, b"\x11\x21")
    for bad in (
        unknown + entries(),
        entries() + unknown,
        entries(more=unknown),
        entries(more=block(1, block(1, b"MD") + block(2, block(1, block(1, b"m"))) + unknown)),
        entries(image=feature(b"\x02", block(3, inside) + unknown)),
        entries(image=feature(b"\x02", block(3, inside + unknown))),
        entries(string=feature(b"\x01", block(1, block(1, b"abc") + unknown))),
    ):
        with pytest.raises(FormatError):
            unpack(bad)


@pytest.mark.parametrize("key", [b"CZC", b"crc", b"CRC ", b"", b"other", b"\x04", b"\x00", b"\xff"])
def test_a_key_that_is_neither_tensorflows_nor_ours_is_refused(key):
    with pytest.raises(FormatError, match="none of such files"):
        unpack(entries(more=feature(key, int64s(b"\x07"))))


def test_numbers_need_not_be_packed_nor_shortest():
    unpacked = feature(b"\x02", block(3, b"\x08\x11\x08\x21"))
    mixed = feature(b"\x03", block(3, b"\x08\x82\x80\x00" + block(1, b"\x83\x00")))
    assert unpack(block(1, STRING_FEATURE + unpacked + mixed)) == WHOLE


def entries(string=STRING_FEATURE, image=IMAGE_FEATURE, symbols=SYMBOLS_FEATURE, more=b""):
    return block(1, string + image + symbols + more)


MINUS_1 = b"\xff" * 9 + b"\x01"
TWO_31 = b"\x80\x80\x80\x80\x08"
BAD = {
    "nothing": (b"", "0 times the features"),
    "text": (b"Hello, world\n", "damaged or foreign"),
    "png": (b"\x89PNG\r\n\x1a\n", "damaged or foreign"),
    "no string": (entries(string=b""), r"lacks the feature '\x01'"),
    "no image size": (entries(image=b""), r"lacks the feature '\x02'"),
    "no symbol size": (entries(symbols=b""), r"lacks the feature '\x03'"),
    "the same key twice": (entries(more=IMAGE_FEATURE), "is there twice"),
    "features twice": (entries() + entries(), "2 times the features"),
    "an entry with two keys": (entries(more=block(1, block(1, b"a") * 2)), "without one key"),
    "an entry without a value": (entries(more=block(1, block(1, b"a"))), "without one key and one"),
    "two strings": (entries(string=feature(b"\x01", block(1, block(1, b"a") * 2))), "2 times"),
    "a number for a string": (
        entries(string=feature(b"\x01", int64s(b"\x01"))),
        "a field 3 where there can be none",
    ),
    "a string for numbers": (entries(image=feature(b"\x02", block(1, b""))), "a field 1 where"),
    "a wrong wire type": (b"\x08\x05", "another wire type"),
    "a group": (entries() + b"\x0b\x0c", "wire type 3"),
    "field number 0": (entries() + b"\x02\x00", "a field 0"),
    "one number": (entries(image=feature(b"\x02", int64s(b"\x11"))), "1 values"),
    "three numbers": (entries(image=feature(b"\x02", int64s(b"\x11\x21\x01"))), "3 values"),
    "many numbers": (entries(image=feature(b"\x02", int64s(b"\x01" * 50))), "50 values"),
    "a number that is cut off": (
        entries(image=feature(b"\x02", int64s(b"\x11\xa1"))),
        "ends within",
    ),
    "a number of 70 bits": (b"\xff" * 10 + b"\x01", "more than 64 bits"),
    "a number of 65 bits": (
        entries(image=feature(b"\x02", int64s(b"\xff" * 9 + b"\x02\x21"))),
        "more than 64 bits",
    ),
    "a length beyond the end": (b"\x0a\x7f", "claims 127 bytes where 0 are left"),
    "a length of 2**63": (b"\x0a" + b"\x80" * 9 + b"\x01", "claims 9223372036854775808 bytes"),
    "many fields": (b"\x0a\x00" * 1001, "more than 1000 fields"),
    "a height of 0": (entries(image=feature(b"\x02", int64s(b"\x00\x21"))), "33×0 pixels"),
    "a negative width": (
        entries(image=feature(b"\x02", int64s(b"\x11" + MINUS_1))),
        "-1×17 pixels",
    ),
    "2**31 pixels": (entries(image=feature(b"\x02", int64s(TWO_31 + b"\x01"))), "1×2147483648"),
    "2**62 pixels": (entries(image=feature(b"\x02", int64s(TWO_31 + TWO_31))), "pixels"),
    "symbols of another image": (
        entries(symbols=feature(b"\x03", int64s(b"\x03\x02"))),
        "2×3 symbols for an image of 33×17 pixels, which has 3×2",
    ),
    "a model that is no text": (
        entries(more=feature(b"MD", block(1, block(1, b"\xff")))),
        "no text",
    ),
    "a checksum of 64 bits": (entries(more=feature(b"CRC", int64s(MINUS_1))), "checksum -1"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_one_line(name):
    data, complaint = BAD[name]
    with pytest.raises(FormatError) as caught:
        unpack(data)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_pieces_of_the_bad_files_make_a_good_one():
    assert unpack(entries()) == WHOLE


@pytest.mark.parametrize("data", [GOLDEN, GOLDEN_WITH_MODEL])
def test_a_file_that_is_cut_off_anywhere_is_refused(data):
    for length in range(len(data)):
        with pytest.raises(FormatError):
            unpack(data[:length])


def test_the_largest_image_is_accepted_and_one_pixel_row_more_is_not():
    side = 1 << 13
    assert side * side == MAX_PIXELS
    assert unpack(pack(Tfci(b"", (side, side), (512, 512)))).image_size == (side, side)
    with pytest.raises(FormatError, match="must be 1×1 to"):
        Tfci(b"", (side + 1, side), (513, 512))


def test_the_longest_side_is_accepted_and_one_pixel_more_is_not():
    for size in ((1, MAX_SIDE), (MAX_SIDE, 1)):
        assert unpack(pack(Tfci(b"", size, symbol_size(*size)))).image_size == size
    with pytest.raises(FormatError, match="65536 on a side"):
        Tfci(b"", (1, MAX_SIDE + 1), symbol_size(1, MAX_SIDE + 1))


@settings(deadline=1000, max_examples=200)
@given(st.binary(max_size=300))
def test_random_bytes_are_refused(data):
    with pytest.raises(FormatError):
        unpack(data)


@settings(deadline=1000, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, len(GOLDEN) - 1), st.integers(0, 255)), max_size=6))
def test_changed_bytes_give_a_consistent_header_or_a_format_error(changes):
    data = bytearray(GOLDEN)
    for position, value in changes:
        data[position] = value
    try:
        content = unpack(data)
    except FormatError:
        return
    assert np.prod(content.image_size) <= MAX_PIXELS
    assert content.symbol_size == symbol_size(*content.image_size)
    assert len(content.string) < len(GOLDEN)


def test_a_large_file_of_small_fields_is_refused_without_reading_it_all():
    with pytest.raises(FormatError, match="more than 1000 fields"):
        unpack(b"\x0a\x00" * 5_000_000)
