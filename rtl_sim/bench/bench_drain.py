"""drain: sums become results as the description of the machine has it, and are counted right."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import cocotb
from common import Bench, Source, bit, number, pack, parameter, signed, unpack

from xlic.accelerator.isa import PARAM, SKIP_LANE, Destination

RELEASE = 8  # cycles from released_o to the earliest new sums; 9 where a pass has but 8 reads
N_MAX = (1 << 24) - 1
GAMMA = (Destination.OUT_GDN, Destination.OUT_IGDN)


@dataclass
class Pass:
    """A pass as the drain sees it, with its sums ``[lane][row][column]``."""

    fields: dict[str, int]
    sums: list[list[list[int]]]


@dataclass
class Results:
    """What must come out, and how much was clipped."""

    held: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    halves: list[dict[tuple[int, int], list[int]]] = field(default_factory=list)
    emits: list[int] = field(default_factory=list)
    channels_held: int = 0
    conv_clips: int = 0
    activation_clips: int = 0


def clip16(value: int) -> int:
    return max(-(1 << 15), min((1 << 15) - 1, value))


class _Drain:
    """The block between array, parameters, hold buffer and output buffer."""

    def __init__(self, dut: Any, bubbles: float) -> None:
        self.dut, self.bubbles = dut, bubbles
        self.lanes, self.rows, self.columns = (parameter(name) for name in ("POF", "POY", "POX"))
        self.channels = parameter("CHANNELS")
        self.bench = bench = Bench(dut)
        names = ("destination", "channel_base", "param_base", "emit_begin", "emit_end")
        names += ("phase_y", "phase_x", "grid_y", "grid_x")
        fields = {name: getattr(dut, f"{name}_i") for name in names}
        self.source = Source(bench, dut.pass_valid_i, dut.pass_ready_o, fields, bubbles)
        bench.agents = [self.source, self]
        self.params: dict[int, dict[str, int]] = {}
        self.hold: dict[tuple[int, int], list[int]] = {}
        self.clear()
        self.new_layer({})

    def clear(self) -> None:
        self.captures: deque[Pass] = deque()
        self.shadow: list[list[list[int]]] = []
        self.free_at = 0  # from then on new sums may come
        self.got = Results()
        self.filling: list[dict[tuple[int, int], list[int]]] = [{}, {}]
        self.halves_free = 2
        self.expected = Results()
        self._hold_read = self._sums_read = None
        self._param_read: int | None = None
        self.dut.capture_i.value = 0

    # --- what is asked for ---

    def new_layer(self, layer: dict[str, int]) -> None:
        """Set the layer's fields and draw parameters and held values."""
        rng = self.bench.random
        sizes = {"out_height": 2 * self.rows + 1, "out_width": 2 * self.columns - 3}
        self.layer = {"row_mul": 1, "col_mul": 1, "out_lead": 0, "out_channels": self.channels}
        self.layer |= sizes | layer
        self.skip_last = rng.getrandbits(1)
        for name, value in self.layer.items():
            getattr(self.dut, f"{name}_i").value = value
        for channel in range(self.channels):
            for row in range(self.rows):
                values = [signed(rng.getrandbits(16), 16) for _ in range(self.columns)]
                self.hold[channel, row] = values

    def random_pass(self, to: Destination, channel_base: int, begin: bool, end: bool) -> None:
        """Queue a pass and what must come of it."""
        rng = self.bench.random
        phases = range(self.layer["row_mul"])
        fields = {
            "destination": int(to),
            "channel_base": channel_base,
            "param_base": len(self.params),
            "emit_begin": int(begin),
            "emit_end": int(end),
            "phase_y": rng.choice(phases),
            "phase_x": rng.choice(phases),
            "grid_y": rng.randrange(3) * self.rows,
            "grid_x": rng.randrange(3) * self.columns,
        }
        aux_channels = rng.sample(range(self.channels), self.lanes)
        for lane in range(self.lanes):
            param = self._param(rng, to, aux_channels[lane])
            if end and lane == self.lanes - 1:
                # All tiles of a layer end alike.
                param["aux"] = param["aux"] & ~SKIP_LANE | self.skip_last * SKIP_LANE
            self.params[fields["param_base"] + lane] = param
        sums = [
            [
                [self._sum(rng, to, fields["param_base"] + lane) for _ in range(self.columns)]
                for _ in range(self.rows)
            ]
            for lane in range(self.lanes)
        ]
        self.source.queue.append(fields)
        self.captures.append(Pass(fields, sums))
        self._expect(self.captures[-1])

    @staticmethod
    def _param(rng: random.Random, to: Destination, aux_channel: int) -> dict[str, int]:
        aux = {Destination.OUT_GDN: rng.randrange(37), Destination.OUT_IGDN: rng.randint(1, 47)}
        chosen = aux.get(to, aux_channel if to == Destination.OUT_U8 else 0)
        skip = SKIP_LANE if rng.random() < 0.15 else 0
        shift = rng.randrange(33)
        return {"bias": signed(rng.getrandbits(44), 44), "shift": shift, "aux": chosen | skip}

    def _sum(self, rng: random.Random, to: Destination, address: int) -> int:
        """A sum whose result is near or beyond what it is clipped to."""
        param = self.params[address]
        high = {Destination.OUT_U8: 255}.get(to, 32767)
        wanted = rng.choice([rng.randint(-2 * high, 2 * high), 0, high, high + 1, -high - 2])
        if to in GAMMA:
            wanted = rng.choice([rng.getrandbits(rng.randint(1, 26)), 0, -5, N_MAX, N_MAX + 1])
        value = (wanted << param["shift"]) + rng.getrandbits(param["shift"]) - param["bias"]
        return max(-(1 << 46), min((1 << 46) - 1, value))

    def _expect(self, item: Pass) -> None:
        """The description of the machine, section "A layer"."""
        fields, expected = item.fields, self.expected
        to = Destination(fields["destination"])
        if fields["emit_begin"]:
            expected.halves.append({})
        if fields["emit_end"]:
            place = fields["grid_y"] << 36 | fields["grid_x"] << 16
            expected.emits.append(place | fields["phase_y"] << 8 | fields["phase_x"])
        for lane in range(self.lanes):
            param = self.params[fields["param_base"] + lane]
            if param["aux"] & SKIP_LANE:
                continue
            channel = fields["channel_base"] + lane
            for row in range(self.rows):
                values = [
                    self._result(to, param, item.sums[lane][row][x], channel, row, x, fields)
                    for x in range(self.columns)
                ]
                if to == Destination.HOLD:
                    expected.held[channel, row] = values
                else:
                    where = param["aux"] if to == Destination.OUT_U8 else channel
                    expected.halves[-1][where, row] = values
            expected.channels_held += to == Destination.HOLD

    def _result(
        self, to: Destination, param: dict[str, int], total: int, channel: int, row: int, x: int,
        fields: dict[str, int],
    ) -> int:  # fmt: skip
        v = (total + param["bias"]) >> param["shift"]
        counted = self._stored(fields, row, x) and channel < self.layer["out_channels"]
        if to == Destination.OUT_U8:
            return min(max(v, 0), 255)
        if to not in GAMMA:
            self.expected.conv_clips += counted and clip16(v) != v
            return clip16(v)
        n = min(max(v, 1), N_MAX)
        self.expected.activation_clips += counted and v > N_MAX
        held, aux = self.hold[channel, row][x], param["aux"]
        if to == Destination.OUT_GDN:
            exact = ((abs(held) << aux) + (n >> 1)) // n * (-1 if held < 0 else 1)
        else:
            exact = (held * n + (1 << (aux - 1))) >> aux
        self.expected.activation_clips += counted and clip16(exact) != exact
        return clip16(exact)

    def _stored(self, fields: dict[str, int], row: int, x: int) -> bool:
        layer = self.layer
        y = (fields["grid_y"] + row) * layer["row_mul"] + fields["phase_y"] - layer["out_lead"]
        at = (fields["grid_x"] + x) * layer["col_mul"] + fields["phase_x"] - layer["out_lead"]
        return 0 <= y < layer["out_height"] and 0 <= at < layer["out_width"]

    # --- the surroundings ---

    def sample(self) -> None:
        dut, now, got = self.dut, self.bench.cycle, self.got
        if bit(dut.read_o):
            lane, row = number(dut.lane_o), number(dut.row_o)
            assert self.shadow, "sums are read before they are there"
            self._sums_read = self.shadow[lane][row]
        address = dut.param_addr_o.value  # unknown until there was a pass
        self._param_read = int(address) if address.is_resolvable else None
        if bit(dut.released_o):
            self.free_at = now + RELEASE + (self.lanes * self.rows <= RELEASE)
        if bit(dut.hold_re_o):
            self._hold_read = number(dut.hold_rchannel_o), number(dut.hold_rrow_o)
        if bit(dut.hold_we_o):
            key = number(dut.hold_channel_o), number(dut.hold_row_o)
            got.held[key] = self._row(dut.hold_data_o)
        got.channels_held += bit(dut.held_o)
        if bit(dut.half_take_o):
            assert self.halves_free, "took a half that is not free"
            self.halves_free -= 1
        if bit(dut.emit_valid_o):
            got.emits.append(number(dut.emit_o))
        if bit(dut.out_we_o):
            filling = self.filling[number(dut.out_half_o)]
            key = number(dut.out_channel_o), number(dut.out_row_o)
            assert key not in filling, f"{key} is written twice"
            filling[key] = self._row(dut.out_data_o)
        if bit(dut.out_last_o):
            # The other half may have been begun: a skipped last lane tells its end late.
            half = len(got.halves) % 2
            got.halves.append(self.filling[half])
            self.filling[half] = {}
            self.bench.agents.append(_Later(self, self.bench.random.randrange(1, 60)))
        got.conv_clips += number(dut.conv_saturations_o)
        got.activation_clips += number(dut.activation_saturations_o)

    def _row(self, pin: Any) -> list[int]:
        return [signed(value, 16) for value in unpack(number(pin), 16, self.columns)]

    def drive(self) -> None:
        dut, bench, rng = self.dut, self.bench, self.bench.random
        sums = self._sums_read or [rng.getrandbits(48) for _ in range(self.columns)]
        dut.sums_i.value = pack(sums, 48)
        self._sums_read = None
        param = None if self._param_read is None else self.params.get(self._param_read)
        words = PARAM.encode(param) if param else [rng.getrandbits(32), rng.getrandbits(32)]
        dut.param_i.value = int(words[0]) | int(words[1]) << 32
        held = self.hold[self._hold_read] if self._hold_read else [rng.getrandbits(16)]
        dut.hold_rdata_i.value = pack(held, 16)
        self._hold_read = None
        dut.half_free_i.value = int(self.halves_free > 0)
        # New sums come as soon as the shadow is free, even before the drain asks for a pass.
        go = bool(self.captures) and bench.cycle + 1 >= self.free_at
        go = go and not bench.chance(self.bubbles)
        dut.capture_i.value = int(go)
        if go:
            self.shadow = self.captures.popleft().sums
            self.free_at = 1 << 60  # until it is released

    @property
    def done(self) -> bool:
        return not self.captures and self.source.empty and not bit(self.dut.busy_o)

    def check(self) -> None:
        got, expected = self.got, self.expected
        assert got.held == expected.held
        assert len(got.halves) == len(expected.halves)
        for index, (is_, must) in enumerate(zip(got.halves, expected.halves, strict=True)):
            assert is_.keys() == must.keys(), f"half {index}"
            bad = [key for key in must if is_[key] != must[key]]
            assert not bad, f"half {index}, {bad[0]}: {is_[bad[0]]}, expected {must[bad[0]]}"
        assert got.emits == expected.emits
        assert got.channels_held == expected.channels_held
        assert got.conv_clips == expected.conv_clips
        assert got.activation_clips == expected.activation_clips


