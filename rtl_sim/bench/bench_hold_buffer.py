"""hold_buffer: magnitudes of a channel at all positions, and signed rows, of what was written."""

from __future__ import annotations

from typing import Any

import cocotb
from common import Bench, Pipeline, interesting, pack, parameter

MAGNITUDE_LATENCY, ROW_LATENCY = 5, 1


class _Buffer:
    """Rows in; both kinds of reads, only of channels that are complete."""

    def __init__(self, dut: Any, bubbles: float) -> None:
        self.dut, self.bubbles = dut, bubbles
        self.bench = bench = Bench(dut, reset=None)
        self.rows, self.columns = parameter("POY"), parameter("POX")
        self.channels = parameter("CHANNELS")
        self.values: dict[tuple[int, int], list[int]] = {}
        self.magnitudes = Pipeline(
            bench,
            dut.magnitude_re_i,
            {"channel": dut.magnitude_channel_i},
            {"data": dut.magnitude_o},
            MAGNITUDE_LATENCY,
            self._magnitudes,
            bubbles,
        )
        self.signed = Pipeline(
            bench,
            dut.row_re_i,
            {"channel": dut.row_channel_i, "row": dut.row_i},
            {"data": dut.row_o},
            ROW_LATENCY,
            lambda given: {"data": pack(self.values[given["channel"], given["row"]], 16)},
            bubbles,
        )
        self.writes: list[tuple[int, int, list[int]]] = []
        dut.we_i.value = 0
        bench.agents = [self.magnitudes, self.signed, self]

    def _magnitudes(self, given: dict[str, int]) -> dict[str, int]:
        rows = [self.values[given["channel"], row] for row in range(self.rows)]
        return {"data": pack((abs(value) for row in rows for value in row), 16)}

    def write(self, channel: int) -> None:
        rng = self.bench.random
        for row in range(self.rows):
            values = [interesting(rng, 16) for _ in range(self.columns)]
            self.values[channel, row] = values
            self.writes.append((channel, row, values))

    def read(self, channel: int) -> None:
        self.magnitudes.queue.append({"channel": channel})
        self.signed.queue.append(
            {"channel": channel, "row": self.bench.random.randrange(self.rows)}
        )

    def sample(self) -> None:
        pass

    def drive(self) -> None:
        dut = self.dut
        go = bool(self.writes) and not self.bench.chance(self.bubbles)
        dut.we_i.value = int(go)
        if go:
            channel, row, values = self.writes.pop(0)
            dut.wchannel_i.value, dut.wrow_i.value = channel, row
            dut.wdata_i.value = pack(values, 16)
        else:
            dut.wdata_i.value = self.bench.random.getrandbits(16 * self.columns)

    def clear(self) -> None:
        self.writes.clear()


@cocotb.test()
@cocotb.parametrize(bubbles=[0.0, 0.4])
async def gives_back_what_is_held(dut: Any, bubbles: float) -> None:
    buffer = _Buffer(dut, bubbles)
    low, high = range(buffer.channels // 2), range(buffer.channels // 2, buffer.channels)
    for channel in low:
        buffer.write(channel)
    await buffer.bench.until(lambda: not buffer.writes, 20_000)
    await buffer.bench.step(2)
    for written, read in ((high, low), (low, high)) * 2:
        for channel in written:
            buffer.write(channel)
        for channel in buffer.bench.random.choices(read, k=300):
            buffer.read(channel)
        await buffer.bench.until(
            lambda: buffer.magnitudes.empty and buffer.signed.empty and not buffer.writes, 20_000
        )
        await buffer.bench.step(2)
    assert (buffer.magnitudes.checked, buffer.signed.checked) == (1200, 1200)
