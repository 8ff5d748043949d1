"""The HLS C++ as a :class:`~xlic.accelerator.device.Device`: compiled by the host's g++.

The function that Vitis HLS makes an IP of is called in a thread of its own, behind registers that
behave as those of that IP. It is no model of time: a run takes as long as it takes.
"""

from __future__ import annotations

import ctypes
import mmap
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator.design import Design
from xlic.accelerator.isa import (
    BEAT_BYTES,
    COUNTER_WORDS,
    INFO_WORDS,
    MAX_LAYERS,
    Control,
    ErrorCode,
    Info,
    Register,
)
from xlic.accelerator.native_library import build_library
from xlic.errors import InputError
from xlic.files import Progress
from xlic.sources import HLS_DIR

PAGE_BYTES = 4096
WINDOW_ADDRESS = 0x8_7654_3000
"""Byte address of memory on both ports; above 32 bit, so that both halves count."""

_DONE, _READY = 1 << Control.DONE, 1 << Control.READY
_AUTO_RESTART = 1 << Control.AUTO_RESTART
_ISR_BITS = 3
_SLOWEST = 1e-6
"""Seconds that a cycle of the array may take on a slow host; measured ones take a tenth."""
_GRACE = 10.0
"""Seconds to wait at least: the host may have other work."""

_MASKS: dict[int, int] = {
    Register.GLOBAL_INTERRUPT_ENABLE: 1,
    Register.INTERRUPT_ENABLE: _ISR_BITS,
    Register.GMEM0_LOW: 0xFFFF_FFFF,
    Register.GMEM0_HIGH: 0xFFFF_FFFF,
    Register.GMEM1_LOW: 0xFFFF_FFFF,
    Register.GMEM1_HIGH: 0xFFFF_FFFF,
    Register.WINDOW_BEATS: 0xFFFF_FFFF,
    Register.PROGRAM: 0xFFFF_FFFF,
}
"""Plain registers and their bits."""
_WORDS = INFO_WORDS + MAX_LAYERS * COUNTER_WORDS

# A library has one set of on-chip memories, whoever calls it.
_libraries: dict[Path, tuple[ctypes.CDLL, threading.Lock]] = {}
_libraries_lock = threading.Lock()


