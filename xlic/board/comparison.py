"""A board against the simulation: both transforms of a picture, and what kind a mismatch is."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator.compiler import Transform
from xlic.accelerator.driver import LayerCounters
from xlic.board.policy import RERUNS, Repeatability, repeatability
from xlic.board.session import BoardRun
from xlic.errors import MismatchError, XlicError
from xlic.files import LongPhase, Progress
from xlic.limits.observe import LimitObserver
from xlic.quantization.model import QuantizedModel
from xlic.rungs.board import BoardRung
from xlic.rungs.differences import differences, miscounts
from xlic.rungs.int16 import Int16Rung
from xlic.rungs.interface import Run


@dataclass(frozen=True)
class Spread:
    """What a measured number was over all repeats."""

    min: float
    median: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        return cls(min(values), median(values), max(values))


@dataclass(frozen=True)
class LayerResult:
    """A layer with the normalization behind it, as the board counted.

    Attributes:
        name: of its last tensor.
        macs: its multiply-accumulates, taps on padding counted.
        cycles: over the repeats.
        counters: of the last repeat.
    """

    name: str
    macs: int
    cycles: Spread
    counters: LayerCounters

    def as_dict(self, clock_hz: float) -> dict[str, Any]:
        """For JSON; latencies and throughput at ``clock_hz``."""
        seconds = {key: cycles / clock_hz for key, cycles in vars(self.cycles).items()}
        return {
            "name": self.name,
            "macs": self.macs,
            "cycles": vars(self.cycles),
            "seconds": seconds,
            "macs_per_second": self.macs / max(seconds["median"], 1 / clock_hz),
            "counters": vars(self.counters),
        }


@dataclass(frozen=True)
class TransformResult:
    """One transform on the board.

    Attributes:
        transform: which.
        different: elements of the output that are not the simulation's.
        elements: of the output.
        miscounted: saturations found and expected, by tensor, where they differ.
        stable: whether all repeats yielded the same bytes and counts.
        first_wrong: of a mismatch, the first layer whose tensor or count is wrong when all are
            looked at; None if none was then.
        repeatability: of a mismatch.
        label_failure: why a mismatch could not be run again; None if it was.
        cycles: by the accelerator, over the repeats.
        seconds: latency by the board's clock, over the repeats.
        repeats: how many.
        layers: in order.
    """

    transform: Transform
    different: int
    elements: int
    miscounted: dict[str, tuple[int, int]]
    stable: bool
    first_wrong: str | None
    repeatability: Repeatability | None
    label_failure: str | None
    cycles: Spread
    seconds: Spread
    repeats: int
    layers: tuple[LayerResult, ...]

    @property
    def equal(self) -> bool:
        """Whether every repeat yielded the simulation's output, and its counts."""
        return self.different == 0 and not self.miscounted and self.stable

    def __str__(self) -> str:
        text = f"{self.transform} differs in {self.different} of {self.elements} elements"
        for name, (found, expected) in self.miscounted.items():
            text += f", counts {found} saturations of {name}, the simulation {expected}"
        if self.first_wrong:
            text += f", first in {self.first_wrong}"
        if self.repeatability:
            text += f", {self.repeatability.value}"
        if self.label_failure:
            text += f" (running it again failed: {self.label_failure})"
        return text

    def as_dict(self, clock_hz: float) -> dict[str, Any]:
        """For JSON; times of layers are cycles at ``clock_hz``."""
        return {
            "transform": self.transform,
            "equal": self.equal,
            "different": self.different,
            "elements": self.elements,
            "miscounted": {
                name: {"found": found, "simulation": expected}
                for name, (found, expected) in self.miscounted.items()
            },
            "stable": self.stable,
            "first_wrong": self.first_wrong,
            "repeatability": self.repeatability.value if self.repeatability else None,
            "label_failure": self.label_failure,
            "repeats": self.repeats,
            "cycles": vars(self.cycles),
            "seconds": vars(self.seconds),
            "layers": [layer.as_dict(clock_hz) for layer in self.layers],
        }


class _Transform(Protocol):
    """One transform of one picture on a rung, its input bound."""

    def __call__(self, *, keep: Collection[str] = ()) -> Run: ...


