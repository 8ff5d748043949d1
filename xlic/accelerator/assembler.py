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
from xlic.accelerator.isa import DESIGN_RANGES, MAX_LAYERS
from xlic.accelerator.program import Program
from xlic.accelerator.records import (
    LayerRecord,
    ParamRecord,
    PassRecord,
    TapRecord,
    encode_record,
)
from xlic.errors import InputError, ParameterError

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
        self._short: dict[str, tuple[str, int]] = {}

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
        """Append a layer."""
        self._layers.append(layer)

    def fit(self, needed: int, parameter: str, what: str) -> None:
        """Note what a buffer of the design has to take; :meth:`program` refuses what it cannot.

        Args:
            needed: its size.
            parameter: the parameter of :class:`Design` that limits it.
            what: its name, for the message.
        """
        if needed > max(getattr(self.design, parameter), self._short.get(parameter, ("", 0))[1]):
            self._short[parameter] = what, needed

    def program(self) -> Program:
        """The finished program.

        Raises:
            ParameterError: buffers of the design are too small, with all of them and what would do.
            InputError: no design takes it.
            FormatError: a value that its field cannot hold.
        """
        self.fit(self._weight_words, "weight_words", "the program")
        self.fit(len(self._params.entries), "param_words", "the program")
        self.fit(len(self._passes), "pass_words", "the program")
        self.fit(len(self._taps.entries), "tap_words", "the program")
        self._refuse_short()
        if len(self._layers) > MAX_LAYERS:
            raise InputError(
                f"the program has {len(self._layers)} layers, the accelerator takes {MAX_LAYERS}; "
                "ask for fewer tensors, or compile fewer layers at once"
            )
        for layer in self._layers:
            encode_record(layer)
        return Program(
            self.design.array,
            tuple(self._layers),
            tuple(self._passes),
            tuple(self._taps.entries),
            tuple(self._params.entries),
            np.concatenate(self._weights),
        )

    def _refuse_short(self) -> None:
        if not self._short:
            return
        for parameter, (what, needed) in self._short.items():
            most = DESIGN_RANGES[parameter.upper()][1]
            if needed > most:
                raise InputError(
                    f"{what} needs {parameter} {needed}, more than any design has "
                    f"({most}); use a smaller model"
                )
        needs = "; ".join(
            f"{what} needs {{}} {needed}, the design has {getattr(self.design, parameter)}"
            for parameter, (what, needed) in self._short.items()
        )
        remedy = " ".join(f"{{}} {needed}" for _, needed in self._short.values())
        raise ParameterError(
            f"{needs}; make it a design with {remedy}, or use a smaller model",
            *self._short,
            *self._short,
        )
