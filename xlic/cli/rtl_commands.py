"""Commands of the RTL and of its cycle model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich import box
from rich.table import Table

from xlic.cli.accelerator_commands import chosen_design, design_options, picture_size
from xlic.cli.common import (
    check_output,
    print_json,
    print_line,
    print_table,
    progress_shown,
    read_picture,
    write_json_file,
)
from xlic.cli.estimate_command import estimate_command
from xlic.errors import MismatchError
from xlic.shipped import LAMBDAS

if TYPE_CHECKING:
    from xlic.accelerator.compiler import Transform
    from xlic.accelerator.measure import Measure
    from xlic.accelerator.timing import MemoryTiming

_MODEL_OPTIONS = (
    click.option("--model", metavar="Q", help="Quantized model; default: the shipped one."),
    click.option(
        "--lambda",
        "lmbda",
        type=click.Choice(LAMBDAS),
        default=LAMBDAS[0],
        show_default=True,
        help="Which shipped model, where none is given.",
    ),
    click.option(
        "--transform",
        type=click.Choice(["encode", "decode"]),
        default="encode",
        show_default=True,
        help="Picture to symbols, or back.",
    ),
    click.option("--json", "json_path", metavar="OUT", help="Write JSON; - prints it."),
)
_MEMORY_OPTIONS = (
    click.option(
        "--latency",
        type=int,
        default=60,
        show_default=True,
        help="Cycles from a read's address to its first beat.",
    ),
    click.option(
        "--write-latency",
        type=int,
        default=30,
        show_default=True,
        help="Cycles from a write's last beat to its response.",
    ),
    click.option(
        "--stall",
        type=int,
        default=0,
        show_default=True,
        metavar="N",
        help="Hold up each channel in one cycle of N; 0 never.",
    ),
    click.option(
        "--bytes-per-cycle",
        type=int,
        default=16,
        show_default=True,
        help="Bandwidth per port and direction, 1 to 16.",
    ),
    click.option(
        "--seed", type=int, default=1, show_default=True, help="Of the stalls, which are random."
    ),
)


_F = TypeVar("_F", bound=Callable[..., None])


def _options(*options: Callable[[_F], _F]) -> Callable[[_F], _F]:
    def decorate(function: _F) -> _F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


@design_options
@click.command(epilog="Example: xlic cycles --size 2048x1365 --transform decode --latency 200")
@click.option("--size", metavar="WxH", help="Size of the picture.")
@click.option("--image", metavar="IMG", help="A picture of that size, instead.")
@_options(*_MODEL_OPTIONS, *_MEMORY_OPTIONS)
def cycles(
    size: str | None,
    image: str | None,
    model: str | None,
    lmbda: str,
    transform: Transform,
    json_path: str | None,
    base: str,
    **options: Any,
) -> None:
    """Predict the accelerator's cycles per layer, from its design and the memory's speed.

    The same table and JSON as `xlic rtl run`, in a second and without a simulator. A test holds
    the prediction within 3 % of the RTL's counters.
    """
    from xlic.accelerator.measure import predict_measure

    memory, parameters = _memory(options)
    design = chosen_design(base, **parameters)
    _check_json(json_path, model, image)
    pixels = picture_size(size, image)
    _show(predict_measure(_load(model, lmbda), pixels, transform, design, memory), json_path)


@click.group()
def rtl() -> None:
    """The accelerator's RTL: simulated by Verilator, estimated by Yosys."""


@design_options
@click.command(
    epilog="Example: xlic rtl run --image holiday.png --transform decode --json run.json"
)
@click.option(
    "--image", metavar="IMG", required=True, help="The picture; decode takes its symbols."
)
@_options(*_MODEL_OPTIONS, *_MEMORY_OPTIONS)
def run(
    image: str,
    model: str | None,
    lmbda: str,
    transform: Transform,
    json_path: str | None,
    base: str,
    **options: Any,
) -> None:
    """Run a picture through the RTL, count cycles, and compare every layer with the simulation.

    The first run of a design builds it (half a minute), later ones take it from the cache.
    Exit status 10: a layer differs from the simulation.
    """
    from xlic.accelerator.measure import measure_rtl

    memory, parameters = _memory(options)
    design = chosen_design(base, **parameters)
    _check_json(json_path, model, image)
    pixels = read_picture(image)
    quantized = _load(model, lmbda)
    with progress_shown() as progress:
        measure = measure_rtl(quantized, pixels, transform, design, memory, progress)
    _show(measure, json_path)
    different = [layer.name for layer in measure.layers if not layer.equal]
    if different:
        raise MismatchError(
            f"{', '.join(different)} differ from the simulation; the first of them is where to look"
        )


rtl.add_command(run)
rtl.add_command(estimate_command)


def _memory(options: dict[str, Any]) -> tuple[MemoryTiming, dict[str, int | None]]:
    """The memory's speed, and the options that are the design's."""
    from xlic.accelerator.timing import MemoryTiming

    names = ("latency", "write_latency", "stall", "bytes_per_cycle", "seed")
    return MemoryTiming(**{name: options.pop(name) for name in names}), options


def _check_json(path: str | None, *inputs: str | None) -> None:
    if path not in (None, "-"):
        check_output(str(path), *inputs)


def _load(model: str | None, lmbda: str) -> Any:
    from xlic import shipped
    from xlic.quantization.model import load_quantized

    return load_quantized(model if model is not None else shipped.model_path(lmbda))


def _show(measure: Measure, json_path: str | None) -> None:
    if json_path == "-":
        print_json(measure.as_dict())
        return
    print_table(_table(measure))
    memory = measure.memory
    stall = f", a stall in {memory.stall}" if memory.stall else ""
    print_line(
        f"memory: {memory.bytes_per_cycle} bytes/cycle and port, latency {memory.latency}{stall}; "
        f"{measure.milliseconds:.1f} ms at 200 MHz"
    )
    print_line("load, weight, store: cycles that the array waited for")
    if json_path is not None:
        write_json_file(json_path, measure.as_dict())


def _table(measure: Measure) -> Table:
    height, width = measure.size
    design = measure.design
    what = {"rtl": "RTL", "model": "predicted"}[measure.kind]
    table = Table(
        title=f"{what}: {measure.transform} {width}×{height}, POF {design.pof} × POY {design.poy} "
        f"× POX {design.pox}",
        box=box.SIMPLE_HEAD,
        title_justify="left",
    )
    table.add_column("layer")
    for heading in ("cycles", "MMAC", "used %", "load", "weight", "store"):
        table.add_column(heading, justify="right")
    if measure.kind == "rtl":
        table.add_column("= sim")
    for layer in measure.layers:
        cells = [
            " + ".join(layer.tensors),
            f"{layer.cycles:,}",
            f"{layer.macs / 1e6:,.0f}",
            f"{100 * layer.utilization:.2f}",
            *(f"{wait:,}" for wait in (layer.load_wait, layer.weight_wait, layer.store_wait)),
        ]
        if measure.kind == "rtl":
            cells.append("yes" if layer.equal else "NO")
        table.add_row(*cells)
    table.add_section()
    totals = (
        f"{measure.cycles:,}",
        f"{measure.macs / 1e6:,.0f}",
        f"{100 * measure.utilization:.2f}",
    )
    table.add_row("total", *totals, style="bold")
    return table
