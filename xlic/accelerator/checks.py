"""What the accelerator checks of a program's descriptors before it follows them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xlic.accelerator.design import Design
from xlic.accelerator.isa import (
    CHANNEL_BLOCK,
    FURTHEST,
    MAX_GDN_SHIFT,
    MAX_SHIFT,
    MAX_SYMBOL_SHIFT,
    WINDOW_OFFSETS,
    Destination,
    ErrorCode,
    InFormat,
)
from xlic.accelerator.records import LayerRecord, ParamRecord, PassRecord
from xlic.errors import FormatError

if TYPE_CHECKING:
    from xlic.accelerator.program import Program

REMEDY = "compile it again with `xlic compile`"

_AT_LEAST_ONE = (
    "in_height",
    "in_width",
    "row_step",
    "col_step",
    "rows",
    "cols",
    "stride",
    "in_blocks",
    "phase_words",
    "slot_words",
    "tiles_y",
    "tiles_x",
    "pass_count",
    "out_height",
    "out_width",
    "out_run",
    "row_mul",
    "col_mul",
    "subrows",
    "out_channels",
)


class ProgramError(FormatError):
    """A program that the accelerator would refuse.

    Attributes:
        code: the error that it would report.
        layer: the layer that it would name, or None where the fault is in no layer.
    """

    def __init__(self, code: ErrorCode, message: str, layer: int | None = None) -> None:
        """Say ``message`` and the remedy."""
        super().__init__(f"{message}; {REMEDY}")
        self.code = code
        self.layer = layer


def check_program(
    program: Program, design: Design, window_beats: int | None, offset: int | None
) -> None:
    """Refuse what the accelerator refuses (docs/accelerator.md, "What is refused").

    Args:
        program: the program.
        design: of the accelerator.
        window_beats: length of the window; None leaves open whether accesses stay in it.
        offset: first beat of the program in the window; None leaves open whether it is
            overwritten.

    Raises:
        ProgramError: so.
    """
    for index, layer in enumerate(program.layers):
        _Checker(program, design, index).check(layer, window_beats, offset)


@dataclass(frozen=True)
class _Progress:
    """What the passes of a layer have left behind so far.

    Attributes:
        held: channels that are held in this phase.
        used: whether a γ pass has used them.
        read: whether the tile has been given back.
        emitting: whether an emission is open.
        output: destination of results for the output buffer, None before the first.
    """

    held: int = 0
    used: bool = False
    read: bool = False
    emitting: bool = False
    output: int | None = None


class _Checker:
    def __init__(self, program: Program, design: Design, index: int) -> None:
        self.program = program
        self.design = design
        self.index = index

    def check(self, layer: LayerRecord, window_beats: int | None, offset: int | None) -> None:
        """The layer's sizes, then its accesses to memory, then what it takes from tables."""
        for name in _AT_LEAST_ONE:
            self.require(
                getattr(layer, name) >= 1, ErrorCode.LAYER, f"{name} is 0, must be 1 or more"
            )
        self.check_input(layer)
        self.check_output(layer)
        self.check_tiles(layer)
        self.check_memory(layer, window_beats, offset)
        if layer.in_format == InFormat.S32:
            self.check_symbols(layer)
        last = layer.pass_range.stop
        self.most(last, len(self.program.passes), ErrorCode.PASS, "passes")
        progress = _Progress()
        for number in layer.pass_range:
            entry = self.program.passes[number]
            self.check_pass(layer, entry)
            first = number == layer.pass_first
            self.check_order(entry, first, progress)
            progress = self.advance(entry, progress)
        self.check_end(progress)

    def check_output(self, layer: LayerRecord) -> None:
        channels = self.design.channels
        self.most(layer.out_channels, channels, ErrorCode.LAYER, "output channels")
        stored = layer.subrows * layer.out_run * (2 if layer.out_u8 else 1)
        # In whole beats of bytes: 16 channels.
        self.most(stored, -(-channels // 16) * 2, ErrorCode.LAYER, "blocks of stored channels")
        step = layer.out_px_pitch * layer.col_mul
        self.require(
            not layer.out_merge or step == layer.out_run,
            ErrorCode.LAYER,
            f"out_merge needs pixels {layer.out_run} beats apart, they are {step}",
        )

    def check_tiles(self, layer: LayerRecord) -> None:
        rows, columns = layer.tiles_y - 1, layer.tiles_x - 1
        for reach in (
            rows * layer.row_step,
            columns * layer.col_step,
            rows * self.design.poy * layer.row_mul,
            columns * self.design.pox * layer.col_mul,
        ):
            self.most(reach, FURTHEST, ErrorCode.LAYER, "steps from the first tile to the last")

    def check_memory(
        self, layer: LayerRecord, window_beats: int | None, offset: int | None
    ) -> None:
        if window_beats is not None:
            self.most(layer.in_end, window_beats, ErrorCode.WINDOW, "beats of window to read")
            self.most(layer.out_end, window_beats, ErrorCode.WINDOW, "beats of window to write")
        self.apart(layer, layer.in_offset, layer.in_end, "its own input")
        if offset is not None:
            self.apart(layer, offset, offset + self.program.beats, "the program")

    def apart(self, layer: LayerRecord, begin: int, end: int, what: str) -> None:
        self.require(
            layer.out_offset >= end or begin >= layer.out_end,
            ErrorCode.WINDOW,
            f"its output (beats {layer.out_offset} … {layer.out_end - 1}) would overwrite {what} "
            f"({begin} … {end - 1})",
        )

    def check_symbols(self, layer: LayerRecord) -> None:
        end = layer.in_params + _channels(layer)
        self.most(end, len(self.program.params), ErrorCode.PASS, "parameters of symbols")
        for param in self.program.params[layer.in_params : end]:
            self.between(param.shift, 0, MAX_SYMBOL_SHIFT, "shift of symbols")
            self.between(param.bias, -(1 << 15), (1 << 15) - 1, "offset of symbols")

    def check_input(self, layer: LayerRecord) -> None:
        known = layer.in_format in tuple(InFormat)
        self.require(known, ErrorCode.LAYER, f"in_format {layer.in_format} does not exist")
        design, steps = self.design, (layer.rows - 1) // layer.stride
        self.most(steps, 2 * design.poy - 1, ErrorCode.LAYER, "steps of rows")
        columns = (layer.cols - 1) // layer.stride
        self.most(columns, design.pox + 1, ErrorCode.LAYER, "steps of columns")
        words = (steps // design.poy + 1) * layer.slot_words
        self.most(words, design.input_words, ErrorCode.LAYER, "words of the input buffer")
        pairs = layer.stride**2 * layer.phase_words
        self.most(pairs, layer.slot_words, ErrorCode.LAYER, "words of a slot")
        for name in ("phase_words", "slot_words"):
            value = getattr(layer, name)
            whole = value % CHANNEL_BLOCK == 0
            message = f"{name} is {value}, must be a multiple of {CHANNEL_BLOCK}"
            self.require(whole, ErrorCode.LAYER, message)
        if layer.in_format == InFormat.U8:
            self.most(layer.in_blocks, 1, ErrorCode.LAYER, "blocks of a picture's pixel")
        self.most(_channels(layer), layer.phase_words, ErrorCode.LAYER, "words of a phase")

    def check_pass(self, layer: LayerRecord, entry: PassRecord) -> None:
        design, program = self.design, self.program
        known = entry.destination in tuple(Destination)
        normalizes = entry.destination in (Destination.OUT_GDN, Destination.OUT_IGDN)
        self.require(
            known and normalizes == bool(entry.gamma),
            ErrorCode.PASS,
            f"destination {entry.destination} does not exist or does not fit gamma {entry.gamma}",
        )
        self.require(entry.count >= 1, ErrorCode.PASS, "a pass counts 0 channels")
        if not entry.gamma:
            self.check_taps(layer, entry)
        words = entry.weight_base + entry.cycles
        self.most(words, len(program.weights), ErrorCode.PASS, "weight words")
        end = entry.param_base + design.pof
        self.most(end, len(program.params), ErrorCode.PASS, "parameters")
        # Of a lane that is skipped nothing is asked; those of the last group may lie beyond.
        for lane, param in enumerate(self.lanes(entry)):
            by_aux = entry.destination == Destination.OUT_U8
            channel = param.aux if by_aux else entry.channel_base + lane
            if not param.skipped:
                self.most(channel + 1, design.channels, ErrorCode.PASS, "channels")
                self.between(param.shift, 1, MAX_SHIFT, "shift of a lane")
                if entry.destination == Destination.OUT_GDN:
                    self.between(param.aux, 0, MAX_GDN_SHIFT, "aux of GDN")
                if entry.destination == Destination.OUT_IGDN:
                    self.between(param.aux, 1, MAX_SHIFT, "aux of IGDN")

    def lanes(self, entry: PassRecord) -> tuple[ParamRecord, ...]:
        return self.program.params[entry.param_base :][: self.design.pof]

    def check_order(self, entry: PassRecord, first: bool, progress: _Progress) -> None:
        """Whether the pass may follow those that made ``progress``."""

        def need(condition: bool, message: str) -> None:
            self.require(condition, ErrorCode.PASS, message)

        held = 0 if entry.phase_begin else progress.held
        if first:
            need(bool(entry.phase_begin), "its first pass begins no phase")
        if entry.phase_begin:
            self.check_used(progress)
        if entry.gamma:
            need(entry.count == held, f"a γ pass takes {entry.count} channels, {held} are held")
            need(not entry.tile_end, "a γ pass gives the tile back")
            for lane, param in enumerate(self.lanes(entry)):
                beyond = not param.skipped and entry.channel_base + lane >= held
                need(not beyond, f"channel {entry.channel_base + lane} is not held")
        else:
            need(not progress.read, "a pass reads a tile that was given back")
        need(not (entry.emit_begin and progress.emitting), "an emission begins within another")
        if entry.destination == Destination.HOLD:
            need(not entry.emit_end, "a pass that is held ends an emission")
            need(
                entry.channel_base == held,
                f"channel {entry.channel_base} is held behind {held} channels",
            )
            used = [not param.skipped for param in self.lanes(entry)]
            need(used == sorted(used, reverse=True), "a skipped lane lies between held ones")
        else:
            need(bool(entry.emit_begin) or progress.emitting, "results belong to no emission")
            need(
                progress.output in (None, entry.destination),
                f"destinations {progress.output} and {entry.destination} meet in one layer",
            )

    def advance(self, entry: PassRecord, progress: _Progress) -> _Progress:
        """What is left behind by a pass that may follow."""
        held = 0 if entry.phase_begin else progress.held
        holds = entry.destination == Destination.HOLD
        if holds:
            held += sum(not param.skipped for param in self.lanes(entry))
        return replace(
            progress,
            held=held,
            used=bool(entry.gamma) or (progress.used and not holds),
            read=progress.read or bool(entry.tile_end),
            emitting=(progress.emitting or bool(entry.emit_begin)) and not entry.emit_end,
            output=progress.output if holds else entry.destination,
        )

    def check_end(self, progress: _Progress) -> None:
        self.require(progress.read, ErrorCode.PASS, "no pass gives the tile back")
        self.require(not progress.emitting, ErrorCode.PASS, "its last emission does not end")
        self.check_used(progress)

    def check_used(self, progress: _Progress) -> None:
        fine = progress.held == 0 or progress.used
        self.require(fine, ErrorCode.PASS, "no γ pass uses all channels that are held")

    def check_taps(self, layer: LayerRecord, entry: PassRecord) -> None:
        self.require(entry.tap_count >= 1, ErrorCode.PASS, "a convolution pass has 0 taps")
        end = entry.tap_first + entry.tap_count
        self.most(end, len(self.program.taps), ErrorCode.PASS, "taps")
        design, stride = self.design, layer.stride
        for tap in self.program.taps[entry.tap_first : end]:
            steps = max(tap.dy, tap.dx)
            self.most(steps, WINDOW_OFFSETS - 1, ErrorCode.PASS, "steps of a tap")
            rows, columns = (design.poy - 1 + tap.dy) * stride, (design.pox - 1 + tap.dx) * stride
            self.most(rows + 1, layer.rows, ErrorCode.PASS, "rows of the window")
            self.most(columns + 1, layer.cols, ErrorCode.PASS, "columns of the window")
            words = tap.offset + entry.count
            self.most(words, layer.slot_words, ErrorCode.PASS, "words of a slot")

    def most(self, value: int, limit: int, code: ErrorCode, what: str) -> None:
        self.require(value <= limit, code, f"{value} {what} are needed, there are {limit}")

    def between(self, value: int, low: int, high: int, what: str) -> None:
        self.require(
            low <= value <= high, ErrorCode.PASS, f"{what} is {value}, must be {low} … {high}"
        )

    def require(self, condition: bool, code: ErrorCode, message: str) -> None:
        if not condition:
            raise ProgramError(code, f"layer {self.index} of the program: {message}", self.index)


def _channels(layer: LayerRecord) -> int:
    """Channels of the input, padding included."""
    symbols = layer.in_format == InFormat.S32
    return layer.in_blocks * (CHANNEL_BLOCK // 2 if symbols else CHANNEL_BLOCK)
