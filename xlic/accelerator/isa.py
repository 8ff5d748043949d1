"""The accelerator's interface: program records, registers, error codes, all defined here.

``docs/accelerator.md`` says what each field means to the machine. ``xlic.accelerator.generate``
writes these tables as a SystemVerilog package and a C++ header; a test keeps them equal.

All records are little-endian 32-bit words. A *beat* is 16 bytes; offsets and pitches of memory
count beats from the start of the window that the accelerator is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from xlic.errors import FormatError

MAGIC = 0x434C_4958
"""``XLIC`` in ASCII, little-endian: first word of a program and of the identity registers."""
INTERFACE_VERSION = 1
BEAT_BYTES = 16
CHANNEL_BLOCK = 8
"""Channels of an int16 feature map per beat; the skew of the input buffer repeats with it."""
WINDOW_OFFSETS = 3
"""Most offsets of a tap along one axis: ceil(kernel / stride) is no more."""
MAX_LAYERS = 8
HEADER_BEATS = 4
LAYER_BEATS = 8
FURTHEST = 3 << 19
"""Most rows (columns) from the origin of the first tile's window, or from the output's first row
(column), to those of the last tile: coordinates then fit 22 bits. More than any map has."""
MAX_SHIFT = 47
"""Shifts of sums, and of IGDN's products, are 1 … this."""
MAX_GDN_SHIFT = 36
MAX_SYMBOL_SHIFT = 15

DESIGN_CHOICES: Mapping[str, tuple[int, ...]] = {
    "POF": (4, 8, 16),
    "POY": (2, 4, 8),
    "POX": (8, 16),
}
"""Values that a parameter of a design can have."""
DESIGN_RANGES: Mapping[str, tuple[int, int]] = {
    "INPUT_WORDS": (16, 1 << 15),
    "WEIGHT_WORDS": (16, 1 << 23),
    "PARAM_WORDS": (16, 1 << 16),
    "PASS_WORDS": (16, 1 << 16),
    "TAP_WORDS": (16, 1 << 16),
    "CHANNELS": (16, 1 << 10),
}
"""Least and most of the others: addresses of weights have 24 bits, those of tables 16."""


class InFormat(IntEnum):
    """How a layer's input lies in memory."""

    I16 = 0
    """int16 feature map, rows × pixels × channels, channels padded to a multiple of 8."""
    U8 = 1
    """Picture, rows × pixels × 4 bytes (red, green, blue, ignored), rows padded to whole beats."""
    S32 = 2
    """int32 symbols, rows × pixels × channels, channels padded to a multiple of 8."""


class Destination(IntEnum):
    """Where the results of a pass go."""

    HOLD = 0
    """int16, held on chip as operands of the γ passes."""
    OUT_I16 = 1
    """int16, to the output buffer."""
    OUT_U8 = 2
    """uint8, to the output buffer; the channel is the parameter's ``aux``."""
    OUT_GDN = 3
    """γ pass: normalized by the divider, to the output buffer."""
    OUT_IGDN = 4
    """γ pass: normalized by the multiplier, to the output buffer."""


class ErrorCode(IntEnum):
    """Why the accelerator stopped; 0 is success."""

    NONE = 0
    MAGIC = 1
    """The program does not begin with :data:`MAGIC`."""
    VERSION = 2
    """The program was compiled for another interface version."""
    DESIGN = 3
    """The program was compiled for another array (POF, POY, POX)."""
    CAPACITY = 4
    """A section of the program is empty or larger than the memory that holds it."""
    TABLES_CRC = 5
    WEIGHTS_CRC = 6
    WINDOW = 7
    """An access outside the memory window, or output over the layer's input or the program."""
    READ = 8
    """The memory answered a read with an error."""
    WRITE = 9
    """The memory answered a write with an error."""
    LAYER = 10
    """A layer descriptor with a size of zero or beyond the buffers."""
    PASS = 11
    """A pass that takes from outside of what was loaded, parameters beyond the contract, or passes
    in an order that cannot be run."""
    STALL = 12
    """Nothing moved for :data:`WATCHDOG_CYCLES`."""


WATCHDOG_CYCLES = 1 << 18