@dataclass
class BoardComparison:
    """Both transforms of a model on a board, and in the simulation.

    Attributes:
        rung: the board.
        model: of both.
        reruns: times that a mismatch is run again.
        sim: the simulation.
        observer: looks at its operands.
    """

    rung: BoardRung
    model: QuantizedModel
    reruns: int = RERUNS
    sim: Int16Rung = field(init=False)
    observer: LimitObserver = field(init=False)

    def __post_init__(self) -> None:
        self.observer = LimitObserver(self.model)
        self.sim = Int16Rung(self.model, self.observer)

    def run(
        self,
        image: NDArray[np.uint8],
        transforms: Sequence[Transform],
        progress: Progress | None = None,
    ) -> list[TransformResult]:
        """Run the transforms; the decoder takes the simulation's symbols.

        Raises:
            MismatchError: one was wrong, and a later one failed for another reason.
        """
        encoded = self.sim.analyze(image, progress=progress)
        symbols = encoded.output
        size = (image.shape[0], image.shape[1])
        results = []
        for transform in transforms:
            if transform == "encode":
                board: _Transform = partial(self.rung.analyze, image)
                sim: _Transform = partial(self.sim.analyze, image)
                expected = encoded
            else:
                board = partial(self.rung.synthesize, symbols, size)
                sim = partial(self.sim.synthesize, symbols, size)
                expected = sim()
            if progress is not None:
                usually = "a second; half a minute per megapixel on the virtual board"
                progress(LongPhase(f"{transform} on the board", usually), 0, 1)
            try:
                results.append(self._compare(transform, board, sim, expected))
            except XlicError as error:
                wrong = [str(result) for result in results if not result.equal]
                if not wrong:
                    raise
                # What was wrong before stays so, whatever becomes of the board after it.
                raise MismatchError(
                    f"{'; '.join(wrong)}; then {transform} failed: {error}"
                ) from error
            if progress is not None:
                progress(f"{transform} on the board", 1, 1)
        return results

    def _compare(
        self, transform: Transform, board: _Transform, sim: _Transform, expected: Run
    ) -> TransformResult:
        found = board()
        last = self.rung.last
        assert last is not None
        layers = self._layers(last)
        different = int(np.count_nonzero(found.output != expected.output))
        miscounted = miscounts(found.saturations, expected.saturations)
        stable = last.stable and _counts_are_stable(last)
        kind = first = trouble = None
        if different or miscounted:
            right = _fingerprint(expected)

            def again() -> Hashable | None:
                got = _fingerprint(board())
                return None if got == right else got

            try:
                kind = repeatability(_fingerprint(found), again, self.reruns)
                first = _first_wrong(board, sim, [layer.name for layer in layers])
            except XlicError as error:
                # It stays a mismatch, whatever becomes of the board after it.
                trouble = str(error)
        elif not stable:
            # The last repeat was right; one before was not.
            seen = [(repeat.hashes, _counts(repeat.counters)) for repeat in last.repeats]
            settled = all(each == seen[-1] for each in seen[1:])
            kind = Repeatability.FIRST_RUN_ONLY if settled else Repeatability.INTERMITTENT
        return TransformResult(
            transform,
            different,
            expected.output.size,
            miscounted,
            stable,
            first,
            kind,
            trouble,
            Spread.of([repeat.cycles for repeat in last.repeats]),
            Spread.of([repeat.seconds for repeat in last.repeats]),
            len(last.repeats),
            layers,
        )

    def _layers(self, last: BoardRun) -> tuple[LayerResult, ...]:
        results = []
        for index, layer in enumerate(self.rung.programs[-1].layers):
            counted = [repeat.counters[index] for repeat in last.repeats]
            cycles = Spread.of([counters.cycles for counters in counted])
            results.append(LayerResult(layer.output, layer.macs, cycles, counted[-1]))
        return tuple(results)


def _first_wrong(board: _Transform, sim: _Transform, names: list[str]) -> str | None:
    wrong = differences(board(keep=names), sim(keep=names))
    return wrong[0].tensor if wrong else None


def _counts(layers: Sequence[LayerCounters]) -> list[tuple[int, int, int]]:
    return [
        (each.conv_saturations, each.activation_saturations, each.input_saturations)
        for each in layers
    ]


def _counts_are_stable(last: BoardRun) -> bool:
    counted = [_counts(repeat.counters) for repeat in last.repeats]
    return all(each == counted[-1] for each in counted)


def _fingerprint(run: Run) -> Hashable:
    """The same of two runs exactly if output and counts are."""
    output = hashlib.sha256(np.ascontiguousarray(run.output).tobytes()).hexdigest()
    return output, tuple(sorted(run.saturations.items()))
