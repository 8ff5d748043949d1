"""The monitors of rtl_sim/bench/top.py on a device that breaks the rules: each must be noticed."""

from __future__ import annotations

import os

import cocotb
from cocotb.triggers import RisingEdge, with_timeout
from top import BASES, Accelerator

from tests.rtl.copier import Violation, registers

HELD = [Violation.AR_CHANGES, Violation.AR_WITHDRAWN, Violation.W_CHANGES, Violation.W_WITHDRAWN]


async def copy(dut, violation):
    accelerator = Accelerator(dut, bytes(1 << 17), stall=0.5)
    await accelerator.start_up()
    written = registers(BASES["gmem0"], BASES["gmem1"], 5, 4100, 1500, violation)
    for register, value in written.items():
        await accelerator.write(register, value)
    await with_timeout(RisingEdge(dut.interrupt), 1, "ms")
    accelerator.check_strays()


@cocotb.test()
async def nothing_is_said_of_one_that_obeys(dut):
    await copy(dut, Violation.NONE)


@cocotb.test(expect_error=AssertionError)
@cocotb.parametrize(violation=HELD)
async def what_is_not_held_is_noticed(dut, violation):
    await copy(dut, violation)


@cocotb.test(expect_error=AssertionError)
async def writing_on_the_wrong_port_is_noticed(dut):
    await copy(dut, Violation.PORT_1)


@cocotb.test(expect_error=AssertionError, skip=os.environ["XLIC_SIMULATOR"] != "icarus")
async def an_unknown_address_is_noticed(dut):
    await copy(dut, Violation.X)
