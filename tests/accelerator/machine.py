"""docs/accelerator.md as an interpreter: slow, clear, and from the window's bytes alone.

It knows records (``isa``) and nothing of the compiler. Buffers are filled and read as the document
says, slots, phases and lane banks included. What the document leaves open (a word of the window
that was never loaded, a channel that was never written) is *unknown*, and so is all that is made of
it. Accesses to memory are counted per beat.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

from xlic.accelerator import isa
from xlic.accelerator.design import Design
from xlic.accelerator.isa import Destination, ErrorCode, InFormat

EMPTY = np.int64(1) << 60
"""Unknown: no value of any buffer is that large."""
NORM_MAX = (1 << 24) - 1
NORMALIZED = (Destination.OUT_GDN, Destination.OUT_IGDN)


class RefusalError(Exception):
    """The program is refused: with which code, ahead of which layer (the header's: 0)."""

    def __init__(self, code: ErrorCode, layer: int, why: str) -> None:
        super().__init__(f"{code.name} in layer {layer}: {why}")
        self.code, self.layer = code, layer


@dataclass
class LayerResult:
    """What a layer counted, and which beats it read and wrote (how often)."""

    cycles: int = 0
    conv_saturations: int = 0
    activation_saturations: int = 0
    input_saturations: int = 0
    certain: bool = True
    """Whether nothing unknown might have been counted."""
    reads: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    writes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))


def run(window: np.ndarray, program: int, design: Design) -> list[LayerResult]:
    """Run the program at beat ``program`` of ``window``, uint8, in place.

    Nothing but what lies beside the colours of a picture may be unknown.
    """
    machine = Machine(window, program, design)
    results = []
    for index, layer in enumerate(machine.layers):
        results.append(machine.run_layer(index))
        assert layer.out_u8 or not machine.unknown.any()
        assert results[-1].certain
    return results


