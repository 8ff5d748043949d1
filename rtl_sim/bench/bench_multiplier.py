"""multiplier: the product of the IGDN, rounded half up and clipped."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from common import Bench, Pipeline, interesting, signed

LATENCY = 5
N_MAX = (1 << 24) - 1


def _model(given: dict[str, int]) -> dict[str, int]:
    x, n, s = signed(given["x"], 16), given["n"], given["s"]
    exact = (x * n + (1 << (s - 1))) >> s
    clipped = max(-(1 << 15), min((1 << 15) - 1, exact))
    return {"y": clipped & 0xFFFF, "clipped": int(clipped != exact)}


def _operands(rng: random.Random) -> dict[str, int]:
    n = rng.choice([1, 2, N_MAX, rng.randint(1, 100), rng.randint(1, N_MAX)])
    x = interesting(rng, 16)
    # Mostly shifts for which the result is near 16 bits.
    s = max(1, min(47, (abs(x) * n).bit_length() - 15 + rng.randint(-2, 20)))
    return {"x": x & 0xFFFF, "n": n, "s": s}


@cocotb.test()
@cocotb.parametrize(bubbles=[0.0, 0.5])
async def multiplies(dut: Any, bubbles: float) -> None:
    bench = Bench(dut, reset=None)
    inputs = {"x": dut.x_i, "n": dut.n_i, "s": dut.s_i}
    outputs = {"y": dut.y_o, "clipped": dut.clipped_o}
    pipeline = Pipeline(bench, dut.valid_i, inputs, outputs, LATENCY, _model, bubbles)
    bench.agents = [pipeline]
    await bench.step(LATENCY + 2)
    pipeline.queue.extend(_operands(bench.random) for _ in range(4000))
    await bench.until(lambda: pipeline.empty, 20_000)
    assert pipeline.checked == 4000
