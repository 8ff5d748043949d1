"""store: every position of a half that lies within the output ends up where the layer says."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from typing import Any

import cocotb
from common import Bench, Sink, bit, number, pack, parameter
from layers import layer_bits

LATENCY = 3  # of the output buffer
Place = tuple[int, int, int]  # channel, row, position


@dataclass
class Emission:
    """A half to be stored: where it lies in the grid, and its values."""

    grid_y: int
    grid_x: int
    phase_y: int
    phase_x: int
    values: dict[Place, int]

    def bits(self) -> int:
        return self.grid_y << 36 | self.grid_x << 16 | self.phase_y << 8 | self.phase_x


def random_layer(rng: random.Random, rows: int, columns: int, channels: int) -> dict[str, int]:
    """One of the ways in which layers store, with an output that cuts through tiles."""
    layer = {
        "out_offset": rng.randrange(1 << 20),
        "row_mul": 1,
        "col_mul": 1,
        "subrows": 1,
        "out_height": rng.randint(1, 3 * rows),
        "out_width": rng.randint(1, 3 * columns),
    }
    kind = rng.choice(["down", "up", "raster", "space_to_depth"])
    if kind == "raster":
        layer |= {"out_u8": 1, "out_merge": 1, "subrows": 4, "row_mul": 4, "out_run": 1}
        layer |= {"out_px_pitch": 1, "out_channels": 64, "out_height": rng.randint(1, 12 * rows)}
    elif kind == "space_to_depth":
        scale = rng.choice([2, 3])
        layer |= {"out_u8": 1, "out_channels": 4 * scale * scale}
        layer["out_run"] = layer["out_px_pitch"] = -(-scale * scale * 4 // 16)
        layer["out_merge"] = 1
    else:
        count = rng.randint(1, channels)
        layer |= {"out_channels": count, "out_run": -(-count // 8)}
        layer["out_px_pitch"] = layer["out_run"]
        if kind == "up":
            scale = rng.choice([2, 3, 4])
            layer |= {"row_mul": scale, "col_mul": scale, "out_lead": rng.choice([0, 1])}
            layer["out_height"] *= scale
            layer["out_width"] *= scale
        else:
            layer["out_merge"] = rng.getrandbits(1)
    width = layer["out_width"] * layer["out_px_pitch"]
    layer["out_row_pitch"] = width + rng.randrange(5)
    return layer


class _Store:
    """The block between an output buffer and a writer."""

    def __init__(self, dut: Any, stall: float) -> None:
        self.dut, self.stall = dut, stall
        self.rows, self.columns = parameter("POY"), parameter("POX")
        self.channels = parameter("CHANNELS")
        self.bench = bench = Bench(dut)
        request = {"offset": dut.req_offset_o, "beats": dut.req_beats_o}
        self.requests = Sink(bench, dut.req_valid_o, dut.req_ready_i, request, stall)
        self.beats = Sink(bench, dut.beat_valid_o, dut.beat_ready_i, {"beat": dut.beat_o}, stall)
        bench.agents = [self.requests, self.beats, self]
        self.layer: dict[str, int] = {}
        self.waiting: deque[Emission] = deque()
        self.emitted = self.completed = self.freed = 0
        self.taken: list[Emission] = []
        self.halves: list[Emission | None] = [None, None]
        self._reads: deque[tuple[int, int]] = deque()
        self._told = self._done = False
        dut.emit_valid_i.value = dut.half_done_i.value = dut.wait_i.value = 0

    def clear(self) -> None:
        self.waiting.clear()
        self.taken.clear()
        self._reads.clear()
        self.emitted = self.completed = self.freed = 0
        self.halves = [None, None]
        self.dut.emit_valid_i.value = self.dut.half_done_i.value = 0

    def new_layer(self) -> None:
        self.layer = random_layer(self.bench.random, self.rows, self.columns, self.channels)
        self.dut.layer_i.value = layer_bits(**self.layer)

    def emit(self, grid_y: int, grid_x: int, phase_y: int, phase_x: int) -> None:
        rng = self.bench.random
        values = {
            (channel, row, position): rng.getrandbits(16)
            for channel in range(self.channels)
            for row in range(self.rows)
            for position in range(self.columns)
        }
        self.waiting.append(Emission(grid_y, grid_x, phase_y, phase_x, values))

    def emit_layer(self) -> list[Emission]:
        """All tiles and phases of the layer."""
        layer = self.layer
        phases = range(layer["row_mul"]) if layer["row_mul"] == layer["col_mul"] else range(1)
        high = layer["out_height"] + layer.get("out_lead", 0)
        wide = layer["out_width"] + layer.get("out_lead", 0)
        for grid_y in range(0, -(-high // layer["row_mul"]), self.rows):
            for grid_x in range(0, -(-wide // layer["col_mul"]), self.columns):
                for phase_y in phases:
                    for phase_x in phases:
                        self.emit(grid_y, grid_x, phase_y, phase_x)
        return list(self.waiting)

    def expected(self, emissions: list[Emission]) -> dict[int, int]:
        """Memory as the description of the machine has it."""
        layer, memory = self.layer, {}
        lead, run = layer.get("out_lead", 0), layer["out_run"]
        for emission in emissions:
            for oy in range(self.rows):
                for j in range(layer["subrows"]):
                    y = (emission.grid_y + oy) * layer["row_mul"] + emission.phase_y + j - lead
                    if not 0 <= y < layer["out_height"]:
                        continue
                    for ox in range(self.columns):
                        x = (emission.grid_x + ox) * layer["col_mul"] + emission.phase_x - lead
                        if not 0 <= x < layer["out_width"]:
                            continue
                        row = layer["out_offset"] + y * layer["out_row_pitch"]
                        for i in range(run):
                            at = row + x * layer["out_px_pitch"] + i
                            memory[at] = self._beat(emission, oy, ox, j * run + i)
        return memory

    def _beat(self, emission: Emission, oy: int, ox: int, beat: int) -> int:
        wide = 16 if self.layer.get("out_u8") else 8
        values = []
        for channel in range(beat * wide, (beat + 1) * wide):
            outside = channel >= self.layer["out_channels"] or (wide == 16 and channel % 4 == 3)
            values.append(0 if outside else emission.values[channel, oy, ox])
        return pack(values, 128 // wide)

    def stored(self) -> dict[int, int]:
        """Memory as requests and beats make it."""
        memory: dict[int, int] = {}
        beats = iter(self.beats.received)
        for request in self.requests.received:
            for at in range(request["offset"], request["offset"] + request["beats"]):
                assert at not in memory, f"beat {at} is stored twice"
                memory[at] = next(beats)["beat"]
        assert next(beats, None) is None, "more beats than were asked for"
        return memory

    def sample(self) -> None:
        dut, now = self.dut, self.bench.cycle
        if bit(dut.re_o):
            emission = self.halves[number(dut.half_o)]
            assert emission is not None, "read of a half that is not complete"
            group, row = number(dut.group_o), number(dut.row_o)
            position = number(dut.position_o)
            values = (emission.values[group * 8 + k, row, position] for k in range(8))
            self._reads.append((now + LATENCY - 1, pack(values, 16)))
        if bit(dut.half_freed_o):
            assert self.halves[self.freed % 2] is not None, "freed a half that is not complete"
            self.halves[self.freed % 2] = None
            self.freed += 1

    def drive(self) -> None:
        dut, bench = self.dut, self.bench
        data = bench.random.getrandbits(128)
        if self._reads and self._reads[0][0] == bench.cycle:
            data = self._reads.popleft()[1]
        dut.data_i.value = data
        # A half is taken while the other is stored; it is told of at once and complete later.
        tell = bool(self.waiting) and self.emitted < self.freed + 2 and not bench.chance(self.stall)
        dut.emit_valid_i.value = int(tell)
        dut.emit_i.value = self.waiting[0].bits() if tell else bench.random.getrandbits(56)
        complete = self.completed < self.emitted and not bench.chance(max(self.stall, 0.5))
        dut.half_done_i.value = int(complete)
        if complete:
            self.halves[self.completed % 2] = self.taken[self.completed]
            self.completed += 1
        if tell:
            self.taken.append(self.waiting.popleft())
            self.emitted += 1

    @property
    def idle(self) -> bool:
        return not self.waiting and self.freed == self.emitted and bit(self.dut.idle_o)


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.3, 0.8])
async def stores_layers(dut: Any, stall: float) -> None:
    store = _Store(dut, stall)
    await store.bench.reset()
    for _ in range(4):
        store.new_layer()
        expected = store.expected(store.emit_layer())
        await store.bench.until(lambda: store.idle, 200_000)
        got = store.stored()
        assert got.keys() == expected.keys()
        bad = [at for at in expected if got[at] != expected[at]]
        assert not bad, f"{len(bad)} beats differ, the first at {bad[0]} with {store.layer}"
        store.requests.received.clear()
        store.beats.received.clear()


@cocotb.test()
async def keeps_up_with_the_port(dut: Any) -> None:
    """A beat per cycle apart from what a row costs, when nothing holds it up."""
    store = _Store(dut, 0.0)
    await store.bench.reset()
    run = parameter("CHANNELS") // 8
    store.layer = {
        "out_height": 2 * store.rows,
        "out_width": store.columns,
        "out_channels": parameter("CHANNELS"),
        "out_row_pitch": store.columns * run,
        "out_px_pitch": run,
        "out_run": run,
        "out_merge": 1,
        "row_mul": 1,
        "col_mul": 1,
        "subrows": 1,
    }
    dut.layer_i.value = layer_bits(**store.layer)
    store.emit(0, 0, 0, 0)
    store.emit(store.rows, 0, 0, 0)
    first = store.bench.cycle
    await store.bench.until(lambda: store.idle, 100_000)
    rows = 2 * store.rows
    beats = len(store.beats.received)
    assert beats == rows * store.columns * run
    assert store.bench.cycle - first <= beats + 8 * rows + 40
    assert len(store.requests.received) == rows, "a row whose columns are merged is one request"


@cocotb.test()
async def begins_anew_after_a_reset(dut: Any) -> None:
    store = _Store(dut, 0.2)
    await store.bench.reset()
    for _ in range(3):
        store.new_layer()
        store.emit_layer()
        await store.bench.step(store.bench.random.randrange(1, 300))
        await store.bench.reset(1)
        store.new_layer()
        expected = store.expected(store.emit_layer())
        await store.bench.until(lambda: store.idle, 200_000)
        assert store.stored() == expected
        store.requests.received.clear()
        store.beats.received.clear()
