"""Calibration: how far the feature maps of real photographs reach, per channel.

Power-of-two scales leave a factor of up to two unused anyway; on top of that the quantizer adds
headroom, because the images that a codec meets later are not those it was calibrated on. Where
arithmetic itself bounds a feature map (the first layer sees 0..255 only; a GDN divides by its own
input), that bound is used where it is tighter: no headroom is needed beyond the possible.

Fewer photographs than :data:`ENOUGH` leave channels unexcited, some of them so far that no factor
on what was seen mends it: then made pictures (:mod:`xlic.quantization.made`) count beside them.
docs/int16.md has the figures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

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
from xlic.quantization.made import made_pictures
from xlic.quantization.model import DECODER_INPUT
from xlic.rungs.float64 import FloatRung
from xlic.weights import Weights

Float64 = NDArray[np.float64]

_PATCHES = 256
"""Patches sampled per image and layer."""

ENOUGH = 20
"""From this many photographs on, they alone are calibrated on."""
FULL_PIXELS = 1 << 16
"""An image of fewer pixels counts as that much less of a photograph."""
FEW_FACTOR = 1.5
"""With fewer: what they reached counts that many times."""
MADE_FACTOR = 0.75
"""With fewer: what made pictures reached counts that many times; few photographs reach as far."""


@dataclass(frozen=True)
class Reach:
    """Largest magnitudes seen, per channel.

    Attributes:
        peaks: float64 ``(C,)`` by feature map (``latents`` is the decoder's input): max |value|.
        norms: float64 ``(C,)`` by activation: max of the normalizer β + γ·|x|.
    """

    peaks: dict[str, Float64] = field(default_factory=dict)
    norms: dict[str, Float64] = field(default_factory=dict)


@dataclass(frozen=True)
class Calibration:
    """How far feature maps reach, and what their patches look like.

    Attributes:
        images: name and SHA-256 of the pixels of each image measured.
        photographs: how many photographs the images amount to; small ones are fractions.
        seen: what the images reached.
        made: name and SHA-256 of each made picture measured beside; none where there are enough
            photographs.
        ranges: what scales must leave room for before headroom: ``seen`` where there are enough.
        moments: float64 ``(K, K)`` by analysis layer, K = Kh·Kw·Cin: mean of patch · patchᵀ over
            sampled input patches of the images.
    """

    images: Mapping[str, str]
    photographs: float
    seen: Reach
    made: Mapping[str, str]
    ranges: Reach
    moments: Mapping[str, Float64]

    @property
    def peaks(self) -> Mapping[str, Float64]:
        """Peaks of the images."""
        return self.seen.peaks

    @property
    def norms(self) -> Mapping[str, Float64]:
        """Largest normalizers of the images."""
        return self.seen.norms


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
    seen = Reach()
    moments: dict[str, Float64] = {}
    sampled = 0
    photographs = 0.0
    digests: dict[str, str] = {}
    for name, pixels in images:
        if progress is not None:
            progress(name, len(digests), 0)
        tensors = _measure(seen, rung, pixels)
        sampled += _add_moments(moments, weights, pixels, tensors)
        photographs += min(pixels.shape[0] * pixels.shape[1] / FULL_PIXELS, 1.0)
        digests[name] = _digest(pixels)
    if not digests:
        raise InputError("calibration needs at least one image; does --calibrate match any file?")
    means = {name: moment / sampled for name, moment in moments.items()}
    if photographs >= ENOUGH:
        return Calibration(digests, photographs, seen, {}, seen, means)
    made, drawn = {}, Reach()
    for name, pixels in made_pictures():
        if progress is not None:
            progress(f"made picture: {name}", len(digests), 0)
        _measure(drawn, rung, pixels)
        made[name] = _digest(pixels)
    ranges = Reach(_beside(seen.peaks, drawn.peaks), _beside(seen.norms, drawn.norms))
    return Calibration(digests, photographs, seen, made, ranges, means)


def _measure(reach: Reach, rung: FloatRung, pixels: UInt8Image) -> Mapping[str, Float64]:
    """Raise ``reach`` to what one picture reaches; returns the codec's tensors."""
    weights = rung.weights
    encoded = rung.analyze(pixels, keep=ANALYSIS_NAMES)
    decoded = rung.synthesize(encoded.output, pixels.shape[:2], keep=SYNTHESIS_NAMES)
    tensors = {**encoded.tensors, **decoded.tensors}
    latents = encoded.output + weights.quantization_offset.astype(np.float64)
    _raise_to(reach.peaks, DECODER_INPUT, latents)
    for layer in (*analysis_layers(weights.filters), *synthesis_layers(weights.filters)):
        for tensor in layer.names:
            _raise_to(reach.peaks, tensor, tensors[tensor])
        if layer.activation is not None:
            gamma = weights.tensors[f"{layer.activation}.gamma"].astype(np.float64)
            beta = weights.tensors[f"{layer.activation}.beta"].astype(np.float64)
            with single_threaded_blas():
                norm = np.abs(tensors[layer.name]) @ gamma + beta
            _raise_to(reach.norms, layer.activation, norm)
    return tensors


def _beside(seen: Mapping[str, Float64], drawn: Mapping[str, Float64]) -> dict[str, Float64]:
    return {
        name: np.maximum(FEW_FACTOR * peak, MADE_FACTOR * drawn[name])
        for name, peak in seen.items()
    }


def _digest(pixels: UInt8Image) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


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
