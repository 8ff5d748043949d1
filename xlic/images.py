"""Images in and out: anything Pillow reads becomes uint8 RGB, and every conversion is said.

All images inside xlic are ``uint8 (H, W, 3)``.
"""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageOps, UnidentifiedImageError

from xlic.errors import InputError
from xlic.files import atomic_path

MAX_PIXELS = 1 << 26
"""Largest image accepted, 67 megapixels: more is refused before its memory is taken."""
MAX_SIDE = 1 << 16
"""Longest side accepted: the latents of a strip one pixel high are sixteen times its pixels."""

UInt8Image = NDArray[np.uint8]


@dataclass(frozen=True)
class LoadedImage:
    """An image as read from a file.

    Attributes:
        pixels: uint8 ``(H, W, 3)``.
        notes: what was converted, a sentence each; empty for an 8-bit RGB file.
    """

    pixels: UInt8Image
    notes: tuple[str, ...]


def read_image(path: str | os.PathLike[str], data: bytes | None = None) -> LoadedImage:
    """Read any image that Pillow reads.

    Grey, palette and 16-bit images are converted, transparent ones are laid on white, the
    orientation that a camera recorded is applied, of an animation the first frame is taken;
    ``notes`` says so.

    Args:
        path: the file.
        data: its contents, where they are at hand; ``path`` is its name for messages then.

    Raises:
        InputError: the file is absent, no image, truncated, empty, of more than
            :data:`MAX_PIXELS` or :data:`MAX_SIDE`, or of samples without an agreed range.
    """
    source = Path(path)
    try:
        with warnings.catch_warnings():
            # About damaged metadata, which is of no concern here.
            warnings.simplefilter("ignore")
            with PillowImage.open(source if data is None else io.BytesIO(data)) as opened:
                check_size(opened.height, opened.width, str(source))
                # Pillow itself keeps 8 of 16 bits of colour images; only the file's layout tells.
                deep = any(";16" in str(tile) for tile in getattr(opened, "tile", ()))
                opened.load()
                return _to_rgb(opened, deep)
    except UnidentifiedImageError as error:
        raise InputError(f"{source} is no image that Pillow reads; give a PNG or JPEG") from error
    except InputError:
        raise
    except Exception as error:
        # Pillow's decoders raise errors of many kinds on damaged files, RuntimeError among them.
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read image {source}: {reason}") from error


_LOSSLESS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".bmp": ("BMP", {}),
    ".ppm": ("PPM", {}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {}),
    ".webp": ("WEBP", {"lossless": True, "exact": True}),
}
"""Formats that keep every pixel as it is, by suffix."""


def check_suffix(path: str | os.PathLike[str]) -> None:
    """Refuse a file for an image whose suffix promises what :func:`encoded` does not make.

    Raises:
        InputError: so.
    """
    _format_of(path)


def encoded(path: str | os.PathLike[str], pixels: UInt8Image) -> bytes:
    """``pixels`` in the format that the file's suffix says, without loss; PNG if it has none.

    Raises:
        InputError: a suffix of another format, or sizes that the format cannot have.
    """
    format_, options = _format_of(path)
    file = io.BytesIO()
    try:
        PillowImage.fromarray(pixels).save(file, format=format_, **options)
    except (OSError, ValueError) as error:
        raise InputError(f"{format_} cannot hold {path} ({error}); write a .png") from error
    return file.getvalue()


def _format_of(path: str | os.PathLike[str]) -> tuple[str, dict[str, Any]]:
    suffix = Path(path).suffix.lower() or ".png"
    if suffix not in _LOSSLESS:
        raise InputError(
            f"{path}: a decoded picture is written without loss, as {', '.join(_LOSSLESS)}; "
            "give it one of these suffixes"
        )
    return _LOSSLESS[suffix]


def write_png(path: str | os.PathLike[str], pixels: UInt8Image) -> None:
    """Write uint8 ``(H, W, 3)`` as a PNG, atomically."""
    with atomic_path(path) as temporary:
        PillowImage.fromarray(pixels).save(temporary, format="PNG")


def check_size(height: int, width: int, where: str) -> None:
    """Refuse sizes of zero or beyond :data:`MAX_PIXELS` or :data:`MAX_SIDE`.

    Raises:
        InputError: so.
    """
    if height < 1 or width < 1:
        raise InputError(f"{where} is {width}×{height} pixels; an image needs at least 1×1")
    if not size_fits(height, width):
        raise InputError(
            f"{where} is {width}×{height} pixels, more than the {MAX_PIXELS} allowed, or than "
            f"{MAX_SIDE} on a side; crop it"
        )


def size_fits(height: int, width: int) -> bool:
    """Whether an image of this size is accepted anywhere in xlic."""
    return (
        min(height, width) >= 1 and height * width <= MAX_PIXELS and max(height, width) <= MAX_SIDE
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


def _to_rgb(image: PillowImage.Image, deep: bool) -> LoadedImage:
    notes: list[str] = []
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        notes.append(f"first of {frames} frames taken")
    orientation = image.getexif().get(0x0112, 1)
    if orientation in range(2, 9):
        image = ImageOps.exif_transpose(image)
        notes.append(f"turned as its EXIF orientation {orientation} says")
    if image.mode.startswith("I"):
        image = _grey_of_16_bits(image)
        notes.append("16-bit samples scaled to 8 bits")
    elif image.mode == "F":
        raise ValueError("floating-point samples have no agreed range; save it as 8 or 16 bits")
    elif deep:
        notes.append("16-bit samples cut to 8 bits")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = PillowImage.new("RGBA", rgba.size, "white")
        image = PillowImage.alpha_composite(white, rgba).convert("RGB")
        notes.append("transparency laid on white")
    if image.mode != "RGB":
        notes.append(f"converted from {image.mode} to RGB")
        image = image.convert("RGB")
    return LoadedImage(np.array(image, dtype=np.uint8), tuple(notes))


def _grey_of_16_bits(image: PillowImage.Image) -> PillowImage.Image:
    wide = np.asarray(image).astype(np.float64)
    if wide.min() < 0 or wide.max() > 65535:
        raise ValueError("32-bit samples have no agreed range; save it as 8 or 16 bits")
    # 0..65535 maps onto 0..255 by 257, the ratio of the PNG specification.
    return PillowImage.fromarray(np.floor(wide / 257.0 + 0.5).astype(np.uint8))
