"""What the exit status of every command of xlic means; the README's table is a test of this one."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """Why a command ended.

    1 is what Python itself leaves behind a traceback, 2 what click gives to wrong usage, so neither
    may mean a verdict; shells and signals take those from 124 on.
    """

    DONE = 0
    """What was asked for is done; what was compared is equal."""
    DEFECT = 1
    """A defect of xlic itself: a traceback says where."""
    INPUT = 2
    """Unusable input or a missing tool: one line says what, and the remedy."""
    BOARD = 3
    """A board that cannot be reached or used."""
    MISMATCH = 10
    """Two implementations that must compute the same integers do not. Nothing else is 10."""
    HANGUP = 129
    """The terminal went away: 128 + SIGHUP. What was held is given back, as by Ctrl-C."""
    INTERRUPTED = 130
    """Ctrl-C, as a shell says it: 128 + SIGINT."""
    BROKEN_PIPE = 141
    """The reader of the output went away: 128 + SIGPIPE."""
    TERMINATED = 143
    """`kill`: 128 + SIGTERM. What was held is given back, as by Ctrl-C."""
