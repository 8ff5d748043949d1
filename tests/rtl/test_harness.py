"""The memory model and the protocol checks of rtl_sim/sim, on a device that does as it is told."""

from __future__ import annotations

import numpy as np
import pytest

from tests.rtl.copier import FAST, MEMORY, NEVER_SET, Copier, Violation
from xlic.accelerator.isa import Control, Register
from xlic.accelerator.verilated import (
    MemoryFault,
    MemoryTiming,
    ProtocolError,
    SimulationError,
    Traffic,
    VerilatedDevice,
    allocate,
)
from xlic.errors import InputError

pytestmark = pytest.mark.rtl

SLOW = MemoryTiming(latency=20, write_latency=20, stall=3)


# --- timing ---


@pytest.mark.parametrize("latency", [1, 2, 60])
@pytest.mark.parametrize("write_latency", [1, 17])
@pytest.mark.parametrize("count", [1, 2, 100])
def test_latency_is_exact(library, latency, write_latency, count):
    copier = Copier(library, MemoryTiming(latency, write_latency))
    # Address, first to last beat, address, beats, response: as copier.sv steps through them.
    expected = 1 + (latency + count - 1) + 1 + count + write_latency
    assert copier.copy(0, 1024, count) == expected


@pytest.mark.parametrize(("rate", "per_beat"), [(8, 2), (4, 4), (1, 16)])
def test_bandwidth_is_exact(library, rate, per_beat):
    copier = Copier(library, MemoryTiming(1, 1, bytes_per_cycle=rate))
    few, many = copier.copy(0, 1024, 10), copier.copy(0, 1024, 210)
    assert many - few == 2 * 200 * per_beat  # there and back


def test_a_bandwidth_between_whole_beats_is_met_on_average(library):
    copier = Copier(library, MemoryTiming(1, 1, bytes_per_cycle=12))
    few, many = copier.copy(0, 1024, 16), copier.copy(0, 1024, 240)
    assert many - few == pytest.approx(2 * (240 - 16) * 16 / 12, abs=4)


@pytest.mark.parametrize("channel", ["ar", "r", "aw", "w", "b"])
def test_stalls_of_one_channel_cost_what_they_should(library, channel):
    free, stalled = Copier(library), Copier(library, MemoryTiming(1, 1, stalls={channel: 2}))
    # 64 bursts of 1 beat for the channels that move once per burst, 1 of 256 for the others.
    copies = [(i, 4096 + i, 1) for i in range(64)] if channel in "ar aw b" else [(0, 4096, 256)]
    times = len(copies) if channel in "ar aw b" else 256
    extra = sum(stalled.copy(*c) for c in copies) - sum(free.copy(*c) for c in copies)
    # Held up with probability one half each cycle: once on average for each time.
    assert 0.5 * times < extra < 1.6 * times


def test_stalls_are_the_same_for_the_same_seed(library):
    def cycles(seed):
        copier = Copier(library, MemoryTiming(5, 5, stall=3, seed=seed))
        return [copier.copy(0, 1000 + i, 100 + i) for i in range(5)]

    assert cycles(1) == cycles(1)
    assert cycles(1) != cycles(2)


@pytest.mark.parametrize(
    "options",
    [
        {"latency": 0},
        {"bytes_per_cycle": 17},
        {"outstanding": 257},
        {"stall": 1},
        {"stalls": {"x": 2}},
    ],
)
def test_impossible_timing_is_refused(options):
    with pytest.raises(InputError):
        MemoryTiming(**options)


# --- memory ---


def test_copies_across_pages_with_every_stall(library):
    copier = Copier(library, MemoryTiming(7, 3, stall=2, bytes_per_cycle=13))
    copier.copy(3, 30_001, 1500)
    # Cut where either side reaches a page.
    bursts = 1 + sum(0 in ((3 + i) % 256, (30_001 + i) % 256) for i in range(1, 1500))
    assert copier.device.traffic("gmem1") == Traffic(bursts, 1500, 0, 0, 1, 0)
    assert copier.device.traffic("gmem0", clear=True) == Traffic(0, 0, bursts, 1500, 0, 1)
    assert copier.device.traffic("gmem0") == Traffic(0, 0, 0, 0, 0, 0)


def test_a_write_is_in_memory_when_it_is_answered_and_not_before(library):
    copier = Copier(library, MemoryTiming(1, write_latency=500))
    before = copier.beats(1000, 4).copy()
    copier.start(0, 1000, 4)
    copier.device.step(400)
    assert copier.device.open_transactions("gmem0") == 1
    assert (copier.beats(1000, 4) == before).all()
    assert copier.device.wait(1000)
    assert copier.device.open_transactions("gmem0") == 0
    assert (copier.beats(1000, 4) == copier.beats(0, 4)).all()


def test_memory_may_be_the_callers(library):
    memory = allocate(8192)
    device = VerilatedDevice(library, memory, timing=FAST)
    assert device.memory is memory
    assert allocate(4096).ctypes.data % 4096 == 0


