"""What the demo's transposed convolutions read beyond the lower and right border.

The input of an output tile is loaded with one row and one column around it, packed, the columns
loaded being the pitch. Beyond the upper and left border zeros are stored. Beyond the lower and the
right one they are stored only where the output is no smaller than the input times the stride; where
it is cropped, nothing is stored, and what is read there is the beginning of the next row, or what
an earlier tile left behind. Channels come 16 at a time into two buffers in turn. Found by comparing
with the demo's own output, to the last pixel (docs/x_lic_demo.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xlic.architecture import ConvLayer

Int16 = NDArray[np.int16]
GROUP = 16
"""Channels that are loaded at a time."""
BUFFERS = 2


@dataclass(frozen=True)
class Edge:
    """Anchors (input positions) whose outputs see what zeros should be.

    Attributes:
        rows: of the anchors, likewise ``columns``.
        patch: int16 ``(rows + 2, columns + 2, Cin)``, what is read around them.
    """

    rows: slice
    columns: slice
    patch: Int16


def edges(
    x: Int16, layer: ConvLayer, size: tuple[int, int], tile: tuple[int, int]
) -> Iterator[Edge]:
    """The anchors at cropped borders, with what their tile's buffer holds.

    Args:
        x: int16 ``(H, W, Cin)``, as loaded.
        layer: a transposed convolution.
        size: of the output.
        tile: rows and columns of an output tile, multiples of the stride.
    """
    cropped = [
        wanted < length * layer.stride for wanted, length in zip(size, x.shape, strict=False)
    ]
    if not any(cropped):
        return
    memory = _Memory(x)
    for top in range(0, size[0], tile[0]):
        for left in range(0, size[1], tile[1]):
            rows = _Span.of(top, tile[0], x.shape[0], layer.stride, cropped[0])
            columns = _Span.of(left, tile[1], x.shape[1], layer.stride, cropped[1])
            seen = memory.load(rows, columns)
            last_row, last_column = rows.last - rows.first, columns.last - columns.first
            if cropped[1] and columns.last == x.shape[1] - 1:
                patch = seen[: last_row + 3, last_column : last_column + 3]
                yield Edge(
                    slice(rows.first, rows.last + 1), slice(columns.last, columns.last + 1), patch
                )
            if cropped[0] and rows.last == x.shape[0] - 1:
                patch = seen[last_row : last_row + 3, : last_column + 3]
                yield Edge(
                    slice(rows.last, rows.last + 1), slice(columns.first, columns.last + 1), patch
                )


@dataclass(frozen=True)
class _Span:
    """One axis of a tile's input.

    Attributes:
        first: anchor of the tile, likewise ``last``.
        stored: positions that are stored, zeros included: from ``begin`` on.
        seen: positions that are read, from ``begin`` on.
    """

    first: int
    last: int
    begin: int
    stored: int
    seen: int

    @classmethod
    def of(cls, start: int, tile: int, length: int, stride: int, cropped: bool) -> _Span:
        first, anchors = start // stride, tile // stride
        begin, seen = first - 1, anchors + 2
        behind = max(0, begin + seen - length)
        return cls(
            first,
            min(first + anchors, length) - 1,
            begin,
            seen - behind if cropped else seen,
            seen,
        )


class _Memory:
    """Both buffers: for each place, which position of the map was written there last."""

    def __init__(self, x: Int16) -> None:
        self._x = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        # Before anything was loaded a place holds zero, as the corner of the padded map does.
        self._places = np.zeros((0, 2), np.intp)
        groups = -(-x.shape[2] // GROUP)
        channel = np.arange(x.shape[2])
        # What an earlier tile left is of the last group that went into the same buffer.
        group = groups - 1 - (groups - 1 - channel // GROUP) % BUFFERS
        self._left = np.minimum(group * GROUP + channel % GROUP, x.shape[2] - 1)

    def load(self, rows: _Span, columns: _Span) -> Int16:
        """Load a tile; returns what is read of it, int16 ``(rows.seen, columns.seen, Cin)``."""
        footprint = rows.stored * columns.stored
        read = np.arange(rows.seen)[:, None] * columns.stored + np.arange(columns.seen)
        missing = max(footprint, int(read.max()) + 1) - len(self._places)
        self._places = np.pad(self._places, ((0, max(0, missing)), (0, 0)))
        y, x = np.divmod(np.arange(footprint), columns.stored)
        loaded = np.stack([y + rows.begin + 1, x + columns.begin + 1], axis=1)
        # Beyond the map are zeros, as in the padding.
        self._places[:footprint] = np.minimum(loaded, np.array(self._x.shape[:2]) - 1)
        at = self._places[read]
        values: Int16 = self._x[at[..., 0], at[..., 1]]
        stale = read >= footprint
        values[stale] = values[stale][:, self._left]
        return values
