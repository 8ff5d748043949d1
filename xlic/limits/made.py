"""A made model, picture and symbols whose operands reach every limit of the contract.

Built layer by layer from the encoder's and the decoder's input on: kernels are random, the sums
that they give are computed, and then the integers behind them (bias, shift, normalizer) are chosen
channel by channel such that one position of the channel meets one limit that nothing has met yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from xlic.architecture import (
    ConvLayer,
    analysis_layers,
    symbol_size,
    synthesis_layers,
)
from xlic.convolution import Convolution
from xlic.limits.aim import Aim, aim_normalization, aim_rounding
from xlic.limits.contract import KIND_OF, LARGE_BIAS, Limit, limits_of
from xlic.limits.operands import NORM_MAX, Int64, Normalization, Rounding
from xlic.quantization.model import (
    DECODER_INPUT,
    INT16_MAX,
    INT16_MIN,
    MAX_SHIFT,
    ConvIntegers,
    GdnIntegers,
    QuantizedModel,
)

FILTERS = 24
"""Enough for the limits of a layer, no multiple of 16 lanes, and the weights fit small designs."""
SIZE = (131, 259)
"""Height and width: every map of the encoder has odd sides, and more than one tile each way."""
_SEED = 1


@dataclass(frozen=True)
class MadeCase:
    """What reaches every limit.

    Attributes:
        model: the integers.
        picture: for the encoder, uint8 ``(H, W, 3)``.
        symbols: for the decoder, int64 ``(h, w, N)``, of the whole range of 32 bits.
    """

    model: QuantizedModel
    picture: NDArray[np.uint8]
    symbols: Int64


@cache
def made_case() -> MadeCase:
    """Make it; always the same."""
    rng = np.random.default_rng(_SEED)
    maker = _Maker(rng)
    picture = _picture(rng)
    x = picture.astype(np.int64)
    for layer in analysis_layers(FILTERS):
        x = maker.layer(layer, x)
    bits, offset, symbols = _symbols(rng)
    x = np.clip((symbols << bits) + offset, INT16_MIN, INT16_MAX)
    for layer in synthesis_layers(FILTERS):
        x = maker.layer(layer, x)
    nothing = np.zeros(FILTERS, np.int64)
    names = [tensor for tensor in KIND_OF if tensor not in ("ana_2", "syn_2")]
    fraction_bits = dict.fromkeys(names, nothing) | {DECODER_INPUT: bits}
    model = QuantizedModel(maker.convs, maker.gdns, fraction_bits, offset, None, None, "made")
    return MadeCase(model, picture, symbols)


def _picture(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Half black or white, half anything."""
    values = rng.integers(0, 256, (*SIZE, 3))
    extreme = rng.choice(np.array([0, 255]), values.shape)
    return np.where(rng.random(values.shape) < 0.5, extreme, values).astype(np.uint8)


def _symbols(rng: np.random.Generator) -> tuple[Int64, Int64, Int64]:
    """Fraction bits and offsets per channel, and symbols that meet each limit with them."""
    bits = rng.integers(3, 12, FILTERS)
    offset = rng.integers(-3000, 3000, FILTERS)
    symbols = rng.integers(-(1 << 15), 1 << 15, (*symbol_size(*SIZE), FILTERS)) >> bits
    # Anything from the whole range clips.
    wide = rng.integers(-(1 << 31), 1 << 31, symbols.shape)
    symbols = np.where(rng.random(symbols.shape) < 0.1, wide, symbols)
    special = (
        (0, INT16_MAX, (-65535, -65536, -65537, 0, 1, -32769)),
        (0, INT16_MIN, (65535, 65536, 0, -1, 32768)),
        (15, -1, (0, 1, -1, 2)),
        (15, 0, (0, 1, -1, (1 << 31) - 1, -(1 << 31))),
    )
    for channel, (f, o, values) in enumerate(special):
        bits[channel], offset[channel] = f, o
        symbols[..., channel] = rng.choice(np.array(values), symbols.shape[:2])
    return bits, offset, symbols


