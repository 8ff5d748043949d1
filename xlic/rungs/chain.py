"""Running a chain of layers: what the rungs in NumPy share, and nothing of their arithmetic."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from xlic.architecture import ConvLayer
from xlic.files import Array, Progress
from xlic.rungs.interface import Run

Counts = dict[str, NDArray[np.int64]]
"""Clipped elements by tensor name, per channel ``(C,)``."""


class Step(Protocol):
    """A layer that can be run."""

    @property
    def layer(self) -> ConvLayer:
        """Which one it is."""
        ...

    def __call__(self, x: Array, keep: Collection[str]) -> tuple[dict[str, Array], Counts]:
        """The layer's last tensor and those of ``keep``, by name, and what was clipped."""
        ...


def run_chain(
    steps: Sequence[Step],
    x: Array,
    keep: Collection[str],
    progress: Progress | None,
    clipped: Counts | None = None,
) -> Run:
    """Feed ``x`` ``(H, W, C)`` through all steps.

    Args:
        steps: the layers in order.
        x: input of the first.
        keep: names of the tensors to return.
        progress: called before each step, and when all are done.
        clipped: what was clipped before the first step.

    Returns:
        A run whose output is the last tensor as it is.
    """
    kept: dict[str, Array] = {}
    seconds: dict[str, float] = {}
    counts: Counts = dict(clipped or {})
    for index, step in enumerate(steps):
        if progress is not None:
            progress(step.layer.name, index, len(steps))
        start = time.perf_counter()
        out, clipped_here = step(x, keep)
        seconds[step.layer.name] = time.perf_counter() - start
        counts |= clipped_here
        kept |= {name: tensor for name, tensor in out.items() if name in keep}
        x = out[step.layer.names[-1]]
    if progress is not None:
        progress("done", len(steps), len(steps))
    totals = {name: int(channels.sum()) for name, channels in counts.items()}
    return Run(x, kept, totals, seconds, counts)
