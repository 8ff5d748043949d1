"""The programmable logic: a process on the host that plays it on the guest's memory.

``python -m xlic.board.virtual.pl MEMORY QTEST CONTROL`` takes three file descriptors: the guest's
memory, QEMU's qtest port, by which interrupts are raised, and a stream of commands.

The registers are plain memory: reading and writing have no side effects, and nobody tells that they
happened. So what is published in a word that the guest writes too has bit 31 set
(:data:`PUBLISHED`), which the real registers lack; a value without it was written by the guest
since. Different from the real registers, therefore: DONE is cleared by the next start, not by
reading, and a one written to INTERRUPT_STATUS clears the bit but never sets it (the guest may read
back its own write before it was taken).
"""

from __future__ import annotations

import json
import mmap
import os
import select
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator.isa import INFO_WORDS, Control, Info, Register
from xlic.accelerator.verilated import ProtocolError, SimulationError
from xlic.board.virtual import layout
from xlic.board.virtual.bitstream import VirtualBitstream, read_bin
from xlic.board.virtual.corruption import flip_output
from xlic.board.virtual.players import ARGUMENTS, Player, open_player
from xlic.errors import XlicError
from xlic.exit_status import ExitStatus

PUBLISHED = 1 << 31
"""Marks what was written here, in words that the guest writes too."""

_IDLE = 1 << Control.IDLE
_ENDED = 1 << Control.DONE | 1 << Control.READY | _IDLE
_START = 1 << Control.START
_EVENTS = 1  # of INTERRUPT_STATUS: done

# Seconds between two looks. A guest that is working looks back at once; a blank one may wait.
_EAGER, _PATIENT, _BLANK = 100e-6, 1e-3, 5e-3
_EAGER_FOR = 0.5


@dataclass
class Faults:
    """What goes wrong on purpose.

    Attributes:
        hang: a run that is started never ends.
        lose_interrupts: the interrupt line stays low.
        flip: one bit of the last layer's output is wrong.
        stale: identity registers tell this hash of sources instead of the bitstream's.
    """

    hang: bool = False
    lose_interrupts: bool = False
    flip: bool = False
    stale: int | None = None


class InterruptLine:
    """The line from the logic to the interrupt controller.

    A QEMU that stands still, for however long, is told when it goes on: nothing here waits for it.

    Args:
        port: QEMU's qtest port.
    """

    def __init__(self, port: socket.socket) -> None:
        self._port = port
        self._port.setblocking(False)
        self._level = self._told = 0
        self._asked = False

    @property
    def awaited(self) -> list[socket.socket]:
        """What to wait for beside everything else: QEMU's answer, where one is due."""
        return [self._port] if self._asked else []

    def set(self, level: int) -> None:
        """Raise or lower the line."""
        self._level = level
        self.turn()

    def turn(self) -> None:
        """Take QEMU's answer, if it is there; then tell it what the line has become since.

        Raises:
            ConnectionError: it has gone.
        """
        if self._asked:
            try:
                part = self._port.recv(256)
            except BlockingIOError:
                return
            if not part:
                raise ConnectionResetError("QEMU has gone")
            self._asked = not part.endswith(b"\n")
        if not self._asked and self._level != self._told:
            name = f"/machine/soc/gic unnamed-gpio-in {layout.INTERRUPT}"
            self._port.sendall(f"set_irq_in {name} {self._level}\n".encode())
            self._told, self._asked = self._level, True


