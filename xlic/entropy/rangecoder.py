"""The range coder of tensorflow-compression, byte for byte, without TensorFlow.

The coder narrows an interval of the numbers 0..1 with every symbol and writes the shortest number
inside the last one. Facts that make two coders agree (source: tensorflow-compression 2.14,
``cc/lib/range_coder.{h,cc}`` and ``cc/kernels/range_coder_kernels.cc``):

* The interval is ``[low, low + size)`` with ``2**16 < size <= 2**32``. A bin ``[l, u)`` of a
  distribution of P bits narrows it to ``low += (size·l >> P)``,
  ``size = (size·u >> P) − (size·l >> P)``; as soon as ``size <= 2**16`` both shift by 16 bits and
  the upper 16 bits of ``low`` become output, big-endian.
* The last number is ``2**32``, i.e. a carry, if it lies inside the interval; else ``low`` if that
  is 0; else ``low`` rounded up to a multiple of ``2**24`` if that lies inside, or of ``2**16``.
  Its trailing zero bytes are not written: the decoder takes zeros for what lies behind the end.
* Symbols are coded in the order h, w, c with the distribution of channel c, as
  ``v = symbol − cdf_offset[c]``. The last bin of a distribution, number e, is the escape: for
  ``v < 0`` and ``v >= e`` it is followed by ``g = −v`` or ``g = v − e + 1`` in Elias gamma code
  (n zeros, then the n + 1 bits of g, upper first), then the sign (1 for ``v < 0``), one bit each at
  probability ½.

Every int32 symbol can be coded. TensorFlow's encoder stops at ``g < 2**30`` (from there on it does
not terminate); its decoder reads all that is written here.

One departure: TensorFlow leaves out any number of trailing zero bytes, and so a stream that was cut
off looks to it like one that ends in zeros. Here at most :data:`MAX_IMPLICIT_BYTES` are left out.
The difference shows only where a stream happens to end in 64 or more zero bits: one in about 10**19
— or tables made for it: equal, exactly dyadic bins in all channels. Such a stream of TensorFlow is
refused as truncated; one written here keeps its zeros, and TensorFlow reads it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.entropy.compiled import compiled
from xlic.entropy.tables import EntropyTables
from xlic.errors import FormatError, InputError

MAX_IMPLICIT_BYTES = 12
"""How many zero bytes behind the end of a stream the decoder may read: 4 of its window, 8 more."""

_INT32 = np.iinfo(np.int32)

_OK, _PAST_END, _LONG_ESCAPE, _SYMBOL_RANGE = range(4)
_FULL = -1


def encode(symbols: NDArray[Any], tables: EntropyTables) -> bytes:
    """Code symbols.

    Args:
        symbols: ``(h, w, C)``, any integer dtype, values of int32: ``round(y − o)``, before
            ``cdf_offset`` is subtracted.
        tables: the distributions of the C channels.

    Returns:
        The bytes, those of ``ContinuousBatchedEntropyModel.compress``. None at all where every
        symbol is in bin 0.

    Raises:
        InputError: another dtype, shape or number of channels, or a value beyond int32.
    """
    flat = _check_symbols(symbols, tables)
    cdf, escape, offset = _kernel_tables(tables)
    outside = int(((flat < offset) | (flat >= offset + escape)).sum())
    # A bin takes at most precision + 1 bits (1 for rounding); an escape's tail at most 64.
    bits = flat.size * (tables.precision + 1) + outside * 66
    out = np.empty(bits // 8 + 16, np.uint8)
    run = _compiled(_encode_kernel)
    length: int = run(flat, cdf, escape, offset, tables.precision, MAX_IMPLICIT_BYTES, out)
    if length == _FULL:  # would be a defect of the bound above
        raise AssertionError("the range coder ran out of room")
    return out[:length].tobytes()


def decode(
    data: bytes | bytearray | memoryview, shape: tuple[int, int, int], tables: EntropyTables
) -> NDArray[np.int32]:
    """Decode symbols: the inverse of :func:`encode`.

    The shape is checked against the stream's length before memory is taken, decoding stops where
    the stream does, and the symbols must code to the very same bytes again, so that what is
    returned is what some encoder put in. Not every damage can be told: a stream with a changed bit
    often is a proper stream of other symbols, and one that lost some 12 bytes at its end may be one
    that ends in zeros. :mod:`xlic.entropy.codec` adds a checksum for that.

    Args:
        data: the stream.
        shape: ``(h, w, C)``.
        tables: the distributions it was coded with.

    Returns:
        int32 ``(h, w, C)``.

    Raises:
        InputError: a shape with a zero or negative size, or another number of channels.
        FormatError: a stream that no encoder writes for this shape and these tables.
    """
    height, width, channels = shape
    if min(shape) < 1:
        raise InputError(f"symbol shape {shape} is empty; every size must be at least 1")
    if channels != tables.channels:
        raise InputError(
            f"{channels} channels of symbols, but entropy tables for {tables.channels}; "
            "use the weights that belong to the stream"
        )
    _check_capacity(len(data), height * width, tables)
    cdf, escape, offset = _kernel_tables(tables)
    source = np.frombuffer(data, np.uint8)
    flat = np.empty((height * width, channels), np.int32)
    run = _compiled(_decode_kernel)
    status, position = run(source, cdf, escape, offset, tables.precision, MAX_IMPLICIT_BYTES, flat)
    if status == _PAST_END:
        raise _too_short(len(data), height * width, tables)
    if status == _LONG_ESCAPE:
        raise FormatError(
            f"damaged stream: an escape code of over 32 bits before byte {position}; get the file "
            "again, or use the weights it was made with"
        )
    if status == _SYMBOL_RANGE:
        raise FormatError(
            f"damaged stream: a symbol beyond int32 before byte {position}; get the file again, "
            "or use the weights it was made with"
        )
    symbols = flat.reshape(shape)
    if position < len(data) or encode(symbols, tables) != bytes(data):
        raise FormatError(
            f"damaged stream: its {len(data)} bytes do not end where its {flat.size} symbols do; "
            "get the file again, or use the weights it was made with"
        )
    return symbols


def minimum_bits(tables: EntropyTables) -> float:
    """Least number of bits that one position (C symbols) can take: all in their likeliest bins."""
    # size' < size·p + 1 and size > 2**16, so one symbol narrows to less than p + 2**-16.
    likeliest = np.diff(tables.cdf.astype(np.int64), axis=1).max(axis=1) / (1 << tables.precision)
    return float(-np.log2(np.minimum(likeliest + 2.0**-16, 1.0)).sum())


def _check_capacity(length: int, positions: int, tables: EntropyTables) -> None:
    """Refuse a shape whose symbols, however likely, do not fit into ``length`` bytes.

    Decoding would end in the same error, but only after the memory was taken.

    Raises:
        FormatError: so.
    """
    # The decoder starts with 32 bits, reads 16 more per shift and may read so far past the end;
    # at the end size > 2**16 leaves 16 bits unused.
    readable = 8 * (length + MAX_IMPLICIT_BYTES) - 16
    if positions * minimum_bits(tables) * (1 - 1e-9) > readable:
        raise _too_short(length, positions, tables)


def _too_short(length: int, positions: int, tables: EntropyTables) -> FormatError:
    return FormatError(
        f"truncated stream: its {length} bytes end before its {positions * tables.channels} "
        "symbols do; get the file again, or use the weights it was made with"
    )


def _check_symbols(symbols: NDArray[Any], tables: EntropyTables) -> NDArray[np.int32]:
    if (
        not isinstance(symbols, np.ndarray)
        or symbols.dtype.kind not in "iu"
        or symbols.ndim != 3
        or symbols.size == 0
    ):
        found = (
            f"{symbols.dtype}{list(symbols.shape)}"
            if isinstance(symbols, np.ndarray)
            else type(symbols).__name__
        )
        raise InputError(f"symbols are {found}, must be integer [h, w, {tables.channels}]")
    if symbols.shape[2] != tables.channels:
        raise InputError(
            f"{symbols.shape[2]} channels of symbols, but entropy tables for {tables.channels}; "
            "use the weights that the symbols were made with"
        )
    if not np.can_cast(symbols.dtype, np.int32):
        low, high = int(symbols.min()), int(symbols.max())
        if low < _INT32.min or high > _INT32.max:
            raise InputError(f"symbols span {low}..{high}, more than int32 holds; check the model")
    flat = symbols.reshape(-1, tables.channels)
    return np.ascontiguousarray(flat, np.int32)


def _kernel_tables(
    tables: EntropyTables,
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """The distributions, and per channel the number of the escape bin and the symbol of bin 0."""
    cdf = np.ascontiguousarray(tables.cdf)
    return cdf, tables.cdf_length.astype(np.int64) - 2, tables.cdf_offset.astype(np.int64)


@functools.cache
def _compiled(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """``kernel`` compiled by numba, at the first call."""
    # Imported here, since it takes most of a second and most commands need no entropy coding.
    from numba.types import Array, UniTuple, int32, int64, uint8

    # Given in full, so that read-only arrays do not make it compile a second time.
    tables = (
        Array(int32, 2, "C", readonly=True),
        Array(int64, 1, "C", readonly=True),
        Array(int64, 1, "C", readonly=True),
        int64,
        int64,
    )
    signatures = {
        _encode_kernel: int64(Array(int32, 2, "C", readonly=True), *tables, uint8[::1]),
        _decode_kernel: UniTuple(int64, 2)(
            Array(uint8, 1, "C", readonly=True), *tables, int32[:, ::1]
        ),
    }
    return compiled(kernel, signatures[kernel], nogil=True, error_model="numpy")


# The kernels are plain Python on exact integers; in numba all of them are int64, and 2**32 · 2**16
# is the largest product. ``int()`` is there to get out of NumPy's narrow types.


def _encode_kernel(
    symbols: NDArray[np.int32],
    cdf: NDArray[np.int32],
    escapes: NDArray[np.int64],
    offsets: NDArray[np.int64],
    precision: int,
    max_implicit: int,
    out: NDArray[np.uint8],
) -> int:
    """Code ``symbols`` ``(positions, C)`` into ``out``; return the length, or _FULL."""
    low = 0
    size = 1 << 32
    used = 0
    for i in range(symbols.shape[0]):
        for c in range(symbols.shape[1]):
            escape = int(escapes[c])
            bin_ = int(symbols[i, c]) - int(offsets[c])
            tail = 0
            tail_bits = 0
            if bin_ < 0 or bin_ >= escape:
                sign = 1 if bin_ < 0 else 0
                gamma = -bin_ if bin_ < 0 else bin_ - escape + 1
                tail_bits = 2
                while gamma >> (tail_bits // 2) != 0:
                    tail_bits += 2
                # n zeros and the n + 1 bits of gamma are gamma in 2n + 1 bits; then the sign.
                tail = 2 * gamma + sign
                bin_ = escape
            lower = int(cdf[c, bin_])
            upper = int(cdf[c, bin_ + 1])
            shift = precision
            while True:
                start = (size * lower) >> shift
                size = ((size * upper) >> shift) - start
                low += start
                if low >> 32 != 0:
                    low &= 0xFFFFFFFF
                    k = used - 1
                    while out[k] == 255:
                        out[k] = 0
                        k -= 1
                    out[k] += 1
                if size <= 1 << 16:
                    if used + 4 > out.shape[0]:
                        return _FULL
                    out[used] = low >> 24
                    out[used + 1] = (low >> 16) & 0xFF
                    used += 2
                    low = (low & 0xFFFF) << 16
                    size <<= 16
                if tail_bits == 0:
                    break
                tail_bits -= 1
                lower = (tail >> tail_bits) & 1
                upper = lower + 1
                shift = 1

    end = used
    if low + size > 1 << 32:
        k = used - 1
        while out[k] == 255:
            out[k] = 0
            k -= 1
        out[k] += 1
    elif low > 0:
        last = ((low + 0xFFFFFF) >> 24) << 24
        if last >= low + size:
            last = ((low + 0xFFFF) >> 16) << 16
        out[end] = last >> 24
        out[end + 1] = (last >> 16) & 0xFF
        end += 2
    else:
        return end
    # The decoder will read used + 4 bytes, zeros behind the end.
    while end > 0 and end > used + 4 - max_implicit and out[end - 1] == 0:
        end -= 1
    return end


def _decode_kernel(
    data: NDArray[np.uint8],
    cdf: NDArray[np.int32],
    escapes: NDArray[np.int64],
    offsets: NDArray[np.int64],
    precision: int,
    max_implicit: int,
    out: NDArray[np.int32],
) -> tuple[int, int]:
    """Decode ``data`` into ``out`` ``(positions, C)``; return the status and the bytes read."""
    length = data.shape[0]
    position = 0
    value = 0  # the stream's number, less low
    while position < 4:
        value = (value << 8) | (int(data[position]) if position < length else 0)
        position += 1
    size = 1 << 32
    for i in range(out.shape[0]):
        for c in range(out.shape[1]):
            escape = int(escapes[c])
            # The bin is the last one with size·cdf >> precision <= value.
            target = (((value + 1) << precision) - 1) // size
            bin_ = 0
            right = escape + 1
            while right - bin_ > 1:
                middle = (bin_ + right) >> 1
                if int(cdf[c, middle]) <= target:
                    bin_ = middle
                else:
                    right = middle
            lower = int(cdf[c, bin_])
            upper = int(cdf[c, bin_ + 1])
            shift = precision
            zeros = 0
            gamma = 0
            reading = 0  # 0: the bin, 1: gamma's zeros, 2: its bits, 3: the sign
            while True:
                start = (size * lower) >> shift
                value -= start
                size = ((size * upper) >> shift) - start
                if size <= 1 << 16:
                    if position + 2 > length + max_implicit:
                        return _PAST_END, position
                    for _ in range(2):
                        value = (value << 8) | (int(data[position]) if position < length else 0)
                        position += 1
                    size <<= 16
                if reading == 0:
                    if bin_ != escape:
                        break
                    reading = 1
                elif reading == 1:
                    if lower == 0:
                        zeros += 1
                        if zeros > 31:
                            return _LONG_ESCAPE, position
                    else:
                        gamma = 1
                        reading = 2 if zeros > 0 else 3
                elif reading == 2:
                    gamma = 2 * gamma + lower
                    zeros -= 1
                    if zeros == 0:
                        reading = 3
                else:
                    bin_ = -gamma if lower == 1 else gamma + escape - 1
                    break
                lower = 1 if value >= size >> 1 else 0
                upper = lower + 1
                shift = 1
            symbol = bin_ + int(offsets[c])
            if symbol < -(1 << 31) or symbol >= 1 << 31:
                return _SYMBOL_RANGE, position
            out[i, c] = symbol
    return _OK, position
