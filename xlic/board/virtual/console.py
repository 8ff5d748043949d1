"""The board's console: logged with time stamps, and open to any number of clients."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_BUFFER = 1 << 16
_BACKLOG = 4 << 20
"""Bytes that a client may be behind before it is dropped."""


class Console:
    """Passes on what the board says, and to the board what clients say.

    As with a serial adapter, the port outlives the board's power, and a client sees what comes
    after it has connected.

    Args:
        log: file to append to.
        port: of 127.0.0.1; 0 finds a free one.
    """

    def __init__(self, log: Path, port: int = 0) -> None:
        self.listener = socket.create_server(("127.0.0.1", port))
        self.listener.setblocking(False)
        self.port: int = self.listener.getsockname()[1]
        self._log = log.open("ab", buffering=0)
        self._line_begins = True
        self._board: socket.socket | None = None
        self._clients: dict[socket.socket, bytearray] = {}

    def attach(self, board: socket.socket | None) -> None:
        """Connect to a board that was switched on, or to none."""
        self._board = board

    def accept(self) -> socket.socket:
        """Take a client that waits at :attr:`listener`."""
        client, _ = self.listener.accept()
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._clients[client] = bytearray()
        return client

    def note(self, text: str) -> None:
        """Write a line into the log that the board did not say."""
        begin = b"" if self._line_begins else b"\n"
        self._line_begins = True
        self._log.write(begin + _stamp() + f"--- {text} ---\n".encode())

    def from_board(self) -> bool:
        """Take what the board said; whether it is still there."""
        data = b""
        if self._board is not None:
            with suppress(OSError):
                data = self._board.recv(_BUFFER)
        if not data:
            return False
        self._write(data)
        for waiting in self._clients.values():
            waiting += data
        return True

    def from_client(self, client: socket.socket) -> bool:
        """Pass on what a client said; whether it is still there."""
        try:
            data = client.recv(_BUFFER)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if data and self._board is not None:
            # A board that does not listen loses what it is told, as on a serial line.
            with suppress(OSError):
                self._board.send(data, socket.MSG_DONTWAIT)
        return bool(data)

    def flush(self) -> Iterator[socket.socket]:
        """Send clients what is for them; yields those that are gone."""
        for client, waiting in list(self._clients.items()):
            try:
                while waiting:
                    del waiting[: client.send(waiting)]
            except BlockingIOError:
                if len(waiting) > _BACKLOG:
                    yield client
            except OSError:
                yield client

    @property
    def behind(self) -> bool:
        """Whether some client has yet to be sent something."""
        return any(self._clients.values())

    def drop(self, client: socket.socket) -> None:
        """Close a client."""
        self._clients.pop(client, None)
        client.close()

    def close(self) -> None:
        """Close everything."""
        for client in list(self._clients):
            self.drop(client)
        self.listener.close()
        self._log.close()

    def _write(self, data: bytes) -> None:
        out = bytearray()
        for line in data.replace(b"\r", b"").splitlines(keepends=True):
            out += (_stamp() if self._line_begins else b"") + line
            self._line_begins = line.endswith(b"\n")
        self._log.write(out)


def _stamp() -> bytes:
    now = time.time()
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now))
    return f"{text}.{int(now % 1 * 1000):03d} ".encode()
