"""How to reach a host: the board file, then the user's SSH configuration, then defaults."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xlic.board.config import Board, user_path
from xlic.errors import InputError, MissingToolError
from xlic.remedies import install

if TYPE_CHECKING:
    import paramiko

_PORT = 22
_USER = "root"
# ssh_config(5), UserKnownHostsFile and GlobalKnownHostsFile.
_KNOWN_HOSTS = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
_GLOBAL_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
_HOP = re.compile(r"(?:ssh://)?(?:([^@]+)@)?(\[[^]]+\]|[^:@]+)(?::(\d+))?")


@dataclass(frozen=True)
class SshOptions:
    """Where and as whom to connect.

    Attributes:
        address: host name or address.
        port: TCP port.
        user: to log in as.
        key_files: private keys to try; empty tries the usual ones.
        agent: whether the agent's keys are tried too.
        known_hosts: files of host keys; the first is where a new key would be added.
        proxy: command whose input and output lead there (ProxyCommand, ProxyJump), or None.
        password_env: environment variable that holds the password, or None.
    """

    address: str
    port: int
    user: str
    key_files: tuple[str, ...]
    agent: bool
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
        InputError: the SSH configuration cannot be read, or the board's key is not there.
        MissingToolError: paramiko is not installed.
    """
    found = _configured(board)
    try:
        port = board.port or int(found.get("port", _PORT))
    except ValueError as error:
        raise InputError(f"the SSH configuration has port {found['port']!r}") from error
    address = str(found.get("hostname", board.host))
    return SshOptions(
        address=address,
        port=port,
        user=board.user or str(found.get("user", _USER)),
        key_files=_key_files(board, found),
        agent=board.key_file is None
        and board.password_env is None
        and str(found.get("identitiesonly", "no")).lower() != "yes",
        known_hosts=_known_hosts(board, found),
        proxy=_proxy(board, found, address, port),
        password_env=board.password_env,
    )


def import_paramiko() -> None:
    """Make sure that paramiko is there.

    Raises:
        MissingToolError: it is not.
    """
    if importlib.util.find_spec("paramiko") is None:
        raise MissingToolError(f"a board needs paramiko: {install('board')}")


def _configured(board: Board) -> paramiko.SSHConfigDict:
    import_paramiko()
    import paramiko

    path = user_path(board.ssh_config or "~/.ssh/config")
    if board.ssh_config is None and not path.is_file():
        return paramiko.SSHConfigDict(hostname=board.host)
    try:
        return paramiko.SSHConfig.from_path(str(path)).lookup(board.host)
    except (OSError, paramiko.SSHException, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the SSH configuration {path}: {error}") from error


def _key_files(board: Board, found: paramiko.SSHConfigDict) -> tuple[str, ...]:
    if board.key_file is not None:
        path = user_path(board.key_file)
        if not path.is_file():
            raise InputError(f"the key {path} is not there; is key_file right?")
        return (str(path),)
    # The one option of which there may be several; as with ssh, one that is not there is no matter.
    paths = (user_path(key) for key in found.get("identityfile", ()))
    return tuple(str(path) for path in paths if path.is_file())


def _known_hosts(board: Board, found: paramiko.SSHConfigDict) -> tuple[str, ...]:
    if board.known_hosts is not None:
        # One path of the board's own, which may hold blanks.
        return (str(user_path(board.known_hosts)),)
    lists = (
        found.get("userknownhostsfile", _KNOWN_HOSTS),
        found.get("globalknownhostsfile", _GLOBAL_KNOWN_HOSTS),
    )
    return tuple(str(user_path(file)) for files in lists for file in str(files).split())


def _proxy(board: Board, found: paramiko.SSHConfigDict, address: str, port: int) -> str | None:
    command = found.get("proxycommand")
    if command is not None:
        return None if str(command).lower() == "none" else str(command)
    jump = found.get("proxyjump")
    if jump is None or str(jump).lower() == "none":
        return None
    *hops, last = str(jump).split(",")
    match = _HOP.fullmatch(last.strip())
    if match is None:
        raise InputError(f"the SSH configuration has ProxyJump {jump!r}")
    user, host, jump_port = match.groups()
    words = ["ssh", "-o", "BatchMode=yes"]
    if board.ssh_config is not None:
        words += ["-F", str(user_path(board.ssh_config))]
    words += ["-l", user] if user else []
    words += ["-p", jump_port] if jump_port else []
    words += ["-J", ",".join(hop.strip() for hop in hops)] if hops else []
    # The way there is ssh's own business, with its own checks of host keys.
    return shlex.join([*words, "-W", f"[{address}]:{port}", "--", host.strip("[]")])