class Machine:
    def __init__(self, window: np.ndarray, program: int, design: Design) -> None:
        assert window.dtype == np.uint8
        assert len(window) % 16 == 0
        self.design = design
        self.beats = window.reshape(-1, 16)
        self.unknown = np.zeros(self.beats.shape, bool)
        self.index = 0
        self.load_program(program)

    def require(self, condition: bool, code: ErrorCode, why: str = "") -> None:
        if not condition:
            raise RefusalError(code, self.index, why)

    # The program -------------------------------------------------------------------------------

    def load_program(self, start: int) -> None:
        design = self.design
        self.require(start + 4 <= len(self.beats), ErrorCode.WINDOW)
        header = self.records(isa.HEADER, start, 1)[0]
        self.require(header.magic == isa.MAGIC, ErrorCode.MAGIC)
        self.require(header.version == isa.INTERFACE_VERSION, ErrorCode.VERSION)
        array = design.pof | design.poy << 8 | design.pox << 16
        self.require(header.array == array, ErrorCode.DESIGN)
        for name, most in {
            "layers": isa.MAX_LAYERS,
            "passes": design.pass_words,
            "taps": design.tap_words,
            "params": design.param_words,
            "weight_words": design.weight_words,
        }.items():
            self.require(1 <= getattr(header, name) <= most, ErrorCode.CAPACITY, name)
        sizes = (8 * header.layers, header.passes, -(-header.taps // 4), -(-header.params // 2))
        tables = start + 4
        first = np.cumsum([tables, *sizes]).tolist()
        at = first[4]
        end = at + -(-header.weight_words * design.pof // 8)
        self.require(end <= len(self.beats), ErrorCode.WINDOW)
        self.program = range(start, end)
        covered = np.concatenate([self.beats[start : start + 3], self.beats[tables:at]])
        self.require(zlib.crc32(covered.tobytes()) == header.tables_crc, ErrorCode.TABLES_CRC)
        stored = self.beats[at:end]
        self.require(zlib.crc32(stored.tobytes()) == header.weights_crc, ErrorCode.WEIGHTS_CRC)
        self.layers = self.records(isa.LAYER, first[0], header.layers)
        self.passes = self.records(isa.PASS, first[1], header.passes)
        self.taps = self.records(isa.TAP, first[2], header.taps)
        self.params = self.records(isa.PARAM, first[3], header.params)
        flat = np.frombuffer(stored.tobytes(), "<i2")[: header.weight_words * design.pof]
        self.weights = flat.reshape(-1, design.pof).astype(np.int64)

    def records(self, record: isa.Record, beat: int, count: int) -> list[SimpleNamespace]:
        words = np.frombuffer(self.beats[beat:].tobytes(), "<u4", count * record.words)
        return [SimpleNamespace(**record.decode(row)) for row in words.reshape(count, -1)]

    def select(self, index: int) -> None:
        """Turn to a layer."""
        self.index, self.layer = index, self.layers[index]

    # What is refused ---------------------------------------------------------------------------

    def judge(self) -> None:
        """Refuse the layer, or see to it that what follows can do without asking."""
        self.judge_layer()
        self.judge_memory()
        if self.layer.in_format == InFormat.S32:
            self.judge_symbols()
        passes = self.layer_passes()
        self.require(len(passes) == self.layer.pass_count, ErrorCode.PASS, "passes")
        for entry in passes:
            self.judge_pass(entry)
        self.judge_phases(passes)
        self.judge_emissions(passes)

    def judge_layer(self) -> None:
        layer, design = self.layer, self.design
        for name, value in vars(layer).items():
            may_be_zero = (
                *("in_format", "out_u8", "out_merge", "in_offset", "in_row_pitch", "in_params"),
                *("origin_y", "origin_x", "core_y", "core_x", "pass_first", "out_offset"),
                *("out_row_pitch", "out_px_pitch", "out_lead"),
            )
            self.require(value != 0 or name in may_be_zero, ErrorCode.LAYER, name)
        s = layer.stride
        last_step, last_column = (layer.rows - 1) // s, (layer.cols - 1) // s
        slots = last_step // design.poy + 1
        grid = (layer.tiles_y - 1) * design.poy, (layer.tiles_x - 1) * design.pox
        blocks = -(-design.channels // 16) * 2
        fits = {
            "format": layer.in_format in tuple(InFormat),
            "rows": slots <= 2,
            "columns": last_column < design.pox + 2,
            "buffer": slots * layer.slot_words <= design.input_words,
            "slot": s * s * layer.phase_words <= layer.slot_words and layer.slot_words % 8 == 0,
            "phase": layer.phase_words % 8 == 0 and self.in_channels() <= layer.phase_words,
            "picture": layer.in_format != InFormat.U8 or layer.in_blocks == 1,
            "channels": layer.out_channels <= design.channels,
            "stored": layer.subrows * layer.out_run * (1 + layer.out_u8) <= blocks,
            "merged": not layer.out_merge or layer.out_px_pitch * layer.col_mul == layer.out_run,
            "reach": max(
                (layer.tiles_y - 1) * layer.row_step,
                (layer.tiles_x - 1) * layer.col_step,
                grid[0] * layer.row_mul,
                grid[1] * layer.col_mul,
            )
            <= 3 << 19,
        }
        for name, fit in fits.items():
            self.require(fit, ErrorCode.LAYER, name)

    def in_channels(self) -> int:
        per_beat = {InFormat.I16: 8, InFormat.S32: 4}.get(self.layer.in_format, 8)
        return self.layer.in_blocks * per_beat

    def judge_memory(self) -> None:
        layer = self.layer
        u8 = layer.in_format == InFormat.U8
        row = -(-layer.in_width // 4) if u8 else layer.in_width * layer.in_blocks
        read = layer.in_offset + (layer.in_height - 1) * layer.in_row_pitch + row
        pixels = (layer.out_width - 1) * layer.out_px_pitch + layer.out_run
        written = layer.out_offset + (layer.out_height - 1) * layer.out_row_pitch + pixels
        self.require(max(read, written) <= len(self.beats), ErrorCode.WINDOW, "maps")
        output = range(layer.out_offset, written)
        for other in (range(layer.in_offset, read), self.program):
            meet = range(max(output.start, other.start), min(output.stop, other.stop))
            self.require(not meet, ErrorCode.WINDOW, "output over what is read")

    def judge_symbols(self) -> None:
        params = self.params[self.layer.in_params :][: self.in_channels()]
        self.require(len(params) == self.in_channels(), ErrorCode.PASS, "symbols")
        for param in params:
            fits = param.shift <= 15 and -32768 <= param.bias <= 32767
            self.require(fits, ErrorCode.PASS, "parameter of a symbol")

    def judge_pass(self, entry: SimpleNamespace) -> None:
        layer, design = self.layer, self.design
        fits = entry.count >= 1 and entry.destination in tuple(Destination)
        fits &= bool(entry.gamma) == (entry.destination in NORMALIZED)
        self.require(fits, ErrorCode.PASS, "record")
        steps = entry.count
        if not entry.gamma:
            taps = self.taps[entry.tap_first :][: entry.tap_count]
            self.require(1 <= len(taps) == entry.tap_count, ErrorCode.PASS, "taps")
            steps *= len(taps)
            for tap in taps:
                last_row = (design.poy - 1 + tap.dy) * layer.stride
                last_column = (design.pox - 1 + tap.dx) * layer.stride
                fits = max(tap.dy, tap.dx) <= 2 and last_row < layer.rows
                fits &= last_column < layer.cols and tap.offset + entry.count <= layer.slot_words
                self.require(fits, ErrorCode.PASS, "tap")
        self.require(entry.weight_base + steps <= len(self.weights), ErrorCode.PASS, "weights")
        self.require(len(self.lane_params(entry)) == design.pof, ErrorCode.PASS, "parameters")
        least, most = {Destination.OUT_GDN: (0, 36), Destination.OUT_IGDN: (1, 47)}.get(
            entry.destination, (0, 1023)
        )
        for channel, param in self.lanes(entry):
            fits = channel < design.channels and 1 <= param.shift <= 47
            self.require(fits and least <= param.aux <= most, ErrorCode.PASS, "lane")

    def judge_phases(self, passes: list[SimpleNamespace]) -> None:
        """Channels are held and used phase by phase, the tile is read and then given back."""
        self.require(bool(passes[0].phase_begin), ErrorCode.PASS, "no phase")
        held: list[int] = []
        waiting = False  # for a γ pass
        for entry in passes:
            if entry.phase_begin:
                self.require(not waiting, ErrorCode.PASS, "held in vain")
                held = []
            channels = [channel for channel, _ in self.lanes(entry)]
            if entry.destination == Destination.HOLD:
                self.require(entry.channel_base == len(held), ErrorCode.PASS, "gap")
                held += channels
                self.require(held == list(range(len(held))), ErrorCode.PASS, "gap between lanes")
                waiting = bool(held)
            if entry.gamma:
                self.require(entry.count == len(held), ErrorCode.PASS, "not all that is held")
                self.require(set(channels) <= set(held), ErrorCode.PASS, "not held")
                waiting = False
        self.require(not waiting, ErrorCode.PASS, "held in vain")
        ends = [number for number, entry in enumerate(passes) if entry.tile_end]
        reads = [number for number, entry in enumerate(passes) if not entry.gamma]
        self.require(ends == reads[-1:] != [], ErrorCode.PASS, "the tile is not given back")

    def judge_emissions(self, passes: list[SimpleNamespace]) -> None:
        """Results belong to an emission, and are of one kind."""
        kinds = {entry.destination for entry in passes} - {Destination.HOLD}
        self.require(len(kinds) <= 1, ErrorCode.PASS, "destinations")
        emitting = False
        for entry in passes:
            self.require(not (emitting and entry.emit_begin), ErrorCode.PASS, "nested")
            emitting = emitting or bool(entry.emit_begin)
            if entry.destination == Destination.HOLD:
                self.require(not entry.emit_end, ErrorCode.PASS, "end without results")
            else:
                self.require(emitting, ErrorCode.PASS, "no emission")
                emitting = not entry.emit_end
        self.require(not emitting, ErrorCode.PASS, "no end")

    def layer_passes(self) -> list[SimpleNamespace]:
        return self.passes[self.layer.pass_first :][: self.layer.pass_count]

    def lane_params(self, entry: SimpleNamespace) -> list[SimpleNamespace]:
        return self.params[entry.param_base :][: self.design.pof]

    def lanes(self, entry: SimpleNamespace) -> list[tuple[int, SimpleNamespace]]:
        """Channel and parameter of the lanes that are not skipped."""
        u8 = entry.destination == Destination.OUT_U8
        return [
            (param.aux if u8 else entry.channel_base + lane, param)
            for lane, param in enumerate(self.lane_params(entry))
            if not param.aux & isa.SKIP_LANE
        ]

    # A layer -----------------------------------------------------------------------------------

    def run_layer(self, index: int) -> LayerResult:
        """Run the layer; :class:`RefusalError` with memory untouched."""
        self.select(index)
        self.judge()
        self.result = LayerResult(
            reads=np.zeros(len(self.beats), np.int64), writes=np.zeros(len(self.beats), np.int64)
        )
        for ty, tx in np.ndindex(self.layer.tiles_y, self.layer.tiles_x):
            self.ty, self.tx = ty, tx
            self.load_tile()
            self.run_passes()
        return self.result

    def load_tile(self) -> None:
        """Fill the input buffer ``[row bank, lane bank, word]`` with the tile's window."""
        layer, design = self.layer, self.design
        self.buffer = np.full((design.poy, design.pox + 2, design.input_words), EMPTY)
        r, j = np.arange(layer.rows), np.arange(layer.cols)
        y = layer.origin_y + self.ty * layer.row_step + r
        x = layer.origin_x + self.tx * layer.col_step + j
        values = self.fetch(y, x)
        c = np.arange(values.shape[2])
        u, q = r // layer.stride, j // layer.stride
        slot = u // design.poy
        phase = (r % layer.stride)[:, None] * layer.stride + (j % layer.stride)[None, :]
        word = (slot[:, None] * layer.slot_words + phase * layer.phase_words)[:, :, None] + c
        row_bank = (u % design.poy)[:, None, None]
        lane_bank = ((q[:, None] + c % 8) % (design.pox + 2))[None]
        assert (self.buffer[row_bank, lane_bank, word] == EMPTY).all()
        self.buffer[row_bank, lane_bank, word] = values

    def fetch(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Values ``[row, column, channel]`` of the window, 0 outside of the map."""
        layer = self.layer
        inside_y, inside_x = (y >= 0) & (y < layer.in_height), (x >= 0) & (x < layer.in_width)
        inside = inside_y[:, None] & inside_x[None, :]
        rows = layer.in_offset + np.where(inside_y, y, 0) * layer.in_row_pitch
        x = np.where(inside_x, x, 0)
        shape = (len(y), len(x), -1)
        if layer.in_format == InFormat.U8:
            beat = rows[:, None] + (x // 4)[None, :]
            # Only what is inside is read; four pixels share a beat.
            self.result.reads[np.unique(beat[inside])] += 1
            pixel = (x % 4)[None, :, None, None]
            values, unknown = (
                np.take_along_axis(bytes_[beat].reshape(*shape[:2], 4, 4), pixel, 2)[:, :, 0]
                for bytes_ in (self.beats, self.unknown)
            )
            values = np.where(unknown, EMPTY, values.astype(np.int64))
            return np.where(inside[:, :, None], values, 0)
        beat = rows[:, None, None] + (x[:, None] * layer.in_blocks + np.arange(layer.in_blocks))
        self.result.reads[beat[inside]] += 1
        data = np.ascontiguousarray(self.beats[beat])
        dtype = "<i2" if layer.in_format == InFormat.I16 else "<i4"
        values = data.view(dtype).reshape(shape).astype(np.int64)
        unknown = self.unknown[beat].reshape(*values.shape, -1).any(axis=-1)
        if layer.in_format == InFormat.S32:
            values = self.symbols(values, inside, unknown)
        return np.where(inside[:, :, None], np.where(unknown, EMPTY, values), 0)

    def symbols(self, symbols: np.ndarray, inside: np.ndarray, unknown: np.ndarray) -> np.ndarray:
        """Step 5 of docs/int16.md, counted in the core of the tile."""
        layer, design = self.layer, self.design
        params = self.params[layer.in_params :][: symbols.shape[2]]
        shift = np.array([param.shift for param in params])
        wide = (symbols << shift) + [param.bias for param in params]
        values = sat16(wide)
        core = np.zeros(inside.shape, bool)
        core[layer.core_y :, layer.core_x :][: design.poy, : design.pox] = True
        self.result.input_saturations += self.count(
            values != wide, unknown, (inside & core)[..., None]
        )
        return values

    def count(self, clipped: np.ndarray, unknown: np.ndarray, counted: np.ndarray) -> int:
        """How many of those that count; remembers whether that is certain."""
        self.result.certain &= not (unknown & counted).any()
        return int((clipped * counted).sum())

    # Passes ------------------------------------------------------------------------------------

    def run_passes(self) -> None:
        for entry in self.layer_passes():
            if entry.phase_begin:
                self.held = self.new_half()
            if entry.emit_begin:
                self.emitted = self.new_half()
            self.drain(entry, *(self.gamma_sums(entry) if entry.gamma else self.conv_sums(entry)))
            if entry.emit_end:
                self.store(entry)

    def new_half(self) -> np.ndarray:
        return np.full((self.design.channels, self.design.poy, self.design.pox), EMPTY)

    def conv_sums(self, entry: SimpleNamespace) -> tuple[np.ndarray, np.ndarray]:
        """Sums ``[lane, oy, ox]`` of a convolution pass, and which positions are unknown."""
        layer, design = self.layer, self.design
        oy, ox, c = np.ogrid[: design.poy, : design.pox, : entry.count]
        sums = np.zeros((design.poy, design.pox, design.pof), np.int64)
        unknown = np.zeros((design.poy, design.pox), bool)
        for t, tap in enumerate(self.taps[entry.tap_first :][: entry.tap_count]):
            u, q = oy + tap.dy, ox + tap.dx
            word = (u // design.poy) * layer.slot_words + tap.offset + c
            bank = (q + c % 8) % (design.pox + 2)
            operands = self.buffer[u % design.poy, bank, word]
            unknown |= (operands == EMPTY).any(axis=-1)
            words = self.weights[entry.weight_base + t * entry.count :][: entry.count]
            sums += np.where(operands == EMPTY, 0, operands) @ words
        self.result.cycles += entry.tap_count * entry.count
        return sums.transpose(2, 0, 1), unknown

    def gamma_sums(self, entry: SimpleNamespace) -> tuple[np.ndarray, np.ndarray]:
        held = self.held[: entry.count]
        unknown = (held == EMPTY).any(axis=0)
        self.result.cycles += entry.count
        words = self.weights[entry.weight_base :][: entry.count]
        return np.einsum("cyx,co->oyx", np.abs(np.where(held == EMPTY, 0, held)), words), unknown

    # Results -----------------------------------------------------------------------------------

    def drain(self, entry: SimpleNamespace, sums: np.ndarray, unknown: np.ndarray) -> None:
        stored = self.inside_output(*self.coordinates(entry, 0))
        for lane, param in enumerate(self.lane_params(entry)):
            if param.aux & isa.SKIP_LANE:
                continue
            channel = entry.channel_base + lane
            # 48 bits.
            total = ((sums[lane] + param.bias + (1 << 47)) & ((1 << 48) - 1)) - (1 << 47)
            v = total >> param.shift
            counted = stored & (channel < self.layer.out_channels)
            if entry.destination == Destination.OUT_U8:
                self.emitted[param.aux] = np.where(unknown, EMPTY, np.clip(v, 0, 255))
            elif entry.destination in NORMALIZED:
                x = self.held[channel]
                open_ = unknown | (x == EMPTY)
                inverse = entry.destination == Destination.OUT_IGDN
                known = np.where(open_, 0, x)
                y, clips = self.normalized(known, v, param.aux, inverse)
                self.result.activation_saturations += self.count(clips, open_, counted)
                self.emitted[channel] = np.where(open_, EMPTY, y)
            else:
                x = sat16(v)
                self.result.conv_saturations += self.count(x != v, unknown, counted)
                buffer = self.held if entry.destination == Destination.HOLD else self.emitted
                buffer[channel] = np.where(unknown, EMPTY, x)

    def normalized(self, x, v, aux: int, inverse: bool) -> tuple[np.ndarray, np.ndarray]:
        """Results, and how often each was clipped on the way."""
        n = np.clip(v, 1, NORM_MAX)
        if inverse:
            y = (x * n + (np.int64(1) << (aux - 1))) >> aux
        else:
            y = np.sign(x) * (((np.abs(x) << aux) + (n >> 1)) // n)
        clipped = sat16(y)
        return clipped, (v > NORM_MAX).astype(int) + (y != clipped)

    # Storing -----------------------------------------------------------------------------------

    def coordinates(self, entry: SimpleNamespace, j: int) -> tuple[np.ndarray, np.ndarray]:
        """Y ``(POY, 1)`` and X ``(1, POX)`` of subrow ``j``."""
        layer, design = self.layer, self.design
        y = (self.ty * design.poy + np.arange(design.poy)) * layer.row_mul + entry.phase_y + j
        x = (self.tx * design.pox + np.arange(design.pox)) * layer.col_mul + entry.phase_x
        return y[:, None] - layer.out_lead, x[None, :] - layer.out_lead

    def inside_output(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        layer = self.layer
        return (y >= 0) & (y < layer.out_height) & (x >= 0) & (x < layer.out_width)

    def store(self, entry: SimpleNamespace) -> None:
        """Row after row, subrow after subrow, position after position: the last one stays."""
        layer = self.layer
        per_beat = 16 if layer.out_u8 else 8
        for oy in range(self.design.poy):
            for j in range(layer.subrows):
                y, x = self.coordinates(entry, j)
                inside = self.inside_output(y, x)[oy]
                if not inside.any():
                    continue
                channels = j * layer.out_run * per_beat + np.arange(layer.out_run * per_beat)
                data, unknown = self.output_bytes(channels, oy)
                at = layer.out_offset + y[oy] * layer.out_row_pitch + x[0] * layer.out_px_pitch
                beats = at[inside][:, None] + np.arange(layer.out_run)
                self.beats[beats] = data[inside]
                self.unknown[beats] = unknown[inside]
                np.add.at(self.result.writes, beats, 1)

    def output_bytes(self, channels: np.ndarray, oy: int) -> tuple[np.ndarray, np.ndarray]:
        """Bytes ``[ox, beat, byte]`` of these channels, and which are unknown.

        Channels that are none of the layer's are 0.
        """
        layer = self.layer
        exists = channels < layer.out_channels
        if layer.out_u8:
            exists &= channels % 4 != 3
        values = np.zeros((self.design.pox, len(channels)), np.int64)
        values[:, exists] = self.emitted[channels[exists], oy].T
        dtype = np.dtype(np.uint8 if layer.out_u8 else "<i2")
        unknown = np.repeat(values == EMPTY, dtype.itemsize, axis=1)
        data = np.ascontiguousarray(values.astype(dtype)).view(np.uint8)
        shape = (self.design.pox, layer.out_run, 16)
        return data.reshape(shape), unknown.reshape(shape)


def sat16(values: np.ndarray) -> np.ndarray:
    return np.clip(values, -32768, 32767)
