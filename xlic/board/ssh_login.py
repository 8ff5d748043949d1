"""Logging in by SSH: host keys, the user's keys, a way through other hosts.

What fails is told apart: a name, key or command that is not there is the user's to mend and never
tried again; a board that does not answer is infrastructure.
"""

from __future__ import annotations

import os
import select
import shlex
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from xlic.board.deadline import Deadline
from xlic.board.errors import HostKeyError, InfrastructureError
from xlic.board.shell import plain
from xlic.board.ssh_options import SshOptions
from xlic.errors import InputError, XlicError

if TYPE_CHECKING:
    import paramiko

_NOT_FOUND = 127
_ENDING = 0.5
_NO_SUCH_NAME = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


def log_in(options: SshOptions, accept_new: bool, deadline: Deadline) -> paramiko.SSHClient:
    """Connect and log in.

    Args:
        options: where, and as whom.
        accept_new: whether an unknown host key is added to known_hosts.
        deadline: of all of it.

    Raises:
        InfrastructureError: it cannot be reached in time.
        HostKeyError: the host key is unknown, or not the known one.
        InputError: login is refused, there is no such host, or options are unusable.
    """
    import paramiko

    client = paramiko.SSHClient()
    proxy: paramiko.ProxyCommand | None = None
    try:
        _load_host_keys(client, options)
        client.set_missing_host_key_policy(_policy(options, accept_new))
        password = options.password()
        proxy = _proxy(options)
        with watchdog(deadline, client.close):
            client.connect(
                options.address,
                options.port,
                options.user,
                password=password,
                # A list is taken too.
                key_filename=cast("str | None", list(options.key_files) or None),
                look_for_keys=not options.key_files and password is None,
                allow_agent=options.agent,
                timeout=deadline.left,
                banner_timeout=deadline.left,
                auth_timeout=deadline.left,
                channel_timeout=deadline.left,
                sock=proxy,
                transport_factory=_transport_kind(),
            )
    except BaseException as error:
        transport = client.get_transport()
        # Some servers hang up on who brings too many wrong keys.
        refused = transport is not None and (
            transport.is_active() or getattr(transport, "refusals", 0) > 0
        )
        client.close()
        if proxy is not None:
            # One that has failed is given the time to say so.
            with suppress(subprocess.TimeoutExpired):
                proxy.process.wait(_ENDING)
            proxy.close()
        # A connection that the timer closed half-way ends in an AttributeError too.
        ours = (paramiko.SSHException, OSError, EOFError, AttributeError, ValueError)
        if not isinstance(error, ours):
            raise
        if deadline.over:
            raise deadline.error() from error
        if isinstance(error, AttributeError):
            raise
        raise _told(error, refused, options, proxy) from error
    return client


@contextmanager
def watchdog(deadline: Deadline, close: Callable[[], None]) -> Iterator[None]:
    """Close what the block waits for if it is not left in time."""
    timer = threading.Timer(deadline.left, close)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _told(
    error: Exception,
    refused: bool,
    options: SshOptions,
    proxy: paramiko.ProxyCommand | None,
) -> XlicError:
    """What an exception of paramiko's means; ``refused``: the server had answered, but with no."""
    import paramiko

    name = options.key_name
    if isinstance(error, paramiko.BadHostKeyException):
        return HostKeyError(
            f"{name} has another host key than the known one; if the board was set up anew: "
            f"ssh-keygen -R '{name}'"
        )
    # paramiko calls it a refusal, too, when the link goes while it waits for the answer; and has no
    # type of its own for keys that are absent or no keys.
    if refused:
        return InputError(
            f"{name} does not let {options.user} in: {error}; give a key by key_file, the SSH "
            "configuration or the agent"
        )
    unknown = isinstance(error, socket.gaierror) and error.errno in _NO_SUCH_NAME
    if unknown or isinstance(error, UnicodeError):
        return InputError(
            f"there is no host {options.address}; is it in the SSH configuration, or misspelt?"
        )
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if proxy is not None:
        if proxy.process.returncode == _NOT_FOUND:
            return InputError(f"the way to {name} cannot be run: {options.proxy}")
        said = _said(proxy)
        reason = f"{options.proxy}: {said}" if said else reason
    reason = plain(reason, 300) or type(error).__name__
    return InfrastructureError(f"cannot connect to {name}: {reason}")


def _load_host_keys(client: paramiko.SSHClient, options: SshOptions) -> None:
    from paramiko.hostkeys import InvalidHostKey

    for path in options.known_hosts:
        try:
            # One that is not there knows nobody.
            with suppress(FileNotFoundError):
                client.load_system_host_keys(path)
        except (OSError, ValueError, InvalidHostKey) as error:
            raise InputError(f"cannot read the host keys in {path}: {error}") from error


def _policy(options: SshOptions, accept_new: bool) -> paramiko.MissingHostKeyPolicy:
    import paramiko

    class Policy(paramiko.MissingHostKeyPolicy):
        def missing_host_key(
            self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
        ) -> None:
            if not accept_new:
                raise HostKeyError(
                    f"the host key of {options.key_name} is unknown "
                    f"({key.get_name()} {key.fingerprint}); compare it with the board's and "
                    "connect once with ssh, or use --accept-new-host-key"
                )
            line = f"{options.key_name} {key.get_name()} {key.get_base64()}"
            _add_line(Path(options.known_hosts[0]), line)

    return Policy()


def _add_line(path: Path, line: str) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, 2)
                # The last line may have no end, and would swallow this one.
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(line.encode() + b"\n")
    except OSError as error:
        raise InputError(f"cannot add the host key to {path}: {error}") from error


def _proxy(options: SshOptions) -> paramiko.ProxyCommand | None:
    import paramiko

    if options.proxy is None:
        return None

    class Proxy(paramiko.ProxyCommand):
        """With an end: the library's own goes on reading after that of the command."""

        def recv(self, size: int) -> bytes:
            stream = cast("IO[bytes]", self.process.stdout).fileno()
            if not select.select([stream], [], [], self.timeout)[0]:
                raise TimeoutError
            return os.read(stream, size)

        def close(self) -> None:
            # Not once it was waited for: its number may be another's by then.
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()

    # By a shell, as ssh does it.
    return Proxy(f"sh -c {shlex.quote(f'exec {options.proxy}')}")


def _said(proxy: paramiko.ProxyCommand) -> str:
    """The last line that the command left on stderr."""
    stream = cast("IO[bytes]", proxy.process.stderr)
    # What it has started may hold it open still.
    os.set_blocking(stream.fileno(), False)
    lines = (stream.read() or b"").decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


def _transport_kind() -> Any:
    import paramiko

    class Transport(paramiko.Transport):
        """Counts the keys that the server has said no to."""

        refusals = 0

        def auth_publickey(
            self, username: str, key: paramiko.PKey, event: threading.Event | None = None
        ) -> list[str]:
            try:
                return super().auth_publickey(username, key, event)
            except paramiko.AuthenticationException:
                self.refusals += self.is_active()
                raise

    return Transport