class _Later:
    """Frees a half some time after it was completed, as storing does."""

    def __init__(self, drain: _Drain, cycles: int) -> None:
        self.drain, self.cycles = drain, cycles

    def sample(self) -> None:
        self.cycles -= 1
        if self.cycles == 0:
            self.drain.halves_free += 1

    def drive(self) -> None:
        pass

    def clear(self) -> None:
        self.cycles = 0


LAYERS = {
    "plain": ([Destination.OUT_I16], {}),
    "gdn": ([Destination.HOLD, Destination.OUT_GDN], {"out_channels": 13}),
    "igdn": ([Destination.HOLD, Destination.OUT_IGDN], {"row_mul": 2, "col_mul": 2}),
    "igdn_lead": (
        [Destination.HOLD, Destination.OUT_IGDN],
        {"row_mul": 3, "col_mul": 3, "out_lead": 1, "out_height": 17, "out_width": 31},
    ),
    "picture": ([Destination.OUT_U8], {"row_mul": 4, "out_height": 19}),
}


def _queue_tile(drain: _Drain, kinds: list[Destination]) -> None:
    bases = range(0, 3 * drain.lanes, drain.lanes)
    for to in kinds:
        emits = to != Destination.HOLD
        if to == Destination.OUT_U8:  # channels are the parameters' affair; one pass, so none twice
            drain.random_pass(to, 0, True, True)
            continue
        for base in bases:
            drain.random_pass(to, base, emits and base == 0, emits and base == bases[-1])


@cocotb.test()
@cocotb.parametrize(layer=list(LAYERS), bubbles=[0.0, 0.3])
async def drains(dut: Any, layer: str, bubbles: float) -> None:
    kinds, fields = LAYERS[layer]
    drain = _Drain(dut, bubbles)
    await drain.bench.reset()
    for _ in range(3):
        drain.new_layer(fields)
        for _ in range(3):
            _queue_tile(drain, kinds)
        await drain.bench.until(lambda: drain.done, 20_000)
        await drain.bench.step(40)
        drain.check()


@cocotb.test()
async def begins_anew_after_a_reset(dut: Any) -> None:
    drain = _Drain(dut, 0.2)
    await drain.bench.reset()
    for name in LAYERS:
        kinds, fields = LAYERS[name]
        drain.new_layer(fields)
        for _ in range(3):
            _queue_tile(drain, kinds)
        await drain.bench.step(drain.bench.random.randrange(1, 150))
        await drain.bench.reset(1)
        drain.bench.agents = [drain.source, drain]
        _queue_tile(drain, kinds)
        await drain.bench.until(lambda: drain.done, 20_000)
        await drain.bench.step(40)
        drain.check()
        await drain.bench.reset(1)
