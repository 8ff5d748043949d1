"""The memory window: where programs and tensors lie, and how these are packed.

Every buffer begins at a multiple of 4096 bytes. Feature maps have buffers of their own and are
never overwritten within a run, so each can be read back afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator.isa import BEAT_BYTES, CHANNEL_BLOCK
from xlic.errors import InputError

PAGE_BEATS = 4096 // BEAT_BYTES
MAX_WINDOW_BEATS = (1 << 32) - 1
PIXEL_BYTES = 4
"""A picture's pixel: red, green, blue, ignored."""
PICTURE_CHANNELS = 3

UInt8 = NDArray[np.uint8]


class Layout(Enum):
    """How a tensor lies in memory; the value is its dtype for the host."""

    MAP = "int16"
    """Rows × pixels × channels, channels padded to a multiple of 8."""
    SYMBOLS = "int32"
    """The same in int32."""
    PICTURE = "uint8 raster"
    """Rows × pixels × 4 bytes, rows padded to whole beats."""
    BLOCKS = "uint8 blocks"
    """Space-to-depth: blocks of stride × stride pixels × 4 bytes, padded to whole beats."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the tensor on the host."""
        return np.dtype(self.value.split()[0])


@dataclass(frozen=True)
class Tensor:
    """A tensor in the window.

    Attributes:
        name: as elsewhere in xlic.
        layout: how it lies.
        height: rows; likewise ``width`` and ``channels``: the shape on the host.
        offset: its first beat.
        stride: of BLOCKS, pixels of a block per axis.
        lead: of BLOCKS, rows and columns of the first blocks that lie outside the picture.
    """

    name: str
    layout: Layout
    height: int
    width: int
    channels: int
    offset: int = 0
    stride: int = 1
    lead: int = 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """On the host."""
        return self.height, self.width, self.channels

    @property
    def rows(self) -> int:
        """Rows in memory: of pixels, or of blocks."""
        return -(-(self.height + self.lead) // self.stride)

    @property
    def pixel_beats(self) -> int:
        """Beats of a pixel or block; of a PICTURE, of the four pixels that share one."""
        if self.layout in (Layout.MAP, Layout.SYMBOLS):
            padded = -(-self.channels // CHANNEL_BLOCK) * CHANNEL_BLOCK
            return padded * self.layout.dtype.itemsize // BEAT_BYTES
        return -(-(self.stride**2) * PIXEL_BYTES // BEAT_BYTES)

    @property
    def row_pitch(self) -> int:
        """Beats from one row to the next."""
        if self.layout is Layout.PICTURE:
            return -(-self.width * PIXEL_BYTES // BEAT_BYTES)
        return -(-(self.width + self.lead) // self.stride) * self.pixel_beats

    @property
    def beats(self) -> int:
        """Length in memory."""
        return self.rows * self.row_pitch

    def place(self, window: UInt8) -> UInt8:
        """The tensor's bytes within ``window``, a view.

        Raises:
            InputError: the window is too short.
        """
        return place(window, self.offset, self.beats, self.name)

    def write(self, window: UInt8, values: NDArray[Any]) -> None:
        """Put ``values`` ``(height, width, channels)`` into the window.

        Raises:
            InputError: another shape, values beyond the dtype, or too short a window.
        """
        self.place(window)[:] = self.pack(values)

    def read(self, window: UInt8) -> NDArray[Any]:
        """The tensor ``(height, width, channels)`` as it is in the window, a copy.

        Raises:
            InputError: the window is too short.
        """
        return self.unpack(self.place(window))

    def pack(self, values: NDArray[Any]) -> UInt8:
        """The bytes ``(16 · beats,)`` of ``values``, padding zero.

        Raises:
            InputError: another shape, or values beyond the dtype.
        """
        self._check(values)
        dtype = self.layout.dtype.newbyteorder("<")
        if self.layout is Layout.BLOCKS:
            return self._pack_blocks(values.astype(dtype))
        padded = np.zeros(self._stored_shape(), dtype)
        padded[:, : self.width, : self.channels] = values
        return padded.reshape(-1).view(np.uint8)

    def unpack(self, data: UInt8) -> NDArray[Any]:
        """The tensor ``(height, width, channels)`` of bytes as :meth:`pack` makes them."""
        dtype = self.layout.dtype.newbyteorder("<")
        if self.layout is Layout.BLOCKS:
            return self._unpack_blocks(data)
        stored = np.ascontiguousarray(data).view(dtype).reshape(self._stored_shape())
        return stored[:, : self.width, : self.channels].astype(self.layout.dtype)

    def _stored_shape(self) -> tuple[int, int, int]:
        if self.layout is Layout.PICTURE:
            return self.rows, self.row_pitch * BEAT_BYTES // PIXEL_BYTES, PIXEL_BYTES
        channels = self.pixel_beats * BEAT_BYTES // self.layout.dtype.itemsize
        return self.rows, self.width, channels

    def _block_grid(self) -> tuple[int, int]:
        return self.rows, self.row_pitch // self.pixel_beats

    def _pack_blocks(self, values: UInt8) -> UInt8:
        rows, columns = self._block_grid()
        s, lead = self.stride, self.lead
        raster = np.zeros((rows * s, columns * s, PIXEL_BYTES), np.uint8)
        inside = raster[lead : lead + self.height, lead : lead + self.width]
        inside[..., : self.channels] = values
        blocks = raster.reshape(rows, s, columns, s, PIXEL_BYTES).transpose(0, 2, 1, 3, 4)
        stored = np.zeros((rows, columns, self.pixel_beats * BEAT_BYTES), np.uint8)
        stored[..., : s * s * PIXEL_BYTES] = blocks.reshape(rows, columns, -1)
        return stored.reshape(-1)

    def _unpack_blocks(self, data: UInt8) -> UInt8:
        rows, columns = self._block_grid()
        s, lead = self.stride, self.lead
        stored = data.reshape(rows, columns, -1)[..., : s * s * PIXEL_BYTES]
        blocks = stored.reshape(rows, columns, s, s, PIXEL_BYTES).transpose(0, 2, 1, 3, 4)
        raster = blocks.reshape(rows * s, columns * s, PIXEL_BYTES)
        inside = raster[lead : lead + self.height, lead : lead + self.width, : self.channels]
        return inside.copy()

    def _check(self, values: NDArray[Any]) -> None:
        if values.shape != self.shape or values.dtype.kind not in "iu":
            raise InputError(
                f"{self.name} is {values.dtype}{list(values.shape)}, the program was compiled for "
                f"integers {list(self.shape)}; compile it for this size"
            )
        range_ = np.iinfo(self.layout.dtype)
        if values.size and not range_.min <= int(values.min()) <= int(values.max()) <= range_.max:
            raise InputError(
                f"{self.name} spans {values.min()} … {values.max()}, "
                f"must be {range_.min} … {range_.max}"
            )


@dataclass(frozen=True)
class MemoryMap:
    """Everything in a window.

    Attributes:
        input: the tensor that the host writes.
        tensors: those that the accelerator writes, by name, in order of computation.
        program: first beat of the program.
        program_beats: its length.
    """

    input: Tensor
    tensors: Mapping[str, Tensor]
    program: int
    program_beats: int

    @property
    def beats(self) -> int:
        """Length of the window: whole pages."""
        return _whole_pages(self.program + self.program_beats)

    @property
    def bytes(self) -> int:
        """The same in bytes."""
        return self.beats * BEAT_BYTES

    def tensor(self, name: str) -> Tensor:
        """A tensor by name, the input too.

        Raises:
            InputError: it is not in memory.
        """
        known = {self.input.name: self.input, **self.tensors}
        if name not in known:
            raise InputError(
                f"no tensor {name!r} in memory; there are {', '.join(known)}; those ahead of a "
                "normalization must be asked for when compiling"
            )
        return known[name]


class Allocator:
    """Hands out the window page by page."""

    def __init__(self) -> None:
        self.beats = 0

    def take(self, beats: int, name: str) -> int:
        """First beat of a new buffer.

        Raises:
            InputError: the window would be longer than its register can say.
        """
        offset = self.beats
        self.beats = _whole_pages(offset + beats)
        if self.beats > MAX_WINDOW_BEATS:
            raise InputError(
                f"with {name} the memory window would take {self.beats * BEAT_BYTES} bytes, the "
                f"accelerator addresses {MAX_WINDOW_BEATS * BEAT_BYTES}; use a smaller picture"
            )
        return offset


def place(window: UInt8, offset: int, beats: int, what: str) -> UInt8:
    """Bytes of ``beats`` beats from beat ``offset`` on, a view of ``window``.

    Raises:
        InputError: the window is no flat uint8 array or too short.
    """
    if window.dtype != np.uint8 or window.ndim != 1:
        raise InputError(f"a window is uint8 [bytes], not {window.dtype}{list(window.shape)}")
    end = (offset + beats) * BEAT_BYTES
    if end > len(window):
        raise InputError(
            f"{what} ends at byte {end} of a window of {len(window)}; allocate as many bytes as "
            "the memory map says"
        )
    return window[offset * BEAT_BYTES : end]


def memory_map(
    source: Tensor, tensors: Mapping[str, Tensor], allocator: Allocator, program_beats: int
) -> MemoryMap:
    """Put the program behind the tensors."""
    offset = allocator.take(program_beats, "the program")
    return MemoryMap(source, MappingProxyType(dict(tensors)), offset, program_beats)


def _whole_pages(beats: int) -> int:
    return -(-beats // PAGE_BEATS) * PAGE_BEATS
