"""What of a run is not as another rung has it: integers, and how many of them were clipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from xlic.architecture import LAYER_NAMES
from xlic.quantization.model import DECODER_INPUT
from xlic.rungs.interface import Run

_ORDER = (DECODER_INPUT, *LAYER_NAMES)


@dataclass(frozen=True)
class Difference:
    """A tensor that is not the simulation's.

    Attributes:
        tensor: its name.
        different: elements that differ; 0 where only the count does.
        elements: that it has; 0 where it was not compared.
        saturations: found and expected, where they differ.
    """

    tensor: str
    different: int
    elements: int
    saturations: tuple[int, int] | None

    def __str__(self) -> str:
        parts = []
        if self.different:
            parts.append(
                f"differs from the simulation in {self.different} of {self.elements} elements"
            )
        if self.saturations is not None:
            parts.append("counts {} saturations, the simulation {}".format(*self.saturations))
        return f"{self.tensor} {' and '.join(parts)}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        found, expected = self.saturations or (None, None)
        return {
            "tensor": self.tensor,
            "different": self.different,
            "elements": self.elements,
            "saturations": None if found is None else {"found": found, "simulation": expected},
        }


def differences(found: Run, expected: Run) -> tuple[Difference, ...]:
    """Compare all tensors and counts that the simulation's run has, in order of computation."""
    miscounted = miscounts(found.saturations, expected.saturations)
    result = []
    for name in _ORDER:
        different = elements = 0
        if name in expected.tensors:
            wanted = expected.tensors[name]
            different = int(np.count_nonzero(found.tensors[name] != wanted))
            elements = wanted.size
        if different or name in miscounted:
            result.append(Difference(name, different, elements, miscounted.get(name)))
    return tuple(result)


def miscounts(found: Mapping[str, int], expected: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Saturations found and expected, by tensor, where they differ."""
    return {
        name: (found.get(name, 0), count)
        for name, count in expected.items()
        if found.get(name, 0) != count
    }
