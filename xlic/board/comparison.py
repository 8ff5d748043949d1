"""A board against the simulation: both transforms of a picture, and what kind a mismatch is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator.compiler import Transform
from xlic.accelerator.driver import LayerCounters
from xlic.board.policy import RERUNS, Repeatability, repeatability
from xlic.files import Progress
from xlic.quantization.model import QuantizedModel
from xlic.rungs.board import BoardRung
from xlic.rungs.int16 import Int16Rung


@dataclass(frozen=True)
class TransformResult:
    """One transform on the board.

    Attributes:
        transform: which.
        equal: whether the output is the simulation's.
        different: elements that are not.
        elements: of the output.
        repeatability: of a mismatch.
        cycles: by the accelerator.
        seconds: latencies of the repeats, by the board's clock.
        layers: the last tensor of each layer, with its counters.
        stable: whether all repeats yielded the same bytes.
    """

    transform: Transform
    equal: bool
    different: int
    elements: int
    repeatability: Repeatability | None
    cycles: int
    seconds: tuple[float, ...]
    layers: tuple[tuple[str, LayerCounters], ...]
    stable: bool

    def __str__(self) -> str:
        kind = f", {self.repeatability.value}" if self.repeatability else ""
        return f"{self.transform} differs in {self.different} of {self.elements} elements{kind}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "transform": self.transform,
            "equal": self.equal,
            "different": self.different,
            "elements": self.elements,
            "repeatability": self.repeatability.value if self.repeatability else None,
            "cycles": self.cycles,
            "seconds": list(self.seconds),
            "stable": self.stable,
            "layers": [{"name": name, **vars(counters)} for name, counters in self.layers],
        }


@dataclass
class BoardComparison:
    """Both transforms of a model on a board, and in the simulation.

    Attributes:
        rung: the board.
        sim: the simulation.
        reruns: times that a mismatch is run again.
    """

    rung: BoardRung
    model: QuantizedModel
    reruns: int = RERUNS
    sim: Int16Rung = field(init=False)

    def __post_init__(self) -> None:
        self.sim = Int16Rung(self.model)

    def run(
        self,
        image: NDArray[np.uint8],
        transforms: Sequence[Transform],
        progress: Progress | None = None,
    ) -> list[TransformResult]:
        """Run the transforms; the decoder takes the simulation's symbols."""
        symbols = self.sim.analyze(image, progress=progress).output
        size = (image.shape[0], image.shape[1])
        results = []
        for transform in transforms:
            if transform == "encode":
                expected = symbols
                results.append(
                    self._compare(transform, lambda: self.rung.analyze(image).output, expected)
                )
            else:
                expected = self.sim.synthesize(symbols, size, progress=progress).output
                results.append(
                    self._compare(
                        transform, lambda: self.rung.synthesize(symbols, size).output, expected
                    )
                )
        return results

    def _compare(
        self,
        transform: Transform,
        run: Callable[[], NDArray[Any]],
        expected: NDArray[Any],
    ) -> TransformResult:
        found = run()
        last = self.rung.last
        assert last is not None
        names = [layer.output for layer in self.rung.programs[-1].layers]
        different = int(np.count_nonzero(found != expected))
        kind = None
        if different:

            def again() -> str | None:
                output = run()
                return None if np.array_equal(output, expected) else _hash(output)

            kind = repeatability(_hash(found), again, self.reruns)
        elif not last.stable:
            # The last repeat was right; one before was not.
            kind = Repeatability.INTERMITTENT
            hashes = [repeat.hashes for repeat in last.repeats]
            if all(each == hashes[-1] for each in hashes[1:]):
                kind = Repeatability.FIRST_RUN_ONLY
        return TransformResult(
            transform,
            different == 0 and last.stable,
            different,
            expected.size,
            kind,
            last.execution.cycles,
            tuple(repeat.seconds for repeat in last.repeats),
            tuple(zip(names, last.execution.layers, strict=True)),
            last.stable,
        )


def _hash(values: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
