"""Predicts cycles per layer from a compiled program and the memory's speed.

The RTL's schedule at the grain of passes: windows are loaded one tile ahead, the array runs the
passes back to back unless a window, a weight, a held channel or the shadow of the sums is missing,
finished halves are stored behind it. No arithmetic and no data: a whole 2048×1365 transform takes
a second. The constants are pipeline depths of ``rtl_sim/rtl``; a test holds the prediction against
the RTL's counters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from xlic.accelerator.compiler import Compiled
from xlic.accelerator.design import Design
from xlic.accelerator.isa import BEAT_BYTES, Destination, InFormat
from xlic.accelerator.program import Program
from xlic.accelerator.records import LayerRecord, PassRecord
from xlic.accelerator.timing import MemoryTiming

_START = 6
"""From ap_start to the header's request."""
_REQUEST = 6
"""From a request to the address on the bus and from the beat on the bus to its user, in all."""
_HEADER = 4
"""Checks between the header and the tables' request."""
_DESCRIPTOR = 19
"""From the end of the layer before to this one's start: descriptor, checks."""
_WINDOW_SETUP = 5
"""From a free half to the first step of its filling."""
_WINDOW_END = 6
"""From the last step of a filling to a full half."""
_FIRST_PASS = 3
"""From a layer's start to its first pass."""
_CAPTURE = 11
"""From the last step of a pass to its sums in the shadow."""
_DRAIN_SETUP = 4
"""Between one pass's drain and the next one's."""
_RELEASE = 8
"""The shadow counts as free that many cycles before its drain ends."""
_RESULT = 6
"""From the shadow to the hold or output buffer."""
_NORMALIZE = {Destination.OUT_GDN: 19, Destination.OUT_IGDN: 5}
_HALF_RELEASE = 4
"""From the last step on a window to its half being free."""
_STORE_SETUP = 2
_STORE_ROW = 4
"""Per stored row of a tile, if its beats do not take longer."""
_WRITE = 8
"""From a beat read of the output buffer to the bus."""
_REST = 10
"""The layer counts as ended after so many idle cycles."""


@dataclass(frozen=True)
class LayerCycles:
    """Prediction of one layer of the program, in the terms of the counters.

    Attributes:
        cycles: from the end of the layer before (of the start) to its own.
        active: in which the array multiplies.
        load_wait: in which it waits for a window.
        weight_wait: in which it waits for weights.
        store_wait: in which it waits for results before.
    """

    cycles: int
    active: int
    load_wait: int
    weight_wait: int
    store_wait: int


def predict(compiled: Compiled, timing: MemoryTiming) -> list[LayerCycles]:
    """Cycles of each layer of ``compiled`` on its design, with memory of that speed."""
    program, design = compiled.program, compiled.design
    tables = program.sections.weights.start
    beat = _cycles_per_beat(timing)
    now = _START + 2 * (timing.latency + _REQUEST) + _HEADER + round(tables * beat)
    weights = _Weights(now + timing.latency + _REQUEST, beat * 2 * design.pof / BEAT_BYTES)
    end = 0
    layers = []
    for record in program.layers:
        run = _Layer(program, design, timing, record, weights, now + _DESCRIPTOR)
        finished = run.run()
        layers.append(
            LayerCycles(
                round(finished) - end,
                run.active,
                round(run.load_wait),
                round(run.weight_wait),
                round(run.store_wait),
            )
        )
        now = end = round(finished)
    return layers


def _cycles_per_beat(timing: MemoryTiming) -> float:
    stall = 1.0 if not timing.stall else timing.stall / (timing.stall - 1)
    return max(1.0, BEAT_BYTES / timing.bytes_per_cycle) * stall


@dataclass(frozen=True)
class _Weights:
    """When weights can be read."""

    first: float
    per_word: float

    def ready(self, word: int) -> float:
        return self.first + (word + 1) * self.per_word + 3


