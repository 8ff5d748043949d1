"""The process that keeps one virtual board: ``python -m xlic.board.virtual.supervisor FOLDER``.

It holds the board's memory, starts and stops QEMU and the programmable logic, keeps the console,
and takes requests at a socket in the folder. It ends when it is told to, and with ``--owned`` when
its standard input does, however the owner ended. Whatever ends it ends the others too.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xlic.board.virtual import layout
from xlic.board.virtual.console import Console
from xlic.board.virtual.errors import VirtualBoardError
from xlic.board.virtual.hardware import Hardware
from xlic.board.virtual.image import Image, build_image
from xlic.board.virtual.keys import make_keys
from xlic.board.virtual.qemu import NETWORK
from xlic.errors import XlicError
from xlic.files import write_json

STATE = "state.json"
CONTROL = "control"
SECRETS = ("client_key", "known_hosts", "initramfs", CONTROL)
"""What is removed from the folder at the end; logs stay."""

_TICK = 0.2
_RECORD = b"\x1e"
_RESTARTED = "the board restarted before it had answered"
_MUTE = "the board does not answer at its service port"


@dataclass
class _Pending:
    """A command on the service port whose end somebody waits for."""

    client: socket.socket
    number: int
    command: bytes
    deadline: float
    sent: bool = False


class Supervisor:
    """Keeps one board.

    Args:
        folder: for keys, logs, state and the socket.
        image: what it boots.
    """

    def __init__(self, folder: Path, image: Image) -> None:
        self._folder = folder
        if not lock_folder(folder):
            raise VirtualBoardError(
                f"another virtual board is kept in {folder}; name another folder"
            )
        self._image = image
        self._keys = make_keys()
        self._key_file, self._known_hosts = self._keys.write(folder)
        self._initramfs = folder / "initramfs"
        self._initramfs.write_bytes(image.initramfs.read_bytes() + self._keys.archive())
        self._memory = os.memfd_create("xlic-board-memory")
        self._console = Console(folder / "console.log")
        self._selector = selectors.DefaultSelector()
        self._hardware: Hardware | None = None
        self._ssh_port = 0
        self._pending: _Pending | None = None
        self._service_text = b""
        self._service_ready = False
        self._commands = 0
        self._cable = True
        self._faults: dict[str, Any] = {}
        self._ended = False
        self._control = socket.socket(socket.AF_UNIX)
        self._control.bind(str(folder / CONTROL))
        self._control.listen(8)
        self._watch(self._control, self._accept_request)
        self._watch(self._console.listener, self._accept_console)

    def run(self, owned: bool) -> None:
        """Switch the board on and serve until the end."""
        if owned:
            self._watch(sys.stdin, self._owner_gone)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end)
        try:
            self._power_on()
            self._write_state()
            while not self._ended:
                self._turn()
        finally:
            self._power_off()
            self._console.close()
            for name in (*SECRETS, STATE):
                (self._folder / name).unlink(missing_ok=True)

    def _turn(self) -> None:
        for key, _ in self._selector.select(0.01 if self._console.behind else _TICK):
            # One before it in this turn may have closed it, and opened another of its number.
            if self._selector.get_map().get(key.fd) is key:
                key.data()
        for client in list(self._console.flush()):
            self._forget(client)
            self._console.drop(client)
        if self._hardware is not None and self._hardware.qmp.events:
            self._take_events(self._hardware)
        if self._pending is not None and time.monotonic() > self._pending.deadline:
            self._answer(self._pending.client, error=_MUTE)
            self._pending = None

    # Power.

    def _power_on(self) -> None:
        # Power lost is memory lost.
        os.ftruncate(self._memory, 0)
        os.ftruncate(self._memory, layout.RAM_BYTES)
        self._console.note("power on")
        self._forget_service()
        hardware = Hardware(
            self._image, self._initramfs, self._memory, self._ssh_port, self._folder
        )
        self._hardware = hardware
        self._ssh_port = hardware.ssh_port
        self._console.attach(hardware.console)
        self._known_hosts.write_text(self._keys.known_hosts(self._ssh_port), "utf-8")
        self._watch(hardware.console, self._console_speaks)
        self._watch(hardware.service, self._service_speaks)
        self._watch(hardware.qmp_stream, self._qemu_speaks)
        self._watch(hardware.pl_stream, self._pl_speaks)
        # What is wrong with the board stays wrong when the power comes and goes.
        self._set_cable()
        self._set_faults(self._faults)

    def _power_off(self) -> None:
        if self._hardware is None:
            return
        for stream in (
            self._hardware.console,
            self._hardware.service,
            self._hardware.qmp_stream,
            self._hardware.pl_stream,
        ):
            self._forget(stream)
        self._console.attach(None)
        self._hardware.stop()
        self._hardware = None
        self._console.note("power off")

    def _set_cable(self) -> None:
        if self._hardware is not None:
            self._hardware.qmp.execute("set_link", name=NETWORK, up=self._cable)

    def _set_faults(self, faults: dict[str, Any]) -> None:
        if self._hardware is not None:
            self._hardware.tell_pl(do="faults", **faults)

    def _take_events(self, hardware: Hardware) -> None:
        for event in hardware.qmp.events:
            if event == "RESET":
                self._console.note("reset")
                self._forget_service()
                with suppress(VirtualBoardError):
                    # A reset clears the programmable logic.
                    hardware.tell_pl(do="reset")
        hardware.qmp.events.clear()

    # What comes in.

    def _console_speaks(self) -> None:
        if not self._console.from_board() and self._hardware is not None:
            self._power_off()

    def _qemu_speaks(self) -> None:
        if self._hardware is None:
            return
        try:
            self._hardware.qmp.receive()
        except OSError:
            self._power_off()

    def _pl_speaks(self) -> None:
        # Nothing comes unasked, except the end.
        if self._hardware is None:
            return
        try:
            self._hardware.take_from_pl()
        except OSError:
            self._console.note("the programmable logic has gone")
            self._power_off()

    def _service_speaks(self) -> None:
        if self._hardware is None:
            return
        data = b""
        with suppress(OSError):
            # A QEMU that was killed resets its connections.
            data = self._hardware.service.recv(1 << 16)
        if not data:
            self._forget(self._hardware.service)
            return
        self._service_text += data
        while True:
            # Text, a record separator, the exit status, the end of a line.
            text, mark, rest = self._service_text.partition(_RECORD)
            status, newline, after = rest.partition(b"\n")
            if not mark or not newline:
                return
            self._service_text = after
            self._service_record(text, status.decode("ascii", "replace").split())

    def _service_record(self, text: bytes, words: list[str]) -> None:
        if words == ["ready"]:
            self._service_ready = True
            self._send_command()
        elif self._pending is not None and words[:1] == [str(self._pending.number)]:
            said = text.decode("utf-8", "replace")
            self._answer(self._pending.client, output=said, status=int(words[1]))
            self._pending = None

    def _accept_console(self) -> None:
        client = self._console.accept()

        def speaks() -> None:
            if not self._console.from_client(client):
                self._forget(client)
                self._console.drop(client)

        self._watch(client, speaks)

    def _accept_request(self) -> None:
        client, _ = self._control.accept()
        client.settimeout(5)
        try:
            line = client.makefile("rb").readline()
            request = json.loads(line)
        except (OSError, ValueError):
            client.close()
            return
        action = str(request.get("do"))
        try:
            result = self._obey(request, client)
        except XlicError as error:
            self._answer(client, error=str(error))
        except (KeyError, TypeError, ValueError, OSError) as error:
            # Whatever was asked, the board goes on.
            self._answer(client, error=f"{action}: {type(error).__name__}: {error}")
        else:
            if result is not None:
                self._answer(client, **result)

    def _obey(self, request: dict[str, Any], client: socket.socket) -> dict[str, Any] | None:
        """Do what is asked for; None if the answer comes later."""
        action = request.pop("do")
        if action == "down":
            self._ended = True
            return {}
        if action == "status":
            return self._status()
        if action == "power_off":
            self._power_off()
            return {}
        if action == "power_cycle":
            self._power_off()
            self._power_on()
            return {}
        if action == "faults":
            if "set" in request:
                # Kept only if it makes sense: it is told again whenever the power comes.
                faults = dict(request["set"])
                self._set_faults(faults)
                self._faults = faults
            return {"faults": self._faults}
        if action == "cable":
            self._cable = bool(request["plugged"])
            self._set_cable()
            return {}
        if self._hardware is None:
            raise VirtualBoardError("the board is switched off; switch it on: power-cycle")
        if action == "reset":
            self._hardware.reset()
            return {}
        if action == "qmp":
            name = request.pop("execute")
            return {"result": self._hardware.qmp.execute(name, **request)}
        if action == "service":
            self._service(request, client)
            return None
        raise VirtualBoardError(f"no such request: {action}")

    def _service(self, request: dict[str, Any], client: socket.socket) -> None:
        if self._hardware is None or self._pending is not None:
            raise VirtualBoardError("the board's service port is in use; try again")
        self._commands += 1
        command = f"{self._commands} {request['command']}\n".encode()
        deadline = time.monotonic() + float(request["deadline"])
        self._pending = _Pending(client, self._commands, command, deadline)
        self._send_command()

    def _send_command(self) -> None:
        # Before the board's shell listens it would be lost.
        if self._hardware is None or self._pending is None or not self._service_ready:
            return
        if self._pending.sent:
            # Once more could do once more what restarted the board.
            self._answer(self._pending.client, error=_RESTARTED)
            self._pending = None
            return
        self._pending.sent = True
        with suppress(OSError):
            self._hardware.service.send(self._pending.command, socket.MSG_DONTWAIT)

    def _forget_service(self) -> None:
        self._service_text = b""
        self._service_ready = False

    def _status(self) -> dict[str, Any]:
        out: dict[str, Any] = {"power": self._hardware is not None}
        if self._hardware is not None:
            out["processes"] = self._hardware.processes
            with suppress(VirtualBoardError):
                out["run_state"] = self._hardware.qmp.execute("query-status")["status"]
            with suppress(VirtualBoardError):
                out["pl"] = self._hardware.tell_pl(do="status")
        return out

    def _answer(self, client: socket.socket, **answer: Any) -> None:
        with suppress(OSError):
            client.sendall(json.dumps(answer).encode() + b"\n")
        client.close()

    # The rest.

    def _write_state(self) -> None:
        state = {
            "pid": os.getpid(),
            "ssh_port": self._ssh_port,
            "serial_port": self._console.port,
            "memory": f"/proc/{os.getpid()}/fd/{self._memory}",
        }
        write_json(self._folder / STATE, state)

    def _watch(self, stream: Any, speaks: Callable[[], None]) -> None:
        self._selector.register(stream, selectors.EVENT_READ, speaks)

    def _forget(self, stream: socket.socket) -> None:
        with suppress(KeyError, ValueError):
            self._selector.unregister(stream)

    def _owner_gone(self) -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            self._ended = True

    def _end(self, *_: object) -> None:
        self._ended = True


def lock_folder(folder: Path, *, kept: bool = True) -> bool:
    """Lock the folder of a board until this process ends, or just look whether that could be done.

    Args:
        folder: of the board.
        kept: keep the lock.

    Returns:
        False if another process has it.
    """
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        return False
    if not kept:
        os.close(number)
    return True


def main(arguments: list[str]) -> int:
    """Keep a board until the end."""
    folder = Path(arguments[0])
    try:
        Supervisor(folder, build_image()).run("--owned" in arguments)
    except XlicError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    if "--keep" not in arguments:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
