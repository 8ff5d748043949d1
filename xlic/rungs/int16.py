"""The ``sim`` rung: the INT16 contract (docs/int16.md) bit by bit, at the speed of BLAS.

Every integer here is carried in float64, which holds integers to 2**53 exactly; the contract's
widest value has 52 bits. Weights are multiplied by 2**−shift beforehand, which moves the binary
point and nothing else, so that a right shift with rounding is ``floor(sum + ½)``.
``tests/sim`` compares every step with plain Python integers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xlic.architecture import (
    ANALYSIS_NAMES,
    SYNTHESIS_NAMES,
    ConvLayer,
    analysis_layers,
    synthesis_layers,
)
from xlic.convolution import Block, Convolution
from xlic.files import Array, Progress
from xlic.images import check_pixels
from xlic.quantization.model import (
    DECODER_INPUT,
    INT16_MAX,
    INT16_MIN,
    NORM_BITS,
    GdnIntegers,
    QuantizedModel,
)
from xlic.rungs.chain import Counts, run_chain
from xlic.rungs.checks import check_names, check_symbols
from xlic.rungs.interface import Run

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class Observer(Protocol):
    """Sees what the simulation computes with; it may change nothing.

    :meth:`sums` and :meth:`norms` are called for parts of a map, by several threads at once.
    """

    def latents(self, symbols: Int64, wide: Int64, size: tuple[int, int]) -> None:
        """Symbols ``(h, w, N)``, the decoder's input before it is clipped, the picture's size."""
        ...

    def operands(self, layer: str, x: Array) -> None:
        """A convolution's input ``(H, W, C)``, uint8 or int16."""
        ...

    def sums(self, layer: str, sums: Float64) -> None:
        """A convolution's ``(… , C)`` sums · 2**−shift + ½, bias included, before the floor."""
        ...

    def norms(self, activation: str, x: Float64, norms: Float64) -> None:
        """What is normalized, ``(pixels, C)``, and γ·|x| + β likewise before the floor."""
        ...


class Int16Rung:
    """The INT16 simulation; see :class:`xlic.rungs.interface.Run` for its tensors."""

    name = "sim"

    def __init__(self, model: QuantizedModel, observer: Observer | None = None) -> None:
        """Prepare the layers of ``model``; ``observer`` sees every operand."""
        self.model = model
        self._observer = observer
        self._analysis = [_Layer(x, model, observer) for x in analysis_layers(model.filters)]
        self._synthesis = [_Layer(x, model, observer) for x in synthesis_layers(model.filters)]

    def analyze(
        self,
        image: NDArray[np.uint8],
        *,
        keep: Collection[str] = (),
        progress: Progress | None = None,
    ) -> Run:
        """Encode, see :meth:`xlic.rungs.interface.Rung.analyze`."""
        check_names(keep, ANALYSIS_NAMES)
        run = run_chain(self._analysis, check_pixels(image), keep, progress)
        return replace(run, output=run.output.astype(np.int32))

    def synthesize(
        self,
        symbols: NDArray[Any],
        size: tuple[int, int],
        *,
        keep: Collection[str] = (),
        progress: Progress | None = None,
    ) -> Run:
        """Decode, see :meth:`xlic.rungs.interface.Rung.synthesize`."""
        check_names(keep, SYNTHESIS_NAMES)
        check_symbols(symbols, size, self.model.filters)
        fraction = self.model.fraction_bits[DECODER_INPUT]
        wide = (symbols.astype(np.int64) << fraction) + self.model.latent_offset
        if self._observer is not None:
            self._observer.latents(symbols.astype(np.int64), wide, size)
        latents = np.clip(wide, INT16_MIN, INT16_MAX)
        clipped: Counts = {DECODER_INPUT: np.count_nonzero(latents != wide, axis=(0, 1))}
        run = run_chain(self._synthesis, latents.astype(np.int16), keep, progress, clipped)
        picture = np.ascontiguousarray(run.output[: size[0], : size[1]])
        tensors = dict(run.tensors)
        if "syn_2" in tensors:
            tensors["syn_2"] = picture
        return replace(run, output=picture, tensors=tensors)


