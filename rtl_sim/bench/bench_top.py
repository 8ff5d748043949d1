"""xlic_accel, through its ports alone: what it says of itself, how it starts and ends, whole runs.

``XLIC_IDENTITY`` names a file for what the identity registers say; ``XLIC_CASE`` one (.npz) with a
window before a run, the window that must be there after it, which of its bytes matter, and where
the program begins.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, Combine
from common import bit
from top import LIMIT, Accelerator

from xlic.accelerator.isa import INTERFACE_VERSION, MAGIC, Control, ErrorCode, Info, Register

ARGUMENTS = (
    *(Register.GMEM0_LOW, Register.GMEM0_HIGH, Register.GMEM1_LOW, Register.GMEM1_HIGH),
    *(Register.WINDOW_BEATS, Register.PROGRAM),
)
IDENTITY = (
    *(Info.MAGIC, Info.VERSION, Info.ARRAY, Info.HASH_LOW, Info.HASH_HIGH, Info.INPUT_WORDS),
    *(Info.WEIGHT_WORDS, Info.PARAM_WORDS, Info.PASS_WORDS, Info.TAP_WORDS, Info.CHANNELS),
    Info.LAYERS,
)
"""Words that are known before any run."""


@dataclass
class Case:
    """A run and what must come of it."""

    before: bytes
    after: bytes
    matters: np.ndarray
    program: int
    layers: int

    def check(self, memory: bytearray) -> None:
        got, expected = (np.frombuffer(data, np.uint8) for data in (memory, self.after))
        bad = np.flatnonzero((got != expected) & self.matters)
        assert not len(bad), (
            f"{len(bad)} bytes differ, the first at {bad[0]:#x}: {got[bad[0]]}, not "
            f"{expected[bad[0]]}"
        )


def _case() -> Case:
    with np.load(os.environ["XLIC_CASE"]) as file:
        before, after = file["before"].tobytes(), file["after"].tobytes()
        return Case(before, after, file["matters"], int(file["program"]), int(file["layers"]))


async def _accelerator(dut: Any, case: Case | None = None, stall: float = 0.0) -> Accelerator:
    accelerator = Accelerator(dut, case.before if case else bytes(4096), stall)
    await accelerator.start_up()
    return accelerator


@cocotb.test(skip="XLIC_IDENTITY" not in os.environ)
async def tells_its_identity(dut: Any) -> None:
    accelerator = await _accelerator(dut)
    words = {word.name: await accelerator.info(word) for word in IDENTITY}
    assert words["MAGIC"] == MAGIC
    assert words["VERSION"] == INTERFACE_VERSION
    # No run yet: no error, no layers.
    assert await accelerator.info(Info.ERROR) == ErrorCode.NONE
    assert await accelerator.info(Info.LAYERS_DONE) == 0
    Path(os.environ["XLIC_IDENTITY"]).write_text(json.dumps(words))


# --- whole runs ---


@cocotb.test(skip="XLIC_CASE" not in os.environ)
@cocotb.parametrize(stall=[0.0, 0.3])
async def runs(dut: Any, stall: float) -> None:
    case = _case()
    accelerator = await _accelerator(dut, case, stall)
    assert await accelerator.run(case.program) == ErrorCode.NONE
    case.check(accelerator.memory)
    accelerator.check_strays()
    assert await accelerator.info(Info.LAYERS_DONE) == case.layers
    # Nothing follows the interrupt.
    beats = [window.beats for window in accelerator.windows.values()]
    await ClockCycles(dut.ap_clk, 300)
    assert beats == [window.beats for window in accelerator.windows.values()]


@cocotb.test(skip="XLIC_CASE" not in os.environ)
async def runs_after_a_reset_in_the_middle(dut: Any) -> None:
    case = _case()
    accelerator = await _accelerator(dut, case, 0.1)
    for _ in range(3):
        accelerator.memory[:] = case.before
        await accelerator.prepare(case.program)
        await accelerator.start()
        await ClockCycles(dut.ap_clk, accelerator.random.randrange(50, 6000))
        await accelerator.reset()
        assert await accelerator.control() == {Control.IDLE}
        assert not bit(dut.interrupt)
        # Registers are back at 0, and with them the window: no address is allowed.
        for register in ARGUMENTS:
            assert await accelerator.read(register) == 0
    accelerator.memory[:] = case.before
    assert await accelerator.run(case.program) == ErrorCode.NONE
    case.check(accelerator.memory)
    accelerator.check_strays()


@cocotb.test(skip="XLIC_CASE" not in os.environ)
async def runs_again_and_again(dut: Any) -> None:
    """Nothing of a run is left to the next, also after one that ended with an error."""
    case = _case()
    accelerator = await _accelerator(dut, case)
    good = bytes(case.before)
    at = case.program * 16
    for spoilt, error in (
        (0, ErrorCode.MAGIC),
        (48, ErrorCode.TABLES_CRC),
        (52, ErrorCode.WEIGHTS_CRC),
    ):
        accelerator.memory[:] = good
        accelerator.memory[at + spoilt] ^= 1
        assert await accelerator.run(case.program) == error
        accelerator.memory[:] = good
        assert await accelerator.run(case.program) == ErrorCode.NONE
        case.check(accelerator.memory)
    # A window that is too short for the program.
    assert await accelerator.run(case.program, case.program + 3) == ErrorCode.WINDOW
    accelerator.memory[:] = good
    assert await accelerator.run(case.program) == ErrorCode.NONE
    case.check(accelerator.memory)
    accelerator.check_strays()


@cocotb.test(skip="XLIC_CASE" not in os.environ)
async def waits_for_memory_after_an_error(dut: Any) -> None:
    """Neither idle nor ready while a read is open; a start meanwhile changes nothing."""
    case = _case()
    accelerator = await _accelerator(dut, case)
    accelerator.memory[case.program * 16 + 52] ^= 1  # the checksum of the weights
    accelerator.hold_back("gmem0", held=True)
    await accelerator.prepare(case.program)
    await accelerator.start()
    # The weights have all come, the input has not.
    await ClockCycles(dut.ap_clk, 6000)
    assert await accelerator.control() == {Control.START}
    for register in ARGUMENTS:
        await accelerator.write(register, 0xFFFF_F000)
    await accelerator.start()
    await ClockCycles(dut.ap_clk, 300)
    assert not bit(dut.interrupt)
    accelerator.hold_back("gmem0", held=False)
    assert await accelerator.finish() == ErrorCode.WEIGHTS_CRC
    await ClockCycles(dut.ap_clk, 1000)
    assert await accelerator.control() == {Control.IDLE}
    assert await accelerator.info(Info.ERROR) == ErrorCode.WEIGHTS_CRC
    accelerator.check_strays()
    accelerator.memory[:] = case.before
    assert await accelerator.run(case.program) == ErrorCode.NONE
    case.check(accelerator.memory)
    accelerator.check_strays()


# --- control ---


@cocotb.test(skip="XLIC_CASE" not in os.environ)
async def starts_and_ends_as_a_vitis_kernel(dut: Any) -> None:
    case = _case()
    accelerator = await _accelerator(dut, case)
    await accelerator.prepare(case.program)
    await accelerator.write(Register.GLOBAL_INTERRUPT_ENABLE, 0)
    assert await accelerator.control() == {Control.IDLE}
    await accelerator.start()
    assert await accelerator.control() == {Control.START}
    assert await accelerator.read(Register.INTERRUPT_STATUS) == 0
    for _ in range(LIMIT // 1000):
        await ClockCycles(dut.ap_clk, 1000)
        if await accelerator.read(Register.INTERRUPT_STATUS):
            break
    # Masked by the global enable, which may be set later.
    assert not bit(dut.interrupt)
    await accelerator.write(Register.GLOBAL_INTERRUPT_ENABLE, 1)
    await ClockCycles(dut.ap_clk, 2)
    assert bit(dut.interrupt)
    # done and ready are cleared by reading, the interrupt by writing its bit.
    assert await accelerator.control() == {Control.DONE, Control.IDLE, Control.READY}
    assert await accelerator.control() == {Control.IDLE}
    assert bit(dut.interrupt)
    await accelerator.write(Register.INTERRUPT_STATUS, 1)
    await ClockCycles(dut.ap_clk, 2)
    assert not bit(dut.interrupt)
    assert await accelerator.read(Register.INTERRUPT_STATUS) == 0
    case.check(accelerator.memory)


@cocotb.test(skip="XLIC_CASE" not in os.environ)
async def a_masked_interrupt_leaves_no_trace(dut: Any) -> None:
    case = _case()
    accelerator = await _accelerator(dut, case)
    await accelerator.prepare(case.program)
    await accelerator.write(Register.INTERRUPT_ENABLE, 0)
    await accelerator.start()
    for _ in range(LIMIT // 1000):
        await ClockCycles(dut.ap_clk, 1000)
        if Control.DONE in await accelerator.control():
            break
    assert not bit(dut.interrupt)
    assert await accelerator.read(Register.INTERRUPT_STATUS) == 0
    case.check(accelerator.memory)


@cocotb.test(skip="XLIC_CASE" not in os.environ)
async def restarts_by_itself_if_told(dut: Any) -> None:
    case = _case()
    accelerator = await _accelerator(dut, case)
    await accelerator.prepare(case.program)
    await accelerator.write(Register.CONTROL, 1 << Control.START | 1 << Control.AUTO_RESTART)
    await accelerator.finish()
    case.check(accelerator.memory)
    assert Control.IDLE not in await accelerator.control()
    await accelerator.write(Register.CONTROL, 0)
    accelerator.memory[:] = case.before
    await accelerator.finish()
    # The second run began before memory was set back; a third is not to come.
    await ClockCycles(dut.ap_clk, 300)
    assert Control.IDLE in await accelerator.control()


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5])
async def registers_keep_what_is_written(dut: Any, stall: float) -> None:
    """Whole words and parts of them; reads and writes at once, address and data in any order."""
    accelerator = await _accelerator(dut, stall=stall)
    rng, host = accelerator.random, accelerator.host
    values = dict.fromkeys(ARGUMENTS, 0)
    for _ in range(60):
        # From the first byte on: like those of Vitis HLS, registers answer to their address only.
        register, data = rng.choice(ARGUMENTS), rng.randbytes(rng.randint(1, 4))
        await host.write(register, data)
        value = data + values[register].to_bytes(4, "little")[len(data) :]
        values[register] = int.from_bytes(value, "little")
    for register, value in values.items():
        assert await accelerator.read(register) == value
    # Read one while another is written.
    for _ in range(30):
        one, two = rng.sample(ARGUMENTS, 2)
        values[two] = rng.getrandbits(32)
        reading = cocotb.start_soon(accelerator.read(one))
        writing = cocotb.start_soon(accelerator.write(two, values[two]))
        await Combine(reading, writing)
        assert reading.result() == values[one]
        assert await accelerator.read(two) == values[two]


@cocotb.test()
async def read_only_registers_stay(dut: Any) -> None:
    accelerator = await _accelerator(dut)
    before = [await accelerator.info(word) for word in IDENTITY]
    for word in Info:
        await accelerator.write(Register.INFO + 4 * word, 0xFFFF_FFFF)
    assert [await accelerator.info(word) for word in IDENTITY] == before
    assert await accelerator.control() == {Control.IDLE}
