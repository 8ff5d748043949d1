"""Which board, and how to reach it: the options of one TOML file.

``--host NAME`` alone does for a board that the user's SSH configuration knows; everything else has
a default. Keys and passwords are never in the file: keys are named by path, a password by the
environment variable that holds it.
"""

from __future__ import annotations

import dataclasses
import math
import os
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from xlic.errors import FormatError, InputError
from xlic.files import read_bytes

_FILE_LIMIT = 1 << 20
_NEVER = 30 * 24 * 3600.0
VIRTUAL_HOST = "virtual"
"""Host name that stands for the virtual ZCU102."""


@dataclass(frozen=True)
class Limits:
    """Seconds that things may take.

    Attributes:
        connect: an SSH connection, authentication included.
        command: a short command on the board.
        transfer: a file, either way.
        bitstream: configuring the programmable logic.
        run: one run of the accelerator; the program on the board gives up after that.
        boot: from a reset or power-on until SSH answers.
        console: logging in on the serial console and mending the network.
    """

    connect: float = 15.0
    command: float = 20.0
    transfer: float = 300.0
    bitstream: float = 60.0
    run: float = 60.0
    boot: float = 120.0
    console: float = 60.0


@dataclass(frozen=True)
class LeaseSettings:
    """How the board is shared.

    Attributes:
        expiry: seconds without a heartbeat after which a lease is stale, by the board's clock.
        wait: seconds to wait for somebody else's lease.
        owner: who asks; default the user's name.
        purpose: what for, shown to those who wait.
        folder: of the leases on the board: the same for all who share it.
    """

    expiry: float = 120.0
    wait: float = 600.0
    owner: str | None = None
    purpose: str = "xlic"
    folder: str = "/tmp/xlic-lease"


@dataclass(frozen=True)
class Board:
    """A board, and how it is reached.

    Attributes:
        host: name in the SSH configuration, or address.
        port: of SSH; None takes the SSH configuration's, else 22.
        user: None takes the SSH configuration's, else root.
        key_file: private key; None takes the SSH configuration's, the agent's, the usual ones.
        password_env: environment variable with the password, where there is no key.
        known_hosts: file of host keys; None takes the SSH configuration's, else the user's.
        ssh_config: the SSH configuration; None takes ``~/.ssh/config``.
        serial: port of the console: ``/dev/ttyUSB0``, ``socket://host:port``; None has none.
        baud: of the console.
        serial_user: who logs in there when SSH does not answer.
        serial_password_env: environment variable with that user's password, if one is asked for.
        network_repair: shell commands that bring the network back, typed on the console.
        bitstream: .bit or .bin to load; None takes what is loaded.
        reset_command: run on the host to reset the board, as a list of arguments.
        power_command: run on the host to switch the board off and on.
        uio: the accelerator's UIO device.
        udmabuf: name of the buffer that the accelerator shares with the processor.
        mem: device to map instead of UIO and udmabuf, usually ``/dev/mem``; needs the addresses.
        registers_address: with ``mem``, physical address of the registers.
        window_address: with ``mem``, that of the buffer.
        window_bytes: with ``mem``, its size.
        fpga_manager: name of the FPGA manager.
        part: how the name of the part in a .bit file begins; others are refused.
        folder: on the board, for everything that xlic leaves there.
        clock_hz: of the accelerator.
        attempts: how often something is tried when the infrastructure fails.
        lease: how the board is shared.
        limits: seconds that things may take.
    """

    host: str
    port: int | None = None
    user: str | None = None
    key_file: str | None = None
    password_env: str | None = None
    known_hosts: str | None = None
    ssh_config: str | None = None
    serial: str | None = None
    baud: int = 115200
    serial_user: str = "root"
    serial_password_env: str | None = None
    network_repair: tuple[str, ...] = ("ip link set eth0 up", "udhcpc -n -q -i eth0")
    bitstream: str | None = None
    reset_command: tuple[str, ...] = ()
    power_command: tuple[str, ...] = ()
    uio: str = "/dev/uio0"
    udmabuf: str = "udmabuf0"
    mem: str | None = None
    registers_address: int | None = None
    window_address: int | None = None
    window_bytes: int | None = None
    fpga_manager: str = "fpga0"
    part: str = "xczu9eg"
    folder: str = "/tmp/xlic"
    clock_hz: float = 200e6
    attempts: int = 3
    lease: LeaseSettings = field(default_factory=LeaseSettings)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for name, value in self._numbers():
            if not 0 < value < _NEVER:
                raise InputError(
                    f"board: {name} is {value:g} seconds; give more than 0, below 30 days"
                )
        if not self.host or self.host.startswith("-") or any(c.isspace() for c in self.host):
            raise InputError(f"board: {self.host!r} is no host name")
        if self.port is not None and not 1 <= self.port <= 65535:
            raise InputError(f"board: port {self.port} must be 1 … 65535")
        if not 1 <= self.attempts <= 10:
            raise InputError(f"board: attempts {self.attempts} must be 1 … 10")
        if self.baud < 1 or not 0 < self.clock_hz < math.inf:
            raise InputError("board: baud and clock_hz must be positive numbers")
        for name, text in (("folder", self.folder), ("lease.folder", self.lease.folder)):
            folder = PurePosixPath(text)
            if not folder.is_absolute() or len(folder.parts) < 3 or ".." in folder.parts:
                raise InputError(f"board: {name} {text!r} must be absolute and xlic's own")
        for name in ("udmabuf", "fpga_manager"):
            value = getattr(self, name)
            if not value or "/" in value or value.startswith("."):
                raise InputError(f"board: {name} {value!r} is a name below /sys/class, not a path")
        addresses = (self.registers_address, self.window_address, self.window_bytes)
        if self.mem is not None and None in addresses:
            raise InputError(
                "board: mem needs registers_address, window_address and window_bytes beside it"
            )

    @property
    def virtual(self) -> bool:
        """Whether it is the virtual ZCU102."""
        return self.host == VIRTUAL_HOST

    def _numbers(self) -> list[tuple[str, float]]:
        limits = [(f"limits.{key}", value) for key, value in vars(self.limits).items()]
        # Not to wait for a lease at all is a choice; nothing else may take no time.
        waits = [("lease.wait", self.lease.wait)] if self.lease.wait != 0 else []
        return [*limits, ("lease.expiry", self.lease.expiry), *waits]