class _Layer:
    def __init__(self, layer: ConvLayer, model: QuantizedModel, observer: Observer | None) -> None:
        conv = model.convs[layer.name]
        scale = np.ldexp(1.0, -conv.shift)
        self.layer = layer
        self.observer = observer
        self.convolution = Convolution(layer, conv.kernel * scale)
        self.bias = np.tile(conv.bias * scale + 0.5, self.convolution.phases)
        self.pixels = layer.name == "syn_2"
        self.gdn: _Gdn | None = None
        if layer.activation is not None:
            self.gdn = _Gdn(model.gdns[layer.activation], layer.inverse)

    def __call__(self, x: Array, keep: Collection[str]) -> tuple[dict[str, Array], Counts]:
        names = self.layer.names
        dtype = np.uint8 if self.pixels else np.int16
        out = {
            name: self.convolution.empty_output(x.shape[0], x.shape[1], dtype)
            for name in names
            if name == names[-1] or name in keep
        }
        # A clipped pixel is the picture's own white or black, no loss of the arithmetic.
        counted = () if self.pixels else names
        counts: Counts = {name: np.zeros(self.layer.cout, np.int64) for name in counted}
        lock = threading.Lock()
        observer = self.observer
        if observer is not None:
            observer.operands(self.layer.name, x)
            # Positions of a picture are told apart: what is cropped does not count.
            unrounded = self.convolution.empty_output(x.shape[0], x.shape[1], np.float64)

        def finish(sums: Float64, block: Block) -> None:
            sums += self.bias
            if observer is not None:
                if self.pixels:
                    block.store(unrounded, sums)
                else:
                    observer.sums(names[0], sums.reshape(-1, self.layer.cout))
            np.floor(sums, out=sums)
            if self.pixels:
                block.store(out[names[0]], np.clip(sums, 0, 255, out=sums))
                return
            sums = sums.reshape(-1, self.layer.cout)
            clipped = [_saturate(sums)]
            if names[0] in out:
                block.store(out[names[0]], sums)
            if self.gdn is not None:
                observe = None if observer is None else partial(observer.norms, names[1])
                clipped.append(self.gdn(sums, observe))
                block.store(out[names[1]], sums)
            with lock:
                for name, count in zip(names, clipped, strict=True):
                    counts[name] += count

        self.convolution.each_block(x, finish)
        if observer is not None and self.pixels:
            observer.sums(names[0], unrounded)
        return out, counts


class _Gdn:
    """GDN or IGDN on a block ``(pixels, C)`` of integers, in place."""

    def __init__(self, integers: GdnIntegers, inverse: bool) -> None:
        scale = np.ldexp(1.0, -integers.norm_shift)
        self.gamma: Float64 = integers.gamma.astype(np.float64) * scale
        self.beta = integers.beta * scale + 0.5
        self.inverse = inverse
        self.factor = np.ldexp(1.0, -integers.out_shift if inverse else integers.out_shift)

    def __call__(
        self, x: Float64, observe: Callable[[Float64, Float64], None] | None = None
    ) -> Int64:
        """Normalize ``x`` in place; returns how many normalizers and results were clipped."""
        magnitude = np.abs(x)
        norm: Float64 = magnitude @ self.gamma
        norm += self.beta
        if observe is not None:
            observe(x, norm)
        np.floor(norm, out=norm)
        clipped = _clip(norm, 1, (1 << NORM_BITS) - 1, count_low=False)
        if self.inverse:
            x *= norm
            x *= self.factor
            x += 0.5
            np.floor(x, out=x)
            return clipped + _saturate(x)
        magnitude *= self.factor
        half = np.floor(norm * 0.5)
        magnitude += half
        # Exact: quotients that matter are below 2**17 and at least 2**-24 from the next integer
        # above, far more than half a unit in the last place of float64.
        magnitude /= norm
        np.floor(magnitude, out=magnitude)
        np.copysign(magnitude, x, out=x)
        return clipped + _saturate(x)


def _saturate(values: Float64) -> Int64:
    """Clip ``(pixels, C)`` to int16 in place; returns how many elements changed, per channel."""
    return _clip(values, INT16_MIN, INT16_MAX)


def _clip(values: Float64, low: int, high: int, count_low: bool = True) -> Int64:
    count: Int64 = np.zeros(values.shape[1], np.int64)
    # Almost no block needs it, and two reductions cost less than a clip.
    if values.min() >= low and values.max() <= high:
        return count
    count += np.count_nonzero(values > high, axis=0)
    if count_low:
        count += np.count_nonzero(values < low, axis=0)
    np.clip(values, low, high, out=values)
    return count
