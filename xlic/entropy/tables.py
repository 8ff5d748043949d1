"""Integer tables of the factorized prior: what both sides of the range coder must share.

They are made once, from the trained prior, by tensorflow-compression, and travel with the weights.
They are never rebuilt: tables computed on another machine or float back end differ in places, and
one differing entry makes every later symbol of a stream unreadable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.errors import FormatError
from xlic.files import Array, ArrayMap, require

_KEYS = ("cdf", "cdf_length", "cdf_offset", "quantization_offset")


@dataclass(frozen=True)
class EntropyTables:
    """One cumulative distribution per channel.

    The last bin of each is the escape, for symbols outside the table
    (:mod:`xlic.entropy.rangecoder`).

    Attributes:
        cdf: int32 ``(C, L)``; row c holds ``0 = cdf[0] < … < cdf[n−1] = 2**precision`` with
            ``n = cdf_length[c]``, padded with zeros.
        cdf_length: int32 ``(C,)``, entries of each row, escape included (bins + 1).
        cdf_offset: int32 ``(C,)``, symbol value of bin 0.
        quantization_offset: float32 ``(C,)``, the o of ``symbol = round(y − o)``.
        precision: bits of the probabilities; 12 for bls2017.

    Raises:
        FormatError: arrays that are not such tables.
    """

    cdf: NDArray[np.int32]
    cdf_length: NDArray[np.int32]
    cdf_offset: NDArray[np.int32]
    quantization_offset: NDArray[np.float32]
    precision: int = 12

    def __post_init__(self) -> None:
        if not 1 <= self.precision <= 16:
            raise FormatError(f"entropy tables: precision {self.precision} is not in 1..16")
        total = 1 << self.precision
        if self.cdf.ndim != 2 or self.cdf.dtype != np.int32 or self.cdf.size == 0:
            raise FormatError(
                f"entropy tables: cdf is {self.cdf.dtype}{list(self.cdf.shape)}, must be "
                "int32 [channels, entries]"
            )
        channels, width = self.cdf.shape
        for key, dtype in zip(_KEYS[1:], (np.int32, np.int32, np.float32), strict=True):
            array = getattr(self, key)
            if array.shape != (channels,) or array.dtype != dtype:
                raise FormatError(
                    f"entropy tables: {key} is {array.dtype}{list(array.shape)}, must be "
                    f"{np.dtype(dtype)}[{channels}]"
                )
        if not np.isfinite(self.quantization_offset).all():
            raise FormatError("entropy tables: quantization_offset holds NaN or infinite values")
        for c in range(channels):
            length = int(self.cdf_length[c])
            if not 3 <= length <= width:
                raise FormatError(f"entropy tables: channel {c} claims {length} of {width} entries")
            row = self.cdf[c, :length].astype(np.int64)
            if row[0] != 0 or row[-1] != total or (np.diff(row) < 1).any():
                raise FormatError(
                    f"entropy tables: channel {c} does not rise from 0 to {total}; extract the "
                    "weights again"
                )

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.cdf.shape[0])

    def arrays(self) -> dict[str, Array]:
        """The tables as named arrays, keys ``prior.*``, for a container file."""
        named: dict[str, Array] = {f"prior.{key}": getattr(self, key) for key in _KEYS}
        named["prior.precision"] = np.array([self.precision], np.int32)
        return named

    @classmethod
    def from_arrays(cls, arrays: ArrayMap, channels: int, where: str) -> EntropyTables | None:
        """The inverse of :meth:`arrays`; None where the file holds no tables.

        Raises:
            FormatError: tables of the wrong shape, dtype or content.
        """
        if "prior.cdf" not in arrays:
            return None
        cdf = arrays["prior.cdf"]
        width = cdf.shape[1] if cdf.ndim == 2 else 0
        return cls(
            cdf=require(arrays, "prior.cdf", (channels, width), "int32", where),
            cdf_length=require(arrays, "prior.cdf_length", (channels,), "int32", where),
            cdf_offset=require(arrays, "prior.cdf_offset", (channels,), "int32", where),
            quantization_offset=require(
                arrays, "prior.quantization_offset", (channels,), "float32", where
            ),
            precision=int(require(arrays, "prior.precision", (1,), "int32", where)[0]),
        )


def tables_from_tfc(
    cdf: NDArray[Any], cdf_offset: NDArray[Any], quantization_offset: NDArray[Any] | None
) -> EntropyTables:
    """Tables of what tensorflow-compression's entropy models hold.

    Args:
        cdf: integers, 1-D: for each channel ``−precision`` (negative: the last bin is an escape)
            and then its cumulative distribution ``0 … 2**precision``; behind that any number of
            further ``2**precision`` as padding. Source: tensorflow-compression 2.14, op
            ``CreateRangeEncoder``.
        cdf_offset: integers ``(C,)``.
        quantization_offset: floats ``(C,)``, or None for zeros.

    Raises:
        FormatError: integers that are no such tables, tables without an escape, of several
            precisions, or with bins of no width, which xlic does not support.
    """
    flat = np.asarray(cdf)
    if flat.ndim != 1 or flat.size < 4 or flat.dtype.kind not in "iu":
        raise FormatError(
            f"entropy tables: cdf is {flat.dtype}{list(flat.shape)}, must be 1-D integers"
        )
    precision = -int(flat[0])
    if not 1 <= precision <= 16:
        raise FormatError(
            f"entropy tables: the cdf starts with {-precision}, must be −1 … −16, the precision of "
            "tables with an escape"
        )
    starts = np.flatnonzero(flat < 0)
    if (flat[starts] != -precision).any():
        raise FormatError(f"entropy tables: cdf of other precisions than {precision} bits")
    rows = [row[1:] for row in np.split(flat, starts[1:])]
    lengths = [_unpadded(row, 1 << precision) for row in rows]
    table = np.zeros((len(rows), max(lengths)), np.int32)
    for c, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        table[c, :length] = row[:length]
    if quantization_offset is None:
        quantization_offset = np.zeros(len(rows), np.float32)
    return EntropyTables(
        cdf=table,
        cdf_length=np.array(lengths, np.int32),
        cdf_offset=np.asarray(cdf_offset, np.int32),
        quantization_offset=np.asarray(quantization_offset, np.float32),
        precision=precision,
    )


def _unpadded(row: NDArray[Any], total: int) -> int:
    """Entries of ``row`` up to the first ``total``, or all where there is none."""
    ends = np.flatnonzero(row == total)
    if ends.size and not (row[ends[0] :] == total).all():
        raise FormatError(f"entropy tables: a cdf goes on behind its end at {total}")
    return int(ends[0]) + 1 if ends.size else row.size
