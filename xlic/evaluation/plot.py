"""The rate–distortion plot."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xlic.errors import InputError
from xlic.evaluation.bdrate import RdPoint
from xlic.files import atomic_path

_FORMATS = ("png", "pdf", "svg")

_MODEL_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
_REFERENCE_STYLES: tuple[dict[str, Any], ...] = (
    {"color": "#555555", "marker": "s", "linestyle": "--"},
    {"color": "#888888", "marker": "^", "linestyle": ":"},
    {"color": "#aa7733", "marker": "v", "linestyle": "-."},
    {"color": "#777799", "marker": "x", "linestyle": (0, (1, 3))},
)


def rd_plot(
    path: str | os.PathLike[str],
    models: Mapping[str, Sequence[RdPoint]],
    references: Mapping[str, Sequence[RdPoint]],
    title: str,
    rate_label: str = "bits per pixel (whole file)",
) -> None:
    """Draw PSNR over bits per pixel, atomically.

    Args:
        path: where to; the suffix says the format.
        models: curves in colour.
        references: curves in grey, cut to the neighbourhood of the models' rates.
        title: of the plot.
        rate_label: of the rate axis.

    Raises:
        InputError: the file cannot be written, or its suffix is of another format.
    """
    # Figure without pyplot: no global state, no display, no backend to choose.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for style, (name, points) in zip(_REFERENCE_STYLES, references.items(), strict=False):
        axes.plot(*_axes_of(points), label=name, markersize=5, linewidth=1.2, **style)
    for index, (name, points) in enumerate(models.items()):
        colour = _MODEL_COLOURS[index % len(_MODEL_COLOURS)]
        marker = "o" if index < len(_MODEL_COLOURS) else "D"
        axes.plot(
            *_axes_of(points),
            label=name,
            color=colour,
            marker=marker,
            linewidth=2,
            # Curves that coincide stay visible: later ones are smaller.
            markersize=max(4.0, 10.0 - 1.5 * index),
            zorder=3,
        )
    rates = [rate for points in models.values() for rate in _axes_of(points)[0]]
    axes.set_xlim(0, max(2.0, 1.15 * max(rates, default=0.0)))
    axes.set_xlabel(rate_label)
    axes.set_ylabel("PSNR of RGB [dB]")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize=9)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=plot_format(path), dpi=120)


def plot_format(path: str | os.PathLike[str]) -> str:
    """What the file's suffix says; PNG if it has none.

    Raises:
        InputError: another format.
    """
    suffix = Path(path).suffix.lower().removeprefix(".") or "png"
    if suffix not in _FORMATS:
        raise InputError(
            f"{path}: a plot is written as .{', .'.join(_FORMATS)}; give it one of these suffixes"
        )
    return suffix


def _axes_of(points: Sequence[RdPoint]) -> tuple[list[float], list[float]]:
    """Rates and qualities of the finite points."""
    finite = [(rate, quality) for rate, quality in points if math.isfinite(quality)]
    return [rate for rate, _ in finite], [quality for _, quality in finite]