@dataclass(frozen=True)
class Field:
    """Bits ``low … low + bits − 1`` of word ``word`` of a record."""

    word: int
    low: int
    bits: int
    signed: bool = False

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest value."""
        if self.signed:
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1


@dataclass(frozen=True)
class Record:
    """A record of ``words`` 32-bit words; bits that no field names are zero."""

    name: str
    words: int
    fields: Mapping[str, Field]

    def encode(self, values: Mapping[str, int]) -> NDArray[np.uint32]:
        """Pack one value per field into uint32 ``(words,)``.

        Raises:
            FormatError: a value that its field cannot hold, a missing or an unknown one.
        """
        if values.keys() != self.fields.keys():
            odd = sorted(values.keys() ^ self.fields.keys())
            raise FormatError(f"{self.name}: fields {', '.join(odd)} missing or unknown")
        packed = [0] * self.words
        for key, field in self.fields.items():
            low, high = field.range
            value = int(values[key])
            if not low <= value <= high:
                raise FormatError(
                    f"{self.name}.{key} would be {value}, the accelerator takes {low} … {high}"
                )
            wide = (value & ((1 << field.bits) - 1)) << field.low
            for word in range(field.word, self.words):
                packed[word] |= wide & 0xFFFF_FFFF
                wide >>= 32
        return np.array(packed, np.uint32)

    def decode(self, words: NDArray[np.uint32]) -> dict[str, int]:
        """The values by field name."""
        wide = int.from_bytes(np.asarray(words, "<u4").tobytes(), "little")
        out = {}
        for key, field in self.fields.items():
            value = (wide >> (32 * field.word + field.low)) & ((1 << field.bits) - 1)
            if field.signed and value >> (field.bits - 1):
                value -= 1 << field.bits
            out[key] = value
        return out


HEADER = Record(
    "header",
    4 * HEADER_BEATS,
    {
        "magic": Field(0, 0, 32),
        "version": Field(1, 0, 32),
        "array": Field(2, 0, 32),
        "layers": Field(3, 0, 32),
        "passes": Field(4, 0, 32),
        "taps": Field(5, 0, 32),
        "params": Field(6, 0, 32),
        "weight_words": Field(7, 0, 32),
        "identity_low": Field(8, 0, 32),
        "identity_high": Field(9, 0, 32),
        "tables_crc": Field(12, 0, 32),
        "weights_crc": Field(13, 0, 32),
    },
)
"""First :data:`HEADER_BEATS` beats of a program."""

LAYER = Record(
    "layer",
    4 * LAYER_BEATS,
    {
        "in_format": Field(0, 0, 2),
        "out_u8": Field(0, 8, 1),
        "out_merge": Field(0, 9, 1),
        "in_offset": Field(1, 0, 32),
        "in_row_pitch": Field(2, 0, 32),
        "in_height": Field(3, 0, 20),
        "in_width": Field(4, 0, 20),
        "origin_y": Field(5, 0, 16, signed=True),
        "origin_x": Field(5, 16, 16, signed=True),
        "row_step": Field(6, 0, 16),
        "col_step": Field(6, 16, 16),
        "rows": Field(7, 0, 16),
        "cols": Field(7, 16, 16),
        "stride": Field(8, 0, 8),
        "in_blocks": Field(8, 16, 16),
        "phase_words": Field(9, 0, 16),
        "slot_words": Field(9, 16, 16),
        "tiles_y": Field(10, 0, 16),
        "tiles_x": Field(10, 16, 16),
        "pass_first": Field(11, 0, 16),
        "pass_count": Field(11, 16, 16),
        "out_offset": Field(12, 0, 32),
        "out_row_pitch": Field(13, 0, 32),
        "out_height": Field(14, 0, 20),
        "out_width": Field(15, 0, 20),
        "out_px_pitch": Field(16, 0, 16),
        "out_run": Field(16, 16, 16),
        "row_mul": Field(17, 0, 8),
        "col_mul": Field(17, 8, 8),
        "subrows": Field(17, 16, 8),
        "out_lead": Field(17, 24, 8),
        "out_channels": Field(18, 0, 16),
        "core_y": Field(18, 16, 8),
        "core_x": Field(18, 24, 8),
        "in_params": Field(19, 0, 16),
    },
)

PASS = Record(
    "pass",
    4,
    {
        "weight_base": Field(0, 0, 24),
        "gamma": Field(0, 24, 1),
        "phase_begin": Field(0, 25, 1),
        "tile_end": Field(0, 26, 1),
        "emit_begin": Field(0, 27, 1),
        "emit_end": Field(0, 28, 1),
        "destination": Field(0, 29, 3),
        "tap_first": Field(1, 0, 16),
        "tap_count": Field(1, 16, 16),
        "count": Field(2, 0, 16),
        "channel_base": Field(2, 16, 16),
        "param_base": Field(3, 0, 16),
        "phase_y": Field(3, 16, 8),
        "phase_x": Field(3, 24, 8),
    },
)

TAP = Record("tap", 1, {"offset": Field(0, 0, 16), "dy": Field(0, 16, 2), "dx": Field(0, 18, 2)})

PARAM = Record(
    "param",
    2,
    {
        "bias": Field(0, 0, 48, signed=True),
        "shift": Field(1, 16, 6),
        "aux": Field(1, 22, 10),
    },
)
SKIP_LANE = 1 << 9
"""Bit of ``aux``: the lane's results go nowhere."""

