"""Symbols to a whole ``.tfci`` file and back, and how many bits they are worth without tables."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.architecture import symbol_size
from xlic.entropy import rangecoder, tfci
from xlic.entropy.tables import EntropyTables
from xlic.errors import FormatError, InputError
from xlic.images import check_size


def compress(
    symbols: NDArray[Any],
    image_size: tuple[int, int],
    tables: EntropyTables,
    *,
    model: str | None = None,
) -> bytes:
    """Code the symbols of an image.

    Args:
        symbols: ``(h, w, C)``, any integer dtype, values of int32.
        image_size: height and width of the image; ``(h, w)`` must be its
            :func:`xlic.architecture.symbol_size`.
        tables: the distributions of the C channels.
        model: a name to store in the file, or None.

    Returns:
        A ``.tfci`` file, with a checksum that takes up to 18 bytes.

    Raises:
        InputError: other symbols, or a size that does not fit them.
    """
    height, width = int(image_size[0]), int(image_size[1])
    check_size(height, width, "image")
    string = rangecoder.encode(symbols, tables)
    expected = symbol_size(height, width)
    if symbols.shape[:2] != expected:
        raise InputError(
            f"symbols are {list(symbols.shape)}, must be {[*expected, tables.channels]} for an "
            f"image of {width}×{height} pixels"
        )
    return tfci.pack(
        tfci.Tfci(
            string=string,
            image_size=(height, width),
            symbol_size=expected,
            model=model,
            checksum=checksum(symbols, (height, width)),
        )
    )


def decompress(
    data: bytes | bytearray | memoryview, tables: EntropyTables
) -> tuple[NDArray[np.int32], tuple[int, int]]:
    """Decode a ``.tfci`` file: the inverse of :func:`compress`.

    A file with a checksum, as :func:`compress` writes it, gives back the symbols that went in or an
    error. Without one, as TensorFlow writes it (:func:`has_checksum`), damage is told where the
    stream no longer fits the header (:func:`xlic.entropy.rangecoder.decode`): most of it.

    Args:
        data: the file's bytes.
        tables: the distributions that it was coded with.

    Returns:
        The symbols, int32 ``(h, w, C)``, and the image's height and width.

    Raises:
        FormatError: a damaged, truncated or foreign file, or one made with other tables. Memory is
            taken only for what the stream can hold.
    """
    content = tfci.unpack(data)
    height, width = content.symbol_size
    symbols = rangecoder.decode(content.string, (height, width, tables.channels), tables)
    if content.checksum not in (None, checksum(symbols, content.image_size)):
        raise FormatError(
            f"damaged stream: its {symbols.size} symbols do not match its checksum; get the file "
            "again, or use the weights it was made with"
        )
    return symbols, content.image_size


def has_checksum(data: bytes | bytearray | memoryview) -> bool:
    """Whether damage to a ``.tfci`` file is certain to be told, but for one case in 2**32.

    Raises:
        FormatError: as :func:`decompress`.
    """
    return tfci.unpack(data).checksum is not None


def checksum(symbols: NDArray[Any], image_size: tuple[int, int]) -> int:
    """CRC-32 over height, width, h, w, C and the symbols in order, all as little-endian int32.

    It is taken of the symbols and not of the stream, so that it also tells a stream that is decoded
    with another model's tables.
    """
    sizes = np.array([*image_size, *symbols.shape], "<i4")
    return zlib.crc32(np.ascontiguousarray(symbols, "<i4").data, zlib.crc32(sizes.data))


def zeroth_order_entropy(symbols: NDArray[Any]) -> float:
    """Bits of all symbols together, by the empirical distribution of each channel.

    It is what an ideal coder would need that is told each channel's histogram for nothing: a figure
    for models without entropy tables, somewhat below what a trained prior reaches.

    Args:
        symbols: integers ``(h, w, C)``.

    Raises:
        InputError: another dtype or shape.
    """
    if symbols.dtype.kind not in "iu" or symbols.ndim != 3 or symbols.size == 0:
        raise InputError(
            f"symbols are {symbols.dtype}{list(symbols.shape)}, must be integer [h, w, channels]"
        )
    flat = symbols.reshape(-1, symbols.shape[2])
    bits = 0.0
    for c in range(flat.shape[1]):
        counts = np.unique(flat[:, c], return_counts=True)[1]
        bits -= float((counts * np.log2(counts / flat.shape[0])).sum())
    return bits
