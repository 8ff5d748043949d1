"""When something must be over: made once, handed down to everything that is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable

from xlic.board.errors import DeadlineError

Clock = Callable[[], float]


class Deadline:
    """A moment that no wait goes beyond.

    Args:
        seconds: from now on.
        what: is done until then, for the message.
        clock: seconds that only grow.
    """

    def __init__(self, seconds: float, what: str, clock: Clock = time.monotonic) -> None:
        self.what = what
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left, 0 if none."""
        return max(0.0, self._end - self._clock())

    @property
    def over(self) -> bool:
        """Whether it has passed."""
        return self.left <= 0

    def check(self) -> None:
        """Raise if it has passed.

        Raises:
            DeadlineError: so.
        """
        if self.over:
            raise self.error()

    def within(self, seconds: float, what: str) -> Deadline:
        """A deadline for a part: in so many seconds, but never later than this one."""
        return Deadline(min(seconds, self.left), what, self._clock)

    def wait(self, seconds: float) -> None:
        """Sleep, but not beyond the deadline.

        Raises:
            DeadlineError: it has passed.
        """
        self.check()
        time.sleep(min(seconds, self.left))

    def error(self) -> DeadlineError:
        """What to raise when it has passed."""
        return DeadlineError(f"{self.what}: no answer within {self.seconds:.3g} s")