@pytest.mark.parametrize(
    "memory",
    [
        np.zeros(8192, np.uint16),
        allocate(8192).reshape(2, -1),
        allocate(8192)[16:],
        allocate(8192)[::2],
    ],
)
def test_memory_that_cannot_be_shared_is_refused(library, memory):
    with pytest.raises(InputError, match="memory must be"):
        VerilatedDevice(library, memory)


# --- faults ---


def test_errors_on_reading_are_answered_where_they_were_put(library):
    copier = Copier(library)
    copier.device.set_fault("gmem1", MemoryFault(read_error=(32, 64), response=3))
    copier.start(0, 1000, 10)
    assert copier.device.wait(10_000)
    assert copier.errors == 2
    copier.device.set_fault("gmem1", None)
    copier.copy(0, 1000, 10)


def test_errors_on_writing_are_answered_once_per_burst_and_nothing_is_written(library):
    copier = Copier(library)
    before = copier.beats(1000, 10).copy()
    copier.device.set_fault("gmem0", MemoryFault(write_error=(1005 * 16, 1006 * 16)))
    copier.start(0, 1000, 10)
    assert copier.device.wait(10_000)
    assert copier.errors == 1
    assert (copier.beats(1000, 10) == before).all()


@pytest.mark.parametrize(
    ("port", "fault"),
    [("gmem1", MemoryFault(hang_after_reads=7)), ("gmem0", MemoryFault(hang_after_writes=7))],
)
def test_a_bus_that_hangs_hangs_until_it_is_mended_and_reset(library, port, fault):
    copier = Copier(library, SLOW)
    copier.device.set_fault(port, fault)
    copier.start(0, 1000, 20)
    assert not copier.device.wait(50_000)
    traffic = copier.device.traffic(port)
    assert traffic.read_beats + traffic.write_beats == 7
    assert copier.device.open_transactions(port) == 1
    copier.device.set_fault(port, None)
    copier.device.reset()
    copier.copy(0, 1000, 20)


# --- reset, interrupt, state ---


def test_a_reset_in_the_middle_leaves_nothing_behind(library):
    copier = Copier(library, SLOW)
    for cycles in range(10, 200, 17):
        copier.start(0, 1000, 300)
        copier.device.step(cycles)
        copier.device.reset()
        assert copier.device.open_transactions("gmem0") == 0
        copier.copy(7, 2000, 5)


def test_waiting_ends_with_the_interrupt_which_stays(library):
    copier = Copier(library)
    copier.start(0, 1000, 5)
    assert not copier.device.wait(3)
    assert copier.device.wait(1000)
    cycles = copier.device.cycles
    assert copier.device.wait(1000)
    assert copier.device.wait(0)
    assert copier.device.cycles == cycles
    copier.device.write(Register.INTERRUPT_STATUS, 1)
    assert not copier.device.interrupt


def test_state_that_no_reset_sets_shows_as_different_from_seed_to_seed(library):
    values = {seed: Copier(library, seed=seed).device.read(NEVER_SET) for seed in range(1, 9)}
    assert len(set(values.values())) > 4
    assert Copier(library, seed=3).device.read(NEVER_SET) == values[3]


# --- the protocol ---

VIOLATIONS = {
    Violation.AR_CHANGES: "gmem1: AR payload changed before ARREADY",
    Violation.AR_WITHDRAWN: "gmem1: ARVALID withdrawn before ARREADY",
    Violation.AW_CHANGES: "gmem0: AW payload changed before AWREADY",
    Violation.W_CHANGES: "gmem0: write data changed before WREADY",
    Violation.W_WITHDRAWN: "gmem0: WVALID withdrawn before WREADY",
    Violation.CROSSES_4K: "gmem1: AR burst of 256 beats at 0x487654010 crosses a 4 KB boundary",
    Violation.FIXED_BURST: r"gmem1: ARBURST 0, must be INCR \(1\)",
    Violation.NARROW: r"gmem1: ARSIZE 3, must be 16 bytes \(4\)",
    Violation.LOCK: "gmem1: ARLOCK 1, must be 0",
    Violation.UNALIGNED: "gmem1: ARADDR 0x487654018 is no multiple of 16",
    Violation.LAST_EARLY: "gmem0: WLAST on beat 93 of 94",
    Violation.LAST_MISSING: "gmem0: WLAST missing on beat 94 of 94",
    Violation.DATA_FIRST: "gmem0: 16 beats of write data ahead of their address",
    Violation.STROBES: "gmem0: WSTRB 0x00ff",
    Violation.NO_WAIT: "gmem0: interrupt while 1 transactions are open",
    Violation.PORT_1: "gmem1: AW burst of 94 beats at 0x487657a20 leaves the window",
}


@pytest.mark.parametrize("violation", VIOLATIONS, ids=lambda violation: violation.name)
def test_every_violation_is_seen(library, violation):
    copier = Copier(library, SLOW)
    copier.start(1, 930, 300, violation)
    with pytest.raises(ProtocolError, match=rf"^cycle \d+, m_axi_{VIOLATIONS[violation]}"):
        copier.device.wait(10_000)
    assert copier.device.violations()[0] >= 1


