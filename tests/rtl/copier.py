"""The harness's own device under test: rtl_sim/bench/hdl/copier.sv, driven."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

import numpy as np

from xlic.accelerator.isa import Register
from xlic.accelerator.verilated import MemoryTiming, VerilatedDevice
from xlic.accelerator.verilated_library import Rtl
from xlic.sources import BENCH_DIR

SOURCE = BENCH_DIR / "hdl" / "copier.sv"
MEMORY = 1 << 20
BEAT = 16
FAST = MemoryTiming(latency=1, write_latency=1)

_SOURCE, _DESTINATION, _COUNT, _VIOLATION, _CYCLES, _ERRORS = 0x40, 0x44, 0x48, 0x4C, 0x50, 0x54
MARK, NEVER_SET = 0x60, 0x64


class Violation(IntEnum):
    """What the copier can be told to do wrong; the numbers of copier.sv."""

    NONE = 0
    AR_CHANGES = 1
    AR_WITHDRAWN = 2
    AW_CHANGES = 3
    W_CHANGES = 4
    W_WITHDRAWN = 5
    CROSSES_4K = 6
    FIXED_BURST = 7
    NARROW = 8
    LOCK = 9
    UNALIGNED = 10
    LAST_EARLY = 11
    LAST_MISSING = 12
    DATA_FIRST = 13
    STROBES = 14
    NO_WAIT = 15
    PORT_1 = 16
    IN_RESET = 17
    ASSERTION = 18
    RESPONSE = 19
    NO_REGISTERS = 20
    X = 21


def rtl(**parameters: int) -> Rtl:
    """The copier's sources."""
    return Rtl((SOURCE,), "copier", parameters)


def registers(
    base0: int, base1: int, source: int, destination: int, count: int, violation: Violation
) -> dict[int, int]:
    """What to write, in order, to start copying ``count`` beats."""
    return {
        Register.GMEM0_LOW: base0 & 0xFFFF_FFFF,
        Register.GMEM0_HIGH: base0 >> 32,
        Register.GMEM1_LOW: base1 & 0xFFFF_FFFF,
        Register.GMEM1_HIGH: base1 >> 32,
        _SOURCE: source,
        _DESTINATION: destination,
        _COUNT: count,
        _VIOLATION: violation,
        Register.INTERRUPT_ENABLE: 1,
        Register.GLOBAL_INTERRUPT_ENABLE: 1,
        Register.CONTROL: 1,
    }


class Copier:
    """A copier with memory full of random bytes."""

    def __init__(self, library: Path, timing: MemoryTiming = FAST, seed: int = 1) -> None:
        self.device = VerilatedDevice(library, MEMORY, timing=timing, seed=seed)
        self.device.memory[:] = np.random.default_rng(seed).integers(0, 256, MEMORY, np.uint8)

    def start(
        self, source: int, destination: int, count: int, violation: Violation = Violation.NONE
    ) -> None:
        """Set all registers and start copying ``count`` beats."""
        base = self.device.window_address
        status = self.device.read(Register.INTERRUPT_STATUS)
        self.device.write(Register.INTERRUPT_STATUS, status)
        written = registers(base, base, source, destination, count, violation)
        for register, value in written.items():
            self.device.write(register, value)

    def copy(self, *what: int, limit: int = 100_000) -> int:
        """Copy and check; returns the cycles that it took, as the copier counted them."""
        source, destination, count = what
        expected = self.beats(source, count).copy()
        self.start(source, destination, count)
        assert self.device.wait(limit)
        assert (self.beats(destination, count) == expected).all()
        assert self.errors == 0
        return self.device.read(_CYCLES)

    def beats(self, first: int, count: int) -> np.ndarray:
        """Memory, in beats."""
        return self.device.memory[first * BEAT : (first + count) * BEAT]

    @property
    def errors(self) -> int:
        """Responses that told of an error."""
        return self.device.read(_ERRORS)
