"""Which limits a run of the simulation reached."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.architecture import ConvLayer, all_layers
from xlic.limits.contract import KIND_OF, KINDS_OF, LIMITS, Limit
from xlic.limits.operands import (
    NORM_MAX,
    Grid,
    Int64,
    Latents,
    Normalization,
    Products,
    Rounding,
)
from xlic.quantization.model import (
    DECODER_INPUT,
    INT16_MIN,
    ConvIntegers,
    GdnIntegers,
    QuantizedModel,
)

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Reached:
    """Limits of a run.

    Attributes:
        tensors: by name of the limit, the tensors in whose step it was reached.
    """

    tensors: dict[str, frozenset[str]] = field(default_factory=dict)

    def __contains__(self, limit: Limit) -> bool:
        return bool(self.tensors.get(limit.name))

    def __or__(self, other: Reached) -> Reached:
        names = self.tensors.keys() | other.tensors.keys()
        nothing: frozenset[str] = frozenset()
        return Reached(
            {x: self.tensors.get(x, nothing) | other.tensors.get(x, nothing) for x in names}
        )


def limits_of_transforms(transforms: Iterable[str]) -> list[Limit]:
    """Limits that some of these transforms can reach."""
    kinds = {kind for transform in transforms for kind in KINDS_OF[transform]}
    return [limit for limit in LIMITS if limit.kind in kinds]


class LimitObserver:
    """Looks at all operands of a simulation, see :class:`xlic.rungs.int16.Observer`.

    Args:
        model: what the simulation runs.
    """

    def __init__(self, model: QuantizedModel) -> None:
        self._model = model
        self._layers = {layer.name: layer for layer in all_layers(model.filters)}
        self._names: dict[str, set[str]] = {limit.name: set() for limit in LIMITS}
        self._lock = threading.Lock()
        self._size: tuple[int, int] | None = None

    @property
    def reached(self) -> Reached:
        """What was reached so far."""
        return Reached({name: frozenset(tensors) for name, tensors in self._names.items()})

    def latents(self, symbols: Int64, wide: Int64, size: tuple[int, int]) -> None:
        """Look at the decoder's input."""
        self._size = size
        shift, offset = self._model.fraction_bits[DECODER_INPUT], self._model.latent_offset
        self._look(DECODER_INPUT, Latents(symbols, wide, shift, offset))

    def operands(self, layer: str, x: NDArray[np.integer]) -> None:
        """Look at what a convolution multiplies, and at its grid."""
        shape, conv = self._layers[layer], self._model.convs[layer]
        # The last layers multiply as those before them do.
        kind = {"ana_2": "ana_1", "syn_2": "syn_1"}.get(layer, layer)
        self._look(kind, Products(x, conv.kernel, shape), layer)
        grid = _grid(shape, x)
        self._look(layer, Grid(*grid, _always_clips(conv)))
        if shape.activation is not None:
            gdn = self._model.gdns[shape.activation]
            self._look(shape.activation, Grid(*grid, _always_above(gdn)))

    def sums(self, layer: str, sums: Float64) -> None:
        """Look at a convolution's accumulators."""
        conv, picture = self._model.convs[layer], layer == "syn_2"
        if picture and self._size is not None:
            sums = sums[: self._size[0], : self._size[1]].reshape(-1, sums.shape[-1])
        exact = _exact(sums, conv.shift)
        low_high = (0, 255) if picture else ()
        self._look(layer, Rounding(exact - conv.bias, conv.bias, conv.shift, *low_high))

    def norms(self, activation: str, x: Float64, norms: Float64) -> None:
        """Look at a normalization."""
        gdn = self._model.gdns[activation]
        exact = _exact(norms, gdn.norm_shift)
        rounding = Rounding(exact - gdn.beta, gdn.beta, gdn.norm_shift, 1, NORM_MAX)
        self._look(activation, rounding)
        values = x.astype(np.int64)
        gamma = gdn.gamma[None, None]
        if (values == INT16_MIN).any():
            self._look(activation, Products(np.abs(values)[None], gamma))
        self._look(activation, Normalization(values, rounding.rounded, gdn.out_shift))

    def _look(self, tensor: str, operands: Any, told: str | None = None) -> None:
        kind, name = KIND_OF[tensor], told or tensor
        for limit in LIMITS:
            if (
                limit.kind == kind
                and isinstance(operands, limit.step)
                and name not in self._names[limit.name]
                and np.any(limit.where(operands))
            ):
                with self._lock:
                    self._names[limit.name].add(name)


def _exact(scaled: Float64, shift: Int64) -> Int64:
    """Undo what the simulation did to a sum: exact, as 48 bits fit a float64."""
    return np.ldexp(scaled - 0.5, shift).astype(np.int64)


def _grid(layer: ConvLayer, x: NDArray[Any]) -> tuple[int, int]:
    if layer.direction == "down":
        return layer.output_size(x.shape[0], x.shape[1])
    return x.shape[0], x.shape[1]


def _always_clips(conv: ConvIntegers) -> NDArray[np.bool_]:
    alone = Rounding(np.zeros_like(conv.bias), conv.bias, conv.shift)
    clips: NDArray[np.bool_] = ~conv.kernel.any(axis=(0, 1, 2)) & ~alone.inside
    return clips


def _always_above(gdn: GdnIntegers) -> NDArray[np.bool_]:
    alone = Rounding(np.zeros_like(gdn.beta), gdn.beta, gdn.norm_shift, 1, NORM_MAX)
    above: NDArray[np.bool_] = ~gdn.gamma.any(axis=0) & (alone.rounded > NORM_MAX)
    return above
