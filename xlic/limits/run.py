"""The made case on a rung, and what is said of a run's limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from xlic.architecture import ANALYSIS_NAMES, SYNTHESIS_NAMES
from xlic.files import Progress
from xlic.limits.made import SIZE, made_case
from xlic.limits.observe import LimitObserver, Reached, limits_of_transforms
from xlic.quantization.model import QuantizedModel
from xlic.rungs.differences import Difference, differences
from xlic.rungs.int16 import Int16Rung
from xlic.rungs.interface import Run, Rung

RungOf = Callable[[QuantizedModel], Rung]
"""Makes a rung of a model."""


@dataclass(frozen=True)
class MadeResult:
    """The made case on a rung.

    Attributes:
        reached: limits that its operands reached.
        differences: from the simulation, of both transforms, every tensor and every count.
    """

    reached: Reached
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class LimitsReport:
    """Which limits of the contract a run reached.

    Attributes:
        transforms: that the picture went through.
        picture: limits that its operands reached.
        made: the made case beside it; None if it was left out.
    """

    transforms: Sequence[str]
    picture: Reached
    made: MadeResult | None

    @property
    def mismatch(self) -> str | None:
        """What is wrong with the made case; None if nothing."""
        if self.made is None or not self.made.differences:
            return None
        return "the made picture: " + ", ".join(str(each) for each in self.made.differences)

    def line(self) -> str:
        """For people."""
        limits = limits_of_transforms(self.transforms)
        missed = Counter(limit.kind for limit in limits if limit not in self.picture)
        said = f"limits of the contract: {len(limits) - missed.total()} of {len(limits)} reached"
        if missed:
            said += " (not " + ", ".join(f"{n} of {kind}" for kind, n in missed.items()) + ")"
        if self.made is None:
            return f"{said}; the made picture that reaches them all was left out (--no-limits)"
        reached = sum(limit in self.made.reached for limit in limits)
        verdict = "equal" if self.mismatch is None else "NOT equal"
        return f"{said}; {reached} by the made picture beside it: {verdict}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        made = None
        if self.made is not None:
            made = {
                "equal": not self.made.differences,
                "differences": [each.as_dict() for each in self.made.differences],
            }
        return {
            "made_picture": made,
            "limits": [
                {
                    "name": limit.name,
                    "why": limit.why,
                    "picture": sorted(self.picture.tensors.get(limit.name, ())),
                    "made_picture": sorted(
                        self.made.reached.tensors.get(limit.name, ()) if self.made else ()
                    ),
                }
                for limit in limits_of_transforms(self.transforms)
            ],
        }


def run_made(rung_of: RungOf, progress: Progress | None = None) -> MadeResult:
    """Run both transforms of the made case on a rung and compare with the simulation.

    Raises:
        InputError: the made model does not fit the rung's design.
    """
    if progress is not None:
        progress("the made picture", 0, 1)
    case = made_case()
    encoded, decoded, reached = _simulated()
    rung = rung_of(case.model)
    found = rung.analyze(case.picture, keep=ANALYSIS_NAMES)
    back = rung.synthesize(case.symbols, SIZE, keep=SYNTHESIS_NAMES)
    if progress is not None:
        progress("the made picture", 1, 1)
    return MadeResult(reached, (*differences(found, encoded), *differences(back, decoded)))


@cache
def _simulated() -> tuple[Run, Run, Reached]:
    case = made_case()
    observer = LimitObserver(case.model)
    sim = Int16Rung(case.model, observer)
    encoded = sim.analyze(case.picture, keep=ANALYSIS_NAMES)
    decoded = sim.synthesize(case.symbols, SIZE, keep=SYNTHESIS_NAMES)
    return encoded, decoded, observer.reached
