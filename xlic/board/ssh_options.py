"""How to reach a host: the board file, then the user's SSH configuration, then defaults."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xlic.board.config import Board
from xlic.errors import InputError, MissingToolError

if TYPE_CHECKING:
    import paramiko

_PORT = 22
_USER = "root"


@dataclass(frozen=True)
class SshOptions:
    """Where and as whom to connect.

    Attributes:
        address: host name or address.
        port: TCP port.
        user: to log in as.
        key_files: private keys to try; empty tries the agent's and the usual ones.
        known_hosts: files of host keys; the first is where a new key would be added.
        proxy: command whose input and output lead there (ProxyCommand, ProxyJump), or None.
        password_env: environment variable that holds the password, or None.
    """

    address: str
    port: int
    user: str
    key_files: tuple[str, ...]
    known_hosts: tuple[str, ...]
    proxy: str | None
    password_env: str | None

    @property
    def key_name(self) -> str:
        """The host's name in known_hosts files."""
        return self.address if self.port == _PORT else f"[{self.address}]:{self.port}"

    def password(self) -> str | None:
        """The password, if one is to be used.

        Raises:
            InputError: the variable that should hold it is not set.
        """
        if self.password_env is None:
            return None
        password = os.environ.get(self.password_env)
        if password is None:
            raise InputError(f"the environment variable {self.password_env} is not set")
        return password


def ssh_options(board: Board) -> SshOptions:
    """The options for a board.

    Raises:
        InputError: the SSH configuration cannot be read.
        MissingToolError: paramiko is not installed.
    """
    found = _configured(board)
    # The one option of which there may be several; paramiko makes it a list.
    keys = (board.key_file,) if board.key_file else tuple(found.get("identityfile", ()))
    hosts = board.known_hosts or found.get("userknownhostsfile") or "~/.ssh/known_hosts"
    # One path of the board's own, which may hold blanks, or a list as SSH has it.
    files = [hosts] if board.known_hosts else str(hosts).split()
    try:
        port = int(found.get("port", _PORT))
    except ValueError as error:
        raise InputError(f"the SSH configuration has port {found['port']!r}") from error
    return SshOptions(
        address=str(found.get("hostname", board.host)),
        port=board.port or port,
        user=board.user or str(found.get("user", _USER)),
        key_files=tuple(str(Path(key).expanduser()) for key in keys),
        known_hosts=tuple(str(Path(file).expanduser()) for file in files),
        proxy=_proxy(found),
        password_env=board.password_env,
    )


def import_paramiko() -> None:
    """Make sure that paramiko is there.

    Raises:
        MissingToolError: it is not.
    """
    if importlib.util.find_spec("paramiko") is None:
        raise MissingToolError("a board needs paramiko: pip install 'xlic[board]'")


def _configured(board: Board) -> paramiko.SSHConfigDict:
    import_paramiko()
    import paramiko

    path = Path(board.ssh_config or "~/.ssh/config").expanduser()
    if board.ssh_config is None and not path.is_file():
        return paramiko.SSHConfigDict(hostname=board.host)
    try:
        return paramiko.SSHConfig.from_path(str(path)).lookup(board.host)
    except (OSError, paramiko.SSHException, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the SSH configuration {path}: {error}") from error


def _proxy(found: paramiko.SSHConfigDict) -> str | None:
    command = found.get("proxycommand")
    if command is not None:
        return None if str(command).lower() == "none" else str(command)
    jump = found.get("proxyjump")
    if jump is None or str(jump).lower() == "none":
        return None
    address, port = found.get("hostname", ""), found.get("port", _PORT)
    # The way there is ssh's own business, with its own checks of host keys.
    return f"ssh -o BatchMode=yes -W [{address}]:{port} {jump}"
