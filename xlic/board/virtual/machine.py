"""A virtual ZCU102: starting, reaching and stopping it."""

from __future__ import annotations

import json
import mmap
import os
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xlic.board.virtual import layout
from xlic.board.virtual.errors import VirtualBoardError, last_said
from xlic.board.virtual.image import build_image
from xlic.board.virtual.supervisor import CONTROL, SECRETS, STATE, lock_folder
from xlic.board.virtual.tools import RUN_TOOLS, require_modules, require_tools
from xlic.files import Progress
from xlic.remedies import xlic

if TYPE_CHECKING:
    from xlic.board.virtual.faults import Faults

DEFAULT_NAME = "default"
_OWN = "run-"
"""How the folders begin that go away with their board, logs included."""
_START = 60.0
_STOP = 20.0
_BOOT = 120.0
_ANSWER = 60.0
_LOOK = 0.05


class VirtualBoard:
    """A virtual board that runs; another process may have started it.

    Args:
        folder: its folder, see :meth:`start` and :func:`find_board`.

    Raises:
        VirtualBoardError: no board runs there.

    Attributes:
        folder: keys, logs, state.
        key_file: private key that the board lets in.
        known_hosts: the board's public keys.
        ssh_address: host and port of its SSH server.
        serial_url: of its console, as pyserial takes it.
        console_log: all that it said, with time stamps.
        pl_log: what the programmable logic did.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            state = json.loads((folder / STATE).read_text("utf-8"))
            self._pid = int(state["pid"])
            self._memory_file = Path(state["memory"])
            ssh_port, serial_port = int(state["ssh_port"]), int(state["serial_port"])
        except (OSError, ValueError, KeyError) as error:
            raise VirtualBoardError(
                f"no virtual board runs in {folder}; start one: {_up(folder)}"
            ) from error
        self.ssh_address = ("127.0.0.1", ssh_port)
        self.serial_url = f"socket://127.0.0.1:{serial_port}"
        self.key_file = folder / "client_key"
        self.known_hosts = folder / "known_hosts"
        self.console_log = folder / "console.log"
        self.pl_log = folder / "pl.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._faults: Faults | None = None

    @classmethod
    def start(
        cls,
        folder: Path | None = None,
        *,
        detached: bool = False,
        wait: bool = True,
        progress: Progress | None = None,
    ) -> VirtualBoard:
        """Switch a board on; what it needs is built before, unless that was done.

        Args:
            folder: for keys, logs and state: short, private, not there yet. None makes one that
                goes away with the board.
            detached: lets it run on when this process ends; otherwise it ends too.
            wait: until SSH answers.
            progress: told what is fetched and built.

        Raises:
            MissingToolError: a tool is absent; names the command that installs it.
            VirtualBoardError: it does not start.
        """
        require_tools(RUN_TOOLS)
        require_modules()
        build_image(progress)
        arguments = [] if detached else ["--owned"]
        if folder is None:
            sweep(boards_folder())
            folder = boards_folder() / f"{_OWN}{secrets.token_hex(4)}"
        else:
            arguments.append("--keep")
        try:
            folder.mkdir(mode=0o700, parents=True)
        except OSError as error:
            raise VirtualBoardError(
                f"cannot make {folder}: {error.strerror or error}; name another folder"
            ) from error
        try:
            process = _start_supervisor(folder, arguments, owned=not detached)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        board = cls(folder)
        board._process = process
        if wait:
            try:
                board.wait_for_ssh()
            except BaseException:
                board.stop()
                raise
        return board

    @property
    def faults(self) -> Faults:
        """What can be made to go wrong."""
        if self._faults is None:
            from xlic.board.virtual.faults import Faults

            self._faults = Faults(self)
        return self._faults

    @property
    def reset_command(self) -> tuple[str, ...]:
        """Program and arguments that reset this board, for a board file."""
        return (sys.executable, "-m", "xlic.board.virtual", str(self.folder), "reset")

    @property
    def power_command(self) -> tuple[str, ...]:
        """Program and arguments that switch this board off and on, for a board file."""
        return (sys.executable, "-m", "xlic.board.virtual", str(self.folder), "power-cycle")

    @property
    def options(self) -> dict[str, Any]:
        """How it is reached, by the names that a board file has for it."""
        host, port = self.ssh_address
        return {
            "host": host,
            "port": port,
            "user": "root",
            "key_file": str(self.key_file),
            "known_hosts": str(self.known_hosts),
            "serial": self.serial_url,
            "reset_command": self.reset_command,
            "power_command": self.power_command,
        }

    @property
    def buffer(self) -> NDArray[np.uint8]:
        """The board's DMA buffer as the host sees it."""
        return self.region(layout.BUFFER)

    def region(self, region: layout.Region) -> NDArray[np.uint8]:
        """A part of the board's memory as the host sees it."""
        with self._memory_file.open("r+b") as file:
            mapped = mmap.mmap(file.fileno(), region.bytes, offset=region.address)
        return np.frombuffer(mapped, np.uint8)

    def reset(self) -> None:
        """Press the reset button; returns at once."""
        self.request("reset")

    def power_off(self) -> None:
        """Switch off."""
        self.request("power_off")

    def power_cycle(self) -> None:
        """Switch off and on; memory is lost. Ports and keys stay. Returns at once."""
        self.request("power_cycle")

    def status(self) -> dict[str, Any]:
        """Power, processes, state of processor and programmable logic."""
        return self.request("status")

    def alive(self) -> bool:
        """Whether the board is there (it may be switched off, or hang)."""
        try:
            self.status()
        except VirtualBoardError:
            return False
        return True

    def service(self, command: str, *, deadline: float = 20.0) -> str:
        """Run a line of shell on the board by its service port, and return what it printed.

        The port is no way that a real board has; it is there for faults, and for tests.

        Raises:
            VirtualBoardError: it failed, or the board does not answer.
        """
        answer = self.request("service", command=command, deadline=deadline)
        if answer["status"]:
            raise VirtualBoardError(
                f"on the board, `{command}` failed with {answer['status']}: "
                f"{answer['output'].strip() or 'no message'}"
            )
        output: str = answer["output"]
        return output

    def wait_for_ssh(self, deadline: float = _BOOT) -> float:
        """Wait until the SSH server says hello; returns the seconds that it took.

        Raises:
            VirtualBoardError: it does not.
        """
        begin = time.monotonic()

        def greets() -> bool:
            with suppress(OSError), socket.create_connection(self.ssh_address, 1) as stream:
                # The host takes the connection, whether the board is up or not.
                stream.settimeout(1)
                return stream.recv(4) == b"SSH-"
            return False

        self._wait(greets, deadline, "does not answer by SSH")
        return time.monotonic() - begin

    def wait_for_console(self, text: str, deadline: float = _BOOT, *, since: int = 0) -> int:
        """Wait until the console's log holds ``text``; returns the offset behind it.

        Args:
            text: to look for.
            deadline: seconds.
            since: offset in the log to look from.

        Raises:
            VirtualBoardError: it does not come.
        """
        wanted = text.encode()
        self._wait(lambda: self._found(wanted, since) >= 0, deadline, f"does not say {text!r}")
        return self._found(wanted, since) + len(wanted)

    def stop(self) -> None:
        """End the board. Nothing of it stays running, no key stays."""
        with suppress(VirtualBoardError):
            self.request("down")
        end = time.monotonic() + _STOP
        while self._supervised() and time.monotonic() < end:
            time.sleep(_LOOK)
        if self._supervised():
            with suppress(ProcessLookupError):
                os.kill(self._pid, 9)
        if self._process is not None:
            self._process.wait(_STOP)
            if self._process.stdin is not None:
                self._process.stdin.close()
        for name in (*SECRETS, STATE):
            (self.folder / name).unlink(missing_ok=True)

    def __enter__(self) -> VirtualBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def request(self, action: str, **arguments: Any) -> dict[str, Any]:
        """Ask the process that keeps the board for something.

        Raises:
            VirtualBoardError: it refuses, or is not there.
        """
        deadline = float(arguments.get("deadline", 0)) + _ANSWER
        try:
            with socket.socket(socket.AF_UNIX) as stream:
                stream.settimeout(deadline)
                stream.connect(str(self.folder / CONTROL))
                stream.sendall(json.dumps({"do": action, **arguments}).encode() + b"\n")
                answer = json.loads(stream.makefile("rb").readline())
        except (OSError, ValueError) as error:
            raise VirtualBoardError(
                f"the virtual board in {self.folder} has gone; start one: {_up(self.folder)}"
            ) from error
        if "error" in answer:
            raise VirtualBoardError(answer["error"])
        result: dict[str, Any] = answer
        return result

    def _found(self, wanted: bytes, since: int) -> int:
        data = self.console_log.read_bytes()
        return data.find(wanted, since)

    def _wait(self, over: Callable[[], bool], deadline: float, failure: str) -> None:
        end = time.monotonic() + deadline
        while not over():
            if time.monotonic() > end or not self._supervised():
                kept = not self.folder.name.startswith(_OWN)
                whole = f"; all of it: {self.console_log}" if kept else ""
                raise VirtualBoardError(
                    f"the virtual board {failure} within {deadline:.0f} s; its console said last: "
                    f"{last_said(self.console_log)}{whole}"
                )
            time.sleep(_LOOK)

    def _supervised(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return _is_supervisor(self._pid, self.folder)


def boards_folder() -> Path:
    """Where boards have their folders: private to the user, gone after a restart."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    root = Path(base) if Path(base).is_absolute() and Path(base).is_dir() else None
    folder = (root or Path(tempfile.gettempdir())) / f"xlic-boards-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077:
        raise VirtualBoardError(f"{folder} is not private; remove it, or set XDG_RUNTIME_DIR")
    return folder


def sweep(folder: Path) -> None:
    """Remove what boards left whose keeper was killed: keys among it.

    Args:
        folder: from :func:`boards_folder`.
    """
    for left in folder.glob(f"{_OWN}*"):
        with suppress(OSError):
            # One whose keeper is about to start is young; one that is kept is locked.
            if time.time() - left.stat().st_mtime > _START and lock_folder(left, kept=False):
                shutil.rmtree(left)


def find_board(name: str = DEFAULT_NAME) -> VirtualBoard:
    """The board that ``xlic board virtual up`` started under this name.

    Raises:
        VirtualBoardError: none runs.
    """
    board = VirtualBoard(boards_folder() / name)
    if not board.alive():
        raise VirtualBoardError(
            f"the virtual board {name} has ended; start it again: {_up(board.folder)}"
        )
    return board


def _up(folder: Path) -> str:
    """The command that starts this board again."""
    named = "" if folder.name == DEFAULT_NAME else f" --name {folder.name}"
    return xlic(f"board virtual up{named}")


def _start_supervisor(
    folder: Path, arguments: list[str], *, owned: bool
) -> subprocess.Popen[bytes]:
    log = folder / "supervisor.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "xlic.board.virtual.supervisor", str(folder), *arguments],
            # Its end is how the supervisor knows that we have gone, whatever the reason.
            stdin=subprocess.PIPE if owned else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for us; the board follows.
            start_new_session=True,
        )
    end = time.monotonic() + _START
    while not (folder / STATE).exists():
        try:
            over = process.poll() is not None or time.monotonic() > end
            time.sleep(_LOOK)
        except BaseException:
            # Interrupted: the folder goes, and who keeps the board must not stay.
            process.kill()
            process.wait(_STOP)
            raise
        if over:
            process.kill()
            process.wait(_STOP)
            raise VirtualBoardError(f"no virtual board: {last_said(log)}")
    return process


def _is_supervisor(pid: int, folder: Path) -> bool:
    """Whether the process is still the one that keeps this board: numbers are used again."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"xlic.board.virtual.supervisor" in words and os.fsencode(folder) in words
