"""output_buffer: rows of one channel go in, 8 channels of one position come out."""

from __future__ import annotations

from typing import Any

import cocotb
from common import Bench, Pipeline, pack, parameter

LATENCY = 3


class _Buffer:
    """Two halves; one is written in any order while the other is read in any order."""

    def __init__(self, dut: Any, bubbles: float) -> None:
        self.dut, self.bubbles = dut, bubbles
        self.bench = bench = Bench(dut, reset=None)
        self.rows, self.columns = parameter("POY"), parameter("POX")
        self.channels = parameter("CHANNELS")
        names = {"half": "rhalf_i", "group": "rgroup_i", "row": "rrow_i", "position": "rposition_i"}
        inputs = {name: getattr(dut, pin) for name, pin in names.items()}
        outputs = {"data": dut.rdata_o}
        self.reads = Pipeline(bench, dut.re_i, inputs, outputs, LATENCY, self._model, bubbles)
        self.values: list[dict[tuple[int, int, int], int]] = [{}, {}]
        self.writes: list[dict[str, int]] = []
        dut.we_i.value = 0
        bench.agents = [self.reads, self]

    def fill(self, half: int) -> None:
        rng = self.bench.random
        for channel in range(self.channels):
            for row in range(self.rows):
                values = [rng.getrandbits(16) for _ in range(self.columns)]
                for position, value in enumerate(values):
                    self.values[half][channel, row, position] = value
                write = {"whalf_i": half, "wchannel_i": channel, "wrow_i": row}
                self.writes.append(write | {"wdata_i": pack(values, 16)})
        rng.shuffle(self.writes)

    def read_everything(self, half: int) -> None:
        queue = [
            {"half": half, "group": group, "row": row, "position": position}
            for group in range(self.channels // 8)
            for row in range(self.rows)
            for position in range(self.columns)
        ]
        self.bench.random.shuffle(queue)
        self.reads.queue.extend(queue)

    def _model(self, given: dict[str, int]) -> dict[str, int]:
        values = self.values[given["half"]]
        place = given["row"], given["position"]
        return {"data": pack((values[given["group"] * 8 + k, *place] for k in range(8)), 16)}

    def sample(self) -> None:
        pass

    def drive(self) -> None:
        dut = self.dut
        go = bool(self.writes) and not self.bench.chance(self.bubbles)
        dut.we_i.value = int(go)
        if go:
            for name, value in self.writes.pop().items():
                getattr(dut, name).value = value
        else:
            dut.wdata_i.value = self.bench.random.getrandbits(16 * self.columns)

    def clear(self) -> None:
        self.writes.clear()


@cocotb.test()
@cocotb.parametrize(bubbles=[0.0, 0.4])
async def turns_rows_into_channels(dut: Any, bubbles: float) -> None:
    buffer = _Buffer(dut, bubbles)
    buffer.fill(0)
    await buffer.bench.until(lambda: not buffer.writes, 20_000)
    await buffer.bench.step(2)
    for turn in range(1, 5):
        buffer.fill(turn % 2)
        buffer.read_everything((turn - 1) % 2)
        await buffer.bench.until(lambda: buffer.reads.empty and not buffer.writes, 20_000)
        await buffer.bench.step(2)
