"""``xlic rtl estimate``: what the accelerator takes of the FPGA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.table import Table

from xlic.cli.command import command
from xlic.cli.common import print_line, print_table, progress_shown, show
from xlic.cli.options import check_json, chosen_design, design_options, json_option, options

if TYPE_CHECKING:
    from xlic.accelerator.estimate import Estimate
    from xlic.accelerator.resources import Resources

_HEADINGS = ("DSP", "BRAM36", "LUT", "as memory", "FF")


@command("estimate", epilog="Example: xlic rtl estimate --pof 8 --paths --json estimate.json")
@click.option("--paths", is_flag=True, help="Show the deepest logic of each block, too.")
@options(json_option, design_options)
def estimate_command(paths: bool, json_path: str | None, base: str, **parameters: Any) -> None:
    """Estimate DSPs, block RAM, LUTs and registers of a design with Yosys.

    Maps block by block, which takes some minutes; blocks that were mapped before come from the
    cache. No vendor tool runs: rtl_sim/synth/README.md says what that leaves open.
    """
    from xlic.accelerator.estimate import estimate

    check_json(json_path)
    design = chosen_design(base, parameters)
    with progress_shown() as progress:
        found = estimate(design, progress=progress)
    show(found.as_dict(), json_path, lambda: _show(found, paths))


def _show(found: Estimate, paths: bool) -> None:
    from xlic.accelerator.estimate import NOTE

    print_table(_table(found))
    if paths:
        for block in found.blocks:
            print_line(f"{block.block.name}:")
            for path in block.measures[-1].levels.longest:
                print_line(f"  {path}")
    for name in found.exceeded():
        print_line(f"more {name} than allowed")
    print_line(NOTE)


def _table(found: Estimate) -> Table:
    design, device = found.design, found.device
    table = Table(
        title=f"POF {design.pof} × POY {design.poy} × POX {design.pox} on {device.name}, "
        f"by Yosys {found.yosys}",
        box=box.SIMPLE_HEAD,
        title_justify="left",
    )
    table.add_column("block")
    table.add_column("×", justify="right")
    for heading in _HEADINGS:
        table.add_column(heading, justify="right")
    for block in found.blocks:
        name = f"{block.block.name} *" if block.extrapolated else block.block.name
        table.add_row(name, str(block.count), *_cells(block.total))
    table.add_section()
    table.add_row("total", "", *_cells(found.total), style="bold")
    table.add_row("allowed", "", *_cells(device.bound))
    table.add_row("the device has", "", *_cells(device.has))
    shares = zip(found.total.values(), device.has.values(), strict=True)
    table.add_row("taken", "", *(f"{100 * taken / has:.0f} %" for taken, has in shares))
    table.caption = "* extrapolated from smaller ones"
    return table


def _cells(resources: Resources) -> list[str]:
    dsp, bram36, *others = resources.values()
    return [f"{dsp:,.0f}", f"{bram36:,.1f}", *(f"{value:,.0f}" for value in others)]
