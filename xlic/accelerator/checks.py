"""What the accelerator checks of a program's descriptors before it follows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xlic.accelerator.design import Design
from xlic.accelerator.isa import (
    CHANNEL_BLOCK,
    WINDOW_OFFSETS,
    Destination,
    ErrorCode,
    InFormat,
)
from xlic.accelerator.records import LayerRecord, PassRecord
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


def check_program(program: Program, design: Design, window_beats: int | None) -> None:
    """Refuse descriptors that lead outside the buffers, the tables or the memory window.

    Args:
        program: the program.
        design: of the accelerator.
        window_beats: length of the window; None leaves its accesses open.

    Raises:
        ProgramError: so.
    """
    for index, layer in enumerate(program.layers):
        _Checker(program, design, index).check(layer, window_beats)


class _Checker:
    def __init__(self, program: Program, design: Design, index: int) -> None:
        self.program = program
        self.design = design
        self.index = index

    def check(self, layer: LayerRecord, window_beats: int | None) -> None:
        """The layer's sizes, then its accesses to memory, then what it takes from tables."""
        for name in _AT_LEAST_ONE:
            self.require(
                getattr(layer, name) >= 1, ErrorCode.LAYER, f"{name} is 0, must be 1 or more"
            )
        self.check_input(layer)
        self.most(layer.out_channels, self.design.channels, ErrorCode.LAYER, "output channels")
        if window_beats is not None:
            self.most(layer.in_end, window_beats, ErrorCode.WINDOW, "beats of window to read")
            self.most(layer.out_end, window_beats, ErrorCode.WINDOW, "beats of window to write")
        if layer.in_format == InFormat.S32:
            end = layer.in_params + _channels(layer)
            self.most(end, len(self.program.params), ErrorCode.PASS, "parameters of symbols")
        last = layer.pass_range.stop
        self.most(last, len(self.program.passes), ErrorCode.PASS, "passes")
        for number in layer.pass_range:
            self.check_pass(layer, self.program.passes[number])

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
        whole = layer.phase_words % CHANNEL_BLOCK == 0
        message = f"phase_words is {layer.phase_words}, must be a multiple of {CHANNEL_BLOCK}"
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
        if entry.gamma:
            self.most(entry.count, design.channels, ErrorCode.PASS, "held channels")
        else:
            self.check_taps(layer, entry)
        words = entry.weight_base + entry.cycles
        self.most(words, len(program.weights), ErrorCode.PASS, "weight words")
        end = entry.param_base + design.pof
        self.most(end, len(program.params), ErrorCode.PASS, "parameters")
        # A lane that is skipped needs no channel; those of the last group may lie beyond.
        for lane, param in enumerate(program.params[entry.param_base : end]):
            by_aux = entry.destination == Destination.OUT_U8
            channel = param.aux if by_aux else entry.channel_base + lane
            if not param.skipped:
                self.most(channel + 1, design.channels, ErrorCode.PASS, "channels")

    def check_taps(self, layer: LayerRecord, entry: PassRecord) -> None:
        self.require(entry.tap_count >= 1, ErrorCode.PASS, "a convolution pass has 0 taps")
        end = entry.tap_first + entry.tap_count
        self.most(end, len(self.program.taps), ErrorCode.PASS, "taps")
        for tap in self.program.taps[entry.tap_first : end]:
            steps = max(tap.dy, tap.dx)
            self.most(steps, WINDOW_OFFSETS - 1, ErrorCode.PASS, "steps of a tap")
            words = tap.offset + entry.count
            self.most(words, layer.slot_words, ErrorCode.PASS, "words of a slot")

    def most(self, value: int, limit: int, code: ErrorCode, what: str) -> None:
        self.require(value <= limit, code, f"{value} {what} are needed, there are {limit}")

    def require(self, condition: bool, code: ErrorCode, message: str) -> None:
        if not condition:
            raise ProgramError(code, f"layer {self.index} of the program: {message}", self.index)


def _channels(layer: LayerRecord) -> int:
    """Channels of the input, padding included."""
    symbols = layer.in_format == InFormat.S32
    return layer.in_blocks * (CHANNEL_BLOCK // 2 if symbols else CHANNEL_BLOCK)
