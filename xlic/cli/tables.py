"""Results as tables for the terminal, 80 columns wide."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from xlic.bench import (
    MEMORY_BOUND_MB,
    RANGE_CODER_BOUND_PIXELS,
    RANGE_CODER_BOUND_S,
    RATIO_BOUND,
    BenchResult,
    Timing,
)
from xlic.demo import DemoResult, Row
from xlic.evaluation.evaluate import ModelResult
from xlic.quantization.report import TensorReport

UNKNOWN = "–"

_WIDTH = 80
_NAME_WIDTH = 12
_LABEL_WIDTH = 18
_NOTE_WIDTH = 36


def lost_or_gained(decibel: float) -> str:
    """A loss in words; a negative one is a gain."""
    if round(decibel, 4) == 0:
        return "nothing lost"
    return f"{'lost' if decibel > 0 else 'gained'} {abs(decibel):.4f} dB"


def demo_table(result: DemoResult) -> Table:
    """Per tensor and in total: shape, MACs, time, SQNR, saturations."""
    table = _table(
        f"{result.image}, {result.width}×{result.height}: INT16 codec, λ = {_or(result.lmbda)}"
    )
    table.add_column("tensor")
    for heading in ("shape", "MMAC", "ms", "SQNR dB", "saturated"):
        table.add_column(heading, justify="right")
    for index, row in enumerate(result.rows):
        is_sum = row.shape is None
        if is_sum and result.rows[index - 1].shape is not None:
            table.add_section()
        table.add_row(*_demo_cells(row), style="bold" if row.name == "total" else "")
    return table


def demo_figures(result: DemoResult) -> Table:
    """Rate, quality, times and files, a line each."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    lost = ""
    if result.float_psnr is not None:
        difference = result.float_psnr - result.psnr
        lost = f"   (float64: {_decibel(result.float_psnr)}, {lost_or_gained(difference)})"
        if not math.isfinite(difference):
            lost = f"   (float64: {_decibel(result.float_psnr)})"
    mismatch = UNKNOWN
    if result.symbol_mismatch is not None:
        count = round(result.symbol_mismatch * result.symbols)
        mismatch = f"{100 * result.symbol_mismatch:.4f} %   ({count} of {result.symbols})"
    table.add_row("rate", f"{result.bpp:.4f} bit/pixel   ({result.stream_bytes} bytes)")
    table.add_row("PSNR", _decibel(result.psnr) + lost)
    table.add_row("MS-SSIM", _fixed(result.ms_ssim, 5))
    table.add_row("symbols unlike float64", mismatch)
    table.add_row(
        "encode", f"{result.encode_s:.2f} s, of it range coder {result.range_encode_s:.3f} s"
    )
    table.add_row(
        "decode", f"{result.decode_s:.2f} s, of it range coder {result.range_decode_s:.3f} s"
    )
    for what, path in result.files.items():
        table.add_row(what, path)
    return table


def eval_table(result: ModelResult, width: int = _WIDTH) -> Table:
    """Per image and mean, at most ``width`` columns wide, but no less than 80."""
    ran = result.candidate
    table = _table(
        f"{Path(ran.source).name} on {ran.rung.name}, λ = {_or(ran.lmbda)}; bpp: {result.bpp_kind}"
    )
    headings = ("bpp", "PSNR", "float", "MS-SSIM", "unlike %", "sat.", "enc s", "dec s")
    rows = [_eval_cells(image.file, vars(image)) for image in result.images]
    rows.append(_eval_cells("mean", result.mean()))
    # Names get what the figures leave of the line.
    figures = zip(headings, *(row[1:] for row in rows), strict=True)
    taken = sum(2 + max(map(len, column)) for column in figures)
    room = max(_NAME_WIDTH, max(width, _WIDTH) - taken - 2)
    table.add_column("image", overflow="ellipsis", no_wrap=True, max_width=room)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows[:-1]:
        table.add_row(*row)
    table.add_section()
    table.add_row(*rows[-1], style="bold")
    return table


def bd_rate_table(rates: Sequence[Mapping[str, Any]]) -> Table:
    """BD-rates; negative means fewer bits than the anchor."""
    table = _table("BD-rate of PSNR (negative: fewer bits)")
    table.add_column("curve", max_width=_LABEL_WIDTH)
    table.add_column("against", max_width=_LABEL_WIDTH)
    table.add_column("BD-rate", justify="right", max_width=_NOTE_WIDTH)
    for rate in rates:
        shown = rate["note"] if rate["percent"] is None else f"{rate['percent']:+.2f} %"
        table.add_row(rate["test"], rate["anchor"], shown)
    return table


