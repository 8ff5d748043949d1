"""What to measure against: published points, and JPEG of the same images.

The published points are means over the 24 Kodak images, from the result files of
github.com/tensorflow/compression; they say little about other images.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from xlic.evaluation.bdrate import RdPoint
from xlic.evaluation.metrics import psnr

BALLE2017_KODAK: tuple[RdPoint, ...] = (
    (0.120, 26.78),
    (0.195, 28.35),
    (0.316, 30.02),
    (0.481, 31.73),
    (0.721, 33.69),
    (1.061, 35.82),
    (1.459, 38.02),
    (1.958, 40.13),
)
"""Ballé, Laparra, Simoncelli 2017, optimized for MSE: (bpp, PSNR in dB)."""

JPEG_KODAK: tuple[RdPoint, ...] = (
    (0.215, 23.84),
    (0.445, 28.58),
    (0.722, 31.09),
    (1.010, 32.88),
    (1.532, 35.33),
)
"""JPEG 4:2:0 on Kodak: (bpp, PSNR in dB)."""

JPEG_QUALITIES = (5, 10, 20, 35, 50, 65, 75, 85, 92, 96)


def jpeg_size_and_psnr(pixels: NDArray[np.uint8], quality: int) -> tuple[int, float]:
    """Bytes of the JPEG file and its PSNR in dB: 4:2:0, optimized Huffman tables (Pillow)."""
    buffer = io.BytesIO()
    PillowImage.fromarray(pixels).save(
        buffer, format="JPEG", quality=quality, subsampling="4:2:0", optimize=True
    )
    size = buffer.getbuffer().nbytes
    with PillowImage.open(buffer) as decoded:
        return size, psnr(pixels, np.asarray(decoded.convert("RGB")))


def jpeg_curve(
    pixels: NDArray[np.uint8], qualities: Sequence[int] = JPEG_QUALITIES
) -> list[RdPoint]:
    """(bpp, PSNR) of JPEG of one image, a point per quality setting of libjpeg."""
    area = pixels.shape[0] * pixels.shape[1]
    measured = (jpeg_size_and_psnr(pixels, quality) for quality in qualities)
    return [(8 * size / area, quality_db) for size, quality_db in measured]


def mean_curve(curves: Sequence[Sequence[RdPoint]]) -> tuple[RdPoint, ...]:
    """Point-wise mean of curves of the same settings."""
    if not curves:
        return ()
    means = np.mean(np.array(curves, np.float64), axis=0)
    return tuple((float(rate), float(quality)) for rate, quality in means)
