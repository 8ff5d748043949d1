"""Float weights and a calibration → the integers of the INT16 contract (docs/int16.md).

Every scale is a power of two, chosen per channel as fine as its range allows:

* a feature map's fraction bits f from its calibrated range times the headroom;
* a kernel's exponent e per output channel from its largest folded weight, where the input
  channel's 2**−f is folded in before rounding;
* the shift behind the accumulator is then e − f(out).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.architecture import ConvLayer, analysis_layers, synthesis_layers
from xlic.errors import InputError
from xlic.parallel import single_threaded_blas
from xlic.quantization.calibrate import ENOUGH, FEW_FACTOR, Calibration, Reach
from xlic.quantization.model import (
    ACCUMULATOR_BITS,
    DECODER_INPUT,
    INT16_MAX,
    MAX_DIVIDEND_SHIFT,
    MAX_SHIFT,
    NORM_BITS,
    ConvIntegers,
    GdnIntegers,
    Int64,
    QuantizedModel,
)
from xlic.quantization.rounding import compensated_round
from xlic.weights import Weights

Float64 = NDArray[np.float64]

ANALYSIS_HEADROOM = 2.0
"""Encoder: each further bit of headroom nearly doubles the share of symbols that differ from float
(0.12 % at 2, 0.21 % at 4), and over some thirty photographs the peaks of unseen ones stay below
1.8 of those seen, a colour chart's below 2.2."""
SYNTHESIS_HEADROOM = 4.0
"""Decoder: headroom costs nothing that can be seen (0.0002 dB), a saturation does (0.05 dB)."""

_MAX_FRACTION_BITS = 24
_MAX_LATENT_BITS = 8
"""Symbols are integers: bits beyond these only refine the rounding of the prior's offset."""
_MAX_BIAS = float(1 << (ACCUMULATOR_BITS - 3))


def quantize(
    weights: Weights,
    calibration: Calibration,
    analysis_headroom: float | None = None,
    synthesis_headroom: float | None = None,
) -> QuantizedModel:
    """Quantize a model.

    Args:
        weights: the float model.
        calibration: ranges of its feature maps.
        analysis_headroom: of the encoder, factor between the largest magnitude that the images
            reached and the largest that must be representable; 1 or more. None for
            :data:`ANALYSIS_HEADROOM` over the calibrated ranges, which are wider than what the
            images reached where these are few.
        synthesis_headroom: the same of the decoder, :data:`SYNTHESIS_HEADROOM`.

    Raises:
        InputError: headroom below 1, or another model's calibration.
    """
    for headroom in (analysis_headroom, synthesis_headroom):
        if headroom is not None and not 1.0 <= headroom <= 1024.0:
            raise InputError(f"headroom {headroom} is not in 1 … 1024; 2 and 4 are the defaults")
    if calibration.peaks[DECODER_INPUT].shape != (weights.filters,):
        raise InputError("the calibration belongs to a model with another number of filters")
    build = _Builder(weights, calibration)
    build.leave(analysis_headroom, ANALYSIS_HEADROOM)
    # Pixels are integers 0..255; the reference divides by 255.
    fraction: Int64 = np.zeros(3, np.int64)
    gain = 1 / 255.0
    for layer in analysis_layers(weights.filters):
        fraction = build.layer(layer, fraction, gain)
        gain = 1.0
    build.leave(synthesis_headroom, SYNTHESIS_HEADROOM)
    fraction = build.latents()
    for layer in synthesis_layers(weights.filters):
        fraction = build.layer(layer, fraction, 255.0 if layer.name == "syn_2" else 1.0)
    return QuantizedModel(
        build.convs,
        build.gdns,
        build.fraction_bits,
        build.latent_offset,
        weights.tables,
        weights.lmbda,
        weights.identity,
        {
            "calibration_images": dict(calibration.images),
            "float": dict(weights.provenance),
        }
        | _headroom(calibration, analysis=analysis_headroom, synthesis=synthesis_headroom),
    )


