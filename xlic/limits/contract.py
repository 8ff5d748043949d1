"""Every limit of docs/int16.md that tells one implementation from another, with the reason.

A limit is a condition on the operands of one step. A run whose operands never meet it cannot tell
an implementation that is wrong there from one that is right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from xlic.limits.operands import (
    NORM_MAX,
    Bool,
    Grid,
    Latents,
    Normalization,
    Products,
    Rounding,
)
from xlic.quantization.model import (
    DECODER_INPUT,
    INT16_MAX,
    INT16_MIN,
    MAX_DIVIDEND_SHIFT,
    MAX_SHIFT,
)

KINDS: dict[str, tuple[str, ...]] = {
    "down": ("ana_0", "ana_1"),
    "gdn": ("gdn_0", "gdn_1"),
    "symbols": ("ana_2",),
    "latents": (DECODER_INPUT,),
    "up": ("syn_0", "syn_1"),
    "igdn": ("igdn_0", "igdn_1"),
    "picture": ("syn_2",),
}
"""Kinds of steps, and the tensors that they yield."""
KINDS_OF = {"encode": ("down", "gdn", "symbols"), "decode": ("latents", "up", "igdn", "picture")}
"""Kinds of a transform."""
KIND_OF = {tensor: kind for kind, tensors in KINDS.items() for tensor in tensors}

LARGE_BIAS = 1 << 45
"""The contract keeps |bias| below 2^46."""
_BITS_32 = 1 << 31


@dataclass(frozen=True)
class Limit:
    """A limit of one kind of step.

    Attributes:
        kind: of :data:`KINDS`.
        label: what is at its limit; unique within the kind.
        why: what is wrong with an implementation that only a run at this limit shows.
        step: class of the operands that it looks at.
        where: given these, a mask of any shape: where the limit is reached.
    """

    kind: str
    label: str
    why: str
    step: type
    where: Callable[[Any], Bool]

    @property
    def name(self) -> str:
        """Unique name, ``kind: label``."""
        return f"{self.kind}: {self.label}"


_Row = tuple[str, str, Callable[[Any], Any]]

# ---- a rounded and clipped accumulator


def _sums() -> list[_Row]:
    return [
        ("sum above 32 bits", "a narrow accumulator wraps", lambda o: o.total >= _BITS_32),
        ("sum below 32 bits", "a narrow accumulator wraps", lambda o: o.total < -_BITS_32),
    ]


def _biases(least: int = LARGE_BIAS) -> list[_Row]:
    bits = least.bit_length() - 1
    why = "a narrow parameter or adder loses its upper bits"
    return [
        (f"bias of 2^{bits}", why, lambda o: _like(o, o.bias >= least)),
        (f"bias of −2^{bits}", why, lambda o: _like(o, o.bias <= -least)),
    ]


def _shifts(of: str = "") -> list[_Row]:
    def least(o: Rounding) -> Bool:
        return (o.shift == 1) & o.inside

    def greatest(o: Rounding) -> Bool:
        # Any lost bit of the shift would show.
        return (o.shift == MAX_SHIFT) & (np.abs(o.exact) >= _BITS_32)

    return [
        (f"{of}shift 1", "a shifter that cannot do its least", least),
        (f"{of}shift {MAX_SHIFT}", "a shifter that lacks its last bit", greatest),
    ]


def _ties(signed: bool = True) -> list[_Row]:
    rows: list[_Row] = [
        (
            "tie above an even number",
            "half to even rounds it down",
            lambda o: o.tie & o.inside & (o.rounded > 0) & (o.rounded % 2 == 1),
        )
    ]
    if signed:
        rows.append(
            (
                "tie below zero",
                "half away from zero rounds it down",
                lambda o: o.tie & o.inside & (o.exact < 0),
            )
        )
    return rows


def _clips(low: int, high: int) -> list[_Row]:
    off_by_one = "a bound that is off by one"
    narrow = "low bits of a wide value pass for a small one"
    return [
        (f"{high}, the last that stays", off_by_one, lambda o: o.rounded == high),
        (f"{high + 1}, the first that is clipped", off_by_one, lambda o: o.rounded == high + 1),
        ("clip above from beyond 32 bits", narrow, lambda o: o.rounded >= _BITS_32),
        (f"{low}, the last that stays", off_by_one, lambda o: o.rounded == low),
        (f"{low - 1}, the first that is clipped", off_by_one, lambda o: o.rounded == low - 1),
        ("clip below from beyond 32 bits", narrow, lambda o: o.rounded < -_BITS_32),
    ]


_GRID: list[_Row] = [
    (
        "clips beyond the last row",
        "rows that an array computes and does not store are counted",
        lambda o: o.clips & (o.rows % 2 == 1),
    ),
    (
        "clips beyond the last column",
        "columns that an array computes and does not store are counted",
        lambda o: o.clips & (o.columns % 2 == 1),
    ),
]

# ---- what is multiplied

_EXTREMES = "a product of the extremes overflows"


def _products(extremes: tuple[int, ...]) -> list[_Row]:
    def row(value: int, weight: int) -> _Row:
        return (f"{value} × {weight}", _EXTREMES, lambda o: o.meet(value, weight))

    return [row(value, weight) for value in extremes for weight in (INT16_MIN, INT16_MAX)]


_SIGNS: list[_Row] = [
    (
        "negative × negative",
        "a sign is lost in the multiplier",
        lambda o: o.both(o.x < 0, o.weights < 0),
    ),
    (
        "negative × positive",
        "an operand taken as unsigned",
        lambda o: o.both(o.x < 0, o.weights > 0),
    ),
    ("positive × negative", "a weight taken as unsigned", lambda o: o.both(o.x > 0, o.weights < 0)),
    ("zero", "a zero that is not one", lambda o: o.x == 0),
]

# ---- the normalizer

_NORMALIZER: list[_Row] = [
    ("n 1, the last that stays", "a least normalizer of 2", lambda o: o.rounded == 1),
    ("n 0, the first that is clipped", "a division by zero", lambda o: o.rounded == 0),
    (
        "n below zero, beyond 32 bits",
        "low bits of a negative sum pass for a normalizer",
        lambda o: o.rounded < -_BITS_32,
    ),
    (
        f"n {NORM_MAX}, the last that stays",
        "a bound that is off by one",
        lambda o: o.rounded == NORM_MAX,
    ),
    (
        f"n {NORM_MAX + 1}, the first that is clipped",
        "a bound that is off by one, or a clip that is not counted",
        lambda o: o.rounded == NORM_MAX + 1,
    ),
    (
        "n clipped from beyond 32 bits",
        "low bits of a wide value pass for a normalizer",
        lambda o: o.rounded >= _BITS_32,
    ),
]


def _least_told(of: str) -> list[_Row]:
    # Of 2^24 − 1 and 2^24 − 2 no result can tell: multiplied by a power of two or divided into
    # one, they round alike wherever the clip keeps them. The count of clips tells them apart.
    def where(o: Normalization) -> Any:
        return (o.n == 1) & getattr(o, f"{of}_tells_one_from_two")

    return [("n 1 told from 2 by the result", "a least normalizer of 2", where)]


# ---- GDN's division, IGDN's product

_DIVISION: list[_Row] = [
    (
        "x 0 with a large n",
        "the rounding half makes a one of it, or a zero gets a sign",
        lambda o: (o.x == 0) & (o.n > INT16_MAX),
    ),
    (
        "x −32768",
        "its magnitude does not fit 15 bits",
        lambda o: (o.x == INT16_MIN) & o.divides_inside,
    ),
    (
        "k 0",
        "a shifter that cannot do none",
        lambda o: (o.amount == 0) & o.divides_inside & (o.quotient > 0),
    ),
    (
        f"k {MAX_DIVIDEND_SHIFT}",
        "a shifter that lacks its last bit",
        lambda o: (o.amount == MAX_DIVIDEND_SHIFT) & o.divides_inside & (o.quotient > 0),
    ),
    (
        "dividend of 2^51",
        "a dividend or its comparison is too narrow",
        lambda o: (o.amount == MAX_DIVIDEND_SHIFT) & (o.x == INT16_MIN),
    ),
    (
        f"{INT16_MAX}, the last that stays",
        "a bound that is off by one",
        lambda o: (o.x > 0) & (o.quotient == INT16_MAX),
    ),
    (
        f"{INT16_MAX + 1}, the first that is clipped",
        "a bound that is off by one",
        lambda o: (o.x > 0) & (o.quotient == INT16_MAX + 1),
    ),
    (
        "quotient above from beyond 32 bits",
        "low bits of a wide quotient pass for a small one",
        lambda o: (o.x > 0) & (o.quotient >= 2 * _BITS_32),
    ),
    (
        f"{INT16_MIN}, the last that stays",
        "a bound that is off by one",
        lambda o: (o.x < 0) & (o.quotient == -INT16_MIN),
    ),
    (
        f"{INT16_MIN - 1}, the first that is clipped",
        "a bound that is off by one",
        lambda o: (o.x < 0) & (o.quotient == 1 - INT16_MIN),
    ),
    (
        "quotient below from beyond 32 bits",
        "low bits of a wide quotient pass for a small one",
        lambda o: (o.x < 0) & (o.quotient >= 2 * _BITS_32),
    ),
    (
        "half of an even n left, above an even number",
        "half to even rounds it down",
        lambda o: (o.x > 0) & (2 * o.remainder == o.n) & o.divides_inside & (o.quotient % 2 == 1),
    ),
    (
        "half of an even n left, x negative",
        "half up rounds it towards zero",
        lambda o: (o.x < 0) & (2 * o.remainder == o.n) & o.divides_inside,
    ),
    (
        "just less than half of an odd n left",
        "the half of n is rounded up",
        lambda o: (2 * o.remainder == o.n - 1) & (o.n > 1) & o.divides_inside,
    ),
    (
        "just more than half of an odd n left",
        "the rounding half is missing",
        lambda o: (2 * o.remainder == o.n + 1) & (o.n > 1) & o.divides_inside,
    ),
]


def _of_product(rows: list[_Row]) -> list[_Row]:
    def row(label: str, why: str, where: Callable[[Any], Any]) -> _Row:
        return (label, why, lambda o: where(o.product))

    return [row(*each) for each in rows]


def _igdn_product() -> list[_Row]:
    def extreme(x: int) -> _Row:
        return (f"{x} × {NORM_MAX}", _EXTREMES, lambda o: (o.x == x) & (o.n == NORM_MAX))

    rows = [*_shifts("product's "), *_clips(INT16_MIN, INT16_MAX)]
    return [
        *_of_product([(f"product's {label}", why, where) for label, why, where in _ties()]),
        *_of_product(rows),
        extreme(INT16_MIN),
        extreme(INT16_MAX),
    ]


# ---- symbols into the decoder

_SYMBOLS: list[_Row] = [
    (
        f"{INT16_MAX}, the last that stays",
        "a bound that is off by one",
        lambda o: o.wide == INT16_MAX,
    ),
    (
        f"{INT16_MAX + 1}, the first that is clipped",
        "a bound that is off by one",
        lambda o: o.wide == INT16_MAX + 1,
    ),
    ("symbol 2^31 − 1", "the shift overflows", lambda o: o.symbols == _BITS_32 - 1),
    (
        f"{INT16_MIN}, the last that stays",
        "a bound that is off by one",
        lambda o: o.wide == INT16_MIN,
    ),
    (
        f"{INT16_MIN - 1}, the first that is clipped",
        "a bound that is off by one",
        lambda o: o.wide == INT16_MIN - 1,
    ),
    ("symbol −2^31", "the shift overflows", lambda o: o.symbols == -_BITS_32),
    (
        "f 0",
        "a shifter that cannot do none",
        lambda o: (o.shift == 0) & o.inside & (o.symbols != 0),
    ),
    (
        "f 15",
        "a shifter that lacks its last bit",
        lambda o: (o.shift == 15) & o.inside & (o.symbols != 0),
    ),
    (
        "offset 32767",
        "an offset loses its upper bits",
        lambda o: (o.offset == INT16_MAX) & o.inside,
    ),
    (
        "offset −32768",
        "an offset loses its upper bits",
        lambda o: (o.offset == INT16_MIN) & o.inside,
    ),
    (
        "symbol above int16 that the offset brings back",
        "symbols are clipped before the offset",
        lambda o: o.inside & (o.symbols > INT16_MAX),
    ),
    (
        "symbol below int16 that the offset brings back",
        "symbols are clipped before the offset",
        lambda o: o.inside & (o.symbols < INT16_MIN),
    ),
    (
        "clip in a row that two tiles read",
        "a symbol is counted twice",
        lambda o: _between(~o.inside, 8),
    ),
    (
        "clip in a column that two tiles read",
        "a symbol is counted twice",
        lambda o: _between(~o.inside.swapaxes(0, 1), 16),
    ),
]


def _between(mask: Bool, step: int) -> Bool:
    """The part of ``mask`` on both sides of each edge between tiles of at most ``step`` rows."""
    rows = np.arange(mask.shape[0])
    inner = ((rows % step == 0) & (rows > 0)) | (
        (rows % step == step - 1) & (rows < mask.shape[0] - 1)
    )
    return mask[inner]


def _like(o: Rounding, mask: Bool) -> Bool:
    """A mask per channel, where there is anything of that channel."""
    return mask & np.ones(np.shape(o.total), bool)


def _limits(kind: str, step: type, rows: list[_Row]) -> list[Limit]:
    return [Limit(kind, label, why, step, where) for label, why, where in rows]


LIMITS: tuple[Limit, ...] = (
    *_limits("down", Products, _products((255, INT16_MIN, INT16_MAX))),
    *_limits("down", Products, _SIGNS),
    *_limits("down", Rounding, [*_sums(), *_biases(), *_shifts(), *_ties()]),
    *_limits("down", Rounding, _clips(INT16_MIN, INT16_MAX)),
    *_limits("down", Grid, _GRID),
    *_limits("gdn", Products, _products((-INT16_MIN,))),
    *_limits("gdn", Rounding, [*_sums(), *_biases(), *_shifts(), *_ties(signed=False)]),
    *_limits("gdn", Rounding, _NORMALIZER),
    *_limits("gdn", Normalization, _least_told("quotient")),
    *_limits("gdn", Normalization, _DIVISION),
    *_limits("gdn", Grid, _GRID),
    *_limits("symbols", Rounding, [*_sums(), *_biases(), *_shifts(), *_ties()]),
    *_limits("symbols", Rounding, _clips(INT16_MIN, INT16_MAX)),
    *_limits("symbols", Grid, _GRID),
    *_limits("latents", Latents, _SYMBOLS),
    *_limits("up", Products, _products((INT16_MIN, INT16_MAX))),
    *_limits("up", Products, _SIGNS),
    *_limits("up", Rounding, [*_sums(), *_biases(), *_shifts(), *_ties()]),
    *_limits("up", Rounding, _clips(INT16_MIN, INT16_MAX)),
    *_limits("up", Grid, _GRID),
    *_limits("igdn", Products, _products((-INT16_MIN,))),
    *_limits("igdn", Rounding, [*_sums(), *_biases(), *_shifts(), *_ties(signed=False)]),
    *_limits("igdn", Rounding, _NORMALIZER),
    *_limits("igdn", Normalization, _least_told("product")),
    *_limits("igdn", Normalization, _igdn_product()),
    *_limits("igdn", Grid, _GRID),
    *_limits("picture", Rounding, [*_sums(), *_biases(_BITS_32), *_shifts(), *_ties(signed=False)]),
    *_limits("picture", Rounding, _clips(0, 255)),
)
"""All of them."""


def limits_of(kind: str, *steps: type) -> list[Limit]:
    """Those of a kind, of any of these operands."""
    return [limit for limit in LIMITS if limit.kind == kind and limit.step in steps]
