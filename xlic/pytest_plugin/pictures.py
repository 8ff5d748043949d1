"""Images for tests: real photographs, and pictures made to hurt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from xlic.files import find_files
from xlic.images import UInt8Image, read_image
from xlic.shipped import photo_path

SEED = 2017


def _constant(value: int) -> UInt8Image:
    return np.full((48, 40, 3), value, np.uint8)


def _noise() -> UInt8Image:
    return np.random.default_rng(SEED).integers(0, 256, (50, 61, 3)).astype(np.uint8)


def _checkerboard() -> UInt8Image:
    rows, columns = np.indices((64, 64))
    return np.repeat((((rows + columns) % 2) * 255).astype(np.uint8)[..., None], 3, axis=2)


def _primaries() -> UInt8Image:
    """Blocks of fully saturated colours with hard edges: the hardest range for the decoder."""
    corners = np.array(list(np.ndindex(2, 2, 2)), np.uint8) * 255
    blocks = np.random.default_rng(SEED).permutation(np.repeat(np.arange(8), 2)).reshape(4, 4)
    return np.kron(corners[blocks], np.ones((16, 16, 1), np.uint8))


def _crop(name: str) -> Callable[[], UInt8Image]:
    # A crop of odd size that keeps tests fast and is no multiple of 16.
    return lambda: np.ascontiguousarray(read_image(photo_path(name)).pixels[60:157, 110:240])


_MADE: dict[str, Callable[[], UInt8Image]] = {
    "chelsea": _crop("chelsea"),
    "coffee": _crop("coffee"),
    "black": lambda: _constant(0),
    "grey": lambda: _constant(128),
    "white": lambda: _constant(255),
    "noise": _noise,
    "checkerboard": _checkerboard,
    "primaries": _primaries,
    "one_pixel": lambda: np.full((1, 1, 3), (250, 3, 127), np.uint8),
    "one_row": lambda: _noise()[:1, :5],
    "tall": lambda: np.tile(_noise()[:, :2], (8, 1, 1)),
    "wide": lambda: np.tile(_noise()[:3], (1, 9, 1)),
}
PHOTOGRAPHS = ("chelsea", "coffee")
"""Names of the default images that are photographs."""
DEFAULT_NAMES = tuple(_MADE)


def find_images(pattern: str, option: str = "--images") -> dict[str, Path]:
    """Files that a glob matches, by a unique short name, in sorted order.

    Args:
        pattern: the glob.
        option: that gave it, for the message.

    Raises:
        InputError: none matches.
    """
    files = find_files(pattern, option)
    stems = [file.stem for file in files]
    return {(file.stem if stems.count(file.stem) == 1 else file.as_posix()): file for file in files}


def make_picture(name: str) -> UInt8Image:
    """One of the default images, uint8 ``(H, W, 3)``."""
    return _MADE[name]()
