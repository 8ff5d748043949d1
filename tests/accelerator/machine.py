"""docs/accelerator.md as an interpreter: slow, clear, and from the window's bytes alone.

It knows records (``isa``) and nothing of the compiler. Buffers are filled and read as the document
says, slots, phases and lane banks included; a word that was not written since the tile (the phase)
began must not be read. Accesses to memory are counted per beat.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

from xlic.accelerator import isa
from xlic.accelerator.design import Design
from xlic.accelerator.isa import Destination, InFormat

EMPTY = np.int64(1) << 60
"""What no one has written: no value of any buffer is that large."""
NORM_MAX = (1 << 24) - 1


@dataclass
class LayerResult:
    """What a layer counted, and which beats it read and wrote (how often)."""

    cycles: int = 0
    conv_saturations: int = 0
    activation_saturations: int = 0
    input_saturations: int = 0
    reads: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    writes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))


def run(window: np.ndarray, program: int, design: Design) -> list[LayerResult]:
    """Run the program at beat ``program`` of ``window``, uint8, in place."""
    machine = Machine(window, program, design)
    return [machine.run_layer(index) for index in range(len(machine.layers))]


class Machine:
    def __init__(self, window: np.ndarray, program: int, design: Design) -> None:
        assert window.dtype == np.uint8
        assert len(window) % 16 == 0
        self.design = design
        self.beats = window.reshape(-1, 16)
        self.load_program(program)

    # The program -------------------------------------------------------------------------------

    def load_program(self, start: int) -> None:
        design = self.design
        header = self.records(isa.HEADER, start, 1)[0]
        assert header.magic == isa.MAGIC
        assert header.version == isa.INTERFACE_VERSION
        assert header.array == design.pof | design.poy << 8 | design.pox << 16
        assert 1 <= header.layers <= isa.MAX_LAYERS
        assert 1 <= header.passes <= design.pass_words
        assert 1 <= header.taps <= design.tap_words
        assert 1 <= header.params <= design.param_words
        assert 1 <= header.weight_words <= design.weight_words
        at = tables = start + 4
        self.layers = self.records(isa.LAYER, at, header.layers)
        at += 8 * header.layers
        self.passes = self.records(isa.PASS, at, header.passes)
        at += header.passes
        self.taps = self.records(isa.TAP, at, header.taps)
        at += -(-header.taps // 4)
        self.params = self.records(isa.PARAM, at, header.params)
        at += -(-header.params // 2)
        covered = np.concatenate([self.beats[start : start + 3], self.beats[tables:at]])
        assert zlib.crc32(covered.tobytes()) == header.tables_crc
        end = at + -(-header.weight_words * design.pof // 8)
        stored = self.beats[at:end]
        assert stored.size == (end - at) * 16, "the program leaves the window"
        assert zlib.crc32(stored.tobytes()) == header.weights_crc
        flat = np.frombuffer(stored.tobytes(), "<i2")[: header.weight_words * design.pof]
        self.weights = flat.reshape(-1, design.pof).astype(np.int64)

    def records(self, record: isa.Record, beat: int, count: int) -> list[SimpleNamespace]:
        words = np.frombuffer(self.beats[beat:].tobytes(), "<u4", count * record.words)
        return [SimpleNamespace(**record.decode(row)) for row in words.reshape(count, -1)]

    # A layer -----------------------------------------------------------------------------------

    def run_layer(self, index: int) -> LayerResult:
        self.layer = self.layers[index]
        self.result = LayerResult(
            reads=np.zeros(len(self.beats), np.int64), writes=np.zeros(len(self.beats), np.int64)
        )
        layer = self.layer
        # Everything of the layer before is in memory, and nothing of this one is read back.
        self.memory = self.beats.copy()
        for self.ty in range(layer.tiles_y):
            for self.tx in range(layer.tiles_x):
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
        assert slot.max() <= 1
        phase = (r % layer.stride)[:, None] * layer.stride + (j % layer.stride)[None, :]
        word = (slot[:, None] * layer.slot_words + phase * layer.phase_words)[:, :, None] + c
        assert word.max() < design.input_words
        assert c.max() < layer.phase_words
        assert layer.slot_words == layer.stride**2 * layer.phase_words
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
        if layer.in_format == InFormat.U8:
            assert layer.in_blocks == 1
            beat = rows[:, None] + (x // 4)[None, :]
            # Only what is inside is read; four pixels share a beat.
            self.result.reads[np.unique(beat[inside])] += 1
            pixels = self.memory[beat].reshape(len(y), len(x), 4, 4)
            values = np.take_along_axis(pixels, (x % 4)[None, :, None, None], 2)[:, :, 0]
            return np.where(inside[:, :, None], values.astype(np.int64), 0)
        beat = rows[:, None, None] + (x[:, None] * layer.in_blocks + np.arange(layer.in_blocks))
        self.result.reads[beat[inside]] += 1
        data = np.ascontiguousarray(self.memory[beat])
        if layer.in_format == InFormat.I16:
            values = data.view("<i2").reshape(len(y), len(x), -1).astype(np.int64)
        else:
            assert layer.in_format == InFormat.S32
            values = self.symbols(data.view("<i4").reshape(len(y), len(x), -1), inside)
        return np.where(inside[:, :, None], values, 0)

    def symbols(self, symbols: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Step 5 of docs/int16.md, counted in the core of the tile."""
        layer, design = self.layer, self.design
        params = self.params[layer.in_params :][: symbols.shape[2]]
        assert len(params) == symbols.shape[2]
        shift = np.array([param.shift for param in params])
        wide = (symbols.astype(np.int64) << shift) + [param.bias for param in params]
        values = sat16(wide)
        core = np.zeros(inside.shape, bool)
        core[layer.core_y :, layer.core_x :][: design.poy, : design.pox] = True
        self.result.input_saturations += int((values != wide)[inside & core].sum())
        return values

    # Passes ------------------------------------------------------------------------------------

    def run_passes(self) -> None:
        layer, design = self.layer, self.design
        passes = self.passes[layer.pass_first : layer.pass_first + layer.pass_count]
        assert len(passes) == layer.pass_count >= 1
        self.held = self.emitted = None
        readable = True
        for entry in passes:
            if entry.phase_begin:
                self.held = np.full((design.channels, design.poy, design.pox), EMPTY)
            if entry.emit_begin:
                assert self.emitted is None, "a half is begun while another is open"
                self.emitted = np.full((design.channels, design.poy, design.pox), EMPTY)
            if not entry.gamma:
                assert readable, "the tile was given back already"
            sums = self.gamma_sums(entry) if entry.gamma else self.conv_sums(entry)
            self.drain(entry, sums)
            readable = readable and not entry.tile_end
            if entry.emit_end:
                self.store(entry)
                self.emitted = None
        assert not readable, "the tile is never given back"
        assert self.emitted is None, "results are never stored"

    def conv_sums(self, entry: SimpleNamespace) -> np.ndarray:
        """Sums ``[lane, oy, ox]`` of a convolution pass."""
        layer, design = self.layer, self.design
        assert entry.count >= 1
        assert entry.tap_count >= 1
        taps = self.taps[entry.tap_first : entry.tap_first + entry.tap_count]
        assert len(taps) == entry.tap_count
        oy, ox, c = np.ogrid[: design.poy, : design.pox, : entry.count]
        sums = np.zeros((design.poy, design.pox, design.pof), np.int64)
        for t, tap in enumerate(taps):
            u, q = oy + tap.dy, ox + tap.dx
            word = (u // design.poy) * layer.slot_words + tap.offset + c
            bank = (q + c % 8) % (design.pox + 2)
            operands = self.buffer[u % design.poy, bank, word]
            assert (operands != EMPTY).all(), "a word of the window that was never loaded"
            sums += operands @ self.weight_words(entry.weight_base + t * entry.count, entry.count)
        self.result.cycles += entry.tap_count * entry.count
        return sums.transpose(2, 0, 1)

    def gamma_sums(self, entry: SimpleNamespace) -> np.ndarray:
        assert entry.tap_count == entry.tap_first == 0
        held = self.held[: entry.count]
        assert len(held) == entry.count >= 1
        assert (held != EMPTY).all(), "a channel that is not held yet"
        weights = self.weight_words(entry.weight_base, entry.count)
        self.result.cycles += entry.count
        return np.einsum("cyx,co->oyx", np.abs(held), weights)

    def weight_words(self, base: int, count: int) -> np.ndarray:
        words = self.weights[base : base + count]
        assert len(words) == count
        return words

    # Results -----------------------------------------------------------------------------------

    def drain(self, entry: SimpleNamespace, sums: np.ndarray) -> None:
        layer = self.layer
        params = self.params[entry.param_base : entry.param_base + self.design.pof]
        assert len(params) == self.design.pof
        stored = self.stored_positions(entry)
        for lane, param in enumerate(params):
            if param.aux & isa.SKIP_LANE:
                continue
            channel = entry.channel_base + lane
            total = sums[lane] + param.bias
            assert np.abs(total).max() < 1 << 47
            assert 1 <= param.shift <= 47
            v = total >> param.shift
            counted = stored if channel < layer.out_channels else np.zeros_like(stored)
            if entry.destination == Destination.HOLD:
                self.put(self.held, channel, self.convolved(v, counted))
            elif entry.destination == Destination.OUT_I16:
                self.put(self.emitted, channel, self.convolved(v, counted))
            elif entry.destination == Destination.OUT_U8:
                self.put(self.emitted, param.aux, np.clip(v, 0, 255))
            else:
                x = self.held[channel]
                assert (x != EMPTY).all()
                inverse = entry.destination == Destination.OUT_IGDN
                assert inverse or entry.destination == Destination.OUT_GDN
                self.put(self.emitted, channel, self.normalized(x, v, param.aux, inverse, counted))

    def put(self, buffer: np.ndarray, channel: int, values: np.ndarray) -> None:
        assert (buffer[channel] == EMPTY).all(), "a channel is written twice"
        buffer[channel] = values

    def convolved(self, v: np.ndarray, counted: np.ndarray) -> np.ndarray:
        x = sat16(v)
        self.result.conv_saturations += int((x != v)[counted].sum())
        return x

    def normalized(self, x, v, aux: int, inverse: bool, counted: np.ndarray) -> np.ndarray:
        n = np.clip(v, 1, NORM_MAX)
        if inverse:
            y = (x * n + (np.int64(1) << (aux - 1))) >> aux
        else:
            y = np.sign(x) * (((np.abs(x) << aux) + (n >> 1)) // n)
        clipped = sat16(y)
        over = (v > NORM_MAX).astype(int) + (y != clipped)
        self.result.activation_saturations += int(over[counted].sum())
        return clipped

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

    def stored_positions(self, entry: SimpleNamespace) -> np.ndarray:
        """Positions ``[oy, ox]`` that are stored for some subrow."""
        subrows = range(self.layer.subrows)
        return np.any([self.inside_output(*self.coordinates(entry, j)) for j in subrows], axis=0)

    def store(self, entry: SimpleNamespace) -> None:
        layer = self.layer
        per_beat = 16 if layer.out_u8 else 8
        if layer.out_merge:
            assert layer.out_px_pitch * layer.col_mul == layer.out_run
        for j in range(layer.subrows):
            y, x = self.coordinates(entry, j)
            inside = self.inside_output(y, x)
            if not inside.any():
                continue
            channels = j * layer.out_run * per_beat + np.arange(layer.out_run * per_beat)
            data = self.output_bytes(channels)[inside].reshape(-1, layer.out_run, 16)
            at = layer.out_offset + y * layer.out_row_pitch + x * layer.out_px_pitch
            beats = at[inside][:, None] + np.arange(layer.out_run)
            assert beats.min() >= 0
            assert beats.max() < len(self.beats), "a store outside of the window"
            self.beats[beats] = data
            np.add.at(self.result.writes, beats, 1)

    def output_bytes(self, channels: np.ndarray) -> np.ndarray:
        """Bytes ``[oy, ox, byte]`` of these channels, those that are none of the layer's 0."""
        layer, design = self.layer, self.design
        exists = channels < layer.out_channels
        if layer.out_u8:
            exists &= channels % 4 != 3
        values = np.zeros((len(channels), design.poy, design.pox), np.int64)
        chosen = self.emitted[channels[exists]]
        values[exists] = np.where(chosen == EMPTY, self.unwritten(channels[exists]), chosen)
        dtype = np.uint8 if layer.out_u8 else "<i2"
        data = np.ascontiguousarray(values.transpose(1, 2, 0).astype(dtype))
        return data.view(np.uint8).reshape(design.poy, design.pox, -1)

    def unwritten(self, channels: np.ndarray) -> np.ndarray:
        """A picture may have fewer than three colours; all else that is stored has been written."""
        for channel in channels:
            missing = (self.emitted[channel] == EMPTY).any()
            assert not missing or self.layer.out_u8, f"channel {channel} was never written"
        return np.zeros((len(channels), 1, 1), np.int64)


def sat16(values: np.ndarray) -> np.ndarray:
    return np.clip(values, -32768, 32767)
