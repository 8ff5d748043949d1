"""The one interface that all rungs share: a model and an image in, named tensors out.

A *rung* is one implementation of the codec's two transforms: float64 NumPy, TensorFlow, the INT16
simulation, the HLS C++, the RTL, a board. Each takes a model at construction and then answers
:meth:`Rung.analyze` and :meth:`Rung.synthesize`, so that one test body runs on any of them. No rung
imports another.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xlic.files import Progress

Tensor = NDArray[Any]


@dataclass(frozen=True)
class Run:
    """What one transform of one image left behind.

    Attributes:
        output: of ``analyze`` the symbols, int32 ``(h, w, N)``; of ``synthesize`` the picture,
            uint8 ``(H, W, 3)``.
        tensors: the tensors asked for, by name, ``(H, W, C)``. In an integer rung ``ana_2`` is the
            symbols and ``syn_2`` the picture, the others int16 with the model's fraction bits; in
            a float rung they are real values, ``ana_2`` the latents before rounding and ``syn_2``
            the uncropped picture on 0..255 before rounding.
        saturations: by name, how many elements were clipped to their range (integer rungs; a
            clipped pixel of ``syn_2`` is not one).
        channel_saturations: the same per channel, int64 ``(C,)``.
        seconds: by name of the convolution, wall time with the activation behind it.
    """

    output: Tensor
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    saturations: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    channel_saturations: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)


class Rung(Protocol):
    """One implementation of the codec's transforms."""

    @property
    def name(self) -> str:
        """Name of the rung: ``float``, ``model``, ``sim``, ``hls``, ``rtl``, ``board``."""
        ...

    def analyze(
        self,
        image: NDArray[np.uint8],
        *,
        keep: Collection[str] = (),
        progress: Progress | None = None,
    ) -> Run:
        """Encode: uint8 ``(H, W, 3)`` → symbols int32 ``(h, w, N)``.

        Args:
            image: any size from 1×1.
            keep: names of the tensors to return besides the output, of
                :data:`xlic.architecture.ANALYSIS_NAMES`.
            progress: called as the layers proceed.

        Raises:
            xlic.errors.InputError: not such an image.
        """
        ...

    def synthesize(
        self,
        symbols: NDArray[Any],
        size: tuple[int, int],
        *,
        keep: Collection[str] = (),
        progress: Progress | None = None,
    ) -> Run:
        """Decode: integer symbols ``(h, w, N)`` → uint8 picture ``size + (3,)``.

        Args:
            symbols: any integer dtype; ``(h, w)`` must be ``symbol_size(*size)``.
            size: height and width of the picture.
            keep: as in :meth:`analyze`, of :data:`xlic.architecture.SYNTHESIS_NAMES`.
            progress: called as the layers proceed.

        Raises:
            xlic.errors.InputError: another shape or dtype.
        """
        ...
