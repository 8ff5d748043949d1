"""What the exit status of every command of xlic means; the README's table is a test of this one."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """Why a command ended.

    1 is what Python itself leaves behind a traceback, 2 what click gives to wrong usage, so neither
    may mean a verdict; shells and signals take those from 124 on.

    Attributes:
        meaning: in words.
    """

    meaning: str

    def __new__(cls, value: int, meaning: str) -> ExitStatus:
        """A status and its meaning."""
        status = int.__new__(cls, value)
        status._value_ = value
        status.meaning = meaning
        return status

    DONE = 0, "what was asked for is done; what was compared is equal"
    DEFECT = 1, "a defect of xlic itself: a traceback says where"
    INPUT = 2, "unusable input, or a missing tool: one line says what, and the remedy"
    BOARD = 3, "a board that cannot be reached or used"
    MISMATCH = 10, "other integers than the simulation's, whatever failed after; nothing else is 10"
    HANGUP = 129, "ended by SIGHUP (the terminal went away); what was held is given back"
    INTERRUPTED = 130, "interrupted (Ctrl-C)"
    BROKEN_PIPE = 141, "the reader of the output went away, as `head -1` does"
    TERMINATED = 143, "ended by SIGTERM (`kill`); what was held is given back"
