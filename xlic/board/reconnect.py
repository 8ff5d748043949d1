"""A way to the board that makes its own connection again when that is gone; for heartbeats."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

from xlic.board.deadline import Deadline
from xlic.board.shell import OUTPUT_LIMIT, Completed

if TYPE_CHECKING:
    from xlic.board.ssh import Link


class Reconnecting:
    """A :class:`~xlic.board.shell.Shell` over connections that ``connect`` makes.

    A long transfer on one connection would hold up a heartbeat, and the loss of the other must not
    end it.
    """

    def __init__(self, connect: Callable[[Deadline], Link]) -> None:
        self._connect = connect
        self._link: Link | None = None
        self._lock = threading.Lock()

    def run(self, script: str, deadline: Deadline, *, limit: int = OUTPUT_LIMIT) -> Completed:
        """Run a script, see :meth:`xlic.board.shell.Shell.run`."""
        return self._alive(deadline).run(script, deadline, limit=limit)

    def upload(self, source: IO[bytes], size: int, target: str, deadline: Deadline) -> None:
        """Write a file, see :meth:`xlic.board.shell.Shell.upload`."""
        self._alive(deadline).upload(source, size, target, deadline)

    def download(self, source: str, target: IO[bytes], size: int, deadline: Deadline) -> None:
        """Read a file, see :meth:`xlic.board.shell.Shell.download`."""
        self._alive(deadline).download(source, target, size, deadline)

    def close(self) -> None:
        """End the connection; the next call makes another."""
        with self._lock:
            if self._link is not None:
                self._link.close()
                self._link = None

    def _alive(self, deadline: Deadline) -> Link:
        with self._lock:
            if self._link is None or not self._link.alive:
                if self._link is not None:
                    self._link.close()
                self._link = self._connect(deadline)
            return self._link
