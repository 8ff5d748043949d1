"""A connection to the board over SSH, in which no call can hang.

paramiko waits without limit in places, and a link that is dead says nothing. So each call has a
deadline, and a timer that closes the connection when it passes: whatever waits then wakes up.
"""

from __future__ import annotations

import errno
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from xlic.board.config import Board
from xlic.board.deadline import Deadline
from xlic.board.errors import InfrastructureError
from xlic.board.shell import OUTPUT_LIMIT, Completed, plain, quoted
from xlic.board.ssh_login import log_in, watchdog
from xlic.board.ssh_options import import_paramiko, ssh_options
from xlic.disk import cannot_write
from xlic.errors import InputError, XlicError

if TYPE_CHECKING:
    import paramiko

CHUNK = 32 * 1024
"""Bytes sent at once: the packet size of SSH, above which sending becomes slow."""
_KEEPALIVE = 5
_LOOK = 0.005
_CLOSING = 10.0
_STALL = 30.0

# Its log would end up on the terminal and in reports of pytest; errors are raised anyway.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class Link:
    """A connection; a :class:`~xlic.board.shell.Shell`.

    Args:
        board: how to reach it.
        accept_new_host_key: whether a host key that is not known yet is added to known_hosts. A
            key that differs from the known one is refused in any case.

    Raises:
        InfrastructureError: it cannot be reached in time.
        HostKeyError: the host key is not the known one.
        InputError: login is refused, or options are unusable.
        MissingToolError: paramiko is not installed.
    """

    def __init__(
        self,
        board: Board,
        *,
        accept_new_host_key: bool = False,
        deadline: Deadline | None = None,
    ) -> None:
        import_paramiko()
        self.options = ssh_options(board)
        self.name = board.host
        self._accept_new = accept_new_host_key
        # Kept open: one channel less to open and close for each file.
        self._sftp: paramiko.SFTPClient | None = None
        self._has_sftp = True
        self._one = threading.Lock()
        whole = deadline or Deadline(board.limits.connect, f"SSH to {board.host}")
        self._log_in(whole.within(board.limits.connect, f"SSH to {board.host}"))

    @property
    def alive(self) -> bool:
        """Whether the connection stands, as far as one can tell without asking."""
        return self._transport.is_active()

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, script: str, deadline: Deadline, *, limit: int = OUTPUT_LIMIT) -> Completed:
        """Run a script, see :meth:`xlic.board.shell.Shell.run`."""
        # The account's own shell may be any; scripts are written for a POSIX one.
        with self._bounded(deadline), self._channel(deadline) as channel:
            channel.exec_command(f"exec {quoted('sh', '-c', script)}")
            # By this thread, which also closes the channel: a message of another one could come
            # after that, and dropbear ends the whole connection then.
            channel.shutdown_write()
            output, errors = _receive(channel, deadline, limit)
            status = channel.recv_exit_status()
        if status < 0:
            deadline.check()
            raise InfrastructureError(f"{deadline.what}: the connection ended before the command")
        return Completed(status, output, errors)

    def upload(self, source: IO[bytes], size: int, target: str, deadline: Deadline) -> None:
        """Write a file, see :meth:`xlic.board.shell.Shell.upload`."""
        with self._bounded(deadline):
            sftp = self._open_sftp(deadline)
            if sftp is None:
                self._upload_by_cat(source, size, target, deadline)
                return
            _set_patience(sftp.get_channel(), deadline)
            try:
                with sftp.open(target, "wb") as file:
                    file.set_pipelined(True)
                    for chunk in _chunks(source, size, deadline):
                        file.write(chunk)
            except OSError as error:
                # SFTP has no number for a full disk, and says "Failure".
                if isinstance(error, TimeoutError) or not self._transport.is_active():
                    raise
                raise InfrastructureError(
                    f"cannot write {target} on the board: {plain(str(error), 300)}; is there room?"
                ) from error

    def download(self, source: str, target: IO[bytes], size: int, deadline: Deadline) -> None:
        """Read a file, see :meth:`xlic.board.shell.Shell.download`."""
        with self._bounded(deadline):
            sftp = self._open_sftp(deadline)
            if sftp is None:
                got = self._download_by_cat(source, target, size, deadline)
            else:
                _set_patience(sftp.get_channel(), deadline)
                with sftp.open(source, "rb") as file:
                    file.prefetch(size)
                    got = _copy(file, target, size, deadline)
        if got != size:
            raise InfrastructureError(f"{source} on the board has not {size} bytes, but {got}")

    def _log_in(self, deadline: Deadline) -> None:
        self._client = log_in(self.options, self._accept_new, deadline)
        transport = self._client.get_transport()
        if transport is None:
            raise InfrastructureError(f"SSH to {self.name} ended at once")
        self._transport = transport
        if isinstance(transport.sock, socket.socket):
            # Each command is a few small packets; held back until the last is acknowledged (Nagle)
            # they would cost 40 ms, two thirds of a short command.
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.set_keepalive(_KEEPALIVE)

    def _open_sftp(self, deadline: Deadline) -> paramiko.SFTPClient | None:
        """SFTP, or None where the board has no server for it."""
        import paramiko

        if self._sftp is not None or not self._has_sftp:
            return self._sftp
        channel = self._transport.open_session(timeout=max(deadline.left, _LOOK))
        try:
            channel.settimeout(max(deadline.left, _LOOK))
            channel.invoke_subsystem("sftp")
            self._sftp = paramiko.SFTPClient(channel)
        except (EOFError, paramiko.SSHException):
            channel.close()
            deadline.check()
            if not self._transport.is_active():
                raise
            self._has_sftp = False
            # dropbear takes the request, what it starts then ends at once, and the next channels of
            # this connection may be ended with it: another connection knows nothing of that.
            self._client.close()
            self._log_in(deadline)
        return self._sftp

    def _upload_by_cat(self, source: IO[bytes], size: int, target: str, deadline: Deadline) -> None:
        with self._channel(deadline) as channel:
            channel.exec_command("exec " + quoted("sh", "-c", f"cat > {quoted(target)}"))
            try:
                for chunk in _chunks(source, size, deadline):
                    channel.sendall(chunk)
                channel.shutdown_write()
            except OSError:
                # What cannot be written ends `cat`, which then says why.
                if not (channel.closed and self._transport.is_active()):
                    raise
            _, errors = _receive(channel, deadline, OUTPUT_LIMIT)
            status = channel.recv_exit_status()
            if status:
                reason = plain(errors.strip(), 300) or f"it ended with status {status}"
                raise InfrastructureError(f"cannot write {target} on the board: {reason}")

    def _download_by_cat(
        self, source: str, target: IO[bytes], size: int, deadline: Deadline
    ) -> int:
        with self._channel(deadline) as channel:
            channel.exec_command(f"exec {quoted('cat', '--', source)}")
            return _copy(channel.makefile("rb", CHUNK), target, size, deadline)

    @contextmanager
    def _channel(self, deadline: Deadline) -> Iterator[paramiko.Channel]:
        channel = self._transport.open_session(timeout=max(deadline.left, _LOOK))
        try:
            _set_patience(channel, deadline)
            yield channel
            _await_close(channel, deadline)
        finally:
            channel.close()

    @contextmanager
    def _bounded(self, deadline: Deadline) -> Iterator[None]:
        """Close the connection if the block is not left in time; errors become ours."""
        import paramiko

        # One thing at a time: dropbear confuses channels of which several are open.
        if not self._one.acquire(timeout=deadline.left):
            raise deadline.error()
        try:
            with watchdog(deadline, self.close):
                yield
        except XlicError:
            raise
        except (paramiko.SSHException, paramiko.SFTPError, OSError, EOFError) as error:
            if deadline.over:
                raise deadline.error() from error
            if isinstance(error, OSError) and error.errno in (errno.ENOENT, errno.EACCES):
                text = plain(str(error), 300)
                raise InfrastructureError(f"{deadline.what}: on the board, {text}") from error
            text = plain(str(error), 300) or type(error).__name__
            raise InfrastructureError(
                f"{deadline.what}: the link to {self.name} failed: {text}"
            ) from error
        finally:
            self._one.release()