class Logic:
    """Registers, mailbox and what is behind them.

    Args:
        memory: the guest's, uint8.
        set_interrupt: sets the interrupt line.
        log: takes lines.
    """

    def __init__(
        self,
        memory: NDArray[np.uint8],
        set_interrupt: Callable[[int], None],
        log: Callable[[str], None],
    ) -> None:
        def part(region: layout.Region) -> NDArray[np.uint8]:
            return memory[region.address : region.end]

        self._registers = part(layout.REGISTERS).view(np.uint32)
        self._mailbox = part(layout.MAILBOX)
        self._staging = part(layout.STAGING)
        self._buffer = part(layout.BUFFER)
        self._set_interrupt = set_interrupt
        self._log = log
        self.faults = Faults()
        self._player: Player | None = None
        self._bitstream: VirtualBitstream | None = None
        self._arguments: dict[int, int] = {}
        self._running = False
        self._hung = False
        self._interrupts = 0
        self.runs = 0
        self._active = time.monotonic()

    def status(self) -> dict[str, Any]:
        """For whoever asks."""
        bitstream = self._bitstream
        return {
            "loaded": self._player is not None,
            "kind": bitstream.kind if bitstream else None,
            "source_hash": f"{bitstream.source_hash:016x}" if bitstream else None,
            "running": self._running,
            "runs": self.runs,
            "faults": vars(self.faults),
        }

    def turn(self) -> float:
        """Do what is to be done; returns the seconds to sleep until the next turn."""
        now = time.monotonic()
        busy = self._look()
        if self._running:
            self._go_on()
            self._active = now
            return 0.0 if not self._hung else _PATIENT
        if busy:
            self._active = now
        if self._player is None:
            return _BLANK
        return _EAGER if now - self._active < _EAGER_FOR else _PATIENT

    def clear(self) -> None:
        """Lose the configuration, as by a reset."""
        if self._player is not None:
            self._player.close()
        self._player = self._bitstream = None
        self._running = self._hung = False
        self._interrupts = 0
        self._registers[:] = 0
        self._set_interrupt(0)

    def publish_identity(self) -> None:
        """Publish identity, results and counters."""
        if self._player is None or self._bitstream is None:
            return
        words = self._player.results()
        stale = self.faults.stale
        known = self._bitstream.source_hash if stale is None else stale
        # HLS tells its identity only when it runs.
        if words[Info.MAGIC]:
            words[Info.HASH_LOW], words[Info.HASH_HIGH] = known & 0xFFFF_FFFF, known >> 32
        first, counters = Register.INFO // 4, Register.COUNTERS // 4
        self._registers[first : first + INFO_WORDS] = words[:INFO_WORDS]
        self._registers[counters : counters + len(words) - INFO_WORDS] = words[INFO_WORDS:]

    def _look(self) -> bool:
        """See what the guest wrote; whether it wrote anything."""
        mailbox = self._mailbox.view(np.uint32)
        asked = mailbox[layout.MAILBOX_COMMAND // 4] == layout.COMMAND_LOAD
        if asked and mailbox[layout.MAILBOX_STATUS // 4] == layout.STATUS_PENDING:
            loaded = self._load()
            status = layout.STATUS_LOADED if loaded else layout.STATUS_REFUSED
            mailbox[layout.MAILBOX_STATUS // 4] = status
            return True
        if self._player is None:
            return False
        wrote = False
        # The acknowledgement first: a start may have come after it, and never before.
        status = int(self._registers[Register.INTERRUPT_STATUS // 4])
        if not status & PUBLISHED:
            self._interrupts &= ~status
            self._publish(Register.INTERRUPT_STATUS, self._interrupts)
            wrote = True
        self._update_line()
        control = int(self._registers[Register.CONTROL // 4])
        if not control & PUBLISHED:
            wrote = True
            if control & _START and not self._running:
                self._start()
            elif not self._running:
                self._publish(Register.CONTROL, _IDLE)
            else:
                self._publish(Register.CONTROL, _START)
        return wrote

    def _load(self) -> bool:
        length = int(self._mailbox.view(np.uint32)[layout.MAILBOX_LENGTH // 4])
        start = layout.MAILBOX_NAME
        raw = self._mailbox[start : start + layout.MAILBOX_NAME_BYTES].tobytes()
        name = raw.partition(b"\0")[0].decode("utf-8", "replace")
        self.clear()
        try:
            self._bitstream = read_bin(self._staging[:length].tobytes())
            if self._bitstream is None:
                self._log(f"bitstream {name}: nothing of xlic's in it; no registers answer")
                return True
            address = layout.BUFFER.address
            self._player = open_player(self._bitstream, self._buffer, address)
        except (XlicError, OSError) as error:
            self._log(f"bitstream {name}, {length} bytes, refused: {error}")
            return False
        self.publish_identity()
        self._publish(Register.INTERRUPT_STATUS, 0)
        self._publish(Register.CONTROL, _IDLE)
        said = self._bitstream
        self._log(f"bitstream {name}: {said.kind} {said.design}, sources {said.source_hash:016x}")
        return True

    def _start(self) -> None:
        if self._player is None:
            return
        arguments = {int(key): int(self._registers[key // 4]) for key in ARGUMENTS}
        self._running, self._hung = True, self.faults.hang
        self._publish(Register.CONTROL, _START)
        self._log(f"start: program at beat {arguments[Register.PROGRAM]}")
        self._arguments = arguments
        if not self._hung:
            self._player.start(arguments)

    def _go_on(self) -> None:
        if self._player is None or self._hung:
            return
        try:
            if not self._player.advance():
                return
        except (ProtocolError, SimulationError) as error:
            # Hardware that broke the rules of its bus: nobody can tell what it does then.
            self._log(f"the accelerator is dead: {error}")
            self._hung = True
            return
        self._running = False
        self.runs += 1
        if self.faults.flip and not self._player.results()[Info.ERROR]:
            self._log(flip_output(self._buffer, layout.BUFFER.address, self._arguments))
        # What belongs to the end is there before the end is told.
        self.publish_identity()
        self._publish(Register.CONTROL, _ENDED)
        if self._register(Register.INTERRUPT_ENABLE) & _EVENTS:
            self._interrupts |= _EVENTS
        self._publish(Register.INTERRUPT_STATUS, self._interrupts)
        self._update_line()
        words = self._registers[Register.INFO // 4 :]
        self._log(f"end: error {words[Info.ERROR]}, cycles {words[Info.CYCLES]}")

    def _update_line(self) -> None:
        level = (
            self._register(Register.GLOBAL_INTERRUPT_ENABLE) & 1
            and self._interrupts & self._register(Register.INTERRUPT_ENABLE)
            and not self.faults.lose_interrupts
        )
        self._set_interrupt(int(bool(level)))

    def _register(self, address: int) -> int:
        return int(self._registers[address // 4])

    def _publish(self, address: int, value: int) -> None:
        self._registers[address // 4] = PUBLISHED | value


def main(arguments: list[str]) -> int:
    """Serve until the stream of commands ends."""
    memory_file, qtest, control = (int(text) for text in arguments)
    memory = np.frombuffer(mmap.mmap(memory_file, layout.RAM_BYTES), np.uint8)
    line = InterruptLine(socket.socket(fileno=qtest))
    commands = socket.socket(fileno=control)

    def log(text: str) -> None:
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now))
        print(f"{stamp}.{int(now % 1 * 1000):03d} {text}", flush=True)

    logic = Logic(memory, line.set, log)
    pending = b""
    pause = 0.0
    log("ready")
    while True:
        if commands in select.select([commands, *line.awaited], [], [], pause)[0]:
            part = commands.recv(1 << 16)
            if not part:
                return ExitStatus.DONE
            *lines, pending = (pending + part).split(b"\n")
            for text in lines:
                answer = _obey(logic, json.loads(text), log)
                commands.sendall(json.dumps(answer).encode() + b"\n")
        try:
            line.turn()
            pause = logic.turn()
        except OSError as error:
            # Without its interrupts the logic is none: whoever keeps the board is to notice.
            log(f"no more interrupts: {error}")
            return ExitStatus.BOARD


def _obey(logic: Logic, command: dict[str, Any], log: Callable[[str], None]) -> dict[str, Any]:
    action, number = command.pop("do"), command.pop("number")
    if action == "reset":
        log("reset")
        logic.clear()
    elif action == "faults":
        logic.faults = Faults(**command)
        log(f"faults: {logic.faults}")
        logic.publish_identity()
    return {**logic.status(), "number": number}


if __name__ == "__main__":
    # A crash must leave its traceback in the log, and no half-written line.
    os.set_blocking(1, True)
    sys.exit(main(sys.argv[1:]))
