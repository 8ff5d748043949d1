"""Calibration: how far the feature maps of real photographs reach, per channel.

Power-of-two scales leave a factor of up to two unused anyway; on top of that the quantizer adds
headroom, because the images that a codec meets later are not those it was calibrated on. Where
arithmetic itself bounds a feature map (the first layer sees 0..255 only; a GDN divides by its own
input), that bound is used where it is tighter: no headroom is needed beyond the possible.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xlic.architecture import (
    ANALYSIS_NAMES,
    SYNTHESIS_NAMES,
    analysis_layers,
    synthesis_layers,
)
from xlic.convolution import Convolution
from xlic.errors import InputError
from xlic.files import Progress
from xlic.images import UInt8Image
from xlic.parallel import single_threaded_blas
from xlic.quantization.model import DECODER_INPUT
from xlic.rungs.float64 import FloatRung
from xlic.weights import Weights

Float64 = NDArray[np.float64]

_PATCHES = 256
"""Patches sampled per image and layer."""


@dataclass(frozen=True)
class Calibration:
    """Largest magnitudes seen, per channel.

    Attributes:
        images: name and SHA-256 of the pixels of each image measured.
        peaks: float64 ``(C,)`` by feature map (``latents`` is the decoder's input): max |value|.
        norms: float64 ``(C,)`` by activation: max of the normalizer β + γ·|x|.
        moments: float64 ``(K, K)`` by analysis layer, K = Kh·Kw·Cin: mean of patch · patchᵀ over
            sampled input patches.
    """

    images: Mapping[str, str]
    peaks: Mapping[str, Float64]
    norms: Mapping[str, Float64]
    moments: Mapping[str, Float64]


def calibrate(
    weights: Weights, images: Iterable[tuple[str, UInt8Image]], progress: Progress | None = None
) -> Calibration:
    """Run the float codec over ``images`` and note how far each channel reaches.

    The decoder is fed with the rounded latents, as in use.

    Args:
        weights: the float model.
        images: name, each another, and pixels; several photographs, not those it will be judged on.
        progress: called once per image.

    Raises:
        InputError: there is no image.
    """
    rung = FloatRung(weights)
    layers = (*analysis_layers(weights.filters), *synthesis_layers(weights.filters))
    peaks: dict[str, Float64] = {}
    norms: dict[str, Float64] = {}
    moments: dict[str, Float64] = {}
    sampled = 0
    digests: dict[str, str] = {}
    for name, pixels in images:
        if progress is not None:
            progress(name, len(digests), 0)
        encoded = rung.analyze(pixels, keep=ANALYSIS_NAMES)
        decoded = rung.synthesize(encoded.output, pixels.shape[:2], keep=SYNTHESIS_NAMES)
        tensors = {**encoded.tensors, **decoded.tensors}
        latents = encoded.output + weights.quantization_offset.astype(np.float64)
        _raise_to(peaks, DECODER_INPUT, latents)
        for layer in layers:
            for tensor in layer.names:
                _raise_to(peaks, tensor, tensors[tensor])
            if layer.activation is not None:
                gamma = weights.tensors[f"{layer.activation}.gamma"].astype(np.float64)
                beta = weights.tensors[f"{layer.activation}.beta"].astype(np.float64)
                with single_threaded_blas():
                    norm = np.abs(tensors[layer.name]) @ gamma + beta
                _raise_to(norms, layer.activation, norm)
        sampled += _add_moments(moments, weights, pixels, tensors)
        digests[name] = hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()
    if not digests:
        raise InputError("calibration needs at least one image; does --calibrate match any file?")
    means = {name: moment / sampled for name, moment in moments.items()}
    return Calibration(digests, peaks, norms, means)


def _add_moments(
    moments: dict[str, Float64],
    weights: Weights,
    pixels: UInt8Image,
    tensors: Mapping[str, Float64],
) -> int:
    """Add each analysis layer's input patches; returns how many, up to a common factor."""
    x: Float64 = pixels / 255.0
    for layer in analysis_layers(weights.filters):
        kernel = weights.tensors[f"{layer.name}.kernel"]
        # The same places for the same image, whatever came before it.
        rng = np.random.default_rng(0)
        patches = Convolution(layer, kernel).sample_patches(x, _PATCHES, rng)
        with single_threaded_blas():
            product = patches.T @ patches * (_PATCHES / len(patches))
        moments[layer.name] = moments[layer.name] + product if layer.name in moments else product
        if layer.activation is not None:
            x = tensors[layer.activation]
    return _PATCHES


def _raise_to(peaks: dict[str, Float64], name: str, values: Float64) -> None:
    peak = np.abs(values).max(axis=(0, 1))
    peaks[name] = np.maximum(peaks[name], peak) if name in peaks else peak