def read_board(path: str | os.PathLike[str], **changes: Any) -> Board:
    """Read a board file.

    Paths in it are relative to its folder.

    Args:
        path: the TOML file.
        changes: values that win over the file's, unless they are None.

    Raises:
        InputError: it cannot be read, or holds a value that cannot be.
        FormatError: it is no TOML, or has an unknown key or a value of the wrong kind.
    """
    try:
        table = tomllib.loads(read_bytes(path, _FILE_LIMIT).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} is no TOML: {error}") from error
    given = {key: value for key, value in changes.items() if value is not None}
    if "host" not in table and "host" not in given:
        raise FormatError(f'{path} names no host; add host = "NAME"')
    try:
        # The file's own values are resolved first: a relative path given by option is the user's.
        values = _values(Board, table, "")
        folder = Path(path).resolve().parent
        for key in ("key_file", "known_hosts", "ssh_config", "bitstream"):
            if values.get(key) is not None:
                values[key] = str(folder / user_path(values[key]))
        return Board(**values | given)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def user_path(text: str | os.PathLike[str]) -> Path:
    """A path as users write it, with ``~`` and ``~name``.

    Raises:
        InputError: nobody is called so.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise InputError(f"{os.fspath(text)}: there is no such home: {error}") from error


def choose_board(
    host: str | None, file: str | os.PathLike[str] | None = None, **changes: Any
) -> Board:
    """The board that options describe: a file, a host, or both; single values win over the file.

    Raises:
        InputError: neither, or unusable values.
        FormatError: the file is unusable.
    """
    if file is not None:
        return read_board(file, host=host, **changes)
    if host is None:
        raise InputError("which board? give --host NAME, or --board FILE")
    return Board(host=host, **{key: value for key, value in changes.items() if value is not None})


def _values(kind: type[Any], table: dict[str, Any], prefix: str) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    unknown = sorted(table.keys() - hints.keys())
    if unknown:
        known = ", ".join(hints)
        raise FormatError(f"unknown: {', '.join(prefix + key for key in unknown)}; known: {known}")
    return {key: _value(hints[key], value, prefix + key) for key, value in table.items()}


def _value(hint: Any, value: Any, name: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        part: type[Any] = typing.cast(Any, hint)
        return part(**_values(part, value, f"{name}."))
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if typing.get_origin(hint) is tuple:
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            return tuple(value)
        raise FormatError(f"{name} must be a list of strings")
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise FormatError(f"{name} is an integer of hundreds of digits") from error
    if not any(type(value) is kind for kind in kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds if kind is not type(None))
        raise FormatError(f"{name} is {value!r}, must be {wanted}")
    return value