def _headroom(calibration: Calibration, **given: float | None) -> dict[str, Any]:
    """The headroom over what the images reached, for the file; and why it is not the usual."""
    usual = {"analysis": ANALYSIS_HEADROOM, "synthesis": SYNTHESIS_HEADROOM}
    widened = {part: usual[part] for part in usual if calibration.made and given[part] is None}
    taken = {
        part: FEW_FACTOR * usual[part] if part in widened else given[part] or usual[part]
        for part in usual
    }
    facts: dict[str, Any] = {f"{part}_headroom": factor for part, factor in taken.items()}
    if widened:
        facts["few_photographs"] = {
            "photographs": round(calibration.photographs, 2),
            "enough": ENOUGH,
            "usual_headroom": widened,
            "made_pictures": dict(calibration.made),
        }
    return facts


class _Builder:
    headroom: float
    ranges: Reach

    def __init__(self, weights: Weights, calibration: Calibration) -> None:
        self.tensors = {k: v.astype(np.float64) for k, v in weights.tensors.items()}
        self.offset = weights.quantization_offset.astype(np.float64)
        self.calibration = calibration
        self.convs: dict[str, ConvIntegers] = {}
        self.gdns: dict[str, GdnIntegers] = {}
        self.fraction_bits: dict[str, Int64] = {}
        self.latent_offset: Int64 = np.zeros(0, np.int64)

    def leave(self, given: float | None, default: float) -> None:
        """Headroom of the layers to come: that given over what images reached, or the default."""
        self.headroom = default if given is None else given
        self.ranges = self.calibration.ranges if given is None else self.calibration.seen

    def layer(self, layer: ConvLayer, fraction_in: Int64, gain: float) -> Int64:
        """Quantize one layer; returns the fraction bits of its output."""
        folded = self.tensors[f"{layer.name}.kernel"] * gain * _scale(-fraction_in)[:, None]
        bias = self._bias(layer)
        bias = bias * gain if layer.name == "syn_2" else bias
        exponent = np.minimum(
            _exponent(np.abs(folded).max(axis=(0, 1, 2))),
            # The bias must fit the accumulator, the shift its field.
            np.minimum(_exponent_below(np.abs(bias), _MAX_BIAS), MAX_SHIFT),
        )
        reach = np.full(layer.cout, np.inf)
        if layer.name == "ana_0":
            reach = 255 * np.abs(folded).sum(axis=(0, 1, 2)) + np.abs(bias)
        if layer.activation is None:
            # Straight to integers: symbols, or pixels.
            fraction = np.zeros(layer.cout, np.int64)
        else:
            fraction = self._fraction(layer.name, reach)
            # Small weights cannot fill the accumulator below the output's last bit.
            exponent = np.minimum(exponent, fraction + MAX_SHIFT)
            fraction = np.minimum(fraction, exponent - 1)
            self.fraction_bits[layer.name] = fraction
        if (exponent - fraction < 1).any():
            raise InputError(f"{layer.name}: weights too large for INT16; are they trained?")
        self.convs[layer.name] = ConvIntegers(
            self._kernel(layer, folded * _scale(exponent), fraction_in),
            _round(bias * _scale(exponent)),
            exponent - fraction,
        )
        if layer.activation is None:
            return fraction
        return self._gdn(layer, layer.activation, fraction)

    def latents(self) -> Int64:
        """Fraction bits and offset of the decoder's input."""
        peak = self.ranges.peaks[DECODER_INPUT] * self.headroom + 1
        fraction = np.clip(np.floor(np.log2(INT16_MAX / peak)), 0, _MAX_LATENT_BITS)
        self.fraction_bits[DECODER_INPUT] = fraction.astype(np.int64)
        self.latent_offset = _round(self.offset * 2.0**fraction)
        return self.fraction_bits[DECODER_INPUT]

    def _kernel(self, layer: ConvLayer, scaled: Float64, fraction_in: Int64) -> NDArray[np.int16]:
        """Round a kernel: in the encoder so that errors cancel, where symbols depend on it."""
        if layer.name not in self.calibration.moments:
            return _round(scaled).astype(np.int16)
        unit = np.tile(_scale(fraction_in), layer.kernel**2)
        moment = self.calibration.moments[layer.name] * unit * unit[:, None]
        matrix = scaled.reshape(-1, layer.cout)
        with single_threaded_blas():
            rounded = compensated_round(matrix, moment, INT16_MAX)
        return rounded.reshape(scaled.shape).astype(np.int16)

    def _bias(self, layer: ConvLayer) -> Float64:
        if layer.bias:
            return self.tensors[f"{layer.name}.bias"]
        # The last analysis layer rounds y − o, so −o takes the place of its bias.
        return -self.offset

    def _fraction(self, name: str, reach: Float64) -> Int64:
        peak = np.minimum(self.ranges.peaks[name] * self.headroom, reach)
        with np.errstate(divide="ignore"):
            bits = np.floor(np.log2(INT16_MAX / peak))
        return np.clip(bits, -15, _MAX_FRACTION_BITS).astype(np.int64)

    def _gdn(self, layer: ConvLayer, name: str, fraction_in: Int64) -> Int64:
        gamma = self.tensors[f"{name}.gamma"] * _scale(-fraction_in)[:, None]
        beta = self.tensors[f"{name}.beta"]
        exponent = np.minimum(
            _exponent(np.abs(gamma).max(axis=0)),
            np.minimum(_exponent_below(np.abs(beta), _MAX_BIAS), MAX_SHIFT + 8),
        )
        largest = self.ranges.norms[name] * self.headroom
        norm_bits = np.floor(np.log2(((1 << NORM_BITS) - 1) / largest)).astype(np.int64)
        norm_shift: Int64 = np.clip(exponent - norm_bits, 1, MAX_SHIFT)
        norm_bits = exponent - norm_shift
        if layer.inverse:
            fraction = self._fraction(name, np.full(layer.cout, np.inf))
            out_shift: Int64 = np.clip(fraction_in + norm_bits - fraction, 1, MAX_SHIFT)
            fraction = fraction_in + norm_bits - out_shift
        else:
            # |y| = |x| / (β + γ·|x|) grows with the channel's own |x|, the others only lower it.
            x = 2.0**15 * _scale(-fraction_in)
            own = self.tensors[f"{name}.gamma"].diagonal()
            with np.errstate(divide="ignore", invalid="ignore"):
                reach = np.where(beta > 0, x / (beta + np.maximum(own, 0) * x), np.inf)
            fraction = self._fraction(name, reach * 1.001)
            out_shift = np.clip(fraction - fraction_in + norm_bits, 0, MAX_DIVIDEND_SHIFT)
            fraction = fraction_in - norm_bits + out_shift
        self.fraction_bits[name] = fraction
        self.gdns[name] = GdnIntegers(
            _round(gamma * _scale(exponent)).astype(np.int16),
            _round(beta * _scale(exponent)),
            norm_shift,
            out_shift,
        )
        return fraction


def _scale(exponent: Int64) -> Float64:
    scale: Float64 = np.ldexp(1.0, exponent)
    return scale


def _round(values: Float64) -> Int64:
    rounded: Int64 = np.floor(values + 0.5).astype(np.int64)
    return rounded


def _exponent(largest: Float64) -> Int64:
    """Largest e with ``round(largest · 2**e) ≤ 32767``; 47 for an all-zero channel."""
    return _exponent_below(largest, INT16_MAX + 0.499)


def _exponent_below(largest: Float64, limit: float) -> Int64:
    with np.errstate(divide="ignore"):
        bits = np.floor(np.log2(limit / largest))
    bits[~np.isfinite(bits)] = MAX_SHIFT
    exponents: Int64 = bits.astype(np.int64)
    return exponents
