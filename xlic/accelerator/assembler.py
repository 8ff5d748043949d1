"""The tables of a program as they grow: passes, taps, parameters, weights.

What is already there is not stored again: all lane groups of a layer share their taps, all phases
their parameters, and a layer that is compiled twice its weights.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator.design import Design
from xlic.accelerator.isa import MAX_LAYERS
from xlic.accelerator.program import Program
from xlic.accelerator.records import (
    LayerRecord,
    ParamRecord,
    PassRecord,
    TapRecord,
    encode_record,
)
from xlic.errors import InputError

_T = TypeVar("_T", bound=Hashable)


class _Table(Generic[_T]):
    """A table of which runs of entries are shared."""

    def __init__(self) -> None:
        self.entries: list[_T] = []
        self._places: dict[tuple[_T, ...], int] = {}

    def place(self, run: tuple[_T, ...]) -> int:
        if run not in self._places:
            self._places[run] = len(self.entries)
            self.entries += run
        return self._places[run]


class Assembler:
    """Collects a program for one design."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self._layers: list[LayerRecord] = []
        self._passes: list[PassRecord] = []
        self._taps = _Table[TapRecord]()
        self._params = _Table[ParamRecord]()
        self._weights: list[NDArray[np.int16]] = []
        self._weight_words = 0
        self._weight_places: dict[bytes, int] = {}

    @property
    def passes(self) -> int:
        """Passes so far: the index of the next."""
        return len(self._passes)

    def taps(self, run: Sequence[TapRecord]) -> int:
        """Index of the first of these taps."""
        return self._taps.place(tuple(run))

    def params(self, run: Sequence[ParamRecord]) -> int:
        """Index of the first of these parameters."""
        return self._params.place(tuple(run))

    def weights(self, words: NDArray[np.int16]) -> int:
        """Address of the first of these words, int16 ``(words, POF)``."""
        key = words.tobytes()
        if key not in self._weight_places:
            self._weight_places[key] = self._weight_words
            self._weights.append(words)
            self._weight_words += len(words)
        return self._weight_places[key]

    def add_pass(self, entry: PassRecord) -> None:
        """Append a pass."""
        self._passes.append(entry)

    def add_layer(self, layer: LayerRecord) -> None:
        """Append a layer.

        Raises:
            FormatError: a size that its field cannot hold.
        """
        encode_record(layer)
        self._layers.append(layer)

    def fit(self, needed: int, parameter: str, what: str) -> None:
        """Refuse what a buffer of the design cannot take.

        Args:
            needed: its size.
            parameter: the parameter of :class:`Design` that limits it.
            what: its name, for the message.

        Raises:
            InputError: so.
        """
        limit = getattr(self.design, parameter)
        if needed > limit:
            raise InputError(
                f"{what} needs {parameter} {needed}, the design has {limit}; "
                f"build it with {parameter} of at least {needed}, or compile a smaller model"
            )

    def program(self) -> Program:
        """The finished program.

        Raises:
            InputError: a section is larger than the design's buffer for it.
            FormatError: a value that its field cannot hold.
        """
        if len(self._layers) > MAX_LAYERS:
            raise InputError(
                f"the program has {len(self._layers)} layers, the accelerator takes {MAX_LAYERS}; "
                "ask for fewer tensors, or compile fewer layers at once"
            )
        self.fit(self._weight_words, "weight_words", "the program")
        self.fit(len(self._params.entries), "param_words", "the program")
        self.fit(len(self._passes), "pass_words", "the program")
        self.fit(len(self._taps.entries), "tap_words", "the program")
        return Program(
            self.design.array,
            tuple(self._layers),
            tuple(self._passes),
            tuple(self._taps.entries),
            tuple(self._params.entries),
            np.concatenate(self._weights),
        )
