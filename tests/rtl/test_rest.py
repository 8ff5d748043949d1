"""After an error nothing is left open: the accelerator starts again only when memory has answered.

Memory stops answering at some beat and goes on later. What a run has promised is brought to its
end, with no byte written after the error; a run after that is right, in the same window or another.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sim.models import random_model
from xlic.accelerator.compiler import compile_transform
from xlic.accelerator.design import Design
from xlic.accelerator.driver import Driver
from xlic.accelerator.isa import WATCHDOG_CYCLES, Control, ErrorCode, Info, Register
from xlic.accelerator.timing import MemoryTiming
from xlic.accelerator.verilated import PAGE, MemoryFault, open_verilated
from xlic.errors import AcceleratorError
from xlic.rungs.int16 import Int16Rung

pytestmark = [pytest.mark.rtl, pytest.mark.usefixtures("verilator")]

TINY = Design(pof=4, poy=2, pox=8, input_words=256, weight_words=8192, param_words=256, channels=64)
MODEL = random_model(seed=7, filters=5)
SIZE = (18, 35)
ARGUMENTS = (
    *(Register.GMEM0_LOW, Register.GMEM0_HIGH, Register.GMEM1_LOW, Register.GMEM1_HIGH),
    *(Register.WINDOW_BEATS, Register.PROGRAM),
)
EMPTY, LOST = 0xA5, 0x5A
SEEN = settings(
    deadline=None,
    derandomize=True,
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Bench:
    """A device with room for two windows, one behind the other, and a page after each."""

    def __init__(self):
        self.compiled = compile_transform(MODEL, "encode", SIZE, TINY)
        self.pixels = np.random.default_rng(3).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
        self.expected = Int16Rung(MODEL).analyze(self.pixels).output
        self.size = self.compiled.memory.bytes
        self.step = -(-self.size // PAGE) * PAGE + PAGE
        self.device = open_verilated(TINY, 2 * self.step, timing=MemoryTiming(stall=4))
        self.driver = Driver(self.device)
        self.load(0)
        self.before = self.window(0).copy()
        assert self.runs_soundly(0)
        self.after = self.window(0).copy()
        maps, program = (self.device.traffic(port) for port in ("gmem0", "gmem1"))
        self.beats = {
            "maps": maps.read_beats,
            "program": program.read_beats,
            "writes": maps.write_beats,
        }

    def window(self, number):
        return self.device.memory[number * self.step :][: self.size]

    def load(self, number):
        """Program and input into a window, poison elsewhere; only this window may be touched."""
        window, first = self.window(number), number * self.step
        window[:] = EMPTY
        self.compiled.write_program(window)
        self.compiled.write_input(window, self.pixels)
        allowed = (first, first + self.size)
        self.device.allow("gmem0", read=allowed, write=allowed)
        self.device.allow("gmem1", read=allowed, write=(0, 0))

    def start(self, number):
        """Arguments and start; whatever runs must be acknowledged before."""
        memory = self.compiled.memory
        self.driver._prepare(memory.program, memory.beats)
        address = self.device.window_address + number * self.step
        for low, high in (
            (Register.GMEM0_LOW, Register.GMEM0_HIGH),
            (Register.GMEM1_LOW, Register.GMEM1_HIGH),
        ):
            self.device.write(low, address & 0xFFFF_FFFF)
            self.device.write(high, address >> 32)
        self.device.write(Register.CONTROL, 1 << Control.START)

    def runs_soundly(self, number):
        self.load(number)
        self.start(number)
        assert self.device.wait(3_000_000)
        assert self.idle
        assert self.error == ErrorCode.NONE
        found = self.compiled.read(self.window(number), self.compiled.output)
        return np.array_equal(found, self.expected)

    @property
    def control(self):
        return self.device.read(Register.CONTROL)

    @property
    def idle(self):
        return bool(self.control & 1 << Control.IDLE)

    @property
    def error(self):
        return ErrorCode(self.device.read(Register.INFO + 4 * Info.ERROR))

    @property
    def open(self):
        return sum(self.device.open_transactions(port) for port in ("gmem0", "gmem1"))

    def recover(self):
        self.device.set_fault("gmem0", None)
        self.device.set_fault("gmem1", None)

    def comes_to_rest(self, cycles=20_000):
        for _ in range(cycles // 50):
            if self.idle:
                return True
            self.device.step(50)
        return False


@pytest.fixture(scope="module")
def shared(verilator):
    bench = Bench()
    yield bench
    bench.device.check()
    bench.device.close()


@pytest.fixture
def bench(shared):
    yield shared
    shared.recover()
    shared.device.reset()


HANGS = {
    "maps": ("gmem0", "hang_after_reads", 100),
    "program": ("gmem1", "hang_after_reads", 100),
    "writes": ("gmem0", "hang_after_writes", 20),
}


def hang(bench, where, beats=None):
    port, name, default = HANGS[where]
    bench.device.traffic(port, clear=True)
    bench.device.set_fault(port, MemoryFault(**{name: default if beats is None else beats}))


def stall(bench, where, beats=None, number=0):
    """A run in a window whose end is told while memory does not answer."""
    bench.load(number)
    hang(bench, where, beats)
    bench.start(number)
    assert bench.device.wait(3 * WATCHDOG_CYCLES), "it hangs"


@pytest.mark.parametrize("where", HANGS)
def test_the_end_is_told_but_it_is_neither_idle_nor_ready_while_memory_owes_answers(bench, where):
    stall(bench, where)
    assert bench.error == ErrorCode.STALL
    assert bench.open
    assert bench.control & 0xF == 1 << Control.START | 1 << Control.DONE
    assert bench.control & 0xF == 1 << Control.START, "done was read"
    bench.device.step(3 * WATCHDOG_CYCLES)
    assert bench.control & 0xF == 1 << Control.START
    bench.recover()
    assert bench.comes_to_rest()
    assert not bench.open


@pytest.mark.parametrize("where", HANGS)
def test_a_run_after_that_is_right_without_a_reset(bench, where):
    stall(bench, where)
    bench.recover()
    assert bench.comes_to_rest()
    for _ in range(2):
        bench.driver._acknowledge()
        assert bench.runs_soundly(0)


@pytest.mark.parametrize("where", HANGS)
def test_a_start_before_that_is_not_taken(bench, where):
    stall(bench, where)
    bench.start(1)
    before = bench.device.memory.copy()
    bench.recover()
    assert bench.comes_to_rest()
    bench.device.step(20_000)
    assert not bench.device.interrupt
    assert bench.idle
    assert bench.error == ErrorCode.STALL
    assert np.array_equal(bench.window(1), before[bench.step :][: bench.size])
    assert bench.runs_soundly(1)


@SEEN
@given(
    where=st.sampled_from(sorted(HANGS)),
    percent=st.integers(0, 99),
    when=st.sampled_from(["in the run", "in the flush", "after it was told"]),
    later=st.integers(0, 3000),
)
def test_nothing_of_the_window_of_before_is_written_once_it_is_idle(
    bench, where, percent, when, later
):
    """At any beat that memory stops, and whenever it goes on."""
    bench.recover()
    bench.driver._acknowledge()
    bench.load(0)
    hang(bench, where, bench.beats[where] * percent // 100)
    bench.start(0)
    while when == "in the flush" and bench.error == ErrorCode.NONE and not bench.device.interrupt:
        bench.device.step(1000)
    if when == "after it was told":
        assert bench.device.wait(3 * WATCHDOG_CYCLES)
    bench.device.step(later)
    bench.recover()
    assert bench.device.wait(3 * WATCHDOG_CYCLES)
    error = bench.error
    assert error in (ErrorCode.NONE, ErrorCode.STALL)
    assert bench.comes_to_rest()
    window = bench.window(0)
    assert ((window == bench.before) | (window == bench.after)).all(), "something wrong is written"
    # From now on the window is somebody else's.
    bench.device.memory[: bench.step] = LOST
    bench.driver._acknowledge()
    assert bench.runs_soundly(1)
    assert (bench.device.memory[: bench.step] == LOST).all()
    assert (bench.device.memory[bench.step + bench.size :] == 0).all()
    bench.device.check()


def test_arguments_are_those_of_the_start(bench):
    """What the host writes to them while it runs is for the run after."""
    bench.load(0)
    bench.start(0)
    bench.device.step(500)
    for register in ARGUMENTS:
        bench.device.write(register, 0xFFFF_F000)
        bench.device.step(100)
    assert bench.device.wait(3_000_000)
    assert bench.error == ErrorCode.NONE
    assert np.array_equal(bench.window(0), bench.after)
    assert all(bench.device.read(register) == 0xFFFF_F000 for register in ARGUMENTS)


@pytest.mark.parametrize("where", HANGS)
def test_the_driver_waits_for_rest_with_a_limit(bench, where):
    def execute(**options):
        return bench.driver.execute(bench.compiled, bench.pixels, **options)

    bench.load(0)
    hang(bench, where)
    with pytest.raises(AcceleratorError, match=r"STALL.*memory still owes it answers"):
        execute()
    before = bench.device.memory.copy()
    with pytest.raises(AcceleratorError, match="cannot start: memory still has not answered"):
        execute()
    assert np.array_equal(bench.device.memory, before), "the window is the run's of before"
    bench.recover()
    execute()
    found = bench.compiled.read(bench.window(0), bench.compiled.output)
    assert np.array_equal(found, bench.expected)