@dataclass
class _Maker:
    """Chooses the integers of one layer after the other.

    Attributes:
        rng: source of all that is left to chance.
        met: names of the limits that are.
    """

    rng: np.random.Generator
    convs: dict[str, ConvIntegers] = field(default_factory=dict)
    gdns: dict[str, GdnIntegers] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)

    def layer(self, layer: ConvLayer, x: Int64) -> Int64:
        """Make a layer for its input ``(H, W, Cin)``; returns its output."""
        kernel = self._matrix(layer.kernel_shape)
        if layer.name == "syn_2":
            kernel[..., 1] = self.rng.choice(np.array([INT16_MIN, INT16_MAX]), kernel.shape[:3])
        else:
            kernel[..., 0] = 0
        sums = _sums(layer, kernel, x)
        totals = sums.reshape(-1, layer.cout)
        bias, shift = self._picture(totals) if layer.name == "syn_2" else self._conv(layer, totals)
        self.convs[layer.name] = ConvIntegers(kernel, bias, shift)
        if layer.name == "syn_2":
            return sums
        rounding = Rounding(totals, bias, shift)
        self._note(layer.name, rounding)
        values = np.clip(rounding.rounded, INT16_MIN, INT16_MAX)
        if layer.activation is not None:
            values = self._gdn(layer, layer.activation, values)
        return values.reshape(sums.shape)

    def _matrix(self, shape: tuple[int, ...]) -> NDArray[np.int16]:
        """Of the whole range, a third of it at the ends."""
        values = self.rng.integers(INT16_MIN, INT16_MAX + 1, shape)
        ends = self.rng.choice(np.array([INT16_MIN, INT16_MAX]), shape)
        return np.where(self.rng.random(shape) < 1 / 3, ends, values).astype(np.int16)

    def _conv(self, layer: ConvLayer, totals: Int64) -> tuple[Int64, Int64]:
        # Ordinary channels use the range, and clip here and there.
        spread = np.log2(totals.std(axis=0) + 1)
        shift = np.clip(np.round(spread - 13), 1, 40).astype(np.int64)
        bias = self.rng.integers(-1000, 1000, layer.cout) << shift
        # Whatever the input is, the first channel clips.
        bias[0], shift[0] = 1 << 40, 20
        free = list(range(1, layer.cout))
        for limit in self._unmet(layer.name, Rounding):
            self._aim_at(limit, free, totals, bias, shift)
        return bias, shift

    def _gdn(self, layer: ConvLayer, name: str, x: Int64) -> Int64:
        gamma = self._matrix((layer.cout, layer.cout))
        gamma[:, 0] = 0
        totals = np.abs(x) @ gamma.astype(np.int64)
        # Ordinary channels have normalizers about 2^14, and results as large as what they divide.
        shift = np.clip(np.round(np.log2(totals.std(axis=0) + 1) - 12), 1, 40).astype(np.int64)
        beta = np.int64(1) << (14 + shift)
        out = np.full(layer.cout, 14)
        beta[0], shift[0] = 1 << 44, 2
        free = list(range(1, layer.cout))
        for limit in self._unmet(name, Normalization):
            for channel in free:
                aim = aim_normalization(limit, x[:, channel], totals[:, channel])
                if aim is not None:
                    beta[channel], shift[channel], out[channel] = aim.bias, aim.shift, aim.amount
                    free.remove(channel)
                    break
        visible = np.count_nonzero(x, axis=0) > len(x) // 2
        free = [channel for channel in free if visible[channel]]
        for limit in self._unmet(name, Rounding):
            aimed = self._aim_at(limit, free, totals, beta, shift, 1, NORM_MAX)
            if aimed is not None:
                n = np.clip(totals[:, aimed] + beta[aimed] >> shift[aimed], 1, NORM_MAX)
                out[aimed] = max(1 if layer.inverse else 0, int(np.log2(np.median(n))))
        self.gdns[name] = GdnIntegers(gamma, beta, shift, out)
        rounding = Rounding(totals, beta, shift, 1, NORM_MAX)
        self._note(name, rounding)
        normalization = Normalization(x, rounding.rounded, out)
        self._note(name, normalization)
        if layer.inverse:
            return np.clip(normalization.product.rounded, INT16_MIN, INT16_MAX)
        return np.clip(np.sign(x) * normalization.quotient, INT16_MIN, INT16_MAX)

    def _picture(self, totals: Int64) -> tuple[Int64, Int64]:
        """Three channels for all: one fine, with a tie; one of the least shift; one of the most."""
        shift = np.array([int(np.log2(totals[:, 0].std())) - 9, 1, MAX_SHIFT])
        middle = int(np.argsort(totals[:, 0])[len(totals) // 2])
        tie = (201 << int(shift[0])) - (1 << int(shift[0] - 1))
        above = totals[:, 1][totals[:, 1] > (1 << 31) + 200]
        bias = np.array([tie - totals[middle, 0], 200 - above.min(), LARGE_BIAS])
        return bias, shift

    def _unmet(self, tensor: str, step: type) -> Sequence[Limit]:
        return [x for x in limits_of(KIND_OF[tensor], step) if x.name not in self.met]

    def _note(self, tensor: str, operands: Rounding | Normalization) -> None:
        for limit in self._unmet(tensor, type(operands)):
            if np.any(limit.where(operands)):
                self.met.add(limit.name)

    def _aim_at(
        self,
        limit: Limit,
        free: list[int],
        totals: Int64,
        bias: Int64,
        shift: Int64,
        low: int = INT16_MIN,
        high: int = INT16_MAX,
    ) -> int | None:
        """Give a free channel the integers that meet a limit; returns which."""
        for channel in free:
            aim: Aim | None = aim_rounding(limit, totals[:, channel], low, high)
            if aim is not None:
                bias[channel], shift[channel] = aim.bias, aim.shift
                free.remove(channel)
                return channel
        return None


def _sums(layer: ConvLayer, kernel: NDArray[np.int16], x: Int64) -> Int64:
    """The convolution, exact, ``(H', W', Cout)``."""
    convolution = Convolution(layer, kernel)
    out = convolution.empty_output(x.shape[0], x.shape[1], np.float64)
    convolution.each_block(x, lambda sums, block: block.store(out, sums))
    return out.astype(np.int64)
