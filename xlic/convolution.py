"""The network's convolutions as float64 matrix products, in tiles of a few rows.

Both the float reference and the INT16 simulation stand on this module. For integers it is *exact*:
BLAS adds products of float64 numbers in an order of its own, but sums of integers (or of integers
times one power of two) are free of rounding in any order while they stay below 2**53, and the
accumulators of the INT16 contract stay below 2**48 (docs/int16.md).

A down-sampling layer is one product: patches of the zero-padded input times the kernel matrix. An
up-sampling layer by S is S×S stride-1 convolutions, one per phase of the output, each with those
taps only that meet a sample of the zero-stuffed input: no product with a stuffed zero. Where a
layer has few output channels, the phases share one product instead (a narrow matrix is slow in any
BLAS), at the price of some zero weights.

Tiles bound the memory and are the unit of parallel work. Their size depends on the layer and the
width alone, and each is computed by a single-threaded BLAS call, so float results do not depend on
the number of threads either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from xlic.architecture import ConvLayer
from xlic.files import Array
from xlic.parallel import in_parallel

Float64 = NDArray[np.float64]

_PATCH_BYTES = 4 << 20
"""Aim for the patches of one tile: they should stay in the cache beside the kernel matrix."""

_TILE_COLUMNS = 1024
"""A tile is no wider: it takes whole rows of all but panoramas."""

_MERGE_BELOW = 16
"""Up layers with fewer output channels compute all phases in one product."""


@dataclass(frozen=True)
class _Product:
    """One matrix product of a layer: a window of the input and the output phases it yields.

    Attributes:
        top: row of the window's first tap, relative to ``step · anchor``; likewise ``left``.
        rows: height of the window in input samples; likewise ``columns``.
        matrix: ``(rows · columns · Cin, phases · Cout)``.
        phase: row and column phase of the output, or None where the product yields all of them.
    """

    top: int
    left: int
    rows: int
    columns: int
    matrix: Float64
    phase: tuple[int, int] | None


@dataclass(frozen=True)
class _Tile:
    """A rectangle of anchors: rows ``top`` to ``bottom``, columns ``left`` to ``right``.

    An *anchor* is an output position of a down layer, an input position of an up layer.
    """

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True)
class Block:
    """Where the result of one product belongs."""

    tile: _Tile
    upsampling: int
    phase: tuple[int, int] | None

    def store(self, target: Array, values: Array) -> None:
        """Write ``values`` ``(anchors, phases · C)`` into ``target`` ``(H, W, C)``."""
        s, tile, channels = self.upsampling, self.tile, target.shape[2]
        rows, columns = tile.bottom - tile.top, tile.right - tile.left
        # Splitting two axes of a contiguous array is a view, whatever is selected afterwards.
        strip = target[tile.top * s : tile.bottom * s].reshape(rows, s, -1, s, channels)
        places = strip[:, :, tile.left : tile.right]
        if self.phase is not None:
            places[:, self.phase[0], :, self.phase[1]] = values.reshape(rows, columns, channels)
        else:
            in_order = values.reshape(rows, columns, s, s, channels)
            places[...] = in_order.transpose(0, 2, 1, 3, 4)


class Convolution:
    """``x ⋆ kernel`` of one layer, without bias, in float64."""

    def __init__(self, layer: ConvLayer, kernel: Array) -> None:
        """Prepare the matrices.

        Args:
            layer: the layer; its direction, kernel size and stride count.
            kernel: ``(Kh, Kw, Cin, Cout)``, ready to correlate.
        """
        self.layer = layer
        values = kernel.astype(np.float64)
        self._products = _down(layer, values) if layer.direction == "down" else _up(layer, values)
        self._step = layer.stride if layer.direction == "down" else 1
        self._upsampling = layer.stride if layer.direction == "up" else 1
        self.phases = self._upsampling**2 if self._products[0].phase is None else 1
        """Output positions per row of a block: channel vectors repeat that often."""
        self._before = max(-product.top for product in self._products)
        self._behind = max(product.top + product.rows for product in self._products)

    def each_block(self, x: Array, finish: Callable[[Float64, Block], None]) -> None:
        """Compute all blocks of the output, several at a time on as many threads as processors.

        Args:
            x: ``(H, W, Cin)``, any real dtype.
            finish: called with each block's sums, C-contiguous ``(anchors, phases · Cout)``, which
                it may overwrite, and their place. It runs in several threads at once.
        """
        padded = self._padded(x)

        def work(tile: _Tile) -> None:
            for product in self._products:
                patches = self._patches(padded, product, tile)
                matrix = np.empty(patches.shape, np.float64)
                np.copyto(matrix, patches)
                sums = matrix.reshape(-1, product.matrix.shape[0]) @ product.matrix
                finish(sums, Block(tile, self._upsampling, product.phase))

        in_parallel(work, list(self._tiles(*self._anchors(x))))

    def sample_patches(self, x: Array, count: int, rng: np.random.Generator) -> Float64:
        """Input patches of a down layer at random places, ``(≤ count, Kh · Kw · Cin)``."""
        rows, columns = self._anchors(x)
        whole = _Tile(0, rows, 0, columns)
        patches = self._patches(self._padded(x), self._products[0], whole)
        places = rng.permutation(rows * columns)[:count]
        chosen = patches[places // columns, places % columns]
        return chosen.reshape(len(places), -1).astype(np.float64)

    def empty_output(self, height: int, width: int, dtype: type[np.generic]) -> Array:
        """An uninitialized output ``(H', W', Cout)`` for an input of this size."""
        return np.empty((*self.layer.output_size(height, width), self.layer.cout), dtype)

    def _anchors(self, x: Array) -> tuple[int, int]:
        if self.layer.direction == "down":
            return self.layer.output_size(x.shape[0], x.shape[1])
        return x.shape[0], x.shape[1]

    def _padded(self, x: Array) -> Array:
        behind = [
            max(0, (anchors - 1) * self._step + self._behind - length)
            for anchors, length in zip(self._anchors(x), x.shape, strict=False)
        ]
        before = self._before
        return np.pad(x, ((before, behind[0]), (before, behind[1]), (0, 0)))

    def _tiles(self, rows: int, columns: int) -> Iterator[_Tile]:
        widest = max(product.matrix.shape[0] for product in self._products)
        width = min(columns, _TILE_COLUMNS)
        height = max(1, _PATCH_BYTES // (8 * widest * width))
        for top in range(0, rows, height):
            for left in range(0, columns, width):
                yield _Tile(top, min(rows, top + height), left, min(columns, left + width))

    def _patches(self, padded: Array, product: _Product, tile: _Tile) -> Array:
        """View ``(anchor rows, anchor columns, window rows, window columns · Cin)``."""
        channels = padded.shape[2]
        row_stride, column_stride, item = padded.strides
        first = padded[tile.top * self._step + self._before + product.top :]
        first = first[:, tile.left * self._step + self._before + product.left :]
        return as_strided(
            first,
            (
                tile.bottom - tile.top,
                tile.right - tile.left,
                product.rows,
                product.columns * channels,
            ),
            (row_stride * self._step, column_stride * self._step, row_stride, item),
            writeable=False,
        )


def _down(layer: ConvLayer, kernel: Float64) -> list[_Product]:
    k = layer.kernel
    matrix = np.ascontiguousarray(kernel.reshape(-1, layer.cout))
    return [_Product(-(k // 2), -(k // 2), k, k, matrix, (0, 0))]


def _up(layer: ConvLayer, kernel: Float64) -> list[_Product]:
    s = layer.stride
    taps = [_phase_taps(layer, p) for p in range(s)]
    if layer.cout >= _MERGE_BELOW:
        return [
            _Product(
                taps[p][0][1],
                taps[q][0][1],
                len(taps[p]),
                len(taps[q]),
                np.ascontiguousarray(
                    kernel[np.ix_([j for j, _ in taps[p]], [j for j, _ in taps[q]])].reshape(
                        -1, layer.cout
                    )
                ),
                (p, q),
            )
            for p in range(s)
            for q in range(s)
        ]
    first = min(offset for phase in taps for _, offset in phase)
    size = max(offset for phase in taps for _, offset in phase) - first + 1
    merged = np.zeros((size, size, layer.cin, s, s, layer.cout))
    for p in range(s):
        for q in range(s):
            for row_tap, row in taps[p]:
                for column_tap, column in taps[q]:
                    merged[row - first, column - first, :, p, q] = kernel[row_tap, column_tap]
    return [_Product(first, first, size, size, merged.reshape(size * size * layer.cin, -1), None)]


def _phase_taps(layer: ConvLayer, phase: int) -> list[tuple[int, int]]:
    """Taps of one output phase on one axis, as (kernel index, input offset), offsets rising by 1.

    Output n = s·q + phase sees kernel index j at zero-stuffed position n + j − K//2, which is input
    sample m where that equals s·m.
    """
    s, half = layer.stride, layer.kernel // 2
    return [
        (j, (phase + j - half) // s) for j in range(layer.kernel) if (phase + j - half) % s == 0
    ]
