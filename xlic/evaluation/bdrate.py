"""Bjøntegaard delta rate: how much more rate one codec needs than another for the same quality.

Source: G. Bjøntegaard, "Calculation of average PSNR differences between RD-curves", VCEG-M33, 2001,
with the piecewise cubic Hermite interpolation (PCHIP) of log rate over quality that the JVET common
test conditions use (JVET-M1010), so that curves of any number of points work and none overshoots.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator

from xlic.errors import InputError

RdPoint = tuple[float, float]
"""Rate in bits per pixel and quality in dB."""


def bd_rate(anchor: Sequence[RdPoint], test: Sequence[RdPoint]) -> float | None:
    """Average rate difference in percent of ``test`` against ``anchor``; negative is better.

    Averaged over the qualities that both curves cover.

    Returns:
        The percentage, or None where the two have no quality in common.

    Raises:
        InputError: a curve has fewer than two points, a rate that is not positive and finite, or
            does not rise.
    """
    curves = [_log_rate_over_quality(points) for points in (anchor, test)]
    low = max(float(curve.x[0]) for curve in curves)
    high = min(float(curve.x[-1]) for curve in curves)
    if low >= high:
        return None
    anchor_mean, test_mean = (float(curve.integrate(low, high)) / (high - low) for curve in curves)
    return 100.0 * (math.exp(test_mean - anchor_mean) - 1.0)


def quality_at(points: Sequence[RdPoint], rate: float) -> float | None:
    """Quality of a curve at ``rate``, linear in log rate; None outside of the curve.

    Raises:
        InputError: as :func:`bd_rate`.
    """
    curve = _log_rate_over_quality(points)
    qualities = curve.x
    rates = curve(qualities)
    if not rate > 0 or not rates[0] <= math.log(rate) <= rates[-1]:
        return None
    return float(np.interp(math.log(rate), rates, qualities))


def _log_rate_over_quality(points: Sequence[RdPoint]) -> PchipInterpolator:
    ordered = sorted(points)
    if len(ordered) < 2:
        raise InputError(f"a rate–distortion curve needs two points, {len(ordered)} given")
    rates = np.array([rate for rate, _ in ordered], np.float64)
    qualities = np.array([quality for _, quality in ordered], np.float64)
    if not (np.isfinite(rates).all() and np.isfinite(qualities).all() and rates[0] > 0):
        raise InputError("a rate–distortion curve needs positive, finite rates and qualities")
    if (np.diff(rates) <= 0).any() or (np.diff(qualities) <= 0).any():
        raise InputError("quality must rise with rate along a rate–distortion curve")
    return PchipInterpolator(qualities, np.log(rates))
