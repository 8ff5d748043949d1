"""Integers with which given sums meet a given limit, by trying what could do it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xlic.limits.contract import LARGE_BIAS, Limit
from xlic.limits.operands import NORM_MAX, Int64, Normalization, Rounding
from xlic.quantization.model import INT16_MAX, INT16_MIN, MAX_DIVIDEND_SHIFT, MAX_SHIFT

_SHIFTS = (1, 4, 9, 14, 20, MAX_SHIFT)
_NORM_SHIFT = 4
_PLACES = 41
_VALUES = 150
_NORMS = (1, 2, 3, 5, 1 << 16, NORM_MAX)
_NEAR = np.array([-1, 0, 1])
_BOUNDS = (INT16_MAX, -INT16_MIN, 1 - INT16_MIN)


@dataclass(frozen=True)
class Aim:
    """Integers of a channel.

    Attributes:
        bias: or β.
        shift: behind it.
        amount: ``out_shift`` of a normalization.
    """

    bias: int
    shift: int
    amount: int = 0


def aim_rounding(limit: Limit, totals: Int64, low: int, high: int) -> Aim | None:
    """Bias and shift with which one of ``totals`` ``(pixels,)`` meets a limit, if there are any."""
    ordered = np.sort(totals)
    # The middle first: what is aimed at it leaves others on both sides.
    places = np.linspace(0, len(ordered) - 1, _PLACES).astype(int)
    places = places[np.argsort(np.abs(places - len(ordered) // 2), kind="stable")]
    values = np.array([low - 1, low, -2, 2, 3, 100, high, high + 1])
    for shift in _SHIFTS:
        exact = np.concatenate([values << shift, (values << shift) + (1 << (shift - 1))])
        total = ordered[places][:, None]
        bias = np.concatenate(
            [exact - total, np.broadcast_to([0, LARGE_BIAS, -LARGE_BIAS], (len(places), 3))], axis=1
        )
        bias = np.clip(bias, -LARGE_BIAS, LARGE_BIAS)
        found = limit.where(Rounding(total, bias, np.array(shift), low, high))
        if np.any(found):
            return Aim(int(bias[np.unravel_index(np.argmax(found), bias.shape)]), shift)
    return None


def aim_normalization(limit: Limit, x: Int64, totals: Int64) -> Aim | None:
    """Integers with which one of ``x``, normalized by its total, meets a limit, if there are any.

    Args:
        limit: of a normalization.
        x: int16 ``(pixels,)``.
        totals: γ·|x| of the same positions.
    """
    known, first = np.unique(x, return_index=True)
    chosen = np.unique(np.linspace(0, len(known) - 1, _VALUES).astype(int))
    gdn = limit.kind == "gdn"
    amounts = np.arange(0, MAX_DIVIDEND_SHIFT + 1) if gdn else np.arange(1, MAX_SHIFT + 1)
    values, amount = known[chosen][:, None, None], amounts[None, :, None]
    n = (_near_gdn if gdn else _near_igdn)(np.abs(values), amount)
    found = np.broadcast_to(limit.where(Normalization(values, n, amount)), n.shape)
    if not found.any():
        return None
    place = np.unravel_index(np.argmax(found), found.shape)
    beta = (int(n[place]) << _NORM_SHIFT) - int(totals[first[chosen[place[0]]]])
    return Aim(beta, _NORM_SHIFT, int(amounts[place[1]]))


def _near_gdn(magnitude: Int64, k: Int64) -> Int64:
    """Normalizers with quotients at the bounds, and with half of n left, or just not."""
    dividend = magnitude << k
    twice = np.where(k < 12, magnitude << np.minimum(k + 1, 12), 1)
    power = np.broadcast_to(2 << np.minimum(k, 20), dividend.shape)
    return _norms(*(dividend // bound + _NEAR for bound in _BOUNDS), twice + _NEAR, power)


def _near_igdn(magnitude: Int64, shift: Int64) -> Int64:
    """Normalizers with products at the bounds."""
    divisor = np.maximum(magnitude, 1)
    # With 39 bits of product, no larger shift reaches a bound.
    return _norms(*((bound << np.minimum(shift, 40)) // divisor + _NEAR for bound in _BOUNDS))


def _norms(*candidates: Int64) -> Int64:
    shape = candidates[0].shape[:2]
    fixed = np.broadcast_to(np.array(_NORMS), (*shape, len(_NORMS)))
    n = np.concatenate([fixed, *candidates], axis=2)
    return np.where((n >= 1) & (n <= NORM_MAX), n, 1)
