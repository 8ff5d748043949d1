"""Not a bench: tests for cocotb that pass, fail and end the simulation, to test the runner."""

from __future__ import annotations

import os
import random

import cocotb
from common import Bench, parameter


@cocotb.test()
async def passes(dut):
    bench = Bench(dut)
    await bench.reset()
    await bench.step(10)
    assert parameter("DEPTH") == 4


@cocotb.test(skip="fail" not in os.environ["XLIC_SELFTEST"])
async def fails(dut):
    bench = Bench(dut)
    await bench.reset()
    await bench.step(10)
    raise AssertionError(f"on purpose, drew {random.getrandbits(16)}")


@cocotb.test(skip="never_ends" not in os.environ["XLIC_SELFTEST"])
async def never_ends(dut):
    bench = Bench(dut)
    await bench.until(lambda: False, 100)


@cocotb.test(skip="crash" not in os.environ["XLIC_SELFTEST"])
async def crashes(dut):
    os._exit(0)  # the exit status says that all is well