class NativeDevice:
    """The compiled HLS C++ with its memory.

    Args:
        design: of the accelerator.
        size: bytes of memory, taken up to whole pages.
        folder: where the sources are.
        progress: told when it is compiled.

    Raises:
        MissingToolError: there is no compiler.
        InputError: no memory, or no sources.
    """

    def __init__(
        self,
        design: Design,
        size: int,
        folder: Path = HLS_DIR,
        progress: Progress | None = None,
    ) -> None:
        if size < 1:
            raise InputError(f"a memory of {size} bytes; give 1 or more")
        self._library, self._library_lock = _open(build_library(design, folder, progress))
        pages = -(-size // PAGE_BYTES) * PAGE_BYTES
        self._memory = np.frombuffer(mmap.mmap(-1, pages), np.uint8)
        self._changed = threading.Condition()
        self._registers: dict[int, int] = {}
        self._control = 0
        self._running = False
        self._interrupt_status = 0
        # Identity, end of the run and counters, as of the last run that ended.
        self._results = np.zeros(_WORDS, np.uint32)
        self._library.xlic_identity(self._results.ctypes.data)

    @property
    def memory(self) -> NDArray[np.uint8]:
        """The window, uint8 ``(bytes,)``."""
        return self._memory

    @property
    def window_address(self) -> int:
        """Byte address of :attr:`memory` on both ports."""
        return WINDOW_ADDRESS

    def read(self, address: int) -> int:
        """A register's 32 bits; 0 where there is none."""
        address &= ~3
        with self._changed:
            if address == Register.CONTROL:
                idle = 0 if self._running else 1 << Control.IDLE
                value = self._control | idle | (1 << Control.START if self._running else 0)
                self._control &= ~(_DONE | _READY)
                return value
            if address == Register.INTERRUPT_STATUS:
                return self._interrupt_status
            for base, first, words in (
                (Register.INFO, 0, INFO_WORDS),
                (Register.COUNTERS, INFO_WORDS, MAX_LAYERS * COUNTER_WORDS),
            ):
                if 0 <= address - base < 4 * words:
                    return int(self._results[first + (address - base) // 4])
            return self._registers.get(address, 0)

    def write(self, address: int, value: int) -> None:
        """Set a register; what cannot be written stays as it is."""
        value &= 0xFFFF_FFFF
        with self._changed:
            if address == Register.CONTROL:
                self._control = (self._control & ~_AUTO_RESTART) | (value & _AUTO_RESTART)
                if value & 1 << Control.START and not self._running:
                    self._start()
            elif address == Register.INTERRUPT_STATUS:
                # Writing a one toggles the bit.
                self._interrupt_status ^= value & _ISR_BITS
            elif address in _MASKS:
                self._registers[address] = value & _MASKS[address]
            self._changed.notify_all()

    def wait(self, cycles: int) -> bool:
        """Wait for the interrupt; cycles are taken as those of a slow host."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._interrupt() or not self._running, _GRACE + cycles * _SLOWEST
            )
            return self._interrupt()

    def _interrupt(self) -> bool:
        enabled = self._registers.get(Register.INTERRUPT_ENABLE, 0)
        return bool(
            self._registers.get(Register.GLOBAL_INTERRUPT_ENABLE, 0)
            and self._interrupt_status & enabled
        )

    def _start(self) -> None:
        self._running = True
        threading.Thread(target=self._run, name="xlic-hls", daemon=True).start()

    def _run(self) -> None:
        again = True
        while again:
            with self._changed:
                registers = dict(self._registers)
            results = self._call(registers)
            with self._changed:
                self._results = results
                self._control |= _DONE | _READY
                # Vitis HLS: an event that is not enabled leaves no trace.
                self._interrupt_status |= _ISR_BITS & self._registers.get(
                    Register.INTERRUPT_ENABLE, 0
                )
                again = bool(self._control & _AUTO_RESTART)
                self._running = again
                self._changed.notify_all()

    def _call(self, registers: dict[int, int]) -> NDArray[np.uint32]:
        results = np.zeros(_WORDS, np.uint32)
        beats = registers.get(Register.WINDOW_BEATS, 0)
        ports = [
            self._place(registers, low, high, beats)
            for low, high in (
                (Register.GMEM0_LOW, Register.GMEM0_HIGH),
                (Register.GMEM1_LOW, Register.GMEM1_HIGH),
            )
        ]
        if None in ports:
            # There is no such memory: a bus would answer the first access with an error.
            self._library.xlic_identity(results.ctypes.data)
            results[Info.ERROR] = ErrorCode.READ
            return results
        counters = results[INFO_WORDS:]
        with self._library_lock:
            self._library.xlic_accel(
                *ports,
                beats,
                registers.get(Register.PROGRAM, 0),
                results.ctypes.data,
                counters.ctypes.data,
            )
        return results

    def _place(self, registers: dict[int, int], low: int, high: int, beats: int) -> int | None:
        address = registers.get(low, 0) | registers.get(high, 0) << 32
        offset = address - WINDOW_ADDRESS
        if offset % PAGE_BYTES or not 0 <= offset <= len(self._memory) - beats * BEAT_BYTES:
            return None
        return int(self._memory.ctypes.data) + offset


def native_devices(
    design: Design, progress: Progress | None = None
) -> Callable[[int], NativeDevice]:
    """A function that makes a device of this design with so many bytes of memory."""
    return lambda size: NativeDevice(design, size, progress=progress)


def _open(path: Path) -> tuple[ctypes.CDLL, threading.Lock]:
    with _libraries_lock:
        if path not in _libraries:
            library = ctypes.CDLL(str(path))
            library.xlic_accel.restype = None
            library.xlic_accel.argtypes = [
                *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32),
                *(ctypes.c_void_p, ctypes.c_void_p),
            ]
            library.xlic_identity.restype = None
            library.xlic_identity.argtypes = [ctypes.c_void_p]
            _libraries[path] = library, threading.Lock()
        return _libraries[path]
