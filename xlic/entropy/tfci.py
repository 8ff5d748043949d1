r"""The ``.tfci`` container: a stream and the sizes that its reader needs.

It is a serialized ``tf.train.Example``, what ``tfc.PackedTensors`` of tensorflow-compression writes
and the public script ``bls2017.py`` reads. As Protocol Buffers::

    Example   { Features features = 1; }
    Features  { map<string, Feature> feature = 1; }     an entry is { key = 1; value = 2; }
    Feature   { oneof { BytesList = 1; FloatList = 2; Int64List = 3; } }
    BytesList { repeated bytes value = 1; }
    Int64List { repeated int64 value = 1; }             packed or not

with the features

=========  ==========  =============================================================
key        type        value
=========  ==========  =============================================================
``\x01``   bytes       the stream of :mod:`xlic.entropy.rangecoder`
``\x02``   int64 × 2   height and width of the image
``\x03``   int64 × 2   height and width of the symbols
``MD``     bytes       name of the model, optional
``CRC``    int64       checksum of sizes and symbols, optional, xlic's own addition
=========  ==========  =============================================================

The entries come in any order. Any other feature or field is refused: nothing writes one, and a
damaged key or tag would else take the checksum away unnoticed. TensorFlow passes over what it does
not know, and therefore reads files with ``CRC``. Sources:
``tensorflow/core/example/{example,feature}.proto``, tensorflow-compression 2.14
``python/util/packed_tensors.py``, and the encoding page of protobuf.dev.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xlic.architecture import symbol_size
from xlic.errors import FormatError
from xlic.images import MAX_PIXELS, MAX_SIDE, size_fits

_STRING, _IMAGE, _SYMBOLS, _MODEL, _CHECKSUM = "\x01", "\x02", "\x03", "MD", "CRC"
_KEYS = (_STRING, _IMAGE, _SYMBOLS, _MODEL, _CHECKSUM)

_VARINT, _BYTES = 0, 2
_MAX_FIELDS = 1000
"""So many fields are read of one file: some 30 are in use, and each costs the reader time."""

_REMEDY = "is it a .tfci file? If so, get it again"


@dataclass(frozen=True)
class Tfci:
    """What a ``.tfci`` file holds.

    Attributes:
        string: the range coder's bytes.
        image_size: height and width of the image, at least 1, together at most
            :data:`xlic.images.MAX_PIXELS`.
        symbol_size: height and width of the symbols, that of the image by
            :func:`xlic.architecture.symbol_size`.
        model: name of the model, or None.
        checksum: of :func:`xlic.entropy.codec.checksum`, 0 … 2**32 − 1, or None.

    Raises:
        FormatError: sizes that are not so, or a checksum of more than 32 bits.
    """

    string: bytes
    image_size: tuple[int, int]
    symbol_size: tuple[int, int]
    model: str | None = None
    checksum: int | None = None

    def __post_init__(self) -> None:
        height, width = self.image_size
        if not size_fits(height, width):
            raise FormatError(
                f"a stream for an image of {width}×{height} pixels, must be 1×1 to {MAX_PIXELS} "
                f"pixels, {MAX_SIDE} on a side; {_REMEDY}"
            )
        expected = symbol_size(height, width)
        if self.symbol_size != expected:
            raise FormatError(
                f"a stream with {self.symbol_size[1]}×{self.symbol_size[0]} symbols for an image "
                f"of {width}×{height} pixels, which has {expected[1]}×{expected[0]}; {_REMEDY}"
            )
        if self.checksum is not None and not 0 <= self.checksum < 1 << 32:
            raise FormatError(f"a stream with checksum {self.checksum}, over 32 bits; {_REMEDY}")


def pack(content: Tfci) -> bytes:
    """The file's bytes."""
    features = {
        _STRING: _bytes_feature(content.string),
        _IMAGE: _int64_feature(content.image_size),
        _SYMBOLS: _int64_feature(content.symbol_size),
    }
    if content.model is not None:
        features[_MODEL] = _bytes_feature(content.model.encode())
    if content.checksum is not None:
        features[_CHECKSUM] = _int64_feature((content.checksum,))
    entries = (
        _block(1, _block(1, key.encode()) + _block(2, feature)) for key, feature in features.items()
    )
    return _block(1, b"".join(entries))


def unpack(data: bytes | bytearray | memoryview) -> Tfci:
    """Read a file's bytes. Takes no more memory than they have, whatever they claim.

    Raises:
        FormatError: they are damaged, truncated or no ``.tfci`` file; or sizes that
            :class:`Tfci` refuses.
    """
    try:
        features = _features(memoryview(data))
        sizes = [_int64_list(features, key, 2) for key in (_IMAGE, _SYMBOLS)]
        return Tfci(
            string=bytes(_bytes_value(features, _STRING)),
            image_size=(sizes[0][0], sizes[0][1]),
            symbol_size=(sizes[1][0], sizes[1][1]),
            model=str(_bytes_value(features, _MODEL), "utf-8") if _MODEL in features else None,
            checksum=_int64_list(features, _CHECKSUM, 1)[0] if _CHECKSUM in features else None,
        )
    except _WireError as error:
        raise FormatError(f"damaged or foreign stream: {error}; {_REMEDY}") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"damaged stream: its model's name is no text; {_REMEDY}") from error