@dataclass
class _Layer:
    program: Program
    design: Design
    timing: MemoryTiming
    record: LayerRecord
    weights: _Weights
    start: float
    active: int = 0
    load_wait: float = 0.0
    weight_wait: float = 0.0
    store_wait: float = 0.0
    issue: float = field(init=False)
    drained: float = field(init=False)
    released: float = field(init=False)
    stored: float = field(init=False)

    def __post_init__(self) -> None:
        self.issue = self.start + _FIRST_PASS
        self.drained = self.released = self.stored = self.start
        self.beat = _cycles_per_beat(self.timing)
        self.drain = self.design.pof * self.design.poy
        self.halves_out = [self.start, self.start]
        self.written = self.start

    def run(self) -> float:
        """Cycle at which the layer has ended."""
        record = self.record
        passes = self.program.passes[record.pass_first : record.pass_first + record.pass_count]
        halves_in = [self.start, self.start]
        loaded = self.start
        tiles = [(y, x) for y in range(record.tiles_y) for x in range(record.tiles_x)]
        load_time: dict[tuple[int, int], float] = {}
        for index, (ty, tx) in enumerate(tiles):
            key = self._shape(ty, tx)
            if key not in load_time:
                load_time[key] = self._load_cycles(ty, tx)
            loaded = max(loaded, halves_in[index % 2]) + load_time[key]
            halves_in[index % 2] = self._tile(passes, loaded, ty, tx)
        return max(self.written, self.drained) + _REST

    # ---- windows

    def _shape(self, ty: int, tx: int) -> tuple[int, int]:
        """Tiles with equal parts of their window inside the map take equally long."""
        rows, cols = self._inside(ty, tx)
        return (rows.start << 16 | rows.stop, cols.start << 16 | cols.stop)

    def _inside(self, ty: int, tx: int) -> tuple[range, range]:
        r = self.record
        y0, x0 = r.origin_y + ty * r.row_step, r.origin_x + tx * r.col_step
        rows = range(max(-y0, 0), max(0, min(r.rows, r.in_height - y0)))
        cols = range(max(-x0, 0), max(0, min(r.cols, r.in_width - x0)))
        return rows, cols

    def _load_cycles(self, ty: int, tx: int) -> float:
        r = self.record
        rows, cols = self._inside(ty, tx)
        steps = 4 * r.in_blocks if r.in_format == InFormat.S32 else r.in_blocks
        total = r.rows * r.cols * steps
        if not rows or not cols:
            return _WINDOW_SETUP + total + _WINDOW_END
        # Zeros are written while the first beats are on their way.
        before = (rows.start * r.cols + cols.start) * steps
        first = max(before, self.timing.latency + _REQUEST)
        beats_per_step = {InFormat.I16: 1.0, InFormat.U8: 0.25, InFormat.S32: 0.25}
        step = max(1.0, self.beat * beats_per_step[InFormat(r.in_format)])
        inside = len(rows) * len(cols) * steps
        outside = total - before - inside
        return _WINDOW_SETUP + first + inside * step + outside + _WINDOW_END

    # ---- passes

    def _tile(self, passes: Sequence[PassRecord], loaded: float, ty: int, tx: int) -> float:
        """Run a tile's passes; the cycle at which its window is free again."""
        free = self.issue
        held: list[tuple[int, float]] = []
        for record in passes:
            length = record.count * max(1, record.tap_count)
            self.active += length
            begin = self.issue
            if not record.gamma:
                begin = max(begin, loaded)
            self.load_wait += begin - self.issue
            ready = max(
                begin,
                self.weights.ready(record.weight_base),
                self.weights.ready(record.weight_base + length - 1) - length,
            )
            self.weight_wait += ready - begin
            waiting = ready
            if record.gamma:
                for channel, time in held:
                    waiting = max(waiting, time - channel)
            # The last step waits for the shadow.
            waiting = max(waiting, self.released - (length - 1))
            self.store_wait += waiting - ready
            self.issue = waiting + length
            if record.phase_begin:
                held = []
            self._drain(record, held, ty, tx)
            if record.tile_end:
                free = self.issue + _HALF_RELEASE
        return free

    def _drain(self, record: PassRecord, held: list[tuple[int, float]], ty: int, tx: int) -> None:
        begin = max(self.issue + _CAPTURE, self.drained + _DRAIN_SETUP)
        if record.emit_begin:
            begin = max(begin, self.halves_out[0])
        self.drained = begin + self.drain
        self.released = self.drained - _RELEASE if self.drain > _RELEASE else begin
        if record.destination == Destination.HOLD:
            held.extend(
                (record.channel_base + lane, begin + (lane + 1) * self.design.poy + _RESULT)
                for lane in range(self.design.pof)
            )
        if record.emit_end:
            complete = self.drained + _RESULT + _NORMALIZE.get(Destination(record.destination), 0)
            self._store(complete, ty, tx, record)

    # ---- stores

    def _store(self, complete: float, ty: int, tx: int, record: PassRecord) -> None:
        r, design = self.record, self.design
        ys = [
            (ty * design.poy + oy) * r.row_mul + record.phase_y + j - r.out_lead
            for oy in range(design.poy)
            for j in range(r.subrows)
        ]
        xs = [
            (tx * design.pox + ox) * r.col_mul + record.phase_x - r.out_lead
            for ox in range(design.pox)
        ]
        rows = sum(0 <= y < r.out_height for y in ys)
        cols = sum(0 <= x < r.out_width for x in xs)
        beats = cols * r.out_run
        row = max(beats * max(self.beat, 2.0 if r.out_u8 else 1.0), _STORE_ROW)
        begin = max(complete, self.stored)
        self.stored = begin + _STORE_SETUP + rows * row + (len(ys) - rows) * _STORE_ROW
        self.halves_out = [self.halves_out[1], self.stored]
        self.written = self.stored + _WRITE + self.timing.write_latency
