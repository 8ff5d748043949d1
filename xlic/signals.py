"""SIGTERM and SIGHUP end a process as Ctrl-C does: what it holds is given back on the way out."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

from xlic.exit_status import ExitStatus

_STATUS = {signal.SIGHUP: ExitStatus.HANGUP, signal.SIGTERM: ExitStatus.TERMINATED}


class Ended(KeyboardInterrupt):
    """The process was asked to end by a signal.

    Attributes:
        exit_status: that it should end with.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.exit_status = _STATUS[signal.Signals(number)]


@dataclass
class Ending:
    """Whether the process was asked to end.

    Attributes:
        status: that it should end with then.
    """

    status: ExitStatus | None = None


@contextmanager
def ended_in_order() -> Iterator[Ending]:
    """Have SIGTERM and SIGHUP raise :class:`Ended` in the main thread, once.

    A terminal that closes sends more than one: what comes second does not end the giving back that
    the first one began. Signals that somebody else handles or ignores, as nohup has it, are left to
    them, and so are all of them outside the main thread.
    """
    ending = Ending()

    def end(number: int, _: FrameType | None) -> None:
        if ending.status is None:
            ended = Ended(number)
            ending.status = ended.exit_status
            raise ended

    taken = []
    # Only the main thread may.
    with suppress(ValueError):
        for number in _STATUS:
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, end)
                taken.append(number)
    try:
        yield ending
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
