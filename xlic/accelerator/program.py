"""A compiled program: records and weights, to bytes and back.

docs/accelerator.md describes the layout. :meth:`Program.from_bytes` refuses whatever the
accelerator refuses, and says with which :class:`~xlic.accelerator.isa.ErrorCode` it would.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator import isa
from xlic.accelerator.checks import REMEDY, ProgramError, check_program
from xlic.accelerator.design import Design
from xlic.accelerator.isa import BEAT_BYTES, ErrorCode
from xlic.accelerator.records import (
    LayerRecord,
    ParamRecord,
    PassRecord,
    TapRecord,
    decode_record,
    encode_record,
)
from xlic.errors import FormatError
from xlic.files import read_bytes, write_bytes

_R = TypeVar("_R", LayerRecord, PassRecord, TapRecord, ParamRecord)

_CRC_HEADER_BYTES = 3 * BEAT_BYTES
"""The header's first beats, which ``tables_crc`` covers; the checksums themselves come after."""


@dataclass(frozen=True)
class Sections:
    """Where the sections of a program lie, in beats from its beginning.

    Attributes:
        layers: number of records; likewise ``passes``, ``taps``, ``params``.
        weight_words: number of words of ``pof`` int16 weights.
        pof: lanes.
    """

    layers: int
    passes: int
    taps: int
    params: int
    weight_words: int
    pof: int

    @property
    def tables(self) -> tuple[slice, slice, slice, slice]:
        """Beats of layers, passes, taps and parameters."""
        sizes = (
            self.layers * isa.LAYER_BEATS,
            self.passes,
            -(-self.taps * 4 // BEAT_BYTES),
            -(-self.params * 8 // BEAT_BYTES),
        )
        ends = np.cumsum((isa.HEADER_BEATS, *sizes)).tolist()
        layers, passes, taps, params = (slice(begin, end) for begin, end in pairwise(ends))
        return layers, passes, taps, params

    @property
    def weights(self) -> slice:
        """Beats of the weights."""
        begin: int = self.tables[3].stop
        return slice(begin, begin - (-self.weight_words * 2 * self.pof // BEAT_BYTES))


@dataclass(frozen=True, eq=False)
class Program:
    """A program for one design.

    Attributes:
        array: the array that it was compiled for, as ``Design.array``.
        layers: in order of execution.
        passes: of all layers.
        taps: of all passes.
        params: of all lanes, and of symbols.
        weights: int16 ``(words, POF)``.
    """

    array: int
    layers: tuple[LayerRecord, ...]
    passes: tuple[PassRecord, ...]
    taps: tuple[TapRecord, ...]
    params: tuple[ParamRecord, ...]
    weights: NDArray[np.int16]

    @property
    def sections(self) -> Sections:
        """Where they lie."""
        return Sections(
            len(self.layers),
            len(self.passes),
            len(self.taps),
            len(self.params),
            len(self.weights),
            self.array & 0xFF,
        )

    @property
    def beats(self) -> int:
        """Length in memory."""
        end: int = self.sections.weights.stop
        return end

    @cached_property
    def identity(self) -> str:
        """First 64 bits of the SHA-256 of array, records and weights, as 16 hexadecimal digits.

        The header carries it, and the accelerator shows it after a run.
        """
        content = np.array([self.array], "<u4").tobytes() + self._tables() + self._weights()
        return hashlib.sha256(content).hexdigest()[:16]

    def to_bytes(self) -> bytes:
        """The program as it lies in memory."""
        words = self._header(0, 0)
        tables, weights = self._tables(), self._weights()
        covered = words.astype("<u4").tobytes()[:_CRC_HEADER_BYTES] + tables
        words = self._header(zlib.crc32(covered), zlib.crc32(weights))
        return words.astype("<u4").tobytes() + tables + weights

    @classmethod
    def from_bytes(
        cls,
        data: bytes,
        design: Design,
        window_beats: int | None = None,
        offset: int | None = None,
    ) -> Program:
        """Read a program and check it as the accelerator does.

        Args:
            data: the program; what follows behind it is left alone, as in memory.
            design: of the accelerator.
            window_beats: length of the memory window that it is to run in; None leaves open
                whether its accesses stay in a window.
            offset: first beat of the program in the window; None leaves open whether it would be
                overwritten.

        Raises:
            ProgramError: damaged, truncated, of another version or design, larger than its
                buffers, or with descriptors that lead outside of them.
        """
        _require(
            len(data) >= isa.HEADER_BEATS * BEAT_BYTES,
            ErrorCode.WINDOW,
            f"a program of {len(data)} bytes has no whole header",
        )
        words = np.frombuffer(data, "<u4", isa.HEADER.words).astype(np.uint32)
        header = isa.HEADER.decode(words)
        sections = _checked_sections(header, design)
        tables, weights = sections.tables, sections.weights
        _require(
            len(data) >= weights.stop * BEAT_BYTES,
            ErrorCode.WINDOW,
            f"the program is truncated: {len(data)} bytes of {weights.stop * BEAT_BYTES}",
        )
        body = data[tables[0].start * BEAT_BYTES : tables[3].stop * BEAT_BYTES]
        _require(
            zlib.crc32(data[:_CRC_HEADER_BYTES] + body) == header["tables_crc"],
            ErrorCode.TABLES_CRC,
            "the program's tables are damaged: they do not match their checksum",
        )
        stored = data[weights.start * BEAT_BYTES : weights.stop * BEAT_BYTES]
        _require(
            zlib.crc32(stored) == header["weights_crc"],
            ErrorCode.WEIGHTS_CRC,
            "the program's weights are damaged: they do not match their checksum",
        )
        flat = np.frombuffer(stored, "<i2", sections.weight_words * design.pof)
        program = cls(
            header["array"],
            _decode(LayerRecord, data, tables[0], sections.layers),
            _decode(PassRecord, data, tables[1], sections.passes),
            _decode(TapRecord, data, tables[2], sections.taps),
            _decode(ParamRecord, data, tables[3], sections.params),
            flat.astype(np.int16).reshape(-1, design.pof),
        )
        check_program(program, design, window_beats, offset)
        return program

    def _header(self, tables_crc: int, weights_crc: int) -> NDArray[np.uint32]:
        sections = self.sections
        return isa.HEADER.encode(
            {
                "magic": isa.MAGIC,
                "version": isa.INTERFACE_VERSION,
                "array": self.array,
                "layers": sections.layers,
                "passes": sections.passes,
                "taps": sections.taps,
                "params": sections.params,
                "weight_words": sections.weight_words,
                "identity_low": int(self.identity[8:], 16),
                "identity_high": int(self.identity[:8], 16),
                "tables_crc": tables_crc,
                "weights_crc": weights_crc,
            }
        )

    def _tables(self) -> bytes:
        parts = (self.layers, self.passes, self.taps, self.params)
        return b"".join(_encode(part) for part in parts)

    def _weights(self) -> bytes:
        return _whole_beats(self.weights.astype("<i2").tobytes())


def read_program(
    path: str | os.PathLike[str], design: Design, window_beats: int | None = None
) -> Program:
    """Read a file that :func:`write_program` wrote, see :meth:`Program.from_bytes`.

    Raises:
        InputError: the file cannot be read.
        FormatError: it is no program for this design.
    """
    data = read_bytes(path)
    try:
        program = Program.from_bytes(data, design, window_beats)
    except ProgramError as error:
        raise FormatError(f"{path}: {error}") from error
    if len(data) != program.beats * BEAT_BYTES:
        surplus = len(data) - program.beats * BEAT_BYTES
        raise FormatError(f"{path}: {surplus} bytes follow the program; {REMEDY}")
    return program


def write_program(program: Program, path: str | os.PathLike[str]) -> None:
    """Write the program as one file, atomically: the bytes as they lie in memory."""
    write_bytes(path, program.to_bytes())


def _checked_sections(header: dict[str, int], design: Design) -> Sections:
    _require(
        header["magic"] == isa.MAGIC,
        ErrorCode.MAGIC,
        f"this is no program: it begins with {header['magic']:#010x}, not {isa.MAGIC:#010x}",
    )
    _require(
        header["version"] == isa.INTERFACE_VERSION,
        ErrorCode.VERSION,
        f"the program has interface version {header['version']}, "
        f"the accelerator {isa.INTERFACE_VERSION}",
    )
    _require(
        header["array"] == design.array,
        ErrorCode.DESIGN,
        f"the program was compiled for an array of {_array(header['array'])}, "
        f"the accelerator has {_array(design.array)}",
    )
    for section, most in {
        "layers": isa.MAX_LAYERS,
        "passes": design.pass_words,
        "taps": design.tap_words,
        "params": design.param_words,
        "weight_words": design.weight_words,
    }.items():
        _require(
            1 <= header[section] <= most,
            ErrorCode.CAPACITY,
            f"the program has {header[section]} {section}, the accelerator takes 1 … {most}",
        )
    keys = ("layers", "passes", "taps", "params", "weight_words")
    return Sections(pof=design.pof, **{key: header[key] for key in keys})


def _array(array: int) -> str:
    return f"POF {array & 0xFF}, POY {array >> 8 & 0xFF}, POX {array >> 16}"


def _encode(records: Sequence[LayerRecord | PassRecord | TapRecord | ParamRecord]) -> bytes:
    return _whole_beats(
        b"".join(encode_record(record).astype("<u4").tobytes() for record in records)
    )


def _decode(kind: type[_R], data: bytes, beats: slice, count: int) -> tuple[_R, ...]:
    words = np.frombuffer(data, "<u4", count * kind.record.words, beats.start * BEAT_BYTES)
    return tuple(decode_record(kind, row) for row in words.reshape(count, -1).astype(np.uint32))


def _whole_beats(data: bytes) -> bytes:
    return data + bytes(-len(data) % BEAT_BYTES)


def _require(condition: bool, code: ErrorCode, message: str) -> None:
    if not condition:
        raise ProgramError(code, message)
