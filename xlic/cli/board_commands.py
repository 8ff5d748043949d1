"""Commands of a board: run on it, who has it, what it says."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.table import Table

from xlic.accelerator.choices import LOGICS, Logic
from xlic.cli.board_virtual_commands import virtual
from xlic.cli.command import FiniteRange, command, group
from xlic.cli.common import print_line, print_table, progress_shown, read_picture, say, show
from xlic.cli.measured import limits_report
from xlic.cli.options import (
    check_json,
    chosen_model,
    image_option,
    json_option,
    model_options,
    no_limits_option,
    options,
)
from xlic.cli.verdict import Verdict

if TYPE_CHECKING:
    from xlic.accelerator.compiler import Transform
    from xlic.board.comparison import Spread, TransformResult
    from xlic.board.config import Board
    from xlic.board.session import BoardSession
    from xlic.limits.run import LimitsReport

_board_options = options(
    click.option(
        "--host",
        metavar="NAME",
        help="The board: a name in ~/.ssh/config, an address, or 'virtual'.",
    ),
    click.option("--board", "board_file", metavar="FILE", help="Board file (docs/board.md)."),
    click.option("--serial", metavar="PORT", help="Console: /dev/ttyUSB0, socket://host:port."),
    click.option(
        "--accept-new-host-key",
        is_flag=True,
        help="Add a host key that is not known yet; a changed one is refused in any case.",
    ),
)


@group()
def board() -> None:
    """A ZCU102 over SSH, or the virtual one.

    `--host NAME` alone does for a host in your SSH configuration.
    """


@command(epilog="Example: xlic board run --host zcu102 --bitstream xlic.bit --image holiday.png")
@_board_options
@click.option("--bitstream", metavar="FILE", help="Load this .bit or .bin first.")
@image_option
@model_options
@click.option(
    "--transform",
    type=click.Choice(["encode", "decode", "both"]),
    default="both",
    show_default=True,
    help="Picture to symbols, back, or both.",
)
@click.option(
    "--repeat", type=click.IntRange(1, 1000), default=1, show_default=True, help="Times to run."
)
@click.option(
    "--pl",
    "logic",
    type=click.Choice(LOGICS),
    default=LOGICS[0],
    show_default=True,
    help="What the accelerator was made from; on the virtual board, what plays it.",
)
@click.option(
    "--sources",
    metavar="any|HASH",
    help="Sources that it must have been made from, where they are not this project's.",
)
@json_option
@no_limits_option
def run(
    host: str | None,
    board_file: str | None,
    serial: str | None,
    accept_new_host_key: bool,
    bitstream: str | None,
    image: str,
    model: str | None,
    lmbda: str,
    transform: str,
    repeat: int,
    logic: Logic,
    sources: str | None,
    json_path: str | None,
    no_limits: bool,
) -> None:
    """Run a picture on the board and compare with the simulation.

    Beside it a made one that reaches every limit of the arithmetic. Exit status 10: the board
    computes other integers; 3: it could not be reached or used.
    """
    from xlic.accelerator.compiler import TRANSFORMS
    from xlic.board.comparison import BoardComparison
    from xlic.board.config import choose_board
    from xlic.board.connect import open_session
    from xlic.rungs.board import BoardRung, board_rung_factory

    check_json(json_path, model, image)
    chosen = choose_board(host, board_file, serial=serial, bitstream=bitstream)
    pixels = read_picture(image)
    quantized = chosen_model(model, lmbda)
    wanted: tuple[Transform, ...] = tuple(
        each for each in TRANSFORMS if transform in (each, "both")
    )
    with (
        Verdict() as verdict,
        progress_shown() as progress,
        open_session(
            chosen,
            logic=logic,
            sources=sources,
            accept_new_host_key=accept_new_host_key,
            say=say,
            progress=progress,
        ) as session,
    ):
        comparison = BoardComparison(BoardRung(quantized, session, repeat), quantized)
        results = comparison.run(pixels, wanted, progress)
        wrong = "; ".join(str(result) for result in results if not result.equal)
        if wrong:
            verdict.mismatch(f"the board is not the simulation: {wrong}")
        made = None if no_limits else board_rung_factory(session)
        limits = limits_report(wanted, comparison.observer.reached, made, progress)
        if limits.mismatch:
            said = "; ".join(filter(None, (wrong, limits.mismatch)))
            verdict.mismatch(f"the board is not the simulation: {said}")
        _show(chosen.host, results, limits, session, json_path)


@command(epilog="Example: xlic board status --host zcu102 --json -")
@_board_options
@json_option
def status(
    host: str | None,
    board_file: str | None,
    serial: str | None,
    accept_new_host_key: bool,
    json_path: str | None,
) -> None:
    """Say whether the board answers, who has it, and what is loaded.

    Nothing on the board is changed, and no lease is needed.
    """
    from xlic.board.status import read_status

    check_json(json_path, board_file)
    found = read_status(_resolved(host, board_file, serial), accept_new_host_key)

    def table() -> None:
        for name, value in found.items():
            print_line(f"{name}: {'none' if value is None else value}")

    show(found, json_path, table)


@command(epilog="Example: xlic board lease --host zcu102 --minutes 30 --purpose bring-up")
@_board_options
@click.option(
    "--minutes",
    type=FiniteRange(0.01, 1440),
    default=30.0,
    show_default=True,
    help="Until it is given back.",
)
@click.option(
    "--purpose",
    metavar="TEXT",
    default="by hand",
    show_default=True,
    help="Shown to those who wait.",
)
def lease(
    host: str | None,
    board_file: str | None,
    serial: str | None,
    accept_new_host_key: bool,
    minutes: float,
    purpose: str,
) -> None:
    """Keep the board for work by hand, until the time is over or Ctrl-C."""
    from contextlib import closing
    from dataclasses import replace

    from xlic.board.deadline import Deadline
    from xlic.board.lease import Lease
    from xlic.board.reconnect import Reconnecting
    from xlic.board.ssh import Link

    chosen = _resolved(host, board_file, serial)
    settings = replace(chosen.lease, purpose=purpose)

    def connect(deadline: Deadline) -> Link:
        return Link(chosen, accept_new_host_key=accept_new_host_key, deadline=deadline)

    with (
        closing(Reconnecting(connect)) as way,
        Lease(way, settings, say) as held,
    ):
        say(f"the board is yours for {minutes:g} minutes; Ctrl-C gives it back")
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end:
            held.check()
            time.sleep(min(1.0, max(0.0, end - time.monotonic())))


@command(epilog="Example: xlic board console --serial /dev/ttyUSB0 --log boot.log")
@_board_options
@click.option("--log", default="console.log", show_default=True, metavar="FILE", help="Add to it.")
@click.option("--seconds", type=FiniteRange(0.1), help="End after that; default: Ctrl-C.")
def console(
    host: str | None,
    board_file: str | None,
    serial: str | None,
    accept_new_host_key: bool,
    log: str,
    seconds: float | None,
) -> None:
    """Show what the board says on its serial console, and keep it with the time."""
    from pathlib import Path

    from xlic.board.config import Board
    from xlic.board.console import Console
    from xlic.errors import InputError

    # The console needs no host.
    named = host is not None or board_file is not None
    chosen = _resolved(host, board_file, serial) if named else Board("console", serial=serial)
    if chosen.serial is None:
        raise InputError("which console? give --serial PORT, or serial in the board file")
    end = None if seconds is None else time.monotonic() + seconds
    with Console(chosen.serial, chosen.baud, Path(log)) as opened:
        while end is None or time.monotonic() < end:
            sys.stdout.write(opened.take(0.2))
            sys.stdout.flush()


for _command in (run, status, lease, console, virtual):
    board.add_command(_command)


def _resolved(host: str | None, file: str | None, serial: str | None) -> Board:
    from xlic.board.config import choose_board
    from xlic.board.connect import resolve

    return resolve(choose_board(host, file, serial=serial))


def _show(
    host: str,
    results: list[TransformResult],
    limits: LimitsReport,
    session: BoardSession,
    json_path: str | None,
) -> None:
    identity = session.identity
    facts: dict[str, Any] = {
        "host": host,
        "design": vars(identity.design),
        "source_hash": f"{identity.source_hash:016x}",
        "transforms": [result.as_dict(session.board.clock_hz) for result in results],
        "limits": limits.as_dict(),
        "infrastructure_failures": [str(failure) for failure in session.failures],
        "recovery": session.done,
        "traffic": vars(session.traffic),
    }

    def table() -> None:
        print_table(_table(results, session.board.clock_hz))
        design = identity.design
        print_line(
            f"board {host}: POF {design.pof} × POY {design.poy} × POX {design.pox}, "
            f"sources {identity.source_hash:016x}; {len(session.failures)} infrastructure failures"
        )
        print_line(limits.line())

    show(facts, json_path, table)


def _cycles(cycles: Spread, clock_hz: float) -> tuple[str, str]:
    """Cells: the median, and milliseconds with their range where there is one."""
    times = f"{1e3 * cycles.median / clock_hz:.3f}"
    if cycles.min != cycles.max:
        times += f" ({1e3 * cycles.min / clock_hz:.3f} … {1e3 * cycles.max / clock_hz:.3f})"
    return f"{cycles.median:,.0f}", times


def _table(results: list[TransformResult], clock_hz: float) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("layer")
    headings = ("cycles", f"ms at {clock_hz / 1e6:g} MHz", "active %", "waits: load", "weight")
    for heading in (*headings, "store", "= sim"):
        table.add_column(heading, justify="right")
    for result in results:
        for layer in result.layers:
            counted = layer.counters
            waits = (counted.load_wait, counted.weight_wait, counted.store_wait)
            table.add_row(
                layer.name,
                *_cycles(layer.cycles, clock_hz),
                f"{100 * counted.active / max(1, counted.cycles):.2f}",
                *(f"{wait:,}" for wait in waits),
            )
        cells = [*_cycles(result.cycles, clock_hz), "", "", "", ""]
        verdict = "yes" if result.equal else "NO"
        table.add_row(result.transform, *cells, verdict, style="bold", end_section=True)
    return table
