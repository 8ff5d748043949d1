"""Bitstreams of the virtual board: they hold no configuration, but say what is to be played.

They are laid out as real ones, so that the same tools take them: a ``.bit`` has a header with the
design's name, part and date; its words follow with the most significant byte first, after a
synchronization word. A ``.bin``, which Linux takes, has no header and each word turned around.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast

from xlic.accelerator.design import SMALL, Design
from xlic.accelerator.sources import rtl_sources, source_hash
from xlic.errors import FormatError, InputError
from xlic.files import Progress, write_bytes

Kind = Literal["rtl", "hls"]
KINDS: tuple[Kind, ...] = ("rtl", "hls")

PART = "xczu9eg-ffvb1156-2-e"
SYNC = b"\xaa\x99\x55\x66"
_BUS_WIDTH = b"\x00\x00\x00\xbb\x11\x22\x00\x44"
_MARK = b"xlic virtual PL\n"
_SEARCHED = 4096
_MOST = 1 << 16


@dataclass(frozen=True)
class VirtualBitstream:
    """What a virtual bitstream says.

    Attributes:
        design: of the accelerator.
        source_hash: that its identity registers tell.
        kind: what plays it: the RTL, verilated, or the compiled HLS C++.
    """

    design: Design = SMALL
    source_hash: int = 0
    kind: Kind = "rtl"

    def to_bit(self) -> bytes:
        """The ``.bit`` file."""
        data = self._words()
        out = struct.pack(">H", 9) + bytes.fromhex("0ff00ff00ff00ff000") + struct.pack(">H", 1)
        fields = {"a": "xlic_virtual", "b": PART, "c": "2000/01/01", "d": "00:00:00"}
        for key, text in fields.items():
            value = text.encode() + b"\0"
            out += key.encode() + struct.pack(">H", len(value)) + value
        return out + b"e" + struct.pack(">I", len(data)) + data

    def to_bin(self) -> bytes:
        """The ``.bin`` file."""
        return _turned(self._words())

    def _words(self) -> bytes:
        said = {
            "design": asdict(self.design),
            "source_hash": f"{self.source_hash:016x}",
            "kind": self.kind,
        }
        text = json.dumps(said, sort_keys=True).encode()
        body = _MARK + struct.pack(">II", len(text), zlib.crc32(text)) + text
        body += bytes(-len(body) % 4)
        return b"\xff" * 32 + _BUS_WIDTH + b"\xff" * 8 + SYNC + body


def current_hash(kind: Kind) -> int:
    """Hash of the sources, as hardware made from them now would tell it."""
    if kind == "rtl":
        return source_hash(rtl_sources())
    from xlic.accelerator.native_library import hls_sources

    return source_hash(hls_sources())


def make_bitstream(
    path: Path,
    design: Design = SMALL,
    kind: Kind = "rtl",
    *,
    sources: int | None = None,
    progress: Progress | None = None,
) -> VirtualBitstream:
    """Write a ``.bit`` or ``.bin`` for the virtual board, and build what plays it.

    Args:
        path: where to; the suffix says which.
        design: of the accelerator.
        kind: what plays it.
        sources: hash of the sources that its identity tells; None takes today's.
        progress: told when a build begins and ends.

    Raises:
        InputError: another suffix, or the file cannot be written.
        MissingToolError: a tool to build it is absent.
        BuildError: the sources are refused.
    """
    if path.suffix not in (".bit", ".bin"):
        raise InputError(f"{path} must end in .bit or .bin")
    made = VirtualBitstream(design, current_hash(kind) if sources is None else sources, kind)
    build_player(made, progress)
    write_bytes(path, made.to_bit() if path.suffix == ".bit" else made.to_bin())
    return made


def build_player(bitstream: VirtualBitstream, progress: Progress | None = None) -> Path:
    """The library that plays a bitstream; built unless that was done before.

    Raises:
        MissingToolError: a tool to build it is absent.
        BuildError: the sources are refused.
    """
    if bitstream.kind == "rtl":
        from xlic.accelerator.verilated_library import Rtl
        from xlic.accelerator.verilated_library import build_library as build_rtl

        return build_rtl(Rtl.of(bitstream.design), progress=progress)
    from xlic.accelerator.native_library import build_library as build_hls

    return build_hls(bitstream.design, progress=progress)


def read_bin(data: bytes) -> VirtualBitstream | None:
    """What a ``.bin`` says; None if it is a bitstream but none of the virtual board's.

    Raises:
        FormatError: it is no ``.bin``, or damaged.
    """
    begin = data[:_SEARCHED]
    if _turned(SYNC) not in begin:
        if SYNC in begin:
            raise FormatError("its bytes are in a .bit file's order; convert it to .bin")
        raise FormatError("it has no synchronization word")
    words = _turned(data[: _MOST // 4 * 4])
    at = words.find(_MARK)
    if at < 0:
        return None
    at += len(_MARK)
    try:
        length, crc = struct.unpack_from(">II", words, at)
        text = words[at + 8 : at + 8 + length]
        if zlib.crc32(text) != crc:
            raise FormatError("it is damaged: its checksum does not match")
        said = json.loads(text)
        if said["kind"] not in KINDS:
            raise FormatError(f"nothing plays {said['kind']!r}")
        return VirtualBitstream(
            Design(**said["design"]), int(said["source_hash"], 16), cast(Kind, said["kind"])
        )
    except (struct.error, ValueError, KeyError, TypeError, InputError) as error:
        raise FormatError(f"it is damaged: {error}") from error


def _turned(data: bytes) -> bytes:
    """Each word of four bytes turned around; what is left over stays."""
    whole = len(data) // 4 * 4
    out = bytearray(data)
    for byte in range(4):
        out[byte:whole:4] = data[3 - byte : whole : 4]
    return bytes(out)
