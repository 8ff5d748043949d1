"""What is tried again and what is not.

Infrastructure is recovered and tried again, a bounded number of times, and each time is counted. A
mismatch is run again too, but only to say what kind it is: it stays one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from xlic.board.errors import InfrastructureError, LeaseError

_T = TypeVar("_T")

RERUNS = 4
"""Times that a mismatch is run again."""


class Repeatability(Enum):
    """What running again said of a mismatch."""

    DETERMINISTIC = "deterministic"
    """The same wrong integers each time."""
    INTERMITTENT = "intermittent"
    """Sometimes right, or wrong in other places."""
    FIRST_RUN_ONLY = "first-run-only"
    """Wrong the first time, right ever after: something was not initialized."""


@dataclass(frozen=True)
class Attempted(Generic[_T]):
    """What came of it, and what failed before.

    Attributes:
        value: of the attempt that went well.
        failures: of those before.
    """

    value: _T
    failures: tuple[InfrastructureError, ...]


def attempt(
    action: Callable[[], _T],
    recover: Callable[[InfrastructureError], tuple[str, ...]],
    attempts: int,
) -> Attempted[_T]:
    """Do something that infrastructure may thwart.

    Args:
        action: to do; anything but an infrastructure error passes through at once.
        recover: mends what is broken; returns what it did.
        attempts: times to try in all.

    Raises:
        InfrastructureError: the last one, with what recovery did.
        LeaseError: at once: the board is somebody else's.
    """
    failures: list[InfrastructureError] = []
    done: tuple[str, ...] = ()
    while True:
        try:
            return Attempted(action(), tuple(failures))
        except LeaseError:
            raise
        except InfrastructureError as error:
            failures.append(error)
            if len(failures) >= attempts:
                error.done = (*done, *error.done)
                raise
            done += recover(error)


def repeatability(
    wrong: Hashable, run: Callable[[], Hashable | None], reruns: int = RERUNS
) -> Repeatability:
    """Say what kind of mismatch it is.

    Args:
        wrong: what the first run yielded, e.g. a hash.
        run: runs again; None if the result was right, otherwise what it was.
        reruns: times.
    """
    found = [run() for _ in range(max(1, reruns))]
    if all(result is None for result in found):
        return Repeatability.FIRST_RUN_ONLY
    if all(result == wrong for result in found):
        return Repeatability.DETERMINISTIC
    return Repeatability.INTERMITTENT
