"""divider: the exact quotient of the GDN, a division per cycle, for every operand."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from common import Bench, Pipeline, interesting, signed

LATENCY = 19
N_MAX = (1 << 24) - 1


def _model(given: dict[str, int]) -> dict[str, int]:
    x, n, k = signed(given["x"], 16), given["n"], given["k"]
    quotient = ((abs(x) << k) + (n >> 1)) // n
    exact = -quotient if x < 0 else quotient
    clipped = max(-(1 << 15), min((1 << 15) - 1, exact))
    return {"y": clipped & 0xFFFF, "clipped": int(clipped != exact)}


def _operands(rng: random.Random) -> dict[str, int]:
    n = rng.choice([1, 2, N_MAX, rng.randint(1, 100), rng.randint(1, N_MAX)])
    k = rng.randrange(37)
    x = interesting(rng, 16)
    if rng.random() < 0.5 and x:
        # Close to where the quotient saturates, from both sides.
        n = max(1, min(N_MAX, ((abs(x) << k) >> 15) + rng.randint(-2, 2)))
    return {"x": x & 0xFFFF, "n": n, "k": k}


@cocotb.test()
@cocotb.parametrize(bubbles=[0.0, 0.5])
async def divides(dut: Any, bubbles: float) -> None:
    bench = Bench(dut, reset=None)
    inputs = {"x": dut.x_i, "n": dut.n_i, "k": dut.k_i}
    outputs = {"y": dut.y_o, "clipped": dut.clipped_o}
    pipeline = Pipeline(bench, dut.valid_i, inputs, outputs, LATENCY, _model, bubbles)
    bench.agents = [pipeline]
    await bench.step(LATENCY + 2)  # what was in it before goes out
    pipeline.queue.extend(_operands(bench.random) for _ in range(4000))
    await bench.until(lambda: pipeline.empty, 20_000)
    assert pipeline.checked == 4000