def _set_patience(channel: paramiko.Channel | None, deadline: Deadline) -> None:
    """Have a transfer end in which nothing moves, long before the deadline of a large one."""
    if channel is not None:
        channel.settimeout(max(min(deadline.left, _STALL), _LOOK))


def _await_close(channel: paramiko.Channel, deadline: Deadline) -> None:
    """Let the server close first.

    dropbear gets the next channel wrong that is opened while a process of the last one still ends.
    """
    patience = deadline.within(_CLOSING, deadline.what)
    while not channel.closed and not patience.over:
        time.sleep(_LOOK)


def _receive(channel: paramiko.Channel, deadline: Deadline, limit: int) -> tuple[str, str]:
    output, errors = bytearray(), bytearray()
    while True:
        ended = channel.exit_status_ready() or channel.closed
        idle = True
        for ready, receive, into in (
            (channel.recv_ready, channel.recv, output),
            (channel.recv_stderr_ready, channel.recv_stderr, errors),
        ):
            while ready():
                into += receive(CHUNK)
                idle = False
                if len(into) > limit:
                    raise InfrastructureError(f"{deadline.what}: more than {limit} bytes came")
        # What came with the exit status was looked at above; the end of both streams follows it.
        if ended and idle and (channel.eof_received or channel.closed):
            return output.decode("utf-8", "replace"), errors.decode("utf-8", "replace")
        if idle:
            deadline.check()
            time.sleep(_LOOK)


def _chunks(source: IO[bytes], size: int, deadline: Deadline) -> Iterator[bytes]:
    sent = 0
    while chunk := _read_here(source, min(CHUNK, size - sent)):
        deadline.check()
        yield chunk
        sent += len(chunk)
    if sent != size:
        raise InfrastructureError(f"{deadline.what}: the file has {sent} bytes, not {size}")


def _copy(source: _Readable, target: IO[bytes], size: int, deadline: Deadline) -> int:
    """Copy at most ``size`` + 1 bytes, so that more is noticed; returns how many there were."""
    got = 0
    while got <= size:
        deadline.check()
        chunk = source.read(min(CHUNK, size + 1 - got))
        if not chunk:
            break
        got += len(chunk)
        _write_here(target, chunk)
    return got


def _read_here(source: IO[bytes], size: int) -> bytes:
    # Errors of this machine are not the link's: no reconnecting helps.
    try:
        return source.read(size)
    except OSError as error:
        raise InputError(f"cannot read {_name(source)}: {error.strerror or error}") from error


def _write_here(target: IO[bytes], chunk: bytes) -> None:
    try:
        target.write(chunk)
    except OSError as error:
        raise cannot_write(Path(_name(target)).parent, error) from error


def _name(file: IO[bytes]) -> str:
    return str(getattr(file, "name", "memory"))
