"""Images in and out: anything Pillow reads becomes uint8 RGB, and every conversion is said.

All images inside xlic are ``uint8 (H, W, 3)``.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageOps, UnidentifiedImageError

from xlic.errors import InputError
from xlic.files import atomic_path

MAX_PIXELS = 1 << 28
"""Largest image accepted: 268 megapixels, so that a hostile header cannot take the memory."""

UInt8Image = NDArray[np.uint8]

# What Pillow's decoders raise on damaged files.
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, PillowImage.DecompressionBombError)


@dataclass(frozen=True)
class LoadedImage:
    """An image as read from a file.

    Attributes:
        pixels: uint8 ``(H, W, 3)``.
        notes: what was converted, a sentence each; empty for an 8-bit RGB file.
    """

    pixels: UInt8Image
    notes: tuple[str, ...]


def read_image(path: str | os.PathLike[str]) -> LoadedImage:
    """Read any image that Pillow reads.

    Grey, palette and 16-bit images are converted, transparent ones are laid on white, the
    orientation that a camera recorded is applied; ``notes`` says so.

    Raises:
        InputError: the file is absent, no image, truncated, empty or larger than
            :data:`MAX_PIXELS`.
    """
    source = Path(path)
    try:
        with warnings.catch_warnings():
            # Pillow warns from 89 megapixels on; the limit here is explicit and an error.
            warnings.simplefilter("ignore", PillowImage.DecompressionBombWarning)
            with PillowImage.open(source) as opened:
                check_size(opened.height, opened.width, str(source))
                opened.load()
                return _to_rgb(opened)
    except UnidentifiedImageError as error:
        raise InputError(f"{source} is no image that Pillow reads; give a PNG or JPEG") from error
    except _UNREADABLE as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read image {source}: {reason}") from error


def write_png(path: str | os.PathLike[str], pixels: UInt8Image) -> None:
    """Write uint8 ``(H, W, 3)`` as a PNG, atomically."""
    with atomic_path(path) as temporary:
        PillowImage.fromarray(pixels).save(temporary, format="PNG")


def check_size(height: int, width: int, where: str) -> None:
    """Refuse sizes of zero or beyond :data:`MAX_PIXELS`.

    Raises:
        InputError: so.
    """
    if height < 1 or width < 1:
        raise InputError(f"{where} is {width}×{height} pixels; an image needs at least 1×1")
    if height * width > MAX_PIXELS:
        raise InputError(
            f"{where} is {width}×{height} pixels, more than the {MAX_PIXELS} allowed; crop it"
        )


def check_pixels(pixels: object, where: str = "image") -> UInt8Image:
    """Return ``pixels`` if it is a usable uint8 ``(H, W, 3)`` array.

    Raises:
        InputError: another type, dtype, shape or size.
    """
    if (
        not isinstance(pixels, np.ndarray)
        or pixels.dtype != np.uint8
        or pixels.ndim != 3
        or pixels.shape[2] != 3
    ):
        found = type(pixels).__name__
        if isinstance(pixels, np.ndarray):
            found = f"{pixels.dtype}{list(pixels.shape)}"
        raise InputError(f"{where} is {found}, must be uint8 [height, width, 3]")
    check_size(pixels.shape[0], pixels.shape[1], where)
    return pixels


def _to_rgb(image: PillowImage.Image) -> LoadedImage:
    notes: list[str] = []
    orientation = image.getexif().get(0x0112, 1)
    if orientation != 1:
        image = ImageOps.exif_transpose(image)
        notes.append(f"turned as its EXIF orientation {orientation} says")
    if image.mode.startswith("I") or image.mode == "F":
        wide = np.asarray(image).astype(np.float64)
        # 16-bit samples 0..65535 map onto 0..255 by 257, the PNG specification's exact ratio.
        grey = np.clip(np.floor(wide / 257.0 + 0.5), 0, 255).astype(np.uint8)
        notes.append(f"{image.mode} samples scaled from 16 to 8 bits")
        image = PillowImage.fromarray(grey)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = PillowImage.new("RGBA", rgba.size, "white")
        image = PillowImage.alpha_composite(white, rgba)
        notes.append("transparency laid on white")
    if image.mode != "RGB":
        if image.mode not in ("RGBA",):
            notes.append(f"converted from {image.mode} to RGB")
        image = image.convert("RGB")
    return LoadedImage(np.array(image, dtype=np.uint8), tuple(notes))
