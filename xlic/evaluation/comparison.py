"""How evaluated models stand against each other, JPEG and published results."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from xlic.errors import InputError
from xlic.evaluation.anchors import BALLE2017_KODAK, JPEG_KODAK
from xlic.evaluation.bdrate import RdPoint, bd_rate, quality_at

Curves = Mapping[str, Sequence[RdPoint]]

BALLE2017 = "Ballé 2017, published (Kodak)"
JPEG_PUBLISHED = "JPEG 4:2:0, published (Kodak)"
JPEG_MEASURED = "JPEG 4:2:0, these images"

_KODAK = re.compile(r"kodim(\d\d)\.\w+")


def is_kodak(names: Sequence[str]) -> bool:
    """Whether these are the 24 Kodak images, over which the published points are means."""
    numbers = [match[1] for name in names if (match := _KODAK.fullmatch(name))]
    return len(names) == 24 and sorted(numbers) == [f"{i:02d}" for i in range(1, 25)]


def reference_curves(jpeg: Sequence[RdPoint], names: Sequence[str]) -> dict[str, list[RdPoint]]:
    """Curves that a BD-rate may be taken against: published ones only on the same images."""
    found = {JPEG_MEASURED: list(jpeg)} if jpeg else {}
    if is_kodak(names):
        found[BALLE2017] = list(BALLE2017_KODAK)
    return found


def published_curves() -> dict[str, list[RdPoint]]:
    """The published points, for the plot."""
    return {BALLE2017: list(BALLE2017_KODAK), JPEG_PUBLISHED: list(JPEG_KODAK)}


def bd_rates(models: Curves, references: Curves) -> list[dict[str, Any]]:
    """BD-rate of each model curve of two or more points against all others.

    Returns:
        ``{"test", "anchor", "points", "percent", "note"}`` each; ``percent`` is None with a
        ``note`` where it is not defined. Of two model curves the earlier one is the anchor.
    """
    several = {name: points for name, points in models.items() if len(points) > 1}
    pairs = [
        (test, anchor, several[anchor])
        for index, test in enumerate(several)
        for anchor in list(several)[:index]
    ]
    pairs += [(test, name, points) for test in several for name, points in references.items()]
    return [_pair(test, several[test], anchor, points) for test, anchor, points in pairs]


def psnr_of_jpeg_at(jpeg: Sequence[RdPoint], bpp: float | None) -> float | None:
    """PSNR of measured JPEG at this rate; None outside of what was measured."""
    try:
        return None if bpp is None else quality_at(jpeg, bpp)
    except InputError:
        return None


def _pair(
    test: str, test_points: Sequence[RdPoint], anchor: str, anchor_points: Sequence[RdPoint]
) -> dict[str, Any]:
    percent: float | None = None
    note = ""
    try:
        percent = bd_rate(anchor_points, test_points)
        if percent is None:
            note = "the curves share no quality"
    except InputError as error:
        note = str(error)
    return {
        "test": test,
        "anchor": anchor,
        "points": [len(test_points), len(anchor_points)],
        "percent": percent,
        "note": note,
    }