class _WireError(Exception):
    """What is wrong with the bytes."""


def _features(data: memoryview) -> dict[str, memoryview]:
    """The serialized ``Feature`` of each key."""
    budget = _Budget()
    found: dict[str, memoryview] = {}
    for _, entry in _blocks(_one(data, 1, "features", budget), (1,), budget):
        fields = list(_blocks(entry, (1, 2), budget))
        if sorted(number for number, _ in fields) != [1, 2]:
            raise _WireError("it has an entry without one key and one value")
        content = dict(fields)
        key = bytes(content[1]).decode("utf-8", "replace")
        if key not in _KEYS:
            raise _WireError(f"it has a feature {key[:20]!r}, which is none of such files")
        if key in found:
            raise _WireError(f"feature {key!r} is there twice")
        found[key] = content[2]
    return found


def _bytes_value(features: dict[str, memoryview], key: str) -> memoryview:
    """The one value of a feature that is a list of bytes."""
    budget = _Budget()
    values = _one(_required(features, key), 1, f"list of bytes in feature {key!r}", budget)
    return _one(values, 1, f"value in feature {key!r}", budget)


def _int64_list(features: dict[str, memoryview], key: str, count: int) -> list[int]:
    """The ``count`` values of a feature that is a list of int64."""
    budget = _Budget()
    content = _one(_required(features, key), 3, f"list of int64 in feature {key!r}", budget)
    values: list[int] = []
    for number, value in _fields(content, budget):
        if number != 1:
            raise _WireError(f"feature {key!r} has a field {number}")
        if isinstance(value, int):
            values.append(value)
            continue
        position = 0
        while position < len(value):
            budget.spend()
            item, position = _varint(value, position)
            values.append(item)
    if len(values) != count:
        raise _WireError(f"feature {key!r} has {len(values)} values where it must have {count}")
    # int64 is sent in two's complement.
    return [value - (1 << 64) if value >> 63 else value for value in values]


def _required(features: dict[str, memoryview], key: str) -> memoryview:
    if key not in features:
        raise _WireError(f"it lacks the feature {key!r}")
    return features[key]


def _one(data: memoryview, number: int, what: str, budget: _Budget) -> memoryview:
    """The contents of the one length-delimited field ``number``."""
    found = [content for _, content in _blocks(data, (number,), budget)]
    if len(found) != 1:
        raise _WireError(f"it has {len(found)} times the {what} where it must have it once")
    return found[0]


def _blocks(
    data: memoryview, numbers: tuple[int, ...], budget: _Budget
) -> Iterator[tuple[int, memoryview]]:
    """All fields, which must be length-delimited and of these numbers, and their contents."""
    for number, value in _fields(data, budget):
        if number not in numbers:
            raise _WireError(f"it has a field {number} where there can be none")
        if isinstance(value, int):
            raise _WireError(f"field {number} has another wire type than length-delimited")
        yield number, value


class _Budget:
    """How many fields may still be read."""

    def __init__(self) -> None:
        self.left = _MAX_FIELDS

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise _WireError(f"it has more than {_MAX_FIELDS} fields")


def _fields(data: memoryview, budget: _Budget) -> Iterator[tuple[int, int | memoryview]]:
    """All fields of a message: number, and value of a varint or contents of a block."""
    position = 0
    while position < len(data):
        budget.spend()
        tag, position = _varint(data, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire_type != _BYTES:
            raise _WireError(f"it has a field of wire type {wire_type}")
        size, position = _varint(data, position)
        if size > len(data) - position:
            raise _WireError(f"a field claims {size} bytes where {len(data) - position} are left")
        yield number, data[position : position + size]
        position += size


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """An unsigned number of up to 64 bits, lowest 7 first, and the position behind it."""
    value = 0
    for k in range(10):
        if position >= len(data):
            raise _WireError("it ends within a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << (7 * k)
        if byte < 0x80:
            if value >> 64:
                break
            return value, position
    raise _WireError("it has a number of more than 64 bits")


def _bytes_feature(value: bytes) -> bytes:
    return _block(1, _block(1, value))


def _int64_feature(values: tuple[int, ...]) -> bytes:
    return _block(3, _block(1, b"".join(_number(value) for value in values)))


def _block(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | _BYTES]) + _number(len(content)) + content


def _number(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
