"""What the rest needs of a way to the board: run a script there, move bytes."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import IO, Protocol

from xlic.board.deadline import Deadline
from xlic.board.errors import InfrastructureError, LeaseLostError

OUTPUT_LIMIT = 1 << 20
"""Bytes that a command on the board may print."""


LEASE_LOST_STATUS = 75
"""Exit status of a script whose guard found that the board is somebody else's by now."""


@dataclass(frozen=True)
class Completed:
    """A command that ended.

    Attributes:
        status: its exit status.
        output: what it printed.
        errors: what it printed on stderr.
    """

    status: int
    output: str
    errors: str

    def last_error(self) -> str:
        """The last line that it left, for messages."""
        lines = (self.errors.strip() or self.output.strip()).splitlines()
        return plain(lines[-1], 300) if lines else "no message"


class Shell(Protocol):
    """A way to the board."""

    def run(self, script: str, deadline: Deadline, *, limit: int = OUTPUT_LIMIT) -> Completed:
        """Run a script by the board's ``sh`` and wait for it.

        Raises:
            InfrastructureError: the link failed, or it printed more than ``limit`` bytes.
            DeadlineError: it did not end in time.
        """
        ...

    def upload(self, source: IO[bytes], size: int, target: str, deadline: Deadline) -> None:
        """Write a file on the board.

        Raises:
            InfrastructureError: it cannot.
        """
        ...

    def download(self, source: str, target: IO[bytes], size: int, deadline: Deadline) -> None:
        """Read ``size`` bytes, no more, of a file on the board.

        Raises:
            InfrastructureError: it cannot, or the file has another length.
        """
        ...


def checked(shell: Shell, script: str, deadline: Deadline, what: str) -> str:
    """Run a script that must succeed; returns what it printed.

    Raises:
        InfrastructureError: it failed; ``what`` says what it was for.
        LeaseLostError: its guard found the lease lost.
    """
    done = shell.run(script, deadline)
    require_lease(done, what)
    if done.status:
        raise InfrastructureError(
            f"{what} failed on the board with status {done.status}: {done.last_error()}"
        )
    return done.output


def require_lease(done: Completed, what: str) -> None:
    """Notice that a script ended at its guard.

    Raises:
        LeaseLostError: it did; ``what`` says what it was for.
    """
    if done.status == LEASE_LOST_STATUS:
        raise LeaseLostError(f"{what}: the lease on the board was lost; nothing was done")


def quoted(*words: str) -> str:
    """Words as the board's shell takes them."""
    return shlex.join(words)


def plain(text: str, limit: int = 80) -> str:
    """The beginning of what the board says, without anything that a terminal obeys."""
    return "".join(char if char.isprintable() else "?" for char in text[:limit])