RECORDS = (HEADER, LAYER, PASS, TAP, PARAM)


class Register(IntEnum):
    """Byte addresses of ``s_axi_control``, as Vitis HLS lays out such a function's arguments."""

    CONTROL = 0x00
    GLOBAL_INTERRUPT_ENABLE = 0x04
    INTERRUPT_ENABLE = 0x08
    INTERRUPT_STATUS = 0x0C
    GMEM0_LOW = 0x10
    """Byte address of the window, as port 0 (feature maps) sees it; a multiple of 4096."""
    GMEM0_HIGH = 0x14
    GMEM1_LOW = 0x1C
    """The same, as port 1 (program, weights) sees it."""
    GMEM1_HIGH = 0x20
    WINDOW_BEATS = 0x28
    """Length of the window."""
    PROGRAM = 0x30
    """Where in the window the program begins, in beats."""
    INFO = 0x100
    """Identity and status: :class:`Info` words, read-only."""
    COUNTERS = 0x200
    """:data:`MAX_LAYERS` × :class:`Counter` words, read-only."""


class Control(IntEnum):
    """Bits of :attr:`Register.CONTROL`."""

    START = 0
    DONE = 1
    """Cleared by reading."""
    IDLE = 2
    READY = 3
    """Cleared by reading."""
    AUTO_RESTART = 7


class Info(IntEnum):
    """Words at :attr:`Register.INFO`."""

    MAGIC = 0
    VERSION = 1
    ARRAY = 2
    """POF | POY << 8 | POX << 16."""
    HASH_LOW = 3
    """First 64 bits of the SHA-256 of the design's sources."""
    HASH_HIGH = 4
    INPUT_WORDS = 5
    WEIGHT_WORDS = 6
    PARAM_WORDS = 7
    PASS_WORDS = 8
    TAP_WORDS = 9
    CHANNELS = 10
    LAYERS = 11
    ERROR = 12
    """:class:`ErrorCode` of the last run."""
    ERROR_LAYER = 13
    LAYERS_DONE = 14
    CYCLES = 15
    """From start to done, all of the last run."""
    PROGRAM_LOW = 16
    """``identity_low`` of the header of the last run."""
    PROGRAM_HIGH = 17


INFO_WORDS = 32


class Counter(IntEnum):
    """Words per layer at :attr:`Register.COUNTERS`."""

    CYCLES = 0
    """From the end of the layer before (of the start) to the end of this one."""
    ACTIVE = 1
    """In which the array multiplied."""
    LOAD_WAIT = 2
    """In which it waited for an input tile."""
    WEIGHT_WAIT = 3
    """In which it waited for a weight."""
    STORE_WAIT = 4
    """In which it waited for the results before to be drained or stored."""
    CONV_SATURATIONS = 5
    ACTIVATION_SATURATIONS = 6
    INPUT_SATURATIONS = 7


COUNTER_WORDS = 8
