"""Made pictures: what a few photographs leave out of colours, scales and stripes.

Three grey landscapes say nothing of how far a channel that answers to red reaches, nor one that
answers to the slats of a fence. *Dead leaves*, discs of random colour that occlude one another with
radii after an inverse cube law, share edges, scales and spectrum with photographs (Lee, Mumford,
Huang, IJCV 41, 2001). A *zone plate* has stripes of every width and direction in full contrast.

Both are the same everywhere: the leaves come from raw words of a PCG64, whose sequence NumPy
guarantees, and the zone plate has 256 levels, none of them near a tie of rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from xlic.images import UInt8Image

_LEAVES, _ZONES = 512, 256
"""Side of each picture in pixels."""
_RADIUS = (1.5, 64.0)
"""Least and largest of a leaf, in pixels."""
_DRAWS = 24_000
"""Leaves: so many that no gap of any size is left; a gap is black."""


def made_pictures() -> Iterator[tuple[str, UInt8Image]]:
    """Name and pixels of each made picture, uint8 ``(H, W, 3)``, always the same."""
    yield "dead leaves", _leaves()
    yield "zone plate", _zone_plate()


@lru_cache(maxsize=1)
def _leaves() -> UInt8Image:
    picture = np.zeros((_LEAVES, _LEAVES, 3), np.uint8)
    gap = np.ones((_LEAVES, _LEAVES), bool)
    uniform = _words(1, (_DRAWS, 4)) / 2.0**64
    colours = _words(2, (_DRAWS, 4))
    # Three in ten have a colour from the corners of the cube: saturated, black or white.
    corner = colours[:, 3] % 10 < 3
    colours = np.where(corner[:, None], 255 * (colours[:, :3] >> 63), colours[:, :3] >> 56)
    low, high = _RADIUS[1] ** -2, _RADIUS[0] ** -2
    radii = 1 / np.sqrt(low + uniform[:, 0] * (high - low))
    centres = uniform[:, 1:3] * (_LEAVES + 2 * radii[:, None]) - radii[:, None]
    # From the front to the back: a disc shows where nothing is before it.
    for (y, x), radius, colour in zip(centres, radii, colours, strict=True):
        rows, columns = _span(y, radius), _span(x, radius)
        dy, dx = np.arange(rows.start, rows.stop) - y, np.arange(columns.start, columns.stop) - x
        shown = (dy[:, None] ** 2 + dx**2 <= radius**2) & gap[rows, columns]
        picture[rows, columns][shown] = colour
        gap[rows, columns] &= ~shown
    picture.flags.writeable = False
    return picture


def _zone_plate() -> UInt8Image:
    offset = np.arange(_ZONES) - (_ZONES - 1) / 2
    # From the centre outwards the frequency grows to half a cycle per pixel at the sides.
    wave = np.cos(np.pi / _ZONES * (offset[:, None] ** 2 + offset**2))
    grey = np.floor(127.5 * (1 + wave) + 0.5).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _words(seed: int, shape: tuple[int, ...]) -> NDArray[np.uint64]:
    words: NDArray[np.uint64] = np.random.PCG64(seed).random_raw(shape)
    return words


def _span(centre: float, radius: float) -> slice:
    return slice(max(int(centre - radius), 0), min(int(centre + radius) + 2, _LEAVES))
