"""The float64 rung: the codec in real numbers, with NumPy alone.

It is the reference wherever TensorFlow is absent, and is itself proven against TensorFlow
(tests/model).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

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
from xlic.errors import InputError
from xlic.files import Array, Progress
from xlic.images import check_pixels
from xlic.rungs.chain import Counts, run_chain
from xlic.rungs.checks import check_names, check_symbols
from xlic.rungs.interface import Run
from xlic.weights import Weights

Float64 = NDArray[np.float64]


class FloatRung:
    """The codec in float64; tensors are real values (see :class:`xlic.rungs.interface.Run`)."""

    name = "float"

    def __init__(self, weights: Weights) -> None:
        """Prepare the layers of ``weights``."""
        self.weights = weights
        self._offset = weights.quantization_offset.astype(np.float64)
        self._analysis = [_Layer(x, weights) for x in analysis_layers(weights.filters)]
        self._synthesis = [_Layer(x, weights) for x in synthesis_layers(weights.filters)]

    def analyze(
        self,
        image: NDArray[np.uint8],
        *,
        keep: Collection[str] = (),
        progress: Progress | None = None,
    ) -> Run:
        """Encode, see :meth:`xlic.rungs.interface.Rung.analyze`; ties round up."""
        check_names(keep, ANALYSIS_NAMES)
        x = check_pixels(image) / 255.0
        run = run_chain(self._analysis, x, keep, progress)
        rounded = np.floor(run.output - self._offset + 0.5)
        if not np.abs(rounded).max() < 1 << 31:
            raise InputError("the latents leave 32 bits; are these the weights of a trained model?")
        return Run(rounded.astype(np.int32), run.tensors, {}, run.seconds)

    def synthesize(
        self,
        symbols: NDArray[Any],
        size: tuple[int, int],
        *,
        keep: Collection[str] = (),
        progress: Progress | None = None,
    ) -> Run:
        """Decode, see :meth:`xlic.rungs.interface.Rung.synthesize`; pixels round half up."""
        check_symbols(symbols, size, self.weights.filters)
        return self.reconstruct(symbols + self._offset, size, keep=keep, progress=progress)

    def reconstruct(
        self,
        latents: Float64,
        size: tuple[int, int],
        *,
        keep: Collection[str] = (),
        progress: Progress | None = None,
    ) -> Run:
        """Decode from real-valued latents ``(h, w, N)``, e.g. unrounded ones."""
        check_names(keep, SYNTHESIS_NAMES)
        run = run_chain(self._synthesis, latents, keep, progress)
        picture = run.output[: size[0], : size[1]]
        pixels = np.clip(np.floor(picture + 0.5), 0, 255).astype(np.uint8)
        return Run(pixels, run.tensors, {}, run.seconds)


class _Layer:
    def __init__(self, layer: ConvLayer, weights: Weights) -> None:
        t = weights.tensors
        # The picture leaves the network on 0..1; the reference multiplies by 255 behind it.
        gain = 255.0 if layer.name == "syn_2" else 1.0
        self.layer = layer
        self.convolution = Convolution(layer, t[f"{layer.name}.kernel"].astype(np.float64) * gain)
        bias = t[f"{layer.name}.bias"] if layer.bias else np.zeros(layer.cout)
        self.bias = np.tile(bias.astype(np.float64) * gain, self.convolution.phases)
        if layer.activation is not None:
            self.gamma = t[f"{layer.activation}.gamma"].astype(np.float64)
            self.beta = t[f"{layer.activation}.beta"].astype(np.float64)

    def __call__(self, x: Array, keep: Collection[str]) -> tuple[dict[str, Array], Counts]:
        names = self.layer.names
        out = {
            name: self.convolution.empty_output(x.shape[0], x.shape[1], np.float64)
            for name in names
            if name == names[-1] or name in keep
        }

        def finish(sums: Float64, block: Block) -> None:
            sums += self.bias
            if self.layer.name in out:
                block.store(out[self.layer.name], sums)
            if self.layer.activation is not None:
                sums = sums.reshape(-1, self.layer.cout)
                norm = np.abs(sums) @ self.gamma + self.beta
                combine: Callable[..., Float64] = np.multiply if self.layer.inverse else np.divide
                block.store(out[self.layer.activation], combine(sums, norm, out=sums))

        self.convolution.each_block(x, finish)
        return out, {}
