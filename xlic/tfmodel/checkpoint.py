"""The state of an interrupted training run: everything needed to go on as if nothing happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xlic.errors import FormatError
from xlic.files import Array, load_container, save_container

KIND = "training"
VERSION = 1
FILE = "state.safetensors"
_REMEDY = "give another --train-path, or delete that file to start afresh"


@dataclass(frozen=True)
class Checkpoint:
    """State after ``step`` updates.

    Attributes:
        step: number of updates done; with the seed it is also the position in the data.
        variables: the network's, by name.
        optimizer: the optimizer's, by name.
        settings: the run's, by name; what they mean is the training loop's business.
        history: the log so far, one entry per epoch.
        running: sums over the epoch under way: updates, loss, bpp, mse.
    """

    step: int
    variables: Mapping[str, Array]
    optimizer: Mapping[str, Array]
    settings: Mapping[str, Any]
    history: list[dict[str, Any]]
    running: tuple[float, ...]

    def is_finite(self) -> bool:
        """Whether all variables are numbers."""
        return all(np.isfinite(value).all() for value in self.variables.values())


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Write it into ``folder``, atomically: the one before stays until this one is whole.

    Raises:
        InputError: it cannot be written.
    """
    arrays = {f"variable:{name}": value for name, value in checkpoint.variables.items()}
    arrays |= {f"optimizer:{name}": value for name, value in checkpoint.optimizer.items()}
    save_container(
        folder / FILE,
        kind=KIND,
        version=VERSION,
        arrays=arrays,
        metadata={
            "step": checkpoint.step,
            "settings": dict(checkpoint.settings),
            "history": checkpoint.history,
            "running": list(checkpoint.running),
        },
    )


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The checkpoint in ``folder``, or None.

    Raises:
        FormatError: there is one, and it is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return None
    arrays, metadata = load_container(path, kind=KIND, version=VERSION, remedy=_REMEDY)
    parts: dict[str, dict[str, Array]] = {"variable": {}, "optimizer": {}}
    for name, value in arrays.items():
        kind, _, rest = name.partition(":")
        parts.setdefault(kind, {})[rest] = value
    try:
        step = metadata["step"]
        if isinstance(step, bool) or not isinstance(step, int) or not 0 <= step < 1 << 53:
            raise ValueError(f"a step that is a number ({str(step)[:40]})")
        return Checkpoint(
            step=step,
            variables=parts["variable"],
            optimizer=parts["optimizer"],
            settings=dict(metadata["settings"]),
            history=list(metadata["history"]),
            running=tuple(float(value) for value in metadata["running"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"{path} lacks {error}; {_REMEDY}") from error


def restore(stored: Mapping[str, Array], into: Mapping[str, Any], folder: Path) -> None:
    """Assign stored arrays to the ``tf.Variable`` of the same names.

    Raises:
        FormatError: they are not the same variables.
    """
    shapes = {name: tuple(variable.shape) for name, variable in into.items()}
    if {name: value.shape for name, value in stored.items()} != shapes:
        raise FormatError(f"{folder / FILE} is of another network or optimizer; {_REMEDY}")
    for name, variable in into.items():
        variable.assign(stored[name])
