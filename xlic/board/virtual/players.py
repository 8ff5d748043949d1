"""What computes when the virtual accelerator is started: verilated RTL, or compiled HLS C++.

Both work on the guest's DMA buffer itself.
"""

from __future__ import annotations

import ctypes
import threading
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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
from xlic.accelerator.verilated import VerilatedDevice
from xlic.board.virtual.bitstream import VirtualBitstream, build_player

Words = NDArray[np.uint32]
ARGUMENTS = (
    *(Register.GMEM0_LOW, Register.GMEM0_HIGH, Register.GMEM1_LOW, Register.GMEM1_HIGH),
    *(Register.WINDOW_BEATS, Register.PROGRAM),
)
"""Registers that a run depends on."""

_COUNTERS = MAX_LAYERS * COUNTER_WORDS
RESULT_WORDS = INFO_WORDS + _COUNTERS
_SLICE = 20_000  # cycles between two looks at the rest of the world
_PAGE = 4096


class Player(Protocol):
    """An accelerator without its registers' side effects."""

    def results(self) -> Words:
        """Identity, end of the last run and counters: :data:`RESULT_WORDS` words."""
        ...

    def start(self, arguments: dict[int, int]) -> None:
        """Begin a run."""
        ...

    def advance(self) -> bool:
        """Go on for a few milliseconds; whether the run has ended."""
        ...

    def close(self) -> None:
        """Give up, whatever is under way."""
        ...


def open_player(bitstream: VirtualBitstream, memory: NDArray[np.uint8], address: int) -> Player:
    """What plays a bitstream, on memory at this address of its ports."""
    library = str(build_player(bitstream))
    kind = _Verilated if bitstream.kind == "rtl" else _Compiled
    return kind(library, memory, address)


class _Verilated:
    def __init__(self, library: str, memory: NDArray[np.uint8], address: int) -> None:
        from pathlib import Path

        self._device = VerilatedDevice(Path(library), memory, window_address=address)

    def results(self) -> Words:
        addresses = [Register.INFO + 4 * word for word in range(INFO_WORDS)]
        addresses += [Register.COUNTERS + 4 * word for word in range(_COUNTERS)]
        return np.array([self._device.read(address) for address in addresses], np.uint32)

    def start(self, arguments: dict[int, int]) -> None:
        for register, value in arguments.items():
            self._device.write(register, value)
        self._device.write(Register.INTERRUPT_ENABLE, 1)
        self._device.write(Register.GLOBAL_INTERRUPT_ENABLE, 1)
        self._device.write(Register.CONTROL, 1 << Control.START)

    def advance(self) -> bool:
        if not self._device.wait(_SLICE):
            return False
        self._device.read(Register.CONTROL)
        self._device.write(Register.INTERRUPT_STATUS, 1)
        return True

    def close(self) -> None:
        self._device.close()


class _Compiled:
    def __init__(self, library: str, memory: NDArray[np.uint8], address: int) -> None:
        self._library = ctypes.CDLL(library)
        pointer, word = ctypes.c_void_p, ctypes.c_uint32
        self._library.xlic_accel.restype = None
        self._library.xlic_accel.argtypes = [pointer, pointer, word, word, pointer, pointer]
        self._library.xlic_identity.restype = None
        self._library.xlic_identity.argtypes = [pointer]
        self._memory, self._address = memory, address
        self._results = np.zeros(RESULT_WORDS, np.uint32)
        self._thread: threading.Thread | None = None

    def results(self) -> Words:
        return self._results.copy()

    def start(self, arguments: dict[int, int]) -> None:
        self._thread = threading.Thread(target=self._run, args=(arguments,), daemon=True)
        self._thread.start()

    def advance(self) -> bool:
        if self._thread is None:
            return False
        self._thread.join(0.005)
        return not self._thread.is_alive()

    def close(self) -> None:
        # It cannot be stopped half-way, but its watchdog lets no run last.
        if self._thread is not None:
            self._thread.join()

    def _run(self, arguments: dict[int, int]) -> None:
        results = np.zeros(RESULT_WORDS, np.uint32)
        beats = arguments[Register.WINDOW_BEATS]
        ports = [
            self._place(arguments[low] | arguments[high] << 32, beats)
            for low, high in (
                (Register.GMEM0_LOW, Register.GMEM0_HIGH),
                (Register.GMEM1_LOW, Register.GMEM1_HIGH),
            )
        ]
        if None in ports:
            # There is no such memory: a bus would answer the first access with an error.
            self._library.xlic_identity(results.ctypes.data)
            results[Info.ERROR] = ErrorCode.READ
        else:
            counters = results[INFO_WORDS:]
            self._library.xlic_accel(
                *(*ports, beats, arguments[Register.PROGRAM]),
                *(results.ctypes.data, counters.ctypes.data),
            )
        self._results = results

    def _place(self, address: int, beats: int) -> int | None:
        offset = address - self._address
        if offset % _PAGE or not 0 <= offset <= len(self._memory) - beats * BEAT_BYTES:
            return None
        return int(self._memory.ctypes.data) + offset
