"""QEMU: its command line, and the protocol by which it is told things while it runs (QMP)."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xlic.board.virtual import layout
from xlic.board.virtual.errors import VirtualBoardError
from xlic.board.virtual.image import Image
from xlic.board.virtual.tools import QEMU

NETWORK = "n0"
"""Name of the board's link; what :attr:`link` faults act on."""
_GUEST = "10.0.2.15"
_TRANSLATED_MIB = 64
_BUFFER = 1 << 16


@dataclass(frozen=True)
class Ports:
    """File descriptors that QEMU is given.

    Attributes:
        memory: behind the board's DDR.
        console: ttyPS0.
        service: ttyPS1.
        qmp: the control protocol.
        qtest: by which interrupts are raised.
    """

    memory: int
    console: int
    service: int
    qmp: int
    qtest: int


def command_line(image: Image, initramfs: str, ports: Ports, ssh_port: int) -> list[str]:
    """How QEMU is started; it dies with the process that starts it.

    Args:
        image: what it boots.
        initramfs: the image's, with the run's keys.
        ports: open file descriptors, which it inherits.
        ssh_port: on 127.0.0.1; 0 has QEMU find a free one.
    """
    forward = f"hostfwd=tcp:127.0.0.1:{ssh_port}-{_GUEST}:22"
    streams: list[str] = []
    for name in ("console", "service", "qmp", "qtest"):
        streams += ["-chardev", f"socket,id={name},fd={getattr(ports, name)}"]
    return [
        *("setpriv", "--pdeathsig", "KILL", "--", QEMU),
        *("-M", "xlnx-zcu102,memory-backend=ddr,secure=off,virtualization=off"),
        *("-smp", "1", "-m", f"{layout.RAM_BYTES >> 20}M", "-nodefaults", "-display", "none"),
        *("-accel", f"tcg,tb-size={_TRANSLATED_MIB}", "-no-shutdown"),
        "-object",
        f"memory-backend-file,id=ddr,size={layout.RAM_BYTES},share=on,prealloc=off,"
        f"mem-path=/proc/self/fd/{ports.memory}",
        *("-kernel", str(image.kernel), "-dtb", str(image.device_tree), "-initrd", initramfs),
        *("-append", f"console=ttyPS0,115200 xlic.time={int(time.time())}"),
        *streams,
        *("-serial", "chardev:console", "-serial", "chardev:service"),
        *("-mon", "chardev=qmp,mode=control", "-qtest", "chardev:qtest", "-qtest-log", "/dev/null"),
        # GEM0 … GEM2 are not connected. No way out: the board sees nothing but this port.
        *("-net", "nic", "-net", "nic", "-net", "nic", "-net", f"nic,netdev={NETWORK}"),
        *("-netdev", f"user,id={NETWORK},restrict=on,{forward}"),
    ]


class Qmp:
    """QEMU's control protocol over a connected socket.

    Args:
        stream: the socket.

    Attributes:
        events: names of those that came, for the user to take away.
    """

    def __init__(self, stream: socket.socket) -> None:
        self.events: list[str] = []
        self._stream = stream
        self._pending = b""
        self._answers: dict[int, dict[str, Any]] = {}
        self._asked = 0

    def greet(self, deadline: float) -> None:
        """Negotiate; QEMU then takes commands.

        Raises:
            VirtualBoardError: it does not answer.
        """
        self.execute("qmp_capabilities", deadline=deadline)

    def execute(self, command: str, *, deadline: float = 10.0, **arguments: Any) -> Any:
        """Run a command and return its result.

        Raises:
            VirtualBoardError: it was refused, or QEMU does not answer.
        """
        self._asked += 1
        number = self._asked
        message: dict[str, Any] = {"execute": command, "id": number}
        if arguments:
            message["arguments"] = arguments
        try:
            self._stream.settimeout(deadline)
            self._stream.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise _mute(command) from error
        self._receive_until(lambda: number in self._answers, deadline, command)
        # Those of before that came too late go with it.
        answer = self._answers[number]
        self._answers.clear()
        if "error" in answer:
            raise VirtualBoardError(f"QEMU refused {command}: {answer['error'].get('desc')}")
        return answer["return"]

    def wait_for_event(self, name: str, deadline: float) -> None:
        """Wait until an event has come, which stays in :attr:`events`.

        Raises:
            VirtualBoardError: it does not come.
        """
        self._receive_until(lambda: name in self.events, deadline, name)

    def receive(self) -> None:
        """Take what has come: events are told, answers kept.

        Raises:
            ConnectionError: QEMU has gone.
        """
        part = self._stream.recv(_BUFFER)
        if not part:
            raise ConnectionResetError("QEMU has gone")
        *lines, self._pending = (self._pending + part).split(b"\n")
        for line in filter(None, lines):
            message = json.loads(line)
            if "event" in message:
                self.events.append(message["event"])
            elif "return" in message or "error" in message:
                self._answers[message.get("id", 0)] = message

    def _receive_until(self, over: Callable[[], bool], deadline: float, what: str) -> None:
        end = time.monotonic() + deadline
        try:
            while not over():
                self._stream.settimeout(max(0.01, end - time.monotonic()))
                self.receive()
        except OSError as error:
            raise _mute(what) from error


def _mute(what: str) -> VirtualBoardError:
    return VirtualBoardError(f"QEMU does not answer {what}; switch the board off and on")
