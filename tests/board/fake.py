"""An accelerator of plain files: a register page, a buffer, a socket for the interrupt.

It computes nothing: a run copies the first beats behind ``INPUT`` to ``OUTPUT``, inverted.
"""

from __future__ import annotations

import mmap
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from xlic.accelerator import isa
from xlic.accelerator.isa import Control, Info, Register

ADDRESS = 0x7100_0000
PUBLISHED = 1 << 31
IDLE, DONE, START = (1 << bit for bit in (Control.IDLE, Control.DONE, Control.START))
ARRAY, HASH, PROGRAM = 0x080204, 0x1122_3344_5566_7788, 0xABCD_EF01_2345_6789
INPUT, OUTPUT, BEATS, PROGRAM_AT, WINDOW = 0, 256, 4, 512, 768
LAYERS = 2


def program_bytes(**changes: int) -> bytes:
    """A header with a body of one beat."""
    values = dict.fromkeys(isa.HEADER.fields, 1) | {
        "magic": isa.MAGIC,
        "version": isa.INTERFACE_VERSION,
        "array": ARRAY,
        "layers": LAYERS,
        "identity_low": PROGRAM & 0xFFFF_FFFF,
        "identity_high": PROGRAM >> 32,
    }
    return isa.HEADER.encode(values | changes).tobytes() + bytes(16)


@dataclass
class Behaviour:
    hang: bool = False
    lose_interrupts: bool = False
    spurious: bool = False
    error: int = 0
    rests: bool = True
    """Whether it is idle at the end."""
    seconds: float = 0.01
    busy: bool = False
    layers_done: int = LAYERS
    program: int = PROGRAM
    stuck: bool = False
    dirty: bool = False
    """Spoils the program, the input and a beat that no run writes, after each run."""
    wrong_from: int = 1 << 30
    asleep: bool = False
    identity: dict[int, int] = field(default_factory=dict)


class FakeBoard:
    def __init__(
        self,
        folder: Path,
        behaviour: Behaviour,
        buffer_bytes: int = WINDOW * 16,
        *,
        one_file: bool = False,
    ) -> None:
        self.folder, self.behaviour = folder, behaviour
        self.starts = 0
        self.programs: list[bytes] = []
        """What it was given to run, at each start."""
        sysfs = folder / "sys/class/u-dma-buf/udmabuf0"
        sysfs.mkdir(parents=True)
        (sysfs / "phys_addr").write_text(f"0x{ADDRESS:016x}\n")
        (sysfs / "size").write_text(f"{buffer_bytes}\n")
        (folder / "dev").mkdir()
        if one_file:
            memory = self._mapped(folder / "memory", 4096 + buffer_bytes)
            self.registers, self.buffer = memory[:4096].view(np.uint32), memory[4096:]
        else:
            self.buffer = self._mapped(folder / "dev/udmabuf0", buffer_bytes)
            self.registers = self._mapped(folder / "uio0", 4096).view(np.uint32)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / "irq"))
        self._listener.listen()
        self._listener.settimeout(0.001)
        self._peer: socket.socket | None = None
        self._enabled = False
        self._stop = False
        words = {
            Info.MAGIC: isa.MAGIC,
            Info.VERSION: isa.INTERFACE_VERSION,
            Info.ARRAY: ARRAY,
            Info.HASH_LOW: HASH & 0xFFFF_FFFF,
            Info.HASH_HIGH: HASH >> 32,
            Info.LAYERS: 8,
            **dict.fromkeys(range(Info.INPUT_WORDS, Info.LAYERS), 64),
        }
        self._identity = words | behaviour.identity
        if not behaviour.asleep:
            self._tell_identity()
        self._set(Register.CONTROL, PUBLISHED | (0 if behaviour.busy else IDLE))
        self._set(Register.INFO + 4 * Info.ERROR, behaviour.error if behaviour.busy else 0)
        self._set(Register.INTERRUPT_STATUS, PUBLISHED | (1 if behaviour.stuck else 0))
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    @property
    def options(self) -> list[str]:
        return [
            *("--uio", str(self.folder / "uio0"), "--interrupt", str(self.folder / "irq")),
            *("--sysfs", str(self.folder / "sys"), "--devices", str(self.folder / "dev")),
        ]

    def stop(self) -> None:
        self._stop = True
        self._thread.join()

    def get(self, address: int) -> int:
        return int(self.registers[address // 4])

    def _set(self, address: int, value: int) -> None:
        self.registers[address // 4] = value

    def _mapped(self, path: Path, size: int) -> np.ndarray:
        path.write_bytes(bytes(size))
        with path.open("r+b") as file:
            return np.frombuffer(mmap.mmap(file.fileno(), size), np.uint8)

    def _play(self) -> None:
        ends = None
        while not self._stop:
            self._connect()
            if not self.get(Register.CONTROL) & PUBLISHED and self.get(Register.CONTROL) & START:
                self.starts += 1
                self.programs.append(self.buffer[16 * PROGRAM_AT :].tobytes())
                self._set(Register.CONTROL, PUBLISHED)
                ends = time.monotonic() + self.behaviour.seconds
                if self.behaviour.spurious:
                    self._interrupt()
            if not self.get(Register.INTERRUPT_STATUS) & PUBLISHED and not self.behaviour.stuck:
                self._set(Register.INTERRUPT_STATUS, PUBLISHED)
            if ends is not None and time.monotonic() > ends and not self.behaviour.hang:
                ends = None
                self._finish()
            time.sleep(0.0005)

    def _tell_identity(self) -> None:
        for word, value in self._identity.items():
            self._set(Register.INFO + 4 * word, value)

    def _finish(self) -> None:
        behaviour = self.behaviour
        self._tell_identity()
        given = self.buffer[16 * INPUT : 16 * (INPUT + BEATS)]
        flip = 1 if self.starts > behaviour.wrong_from else 0
        self.buffer[16 * OUTPUT : 16 * (OUTPUT + BEATS)] = given ^ 0xFF ^ flip
        if behaviour.dirty:
            for beat in (INPUT, OUTPUT + BEATS, PROGRAM_AT):
                self.buffer[16 * beat] ^= 1
        ran = {
            Info.ERROR: behaviour.error,
            Info.ERROR_LAYER: 1 if behaviour.error else 0,
            Info.LAYERS_DONE: behaviour.layers_done,
            Info.CYCLES: 1000 + self.starts,
            Info.PROGRAM_LOW: behaviour.program & 0xFFFF_FFFF,
            Info.PROGRAM_HIGH: behaviour.program >> 32,
        }
        for word, value in ran.items():
            self._set(Register.INFO + 4 * word, value)
        for index in range(LAYERS * 8):
            self._set(Register.COUNTERS + 4 * index, 100 + index)
        event = self.get(Register.INTERRUPT_ENABLE) & 1
        self._set(Register.INTERRUPT_STATUS, PUBLISHED | event)
        self._set(Register.CONTROL, PUBLISHED | DONE | (IDLE if behaviour.rests else 0))
        if event and not behaviour.lose_interrupts:
            self._interrupt()

    def _connect(self) -> None:
        if self._peer is None:
            try:
                self._peer, _ = self._listener.accept()
            except TimeoutError:
                return
            self._peer.setblocking(False)
        try:
            data = self._peer.recv(4)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self._peer = None
            self._enabled = False
        elif struct.unpack("<I", data) == (1,):
            self._enabled = True

    def _interrupt(self) -> None:
        end = time.monotonic() + 1
        while not self._enabled and time.monotonic() < end:
            self._connect()
        if self._enabled and self._peer is not None:
            self._enabled = False
            self._peer.send(struct.pack("<I", self.starts))
