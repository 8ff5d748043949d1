"""Picture quality: PSNR and MS-SSIM, of uint8 pictures on 0..255.

MS-SSIM is Wang, Simoncelli, Bovik, "Multiscale structural similarity for image quality assessment",
Asilomar 2003, in the form that ``tf.image.ssim_multiscale`` gives it, which is the one that
learned-compression results quote.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from xlic.errors import InputError

Float64 = NDArray[np.float64]

_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW = 11
_SIGMA = 1.5
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2

MS_SSIM_MIN_SIZE = (_WINDOW - 1) * 2 ** (len(_SCALE_WEIGHTS) - 1) + 1
"""Shortest side, 161, whose fifth scale (halved four times, rounded up) still fills the window."""


def psnr(reference: NDArray[np.uint8], picture: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio in dB over all pixels and channels; infinity if identical.

    Raises:
        InputError: other types, or two sizes.
    """
    _check_pair(reference, picture)
    total = 0
    for a, b in zip(reference, picture, strict=True):  # a row at a time bounds the memory
        difference = a.astype(np.int64) - b
        total += int((difference * difference).sum())
    if total == 0:
        return math.inf
    return 10.0 * math.log10(255.0**2 * reference.size / total)


def ms_ssim(reference: NDArray[np.uint8], picture: NDArray[np.uint8]) -> float | None:
    """MS-SSIM over five scales, 0..1: the mean of the three channels.

    Returns:
        The value, or None where a side is below :data:`MS_SSIM_MIN_SIZE`: five scales do not fit,
        and fewer would give a number on another scale under the same name.

    Raises:
        InputError: other types, or two sizes.
    """
    _check_pair(reference, picture)
    if min(reference.shape[:2]) < MS_SSIM_MIN_SIZE:
        return None
    channels = range(reference.shape[2])
    return float(np.mean([_ms_ssim_plane(reference[..., c], picture[..., c]) for c in channels]))


def sqnr(
    reference: NDArray[Any], approximation: NDArray[Any], scale: NDArray[Any] | float = 1.0
) -> float:
    """Signal to quantization noise ratio in dB: Σ reference² over Σ (approximation − reference)².

    Infinity if identical; minus infinity where the reference is zero and the other is not.

    Args:
        reference: ``(H, W, C)``, any real dtype.
        approximation: the same shape; it is multiplied by ``scale`` first.
        scale: one factor, or ``(C,)``, e.g. 2.0**−f of an int16 tensor.

    Raises:
        InputError: two shapes.
    """
    if reference.shape != approximation.shape:
        raise InputError(f"shapes {reference.shape} and {approximation.shape} cannot be compared")
    signal = noise = 0.0
    for a, b in zip(reference, approximation, strict=True):
        wide = a.astype(np.float64)
        error = wide - b * scale
        signal += float((wide * wide).sum())
        noise += float((error * error).sum())
    if noise == 0.0:
        return math.inf
    return 10.0 * math.log10(signal / noise) if signal > 0.0 else -math.inf


def _check_pair(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> None:
    if a.dtype != np.uint8 or b.dtype != np.uint8 or a.shape != b.shape or a.ndim != 3:
        raise InputError(
            f"pictures {a.dtype}{list(a.shape)} and {b.dtype}{list(b.shape)} cannot be compared; "
            "both must be uint8 [height, width, 3] of one size"
        )


def _ms_ssim_plane(reference: NDArray[np.uint8], picture: NDArray[np.uint8]) -> float:
    x, y = reference.astype(np.float64), picture.astype(np.float64)
    result = 1.0
    for scale, weight in enumerate(_SCALE_WEIGHTS):
        if scale > 0:
            x, y = _halve(x), _halve(y)
        structure, similarity = _ssim(x, y)
        # Luminance counts at the coarsest scale only.
        value = similarity if scale == len(_SCALE_WEIGHTS) - 1 else structure
        result *= max(value, 0.0) ** weight
    return result


def _ssim(x: Float64, y: Float64) -> tuple[float, float]:
    """Mean contrast-structure term and mean SSIM of two planes."""
    mean_x, mean_y = _blur(x), _blur(y)
    product = mean_x * mean_y
    squares = mean_x * mean_x + mean_y * mean_y
    structure = (2 * (_blur(x * y) - product) + _C2) / (_blur(x * x + y * y) - squares + _C2)
    luminance = (2 * product + _C1) / (squares + _C1)
    return float(structure.mean()), float((luminance * structure).mean())


def _blur(plane: Float64) -> Float64:
    """Gaussian window at the places where it fits whole."""
    taps = np.exp(-0.5 * (np.arange(_WINDOW) - _WINDOW // 2) ** 2 / _SIGMA**2)
    taps /= taps.sum()
    margin = slice(_WINDOW // 2, -(_WINDOW // 2))
    rows: Float64 = correlate1d(plane, taps, axis=0)[margin]
    both: Float64 = correlate1d(rows, taps, axis=1)[:, margin]
    return both


def _halve(plane: Float64) -> Float64:
    """Mean of 2×2 blocks; an odd last row or column is repeated first, as TensorFlow does."""
    height, width = plane.shape
    even = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge")
    return (even[0::2, 0::2] + even[0::2, 1::2] + even[1::2, 0::2] + even[1::2, 1::2]) / 4