def quantize_table(reports: Sequence[TensorReport]) -> Table:
    """Per layer: spans of fraction bits, shifts and range used, sum of saturations."""
    table = _table("quantization, per layer (span over its channels)")
    table.add_column("tensor")
    for heading in ("channels", "fraction bits", "shifts", "range used %", "saturated"):
        table.add_column(heading, justify="right")
    for report in reports:
        table.add_row(
            report.name,
            str(len(report.saturations)),
            UNKNOWN if report.range_used is None else _span(report.fraction_bits),
            ", ".join(_span(values) for values in report.shifts.values()) or UNKNOWN,
            UNKNOWN if report.range_used is None else _span(100 * report.range_used),
            str(int(report.saturations.sum())),
        )
    return table


def channel_table(report: TensorReport) -> Table:
    """The same of one layer, per channel."""
    table = _table(report.name)
    table.add_column("channel", justify="right")
    for heading in ("fraction bits", *report.shifts, "range used %", "saturated"):
        table.add_column(heading, justify="right")
    for channel in range(len(report.saturations)):
        used = report.range_used
        table.add_row(
            str(channel),
            UNKNOWN if used is None else str(report.fraction_bits[channel]),
            *(str(values[channel]) for values in report.shifts.values()),
            UNKNOWN if used is None else f"{100 * used[channel]:.1f}",
            str(report.saturations[channel]),
        )
    return table


def bench_table(result: BenchResult) -> Table:
    """Times of one image size, and the bounds beside them."""
    table = _table(
        f"{result.width}×{result.height}, {result.macs / 1e9:.2f} GMAC, {result.repeats} repeats"
    )
    table.add_column("what")
    for heading in ("median", "least", "most", "bound"):
        table.add_column(heading, justify="right")
    timings: list[tuple[str, Timing | None]] = [
        ("INT16 encode, s", result.encode),
        ("INT16 decode, s", result.decode),
        ("INT16 both, s", result.both),
        ("float64 products by BLAS, s", result.blas),
    ]
    for what, timing in timings:
        table.add_row(what, *_timing_cells(timing), "")
    table.add_row("ratio INT16 / BLAS", f"{result.ratio:.2f}", "", "", f"≤ {RATIO_BOUND}")
    bound = ""
    if result.width * result.height == RANGE_CODER_BOUND_PIXELS:
        bound = f"≤ {RANGE_CODER_BOUND_S} s"
    table.add_row("range encoder, s", *_timing_cells(result.range_encode), bound)
    table.add_row("range decoder, s", *_timing_cells(result.range_decode), bound)
    memory = f"{result.peak_memory_mb:.0f}"
    table.add_row("peak memory, MB", memory, "", "", f"≤ {MEMORY_BOUND_MB:.0f}")
    return table


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 0, 0, 1),
    )


def _demo_cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        "" if row.shape is None else "×".join(map(str, row.shape)),
        f"{row.macs / 1e6:.1f}",
        '"' if row.seconds is None else f"{1e3 * row.seconds:.1f}",
        UNKNOWN if row.sqnr_db is None else _exact(row.sqnr_db),
        str(row.saturations),
    )


def _eval_cells(name: str, values: Mapping[str, Any]) -> tuple[str, ...]:
    mismatch = values["symbol_mismatch"]
    saturations = values["saturations"]
    return (
        name,
        _fixed(values["bpp"], 4),
        _fixed(values["psnr"], 3),
        _fixed(values["float_psnr"], 3),
        _fixed(values["ms_ssim"], 4),
        _fixed(None if mismatch is None else 100 * mismatch, 3),
        str(saturations) if isinstance(saturations, int) else _fixed(saturations, 1),
        _fixed(values["encode_s"], 2),
        _fixed(values["decode_s"], 2),
    )


def _timing_cells(timing: Timing | None) -> tuple[str, str, str]:
    if timing is None:
        return UNKNOWN, UNKNOWN, UNKNOWN
    return f"{timing.median:.3f}", f"{timing.least:.3f}", f"{timing.most:.3f}"


def _span(values: Any) -> str:
    low, high = round(float(values.min())), round(float(values.max()))
    return str(low) if low == high else f"{low}…{high}"


def _fixed(value: float | None, digits: int) -> str:
    return UNKNOWN if value is None else f"{value:.{digits}f}"


def _decibel(value: float) -> str:
    return "infinite (identical)" if math.isinf(value) else f"{value:.4f} dB"


def _exact(value: float) -> str:
    return "exact" if value == math.inf else f"{value:.1f}"


def _or(value: object) -> str:
    return "unknown" if value is None else str(value)
