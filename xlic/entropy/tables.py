"""Integer tables of the factorized prior: what both sides of the range coder must share.

They are made once, from the trained prior, by tensorflow-compression, and travel with the weights.
They are never rebuilt: tables computed on another machine or float back end differ in places, and
one differing entry makes every later symbol of a stream unreadable.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    cdf: NDArray[np.int32]
    cdf_length: NDArray[np.int32]
    cdf_offset: NDArray[np.int32]
    quantization_offset: NDArray[np.float32]
    precision: int = 12

    def __post_init__(self) -> None:
        total = 1 << self.precision
        if not 1 <= self.precision <= 16:
            raise FormatError(f"entropy tables: precision {self.precision} is not in 1..16")
        channels, width = self.cdf.shape
        for key in _KEYS[1:]:
            if getattr(self, key).shape != (channels,):
                raise FormatError(f"entropy tables: {key} must have {channels} entries")
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
