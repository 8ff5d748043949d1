"""The model rung: the codec in TensorFlow and tensorflow-compression.

It is the reference that everything else is measured against. Importing this module does not import
TensorFlow; making a :class:`TensorFlowRung` does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.architecture import ANALYSIS_NAMES, SYNTHESIS_NAMES, all_layers
from xlic.files import Progress
from xlic.images import check_pixels
from xlic.rungs.checks import check_names, check_symbols
from xlic.rungs.interface import Run
from xlic.tfmodel.backend import backend
from xlic.tfmodel.extract import weights_to_variables
from xlic.tfmodel.network import Network
from xlic.tfmodel.variables import Kernels
from xlic.weights import Weights

_CONVOLUTION_OF = {name: layer.name for layer in all_layers() for name in layer.names}


class TensorFlowRung:
    """The codec in TensorFlow; tensors are real values (see :class:`xlic.rungs.interface.Run`)."""

    name = "model"

    def __init__(
        self, weights: Weights, kernels: Kernels = "direct", dtype: str = "float32"
    ) -> None:
        """Build the network of ``weights``.

        Args:
            weights: any, with or without entropy tables.
            kernels: ``rdft`` takes the kernels through their transform, as the public script does.
            dtype: what TensorFlow computes in; ``float64`` tells a latent that lies on the edge
                between two symbols, where float32 falls on either side, from one that is wrong.

        Raises:
            InputError: a GDN parameter is negative.
            MissingToolError: TensorFlow is absent.
        """
        self.weights = weights
        self._dtype = np.dtype(dtype)
        self._network = Network(weights.filters, kernels, dtype)
        self._network.assign(weights_to_variables(weights, kernels))

    def analyze(
        self,
        image: NDArray[np.uint8],
        *,
        keep: Collection[str] = (),
        progress: Progress | None = None,
    ) -> Run:
        """Encode, see :meth:`xlic.rungs.interface.Rung.analyze`; ties round up."""
        check_names(keep, ANALYSIS_NAMES)
        pixels = backend().tf.constant(check_pixels(image)[None], self._dtype)
        run = _run(lambda: self._network.analysis_steps(pixels), "ana_2", keep, progress)
        offset = self.weights.quantization_offset.astype(self._dtype)
        symbols = np.floor(run.output - offset + self._dtype.type(0.5)).astype(np.int32)
        return Run(symbols, run.tensors, {}, run.seconds)

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
        latents = symbols.astype(self._dtype) + self.weights.quantization_offset
        return self.reconstruct(latents, size, keep=keep, progress=progress)

    def reconstruct(
        self,
        latents: NDArray[np.floating[Any]],
        size: tuple[int, int],
        *,
        keep: Collection[str] = (),
        progress: Progress | None = None,
    ) -> Run:
        """Decode from real-valued latents ``(h, w, N)``, e.g. unrounded ones."""
        check_names(keep, SYNTHESIS_NAMES)
        batch = backend().tf.constant(latents[None], self._dtype)
        run = _run(lambda: self._network.synthesis_steps(batch), "syn_2", keep, progress)
        picture = run.output[: size[0], : size[1]]
        pixels = np.clip(np.floor(picture + self._dtype.type(0.5)), 0, 255).astype(np.uint8)
        return Run(pixels, run.tensors, {}, run.seconds)


def _run(
    steps: Callable[[], Iterator[tuple[str, Any]]],
    last: str,
    keep: Collection[str],
    progress: Progress | None,
) -> Run:
    kept: dict[str, NDArray[Any]] = {}
    seconds: dict[str, float] = {}
    output: NDArray[Any] = np.empty(0)
    start = time.perf_counter()
    for name, tensor in steps():
        convolution = _CONVOLUTION_OF[name]
        if name == last or name in keep:
            output = tensor.numpy()[0]
            kept |= {name: output} if name in keep else {}
        now = time.perf_counter()
        seconds[convolution] = seconds.get(convolution, 0.0) + now - start
        start = now
        if progress is not None:
            progress(name, len(seconds), 3)
    return Run(output, kept, {}, seconds)