def test_a_device_that_obeys_has_no_violations(library):
    copier = Copier(library, SLOW)
    copier.copy(1, 930, 300)
    assert copier.device.violations() == (0, "")


def test_the_table_of_violations_is_complete():
    elsewhere = {"NONE", "IN_RESET", "ASSERTION", "RESPONSE", "NO_REGISTERS", "X"}
    assert {violation.name for violation in VIOLATIONS} | elsewhere == set(Violation.__members__)


def test_being_loud_in_reset_is_a_violation(library):
    copier = Copier(library)
    copier.start(0, 1000, 1, Violation.IN_RESET)
    copier.device.wait(1000)
    copier.device.reset()
    with pytest.raises(ProtocolError, match="gmem1: ARVALID in reset"):
        copier.device.check()


def test_being_idle_while_transactions_are_open_is_a_violation(library):
    """Being done is none while memory does not answer."""
    copier = Copier(library, FAST)
    copier.device.set_fault("gmem0", MemoryFault(hang_after_writes=4))
    copier.start(0, 1000, 4, Violation.NO_WAIT)
    assert copier.device.wait(1000)
    assert copier.device.violations() == (0, "")
    assert copier.device.read(Register.CONTROL) & 1 << Control.IDLE
    with pytest.raises(ProtocolError, match="gmem0: idle while 1 transactions are open"):
        copier.device.check()


def test_an_error_on_the_register_bus_is_a_violation(library):
    copier = Copier(library)
    copier.start(0, 1000, 1, Violation.RESPONSE)
    with pytest.raises(ProtocolError, match="s_axi_control: BRESP 2 at 0x"):
        copier.device.wait(1000)


@pytest.mark.parametrize(
    ("allowed", "channel"),
    [({"read": (0, 100 * 16)}, "AR"), ({"write": (16, MEMORY)}, "AW"), ({"write": (0, 0)}, "AW")],
)
def test_an_access_outside_what_is_allowed_is_a_violation(library, allowed, channel):
    copier = Copier(library)
    for port in ("gmem0", "gmem1"):
        copier.device.allow(port, **allowed)
    copier.start(99, 0, 2)
    with pytest.raises(ProtocolError, match=f"{channel} burst of . beats at .* leaves the window"):
        copier.device.wait(1000)


@pytest.mark.parametrize("beat", [MEMORY // 16 - 1, MEMORY // 16, 1 << 31])
def test_outside_memory_there_is_nothing(library, beat):
    copier = Copier(library)
    copier.device.strict = False
    copier.start(beat, 0, 2)
    assert copier.device.wait(1000)
    assert copier.errors >= 1  # DECERR
    assert copier.device.violations()[0] >= 1


def test_violations_may_be_left_to_the_caller(library):
    copier = Copier(library, SLOW)
    copier.device.strict = False
    copier.start(0, 1000, 1, Violation.STROBES)
    assert copier.device.wait(1000)
    count, first = copier.device.violations()
    assert count == 1
    assert first.endswith("WSTRB 0x00ff: beats are written whole, or not at all")


# --- the end of a simulation ---


def test_an_assertion_of_the_rtl_ends_the_simulation_not_the_process(library):
    copier = Copier(library)
    copier.start(0, 1000, 1, Violation.ASSERTION)
    with pytest.raises(SimulationError, match=r"copier\.sv:\d+: .*\(cycle \d+\)"):
        copier.device.wait(1000)
    with pytest.raises(SimulationError, match=r"copier\.sv"):
        copier.device.read(Register.CONTROL)


def test_a_register_bus_that_falls_silent_is_told(library):
    copier = Copier(library)
    copier.start(0, 1000, 1, Violation.NONE)
    copier.device.write(0x4C, Violation.NO_REGISTERS)
    with pytest.raises(SimulationError, match="register bus did not answer a read"):
        copier.device.read(Register.CONTROL)


def test_a_closed_simulation_says_so(library):
    with Copier(library).device as device:
        assert device.cycles > 0
    with pytest.raises(SimulationError, match="closed"):
        device.read(Register.CONTROL)


# --- waveforms ---


def test_waveforms_hold_the_cycles_asked_for(traced_library, tmp_path):
    sizes = {}
    for last in (200, 2000):
        copier = Copier(traced_library)
        file = tmp_path / f"{last}.fst"
        copier.device.trace(file, 100, last)
        copier.start(0, 1000, 2000)
        copier.device.wait(100_000)
        copier.device.close()
        sizes[last] = file.stat().st_size
    assert 0 < sizes[200] < sizes[2000]


def test_waveforms_that_cannot_be_recorded_are_refused(library, traced_library, tmp_path):
    with pytest.raises(InputError, match="traced=True"):
        Copier(library).device.trace(tmp_path / "x.fst")
    with pytest.raises(InputError, match=r"cannot write .*No such file"):
        Copier(traced_library).device.trace(tmp_path / "absent" / "x.fst")
