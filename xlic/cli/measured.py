"""What `rtl run`, `hls run` and `cycles` share: a picture's layers as table, JSON and verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from xlic.cli.common import print_line, print_table, progress_shown, read_picture, show
from xlic.cli.options import check_json, chosen_model
from xlic.cli.verdict import Verdict
from xlic.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from xlic.accelerator.measure import Measure
    from xlic.files import Progress
    from xlic.limits.observe import Reached
    from xlic.limits.run import LimitsReport, RungOf
    from xlic.quantization.model import QuantizedModel

    Run = Callable[[QuantizedModel, NDArray[np.uint8], Progress], Measure]

_WHAT = {"rtl": "RTL", "hls": "HLS C++", "model": "predicted"}
_WAITS = ("load_wait", "weight_wait", "store_wait")


def run_and_compare(
    run: Run,
    made: RungOf | None,
    image: str,
    model: str | None,
    lmbda: str,
    json_path: str | None,
) -> None:
    """Run a picture, show its layers, and say which are not the simulation's.

    Args:
        run: what runs model and picture.
        made: what the made picture runs on that reaches every limit; None leaves it out.
        image: the picture's file.
        model: the quantized model's file; None takes the shipped one.
        lmbda: which shipped one.
        json_path: of ``--json``.

    Raises:
        MismatchError: some are not, whatever fails after that is known.
    """
    check_json(json_path, model, image)
    pixels = read_picture(image)
    quantized = chosen_model(model, lmbda)
    with Verdict() as verdict:
        with progress_shown() as progress:
            measure = run(quantized, pixels, progress)
            wrong = ", ".join(str(each) for each in measure.differences)
            if wrong:
                verdict.mismatch(f"{wrong}; the first of them is where to look")
            report = limits_report([measure.transform], measure.reached, made, progress)
        if report.mismatch:
            verdict.mismatch("; ".join(filter(None, (wrong, report.mismatch))))
        show_measure(measure, json_path, report)


def limits_report(
    transforms: Sequence[str],
    reached: Reached | None,
    made: RungOf | None,
    progress: Progress,
) -> LimitsReport:
    """What the picture reached, and the made picture run beside it.

    Raises:
        InputError: it does not fit the design.
    """
    from xlic.limits.observe import Reached
    from xlic.limits.run import LimitsReport, run_made

    result = None
    if made is not None:
        try:
            result = run_made(made, progress)
        except InputError as error:
            raise InputError(
                f"the made picture that reaches every limit: {error}; or leave it out with "
                "--no-limits"
            ) from error
    return LimitsReport(transforms, reached or Reached(), result)


def show_measure(
    measure: Measure, json_path: str | None, limits: LimitsReport | None = None
) -> None:
    """Print the table, or write the JSON, or both."""

    def table() -> None:
        height, width = measure.size
        design = measure.design
        print_line(
            f"{_WHAT[measure.kind]}: {measure.transform} {width}×{height}, "
            f"POF {design.pof} × POY {design.poy} × POX {design.pox}"
        )
        print_table(_table(measure))
        for line in _lines(measure):
            print_line(line)
        if limits is not None:
            print_line(limits.line())

    facts = measure.as_dict()
    if limits is not None:
        facts["limits"] = limits.as_dict()
    show(facts, json_path, table)


def _lines(measure: Measure) -> list[str]:
    lines = ["gdn_0 is ana_0 with its normalization, and so on: the name of what is stored"]
    memory = measure.memory
    if memory is None:
        return [*lines, "cycles: those in which the array multiplies; waits are the RTL's to tell"]
    stall = f", a stall in {memory.stall}" if memory.stall else ""
    return [
        f"memory: {memory.bytes_per_cycle} bytes/cycle and port, latency {memory.latency}{stall}; "
        f"{measure.milliseconds:.1f} ms at 200 MHz",
        "load, weight, store: cycles that the array waited for",
        *lines,
    ]


def _table(measure: Measure) -> Table:
    waiting = measure.memory is not None
    compared = measure.equal is not None
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("layer")
    headings = ("cycles", "MMAC", "used %", *(("load", "weight", "store") if waiting else ()))
    for heading in (*headings, *(("= sim",) if compared else ())):
        table.add_column(heading, justify="right")
    for layer in measure.layers:
        table.add_row(
            layer.name,
            *_figures(layer.cycles, layer.macs, layer.utilization),
            *(f"{getattr(layer, wait):,}" for wait in _WAITS if waiting),
            *(("yes" if layer.equal else "NO",) if compared else ()),
        )
    table.add_section()
    table.add_row(
        "total",
        *_figures(measure.cycles, measure.macs, measure.utilization),
        *(f"{measure.total(wait):,}" for wait in _WAITS if waiting),
        *(("yes" if measure.equal else "NO",) if compared else ()),
        style="bold",
    )
    return table


def _figures(cycles: int, macs: int, utilization: float) -> tuple[str, str, str]:
    return f"{cycles:,}", f"{macs / 1e6:,.0f}", f"{100 * utilization:.2f}"
