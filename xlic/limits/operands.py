"""The integers that one step of docs/int16.md computes with, as limits look at them.

All are int64 and exact. Arrays of one object broadcast against each other: those per position and
channel are ``(pixels, C)``, those per channel ``(C,)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.architecture import ConvLayer
from xlic.convolution import Block, Convolution
from xlic.quantization.model import INT16_MAX, INT16_MIN, NORM_BITS

Int64 = NDArray[np.int64]
Bool = Any
"""A mask: an array of bool, or one bool."""

NORM_MAX = (1 << NORM_BITS) - 1


@dataclass(frozen=True)
class Rounding:
    """``rshift(total + bias, shift)``: of an accumulator, of a normalizer's, of IGDN's product.

    Attributes:
        total: sum of the products alone.
        bias: added to it.
        shift: 1 … 47.
        low: least value that the clip behind it keeps.
        high: greatest.
    """

    total: Int64
    bias: Int64
    shift: Int64
    low: int = INT16_MIN
    high: int = INT16_MAX

    @cached_property
    def exact(self) -> Int64:
        """Before the shift."""
        return self.total + self.bias

    @cached_property
    def half(self) -> Int64:
        """What rounds."""
        return np.left_shift(np.int64(1), self.shift - 1)

    @cached_property
    def rounded(self) -> Int64:
        """Behind the shift, before the clip."""
        return (self.exact + self.half) >> self.shift

    @cached_property
    def inside(self) -> Bool:
        """Whether the clip keeps it."""
        return (self.rounded >= self.low) & (self.rounded <= self.high)

    @cached_property
    def tie(self) -> Bool:
        """Whether it lies exactly between two integers."""
        return (self.exact & (2 * self.half - 1)) == self.half


@dataclass(frozen=True)
class Normalization:
    """A value with the normalizer that it meets.

    Attributes:
        x: int16, what is normalized.
        norm: n before its clip.
        amount: ``out_shift``: k of GDN, the right shift of IGDN.
    """

    x: Int64
    norm: Int64
    amount: Int64

    @cached_property
    def n(self) -> Int64:
        """The normalizer: 1 … 2^24 − 1."""
        return np.clip(self.norm, 1, NORM_MAX)

    @cached_property
    def magnitude(self) -> Int64:
        """|x|."""
        return np.abs(self.x)

    @cached_property
    def quotient(self) -> Int64:
        """GDN's, rounded, without sign, before the clip."""
        return self._quotient(self.n)

    @cached_property
    def remainder(self) -> Int64:
        """Of GDN's dividend without the rounding half."""
        return (self.magnitude << self.amount) % self.n

    @cached_property
    def divides_inside(self) -> Bool:
        """Whether GDN's clip keeps the result."""
        return self.quotient <= np.where(self.x < 0, -INT16_MIN, INT16_MAX)

    @cached_property
    def product(self) -> Rounding:
        """IGDN's."""
        return self._product(self.n)

    @property
    def quotient_tells_one_from_two(self) -> Bool:
        """Whether GDN's result would be another with 2 for a normalizer of 1."""
        return self.divides_inside & (self._quotient(np.maximum(self.n, 2)) != self.quotient)

    @property
    def product_tells_one_from_two(self) -> Bool:
        """Whether IGDN's result would be another with 2 for a normalizer of 1."""
        other = self._product(np.maximum(self.n, 2)).rounded
        return self.product.inside & (other != self.product.rounded)

    def _quotient(self, n: Int64) -> Int64:
        return ((self.magnitude << self.amount) + (n >> 1)) // n

    def _product(self, n: Int64) -> Rounding:
        return Rounding(self.x * n, np.array(0), self.amount)


@dataclass(frozen=True)
class Products:
    """What an array multiplies.

    Attributes:
        x: ``(H, W, Cin)``: a convolution's input, or the magnitudes that γ takes.
        weights: ``(Kh, Kw, Cin, Cout)``, or γ as ``(1, 1, C, C)``.
        layer: the convolution; None of γ.
    """

    x: NDArray[np.integer]
    weights: NDArray[np.int16]
    layer: ConvLayer | None = None

    def both(self, values: Bool, weights: Bool) -> Bool:
        """Whether an input channel has such values and such weights too."""
        channels = values.any(axis=(0, 1)) & weights.any(axis=(0, 1, 3))
        return np.asarray(channels)

    def meet(self, value: int, weight: int) -> Bool:
        """Whether such a value is multiplied by such a weight somewhere."""
        values, weights = self.x == value, self.weights == weight
        channels = self.both(values, weights)
        if self.layer is None or not channels.any():
            return channels
        found = []

        def look(sums: NDArray[np.float64], _: Block) -> None:
            found.append(bool(sums.any()))

        Convolution(self.layer, weights).each_block(values, look)
        return np.array(found)


@dataclass(frozen=True)
class Latents:
    """Symbols that enter the decoder, ``(h, w, N)``.

    Attributes:
        symbols: as they come.
        wide: shifted, with the offset, before the clip.
        shift: ``fraction_bits``, ``(N,)``.
        offset: ``(N,)``.
    """

    symbols: Int64
    wide: Int64
    shift: Int64
    offset: Int64

    @property
    def inside(self) -> Bool:
        """Whether the clip keeps it."""
        return (self.wide >= INT16_MIN) & (self.wide <= INT16_MAX)


@dataclass(frozen=True)
class Grid:
    """What an array computes beyond the map, where it is no multiple of the array's size.

    Attributes:
        rows: of the positions: of a down layer the output's, of an up layer the input's.
        columns: likewise.
        clips: whether a channel clips whatever its input, ``(C,)``.
    """

    rows: int
    columns: int
    clips: Bool
