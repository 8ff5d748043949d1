"""window_loader: every value of a tile's window lies where the description of the machine has it.

The model keeps the input buffer as written, word by word; after each tile it must hold the window,
zeros outside the map included. The reader is replaced by a stream that answers requests in order.
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import cocotb
from common import Bench, Sink, Source, bit, number, pack, parameter, signed, unpack
from layers import layer_bits

from xlic.accelerator.isa import PARAM, InFormat

FORMATS = [InFormat.I16, InFormat.U8, InFormat.S32]


def random_layer(rng: random.Random, in_format: InFormat) -> dict[str, int]:
    """A down or up layer over a small map, as the description maps them."""
    rows, columns = parameter("POY"), parameter("POX")
    down = in_format == InFormat.U8 or (in_format == InFormat.I16 and rng.random() < 0.6)
    kernel, stride = rng.choice(
        [(1, 1), (3, 1), (3, 2), (5, 2), (5, 3), (9, 4)] if down else [(3, 1)]
    )
    channels = 3 if in_format == InFormat.U8 else rng.randint(1, 11)
    padded = -(-channels // 8) * 8
    layer = {
        "in_format": int(in_format),
        "in_offset": rng.randrange(1 << 16),
        "in_height": rng.randint(1, 2 * rows * stride + 3),
        "in_width": rng.randint(1, 2 * columns * stride + 3),
        "stride": stride,
        "phase_words": 8 if in_format == InFormat.U8 else padded,
        "origin_y": -(kernel // 2),
        "origin_x": -(kernel // 2),
        "row_step": rows * stride,
        "col_step": columns * stride,
        "rows": (rows - 1) * stride + kernel,
        "cols": (columns - 1) * stride + kernel,
        "core_y": kernel // 2,
        "core_x": kernel // 2,
        "in_params": rng.randrange(1 << 8),
    }
    beats = {InFormat.I16: padded // 8, InFormat.U8: 1, InFormat.S32: padded // 4}
    layer["in_blocks"] = beats[in_format]
    layer["slot_words"] = stride * stride * layer["phase_words"]
    wide = layer["in_width"]
    pitch = -(-wide // 4) if in_format == InFormat.U8 else wide * layer["in_blocks"]
    layer["in_row_pitch"] = pitch + rng.randrange(3)
    layer["tiles_y"] = -(-layer["in_height"] // layer["row_step"])
    layer["tiles_x"] = -(-layer["in_width"] // layer["col_step"])
    return layer


class _Loader:
    """The block between a reader, parameters and an input buffer."""

    def __init__(self, dut: Any, stall: float) -> None:
        self.dut, self.stall = dut, stall
        self.rows, self.columns = parameter("POY"), parameter("POX")
        self.bench = bench = Bench(dut)
        request = {"offset": dut.req_offset_o, "beats": dut.req_beats_o}
        self.requests = Sink(bench, dut.req_valid_o, dut.req_ready_i, request, stall)
        self.data = Source(bench, dut.data_valid_i, dut.data_ready_o, {"beat": dut.data_i}, stall)
        bench.agents = [self.requests, self.data, self]
        self.buffers: list[dict[tuple[int, int, int], int]] = [{}, {}]  # bank, lane, address
        self.memory: dict[int, int] = {}
        self.params: dict[int, dict[str, int]] = {}
        self.layer: dict[str, int] = {}
        self.clear()
        dut.start_i.value = dut.half_release_i.value = 0

    def clear(self) -> None:
        self.answered = self.saturations = self.loaded = 0
        self._param_read: int | None = None
        self._held: deque[int] = deque()  # cycles at which full halves are released
        self._full = [False, False]
        self.windows: list[tuple[int, dict[tuple[int, int, int], int]]] = []
        self.dut.start_i.value = self.dut.half_release_i.value = 0

    def new_layer(self, in_format: InFormat) -> None:
        rng = self.bench.random
        self.layer = layer = random_layer(rng, in_format)
        self.dut.layer_i.value = layer_bits(**layer)
        length = layer["in_height"] * layer["in_row_pitch"]
        first = layer["in_offset"]
        self.memory = {first + i: self._random_beat(in_format) for i in range(length)}
        self.params = {
            layer["in_params"] + c: {
                "bias": rng.randint(-300, 300),
                "shift": rng.randrange(8),
                "aux": 0,
            }
            for c in range(layer["phase_words"])
        }

    def _random_beat(self, in_format: InFormat) -> int:
        rng = self.bench.random
        if in_format != InFormat.S32:
            return rng.getrandbits(128)
        symbols = (
            rng.choice([rng.randint(-300, 300), signed(rng.getrandbits(32), 32)]) for _ in range(4)
        )
        return pack(symbols, 32)

    # --- what must be ---

    def value(self, y: int, x: int, channel: int) -> tuple[int, bool]:
        """A value of the map as the array sees it, and whether it was clipped."""
        layer = self.layer
        if not (0 <= y < layer["in_height"] and 0 <= x < layer["in_width"]):
            return 0, False
        row = layer["in_offset"] + y * layer["in_row_pitch"]
        if layer["in_format"] == InFormat.U8:
            return unpack(self.memory[row + x // 4], 8, 16)[x % 4 * 4 + channel], False
        if layer["in_format"] == InFormat.I16:
            beat = self.memory[row + x * layer["in_blocks"] + channel // 8]
            return unpack(beat, 16, 8)[channel % 8], False
        beat = self.memory[row + x * layer["in_blocks"] + channel // 4]
        symbol = signed(unpack(beat, 32, 4)[channel % 4], 32)
        param = self.params[layer["in_params"] + channel]
        exact = (symbol << param["shift"]) + param["bias"]
        clipped = max(-(1 << 15), min((1 << 15) - 1, exact))
        return clipped & 0xFFFF, clipped != exact

    def expected(self) -> tuple[list[dict[tuple[int, int, int], int]], int]:
        """The buffer's words tile by tile, and how many symbols were clipped."""
        layer, tiles, clips = self.layer, [], 0
        channels = 4 if layer["in_format"] == InFormat.U8 else layer["phase_words"]
        stride = layer["stride"]
        for ty in range(layer["tiles_y"]):
            for tx in range(layer["tiles_x"]):
                words = {}
                for r in range(layer["rows"]):
                    for j in range(layer["cols"]):
                        y = layer["origin_y"] + ty * layer["row_step"] + r
                        x = layer["origin_x"] + tx * layer["col_step"] + j
                        (u, row_phase), (q, column_phase) = divmod(r, stride), divmod(j, stride)
                        slot, bank = divmod(u, self.rows)
                        base = slot * layer["slot_words"]
                        base += (row_phase * stride + column_phase) * layer["phase_words"]
                        for c in range(channels):
                            value, clipped = self.value(y, x, c)
                            lane = (q + c % 8) % (self.columns + 2)
                            words[bank, lane, base + c] = value
                            clips += clipped and self._in_core(r, j)
                tiles.append(words)
        return tiles, clips

    def _in_core(self, r: int, j: int) -> bool:
        core_y, core_x = self.layer["core_y"], self.layer["core_x"]
        return core_y <= r < core_y + self.rows and core_x <= j < core_x + self.columns

    # --- the surroundings ---

    def sample(self) -> None:
        dut = self.dut
        address = dut.param_addr_o.value  # unknown until there was a layer
        self._param_read = int(address) if address.is_resolvable else None
        if bit(dut.we_o):
            half, mask = number(dut.whalf_o), number(dut.wmask_o)
            step, first = number(dut.wstep_o), number(dut.waddr_o)
            assert not self._full[half], "write into a half that is full"
            values = dut.wdata_o.value
            for k in range(8):
                if mask >> k & 1:
                    lane = (step + k) % (self.columns + 2)
                    value = int(values[16 * k + 15 : 16 * k])
                    self.buffers[half][number(dut.wbank_o), lane, (first & ~7) + k] = value
        self.saturations += bit(dut.saturation_o)
        full = number(dut.half_full_o)
        for half in range(2):
            if full >> half & 1 and not self._full[half]:
                assert half == self.loaded % 2, "halves out of turn"
                self.loaded += 1
                self.windows.append((half, dict(self.buffers[half])))
                self.buffers[half].clear()
                self._held.append(self.bench.cycle + self.bench.random.randrange(1, 200))
            self._full[half] = bool(full >> half & 1)

    def drive(self) -> None:
        dut, rng = self.dut, self.bench.random
        while self.answered < len(self.requests.received):
            request = self.requests.received[self.answered]
            for at in range(request["offset"], request["offset"] + request["beats"]):
                assert at in self.memory, f"beat {at} is no part of the map"
                self.data.queue.append({"beat": self.memory[at]})
            self.answered += 1
        param = self.params.get(self._param_read) if self._param_read is not None else None
        words = PARAM.encode(param) if param else [rng.getrandbits(32), rng.getrandbits(32)]
        dut.param_i.value = int(words[0]) | int(words[1]) << 32
        release = bool(self._held) and self._held[0] <= self.bench.cycle
        dut.half_release_i.value = int(release)
        if release:
            self._held.popleft()

    async def load(self) -> None:
        """Run the layer and check all its tiles."""
        tiles, clips = self.expected()
        self.dut.start_i.value = 1
        await self.bench.step()
        self.dut.start_i.value = 0
        await self.bench.step()
        await self.bench.until(
            lambda: bit(self.dut.done_o) and len(self.windows) == len(tiles) and not self._held,
            200_000,
        )
        await self.bench.step(10)
        assert not any(self._full)
        for index, ((_, words), must) in enumerate(zip(self.windows, tiles, strict=True)):
            bad = [at for at in must if words.get(at) != must[at]]
            assert not bad, (
                f"tile {index}: {len(bad)} of {len(must)} words differ, the first at bank, lane, "
                f"address {bad[0]}: {words.get(bad[0])}, not {must[bad[0]]}, with {self.layer}"
            )
        assert self.saturations == clips
        assert self.data.empty, "beats that nobody took"
        self.windows.clear()
        self.saturations = 0


@cocotb.test()
@cocotb.parametrize(in_format=FORMATS, stall=[0.0, 0.4])
async def loads(dut: Any, in_format: InFormat, stall: float) -> None:
    loader = _Loader(dut, stall)
    await loader.bench.reset()
    for _ in range(2):
        loader.new_layer(in_format)
        await loader.load()


@cocotb.test()
async def begins_anew_after_a_reset(dut: Any) -> None:
    loader = _Loader(dut, 0.2)
    await loader.bench.reset()
    for in_format in FORMATS:
        loader.new_layer(in_format)
        dut.start_i.value = 1
        await loader.bench.step()
        dut.start_i.value = 0
        await loader.bench.step(loader.bench.random.randrange(1, 300))
        await loader.bench.reset(1)
        for buffer in loader.buffers:
            buffer.clear()
        loader.new_layer(in_format)
        await loader.load()
