"""input_buffer: every tap finds its window, in either half, while the other half is filled.

The model is the window itself, ``[step of the row][step of the column][pair of phases][channel]``;
where a value lies in the banks is the block's own affair, apart from what the addresses say.
"""

from __future__ import annotations

from typing import Any

import cocotb
from common import Bench, Pipeline, pack, parameter

LATENCY = 5


class _Buffer:
    """Two halves, each with a window that is written block by block and read in any order."""

    def __init__(self, dut: Any, bubbles: float) -> None:
        self.dut = dut
        self.bench = bench = Bench(dut, reset=None)
        self.rows, self.columns = parameter("POY"), parameter("POX")
        names = {"half": "rhalf_i", "addr": "raddr_i", "slot_words": "slot_words_i"}
        names |= {"dy": "dy_i", "dx": "dx_i", "skew": "skew_i"}
        inputs = {name: getattr(dut, pin) for name, pin in names.items()}
        outputs = {"data": dut.data_o}
        self.reads = Pipeline(bench, dut.re_i, inputs, outputs, LATENCY, self._model, bubbles)
        self.windows: list[dict[tuple[int, int, int, int], int]] = [{}, {}]
        self.shapes = [(0, 0, 0), (0, 0, 0)]  # pairs, channels, words per pair
        self.writes: list[dict[str, int]] = []
        self.bubbles = bubbles
        dut.we_i.value = 0
        bench.agents = [self.reads, self]

    def new_window(self, half: int) -> None:
        """Draw a window and queue the writes that bring it in."""
        rng = self.bench.random
        pairs, blocks = rng.choice([(1, 3), (4, 2), (4, 1), (16, 1), (2, 5)])
        self.shapes[half] = (pairs, blocks * 8, blocks * 8)
        slot_words = pairs * blocks * 8
        window = self.windows[half] = {}
        for u in range(self.rows + 2):
            for q in range(self.columns + 2):
                for pair in range(pairs):
                    for block in range(blocks):
                        values = [rng.getrandbits(16) for _ in range(8)]
                        for k, value in enumerate(values):
                            window[u, q, pair, block * 8 + k] = value
                        address = u // self.rows * slot_words + (pair * blocks + block) * 8
                        self._write(half, u % self.rows, address, q, values)
        rng.shuffle(self.writes)

    def _write(self, half: int, bank: int, address: int, step: int, values: list[int]) -> None:
        rng = self.bench.random
        write = {"whalf_i": half, "wbank_i": bank, "waddr_i": address, "wstep_i": step}
        if rng.random() < 0.3:
            # In two parts: what the mask leaves out must stay as it is.
            mask = rng.getrandbits(8)
            parts = [mask, mask ^ 0xFF]
        else:
            parts = [0xFF]
        for mask in parts:
            masked = [v if mask >> k & 1 else rng.getrandbits(16) for k, v in enumerate(values)]
            self.writes.append(write | {"wmask_i": mask, "wdata_i": pack(masked, 16)})

    def read_at_random(self, half: int, count: int) -> None:
        """Queue reads of taps of a complete window."""
        rng = self.bench.random
        pairs, channels, words = self.shapes[half]
        for _ in range(count):
            pair, channel = rng.randrange(pairs), rng.randrange(channels)
            tap = {"dy": rng.randrange(3), "dx": rng.randrange(3), "skew": channel % 8}
            address = {"addr": pair * words + channel, "slot_words": pairs * words}
            self.reads.queue.append({"half": half} | tap | address)

    def _model(self, given: dict[str, int]) -> dict[str, int]:
        half = given["half"]
        pair, channel = divmod(given["addr"], self.shapes[half][2])
        values = [
            self.windows[half][oy + given["dy"], ox + given["dx"], pair, channel]
            for oy in range(self.rows)
            for ox in range(self.columns)
        ]
        return {"data": pack(values, 16)}

    def sample(self) -> None:
        pass

    def drive(self) -> None:
        dut, rng = self.dut, self.bench.random
        go = bool(self.writes) and not self.bench.chance(self.bubbles)
        dut.we_i.value = int(go)
        if go:
            for name, value in self.writes.pop().items():
                getattr(dut, name).value = value
        else:
            dut.wmask_i.value = 0xFF
            dut.wdata_i.value = rng.getrandbits(128)

    def clear(self) -> None:
        self.writes.clear()


@cocotb.test()
@cocotb.parametrize(bubbles=[0.0, 0.4])
async def gives_every_tap_its_window(dut: Any, bubbles: float) -> None:
    buffer = _Buffer(dut, bubbles)
    buffer.new_window(0)
    await buffer.bench.until(lambda: not buffer.writes, 20_000)
    await buffer.bench.step(3)  # a write takes two cycles
    for tile in range(1, 5):
        # The next window comes in while this one is read.
        buffer.new_window(tile % 2)
        buffer.read_at_random((tile - 1) % 2, 400)
        await buffer.bench.until(lambda: buffer.reads.empty and not buffer.writes, 20_000)
        await buffer.bench.step(3)
    assert buffer.reads.checked == 4 * 400
