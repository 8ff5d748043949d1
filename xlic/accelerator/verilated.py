"""The RTL as a :class:`~xlic.accelerator.device.Device`: verilated, with a memory of its own.

No cocotb: the whole simulation, memory model included, is one C++ library, which is 10 to 100 times
faster and runs whole pictures. What the memory model can do is in ``rtl_sim/sim/axi_memory.hpp``.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator.design import Design
from xlic.accelerator.timing import CHANNELS, MemoryTiming
from xlic.accelerator.verilated_library import (
    FaultStruct,
    Rtl,
    TimingStruct,
    TrafficStruct,
    WindowStruct,
    build_library,
    load_library,
)
from xlic.errors import InputError
from xlic.files import Progress

PORTS = ("gmem0", "gmem1")
PAGE = 4096
WINDOW_ADDRESS = 0x4_8765_4000
"""Default byte address of memory on both ports: above 32 bit, and no two halves alike."""

_OK, _TIMEOUT = 0, 1
_CHUNK = 1 << 20  # cycles between two looks at Ctrl-C
_NEVER = (1 << 64) - 1


class SimulationError(Exception):
    """The simulation died: an assertion of the RTL, or a bus that does not answer."""


class ProtocolError(Exception):
    """The RTL broke the rules of AXI, or accessed what it may not."""


@dataclass(frozen=True)
class MemoryFault:
    """What goes wrong in memory; byte ranges ``(begin, end)`` within it.

    Attributes:
        read_error: beats in this range are answered with :attr:`response`.
        write_error: so are bursts that touch this range; they write nothing.
        response: 2 (SLVERR) or 3 (DECERR).
        hang_after_reads: after so many beats read, the port answers no more reads.
        hang_after_writes: the same of writes.
    """

    read_error: tuple[int, int] = (0, 0)
    write_error: tuple[int, int] = (0, 0)
    response: int = 2
    hang_after_reads: int | None = None
    hang_after_writes: int | None = None


@dataclass(frozen=True)
class Traffic:
    """What went over one port; a beat is 16 bytes.

    Attributes:
        most_reads: read bursts that were under way at once.
        most_writes: the same of writes.
    """

    read_bursts: int
    read_beats: int
    write_bursts: int
    write_beats: int
    most_reads: int
    most_writes: int


class VerilatedDevice:
    """A simulated accelerator with its memory.

    :meth:`wait` raises :class:`ProtocolError` when the accelerator broke the rules; ``strict``
    false leaves that to :meth:`violations`.

    Args:
        library: as built by :func:`~xlic.accelerator.verilated_library.build_library`.
        memory: bytes to allocate, or an array to use: uint8, one-dimensional, contiguous, page
            aligned, for instance the mapped memory of a virtual board.
        timing: of the memory, both ports.
        window_address: byte address of memory on both ports.
        seed: of the state that no reset sets.
        strict: whether violations raise.
    """

    def __init__(
        self,
        library: Path,
        memory: int | NDArray[np.uint8],
        *,
        timing: MemoryTiming | None = None,
        window_address: int = WINDOW_ADDRESS,
        seed: int = 1,
        strict: bool = True,
    ) -> None:
        self._memory = allocate(memory) if isinstance(memory, int) else _checked(memory)
        if window_address % PAGE:
            raise InputError(f"window address {window_address:#x} is no multiple of {PAGE}")
        self._window_address = window_address
        self._library = load_library(library)
        self._sim: int | None = self._library.xlic_sim_new(seed)
        if not self._sim:
            raise SimulationError("the simulation could not be set up")
        self.strict = strict
        self._library.xlic_sim_memory(self._sim, self._memory.ctypes.data, self._memory.size)
        self.allow("gmem0")
        self.allow("gmem1", write=(0, 0))
        self.set_timing(timing or MemoryTiming())
        self.reset()

    @property
    def memory(self) -> NDArray[np.uint8]:
        """The memory behind both ports."""
        return self._memory

    @property
    def window_address(self) -> int:
        """Byte address of the memory on both ports."""
        return self._window_address

    @property
    def cycles(self) -> int:
        """Clock cycles so far."""
        return int(self._library.xlic_sim_cycles(self._handle))

    @property
    def interrupt(self) -> bool:
        """The interrupt pin."""
        return bool(self._library.xlic_sim_interrupt(self._handle))

    def read(self, address: int) -> int:
        """A register's 32 bits, over the pins."""
        value = ctypes.c_uint32()
        self._do("read", address, ctypes.byref(value))
        return value.value

    def write(self, address: int, value: int) -> None:
        """Set a register, over the pins."""
        self._do("write", address, value)

    def wait(self, cycles: int) -> bool:
        """Run until the interrupt is high, at most ``cycles``; whether it is.

        Raises:
            ProtocolError: the accelerator broke the rules, by now.
            SimulationError: the simulation died.
        """
        left = cycles
        status = _TIMEOUT
        # At least once: the interrupt may be up already.
        while status == _TIMEOUT and left >= 0:
            part = min(left, _CHUNK)
            status = self._do("run", part)
            left -= max(part, 1)
        if self.strict:
            self.check()
        return status == _OK

    def step(self, cycles: int) -> None:
        """Run exactly ``cycles``, whatever the interrupt does."""
        for done in range(0, cycles, _CHUNK):
            self._do("step", min(_CHUNK, cycles - done))

    def reset(self, cycles: int = 8) -> None:
        """Reset the accelerator and the bus; memory and faults stay."""
        self._do("reset", cycles)

    def set_timing(self, timing: MemoryTiming) -> None:
        """Change how fast memory answers."""
        stalls = {channel: timing.stalls.get(channel, timing.stall) for channel in CHANNELS}
        for port in range(len(PORTS)):
            struct = TimingStruct(
                read_latency=timing.latency,
                write_latency=timing.write_latency,
                bytes_per_cycle=timing.bytes_per_cycle,
                outstanding=timing.outstanding,
                seed=(timing.seed << 1 | port) + 1,
                **{f"stall_{channel}": value for channel, value in stalls.items()},
            )
            self._library.xlic_sim_timing(self._handle, port, struct)

    def allow(
        self,
        port: str,
        *,
        read: tuple[int, int] | None = None,
        write: tuple[int, int] | None = None,
    ) -> None:
        """Say which bytes of memory a port may touch (default: all); anything else is a violation.

        Port ``gmem1`` may not write unless told here.
        """
        everything = (0, self._memory.size)
        read_begin, read_end = read or everything
        write_begin, write_end = write or everything
        struct = WindowStruct(self._window_address, read_begin, read_end, write_begin, write_end)
        self._library.xlic_sim_window(self._handle, PORTS.index(port), struct)

    def set_fault(self, port: str, fault: MemoryFault | None) -> None:
        """Let the memory behind a port fail, or (None) be sound again."""
        fault = fault or MemoryFault()
        hangs = (fault.hang_after_reads, fault.hang_after_writes)
        struct = FaultStruct(
            *(*fault.read_error, fault.response),
            *(*fault.write_error, fault.response),
            *(_NEVER if beats is None else beats for beats in hangs),
        )
        self._library.xlic_sim_fault(self._handle, PORTS.index(port), struct)

    def traffic(self, port: str, *, clear: bool = False) -> Traffic:
        """What went over a port since the start or the last ``clear``."""
        struct = TrafficStruct()
        self._library.xlic_sim_traffic(self._handle, PORTS.index(port), struct, int(clear))
        return Traffic(**struct.values())

    def open_transactions(self, port: str) -> int:
        """Transactions under way on a port."""
        return int(self._library.xlic_sim_open(self._handle, PORTS.index(port)))

    def violations(self) -> tuple[int, str]:
        """How many rules were broken, and the first of them (empty if none)."""
        count = int(self._library.xlic_sim_findings(self._handle))
        return count, self._library.xlic_sim_first_finding(self._handle).decode()

    def check(self) -> None:
        """Raise :class:`ProtocolError` if a rule was broken."""
        count, first = self.violations()
        if count:
            more = f" (and {count - 1} more)" if count > 1 else ""
            raise ProtocolError(first + more)

    def trace(self, file: Path, first: int = 0, last: int = _NEVER) -> None:
        """Record waveforms of cycles ``first`` … ``last`` into an FST file.

        Raises:
            InputError: the library was built without, or the file cannot be written.
        """
        if not self._library.xlic_sim_can_trace():
            raise InputError("this library has no waveforms; build it with traced=True")
        try:
            file.touch()  # the simulation itself would not notice
        except OSError as error:
            raise InputError(f"cannot write {file}: {error.strerror}") from error
        self._do("trace", str(file).encode(), first, last)

    def close(self) -> None:
        """End the simulation, which completes the waveform file."""
        if self._sim:
            self._library.xlic_sim_free(self._sim)
        self._sim = None

    def __enter__(self) -> VerilatedDevice:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_sim", None):
            self.close()

    @property
    def _handle(self) -> int:
        if not self._sim:
            raise SimulationError("the simulation was closed")
        return self._sim

    def _do(self, name: str, *arguments: object) -> int:
        status = getattr(self._library, f"xlic_sim_{name}")(self._handle, *arguments)
        if status not in (_OK, _TIMEOUT):
            error = self._library.xlic_sim_error(self._handle).decode()
            raise SimulationError(f"{error} (cycle {self.cycles})")
        return int(status)


