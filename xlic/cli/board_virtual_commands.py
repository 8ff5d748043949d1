"""Commands of the virtual board: ``xlic board virtual``."""

from __future__ import annotations

import fcntl
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xlic.cli.command import group
from xlic.cli.common import check_output, print_line, progress_shown, say, show
from xlic.cli.options import check_json, chosen_design, design_options, json_option
from xlic.errors import InputError

if TYPE_CHECKING:
    from xlic.board.virtual.machine import VirtualBoard

_QUIT = b"\x1d"

_name = click.option(
    "--name", metavar="NAME", default="default", show_default=True, help="Name of the board."
)


@group("virtual")
def virtual() -> None:
    """A virtual ZCU102: QEMU, and the accelerator's RTL behind its registers.

    `xlic board virtual up` starts one; every other command that takes a board then takes it.
    """


@virtual.command("fetch", epilog="Example: xlic board virtual fetch --update")
@click.option("--update", is_flag=True, help="Fetch the newest packages, even if some are there.")
@json_option
def fetch(update: bool, json_path: str | None) -> None:
    """Fetch the Debian packages that the board is made of, into xlic's cache."""
    from dataclasses import asdict

    from xlic.board.virtual.packages import fetch_packages

    check_json(json_path)
    with progress_shown() as progress:
        packages = fetch_packages(update=update, progress=progress)

    def table() -> None:
        for package in packages.packages:
            print_line(f"{package.sha256[:16]}  {package.name} {package.version}")

    entries = [asdict(package) for package in packages.packages]
    show({"kernel": packages.kernel, "packages": entries}, json_path, table)


@virtual.command("up", epilog="Example: xlic board virtual up --name second")
@_name
@json_option
def up(name: str, json_path: str | None) -> None:
    """Build the board unless that was done, start it, and say how it is reached.

    It runs on until `xlic board virtual down`.
    """
    from xlic.board.virtual.machine import VirtualBoard, boards_folder

    check_json(json_path)
    folder = boards_folder() / _checked(name)
    with (folder.parent / f".{name}.lock").open("w") as lock:
        # Of two that start it at once, the second finds it running.
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _running(folder)
        if found is None:
            _clear(folder)
            with progress_shown() as progress:
                found = VirtualBoard.start(folder, detached=True, progress=progress)
        else:
            say(f"the virtual board {name} runs already")
    _show_board(found, json_path)


@virtual.command("down", epilog="Example: xlic board virtual down")
@_name
def down(name: str) -> None:
    """Stop the board; nothing of it stays but its logs."""
    from xlic.board.virtual.machine import boards_folder

    board = _running(boards_folder() / _checked(name))
    if board is None:
        say(f"no virtual board {name} runs")
        return
    board.stop()


@virtual.command("status", epilog="Example: xlic board virtual status --json -")
@_name
@json_option
def status(name: str, json_path: str | None) -> None:
    """Show how the board is reached, and what it does."""
    check_json(json_path)
    _show_board(_board(name), json_path)


@virtual.command("console", epilog="Example: xlic board virtual console --log")
@_name
@click.option("--log", "log", is_flag=True, help="Print what it said so far, and leave.")
def console(name: str, log: bool) -> None:
    """Talk to the board's console; Ctrl-] leaves."""
    board = _board(name)
    if log:
        click.echo(board.console_log.read_text("utf-8", "replace"), nl=False)
        return
    host, _, port = board.serial_url.removeprefix("socket://").partition(":")
    if sys.stdin.isatty():
        say("Ctrl-] leaves; press Enter for a prompt")
    _talk(host, int(port))


@virtual.command("reset", epilog="Example: xlic board virtual reset")
@_name
def reset(name: str) -> None:
    """Press the board's reset button."""
    _board(name).reset()


@virtual.command("power-cycle", epilog="Example: xlic board virtual power-cycle")
@_name
def power_cycle(name: str) -> None:
    """Switch the board off and on."""
    _board(name).power_cycle()


@virtual.command(
    "bitstream", epilog="Example: xlic board virtual bitstream small.bit --design small"
)
@click.argument("output", metavar="FILE.bin|FILE.bit")
@click.option(
    "--pl",
    "kind",
    type=click.Choice(["rtl", "hls"]),
    default="rtl",
    show_default=True,
    help="What plays the accelerator: the RTL, verilated, or the HLS C++, compiled.",
)
@design_options
def bitstream(output: str, kind: Any, base: str, **parameters: Any) -> None:
    """Make a bitstream for the virtual board, and build what plays it."""
    from xlic.board.virtual.bitstream import make_bitstream

    check_output(output)
    with progress_shown() as progress:
        made = make_bitstream(
            Path(output), chosen_design(base, parameters), kind, progress=progress
        )
    say(f"{output}: {kind}, sources {made.source_hash:016x}")


def _board(name: str) -> VirtualBoard:
    from xlic.board.virtual.machine import find_board

    return find_board(_checked(name))


def _running(folder: Path) -> VirtualBoard | None:
    from xlic.board.virtual.errors import VirtualBoardError
    from xlic.board.virtual.machine import VirtualBoard

    try:
        board = VirtualBoard(folder)
    except VirtualBoardError:
        return None
    return board if board.alive() else None


def _clear(folder: Path) -> None:
    """Remove what a board that ended, well or not, left behind."""
    import shutil

    from xlic.board.virtual.errors import VirtualBoardError
    from xlic.board.virtual.machine import VirtualBoard

    with suppress(VirtualBoardError):
        # One that does not answer may still be there.
        VirtualBoard(folder).stop()
    if folder.is_dir():
        shutil.rmtree(folder)


def _checked(name: str) -> str:
    if not name.replace("-", "").replace("_", "").isalnum() or len(name) > 32:
        raise InputError(f"{name!r} is no name for a board; use letters, digits, - and _")
    return name


def _show_board(board: VirtualBoard, json_path: str | None) -> None:
    host, port = board.ssh_address
    state = board.status()

    def table() -> None:
        logic = state.get("pl", {})
        loaded = f"{logic['kind']} {logic['source_hash']}" if logic.get("loaded") else "blank"
        print_line(f"processor  {state.get('run_state', 'switched off')}")
        print_line(f"logic      {loaded}{', running' if logic.get('running') else ''}")
        options = f"-i {board.key_file} -o UserKnownHostsFile={board.known_hosts}"
        print_line(f"ssh        ssh -p {port} {options} root@{host}")
        print_line(f"console    {board.serial_url}")
        print_line(f"logs       {board.folder}")

    show(board.options | {"state": state, "folder": str(board.folder)}, json_path, table)


def _talk(host: str, port: int) -> None:
    import socket

    with socket.create_connection((host, port), 10) as board, _raw(sys.stdin.fileno()):
        board.settimeout(None)
        keyboard = sys.stdin.fileno()
        sources: list[Any] = [board, keyboard]
        while True:
            ready = select.select(sources, [], [])[0]
            if board in ready:
                data = board.recv(4096)
                if not data:
                    return
                sys.stdout.buffer.write(data)
                sys.stdout.flush()
            if keyboard in ready:
                typed = os.read(keyboard, 4096)
                board.sendall(typed.partition(_QUIT)[0])
                if not typed or _QUIT in typed:
                    return


@contextmanager
def _raw(descriptor: int) -> Iterator[None]:
    """A terminal that passes every key on; anything else is left as it is."""
    if not os.isatty(descriptor):
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
