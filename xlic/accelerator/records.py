"""The records of :mod:`xlic.accelerator.isa` as typed values.

Their fields are those of the tables there, in the same order; a test holds them to it.
docs/accelerator.md says what they mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator import isa
from xlic.accelerator.isa import BEAT_BYTES, Destination, InFormat

_PICTURE_PIXELS = BEAT_BYTES // 4
"""Pixels of a picture per beat."""


@dataclass(frozen=True)
class LayerRecord:
    """A layer: its input, window, tiles, passes and output; offsets and pitches in beats."""

    record: ClassVar[isa.Record] = isa.LAYER

    in_format: int
    out_u8: int
    out_merge: int
    in_offset: int
    in_row_pitch: int
    in_height: int
    in_width: int
    origin_y: int
    origin_x: int
    row_step: int
    col_step: int
    rows: int
    cols: int
    stride: int
    in_blocks: int
    phase_words: int
    slot_words: int
    tiles_y: int
    tiles_x: int
    pass_first: int
    pass_count: int
    out_offset: int
    out_row_pitch: int
    out_height: int
    out_width: int
    out_px_pitch: int
    out_run: int
    row_mul: int
    col_mul: int
    subrows: int
    out_lead: int
    out_channels: int
    core_y: int
    core_x: int
    in_params: int

    @property
    def in_row_beats(self) -> int:
        """Beats of one row of the input."""
        if self.in_format == InFormat.U8:
            return -(-self.in_width // _PICTURE_PIXELS)
        return self.in_width * self.in_blocks

    @property
    def in_end(self) -> int:
        """Beat behind the last of the input."""
        return self.in_offset + (self.in_height - 1) * self.in_row_pitch + self.in_row_beats

    @property
    def out_end(self) -> int:
        """Beat behind the last of the output."""
        last_row = (self.out_height - 1) * self.out_row_pitch
        return self.out_offset + last_row + (self.out_width - 1) * self.out_px_pitch + self.out_run

    @property
    def pass_range(self) -> range:
        """Indices of its passes."""
        return range(self.pass_first, self.pass_first + self.pass_count)


@dataclass(frozen=True)
class PassRecord:
    """A pass: operands, weights, and where its results go."""

    record: ClassVar[isa.Record] = isa.PASS

    weight_base: int
    gamma: int
    phase_begin: int
    tile_end: int
    emit_begin: int
    emit_end: int
    destination: int
    tap_first: int
    tap_count: int
    count: int
    channel_base: int
    param_base: int
    phase_y: int
    phase_x: int

    @property
    def cycles(self) -> int:
        """Cycles of the array: operands per position, and weight words."""
        return self.count if self.gamma else self.tap_count * self.count

    @property
    def goes_to(self) -> Destination:
        """``destination`` by name.

        Raises:
            ValueError: there is none with that number.
        """
        return Destination(self.destination)


@dataclass(frozen=True)
class TapRecord:
    """A tap: first word of its pair of phases, steps down and to the right."""

    record: ClassVar[isa.Record] = isa.TAP

    offset: int
    dy: int
    dx: int


@dataclass(frozen=True)
class ParamRecord:
    """A lane's bias (rounding half included), shift, and ``aux``; or a symbol's offset, shift."""

    record: ClassVar[isa.Record] = isa.PARAM

    bias: int
    shift: int
    aux: int

    @property
    def skipped(self) -> bool:
        """Whether the lane's results go nowhere."""
        return bool(self.aux & isa.SKIP_LANE)


_R = TypeVar("_R", LayerRecord, PassRecord, TapRecord, ParamRecord)


def encode_record(record: LayerRecord | PassRecord | TapRecord | ParamRecord) -> NDArray[np.uint32]:
    """The record's words.

    Raises:
        FormatError: a value that its field cannot hold.
    """
    return record.record.encode(vars(record))


def decode_record(kind: type[_R], words: NDArray[np.uint32]) -> _R:
    """The record in these words; bits that no field names are ignored."""
    values: dict[str, Any] = kind.record.decode(words)
    return kind(**values)