def open_verilated(
    design: Design,
    memory: int | NDArray[np.uint8],
    *,
    timing: MemoryTiming | None = None,
    seed: int = 1,
    traced: bool = False,
    progress: Progress | None = None,
) -> VerilatedDevice:
    """Build the accelerator's RTL for a design, unless that was done before, and start it.

    Raises:
        MissingToolError: Verilator or what it needs is absent.
        BuildError: the RTL is refused.
    """
    library = build_library(Rtl.of(design), traced=traced, progress=progress)
    return VerilatedDevice(library, memory, timing=timing, seed=seed)


def verilated_devices(
    design: Design, timing: MemoryTiming | None = None, progress: Progress | None = None
) -> Callable[[int], VerilatedDevice]:
    """A function that makes a device of this design with so many bytes of memory."""
    return lambda size: open_verilated(design, size, timing=timing, progress=progress)


def allocate(size: int) -> NDArray[np.uint8]:
    """Zeroed memory, uint8 ``(size,)``, page aligned."""
    return np.frombuffer(mmap.mmap(-1, size), np.uint8)


def _checked(memory: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if memory.dtype != np.uint8 or memory.ndim != 1 or not memory.flags.c_contiguous:
        raise InputError("memory must be a contiguous one-dimensional array of uint8")
    if memory.ctypes.data % PAGE or not memory.flags.writeable:
        raise InputError("memory must be page aligned and writeable")
    return memory
