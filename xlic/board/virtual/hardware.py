"""The processes of one board that is switched on: QEMU, and the programmable logic."""

from __future__ import annotations

import json
import os
import re
import select
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from xlic.board.virtual.errors import VirtualBoardError, last_said
from xlic.board.virtual.image import Image
from xlic.board.virtual.qemu import Ports, Qmp, command_line

_START = 20.0
_STOP = 5.0
_ANSWER = 30.0
_STREAMS = ("console", "service", "qmp", "qtest")


class Hardware:
    """A board under power.

    Both processes get a socket each for all they are told; nothing of theirs is in the file system,
    and both die with the process that made them.

    Args:
        image: what is booted.
        initramfs: the image's, with the run's keys.
        memory: file descriptor of the DDR, which both map.
        ssh_port: on 127.0.0.1; 0 finds a free one.
        folder: for logs.

    Raises:
        VirtualBoardError: QEMU does not start.
    """

    def __init__(
        self, image: Image, initramfs: Path, memory: int, ssh_port: int, folder: Path
    ) -> None:
        self._folder = folder
        pairs = {name: socket.socketpair() for name in _STREAMS}
        ours = {name: pair[0] for name, pair in pairs.items()}
        theirs = {name: pair[1].fileno() for name, pair in pairs.items()}
        self.console, self.service, self.qmp_stream = (ours[name] for name in _STREAMS[:3])
        command = command_line(image, str(initramfs), Ports(memory, **theirs), ssh_port)
        # The sound card of the board's display port is not wanted.
        environment = {**os.environ, "QEMU_AUDIO_DRV": "none"}
        self._qemu = self._start(command, [memory, *theirs.values()], "qemu.log", environment)
        for _, end in pairs.values():
            end.close()
        self.qmp = Qmp(self.qmp_stream)
        self._pl: subprocess.Popen[bytes] | None = None
        self._pl_text = b""
        self._asked = 0
        try:
            self.qmp.greet(_START)
            self.ssh_port = ssh_port or self._forwarded_port()
            self._start_pl(memory, ours["qtest"])
        except VirtualBoardError as error:
            self.stop()
            reason = last_said(folder / "qemu.log")
            raise VirtualBoardError(f"QEMU does not start: {reason}") from error
        finally:
            ours["qtest"].close()

    @property
    def processes(self) -> dict[str, int]:
        """Process numbers of what still runs."""
        both = {"qemu": self._qemu, "pl": self._pl}
        return {name: one.pid for name, one in both.items() if one and one.poll() is None}

    def reset(self) -> None:
        """Press the reset button; it helps a processor that hangs, too."""
        self.qmp.execute("system_reset")
        # It is under way only now; who asked must not meet the board of before.
        self.qmp.wait_for_event("RESET", _STOP)
        self.qmp.execute("cont")

    def tell_pl(self, **command: Any) -> dict[str, Any]:
        """Tell the programmable logic something; returns its status.

        Raises:
            VirtualBoardError: it does not answer.
        """
        end = time.monotonic() + _ANSWER
        self._asked += 1
        try:
            self.pl_stream.sendall(json.dumps({**command, "number": self._asked}).encode() + b"\n")
            while True:
                if not select.select([self.pl_stream], [], [], max(0, end - time.monotonic()))[0]:
                    raise TimeoutError
                status = self._pl_answer()
                # One that came too late belongs to a question of before.
                if status is not None and status.pop("number") == self._asked:
                    return status
        except (OSError, ValueError) as error:
            raise VirtualBoardError(
                f"the programmable logic does not answer ({last_said(self._folder / 'pl.log')}); "
                "switch the board off and on"
            ) from error

    def take_from_pl(self) -> None:
        """Take what the programmable logic says unasked: answers that come too late.

        Raises:
            ConnectionError: it has gone.
        """
        # One that was waited for may have been taken since this was called for.
        if select.select([self.pl_stream], [], [], 0)[0]:
            self._pl_answer()

    def _pl_answer(self) -> dict[str, Any] | None:
        """The next whole answer, None if there is none yet."""
        line, newline, rest = self._pl_text.partition(b"\n")
        if not newline:
            part = self.pl_stream.recv(1 << 16)
            if not part:
                raise ConnectionResetError("the programmable logic has gone")
            line, newline, rest = (self._pl_text + part).partition(b"\n")
        if not newline:
            self._pl_text = line
            return None
        self._pl_text = rest
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        """Switch off."""
        for process in (self._pl, self._qemu):
            if process is None:
                continue
            # There is nothing to be saved: it is a power switch.
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_STOP)
        streams = [self.console, self.service, self.qmp_stream]
        if self._pl is not None:
            streams.append(self.pl_stream)
        for stream in streams:
            stream.close()

    def _start_pl(self, memory: int, qtest: socket.socket) -> None:
        self.pl_stream, other = socket.socketpair()
        numbers = [memory, qtest.fileno(), other.fileno()]
        command = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-m"]
        command += ["xlic.board.virtual.pl", *map(str, numbers)]
        self._pl = self._start(command, numbers, "pl.log")
        other.close()

    def _start(
        self, command: list[str], inherited: list[int], log: str, environment: Any = None
    ) -> subprocess.Popen[bytes]:
        with (self._folder / log).open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=inherited,
                env=environment,
            )

    def _forwarded_port(self) -> int:
        command: dict[str, Any] = {"command-line": "info usernet"}
        text = self.qmp.execute("human-monitor-command", **command)
        match = re.search(r"HOST_FORWARD\]\s+\d+\s+\S+\s+(\d+)", text)
        if match is None:
            raise VirtualBoardError("QEMU forwards no port")
        return int(match[1])
