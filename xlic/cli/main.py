"""The ``xlic`` command: its subcommands, and what the user sees when something goes wrong."""

from __future__ import annotations

import builtins
import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

import click

from xlic import __version__
from xlic.errors import XlicError
from xlic.exit_status import ExitStatus
from xlic.signals import ended_in_order

# Name → module and one line. Modules load when their command runs, so that help is instant.
_COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("sim_commands", "Show the INT16 codec on a photograph, layer by layer."),
    "encode": ("sim_commands", "Encode an image with the INT16 simulation."),
    "decode": ("sim_commands", "Decode a .tfci file with the INT16 simulation."),
    "eval": ("sim_commands", "Rate and quality of models over images; plot, BD-rate."),
    "quantize": ("sim_commands", "Make an INT16 model from float weights."),
    "bench": ("sim_commands", "Time the INT16 simulation against plain BLAS."),
    "train": ("model_commands", "Train the reference model (TensorFlow)."),
    "compress": ("model_commands", "Compress an image with the reference (TensorFlow)."),
    "decompress": ("model_commands", "Decompress a .tfci file with the reference (TensorFlow)."),
    "extract": ("model_commands", "Extract weights and entropy tables from a trained model."),
    "compile": ("accelerator_commands", "Compile a model for the accelerator; show its cost."),
    "cycles": ("rtl_commands", "Predict the accelerator's cycles per layer."),
    "rtl": ("rtl_commands", "Run the accelerator's RTL on a picture; count cycles, compare."),
    "board": ("board_commands", "Run on a ZCU102 over SSH, or on a virtual one; compare."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"xlic.cli.{_COMMANDS[cmd_name][0]}")
        # A function named like a built-in would hide it.
        function = f"{cmd_name}_" if hasattr(builtins, cmd_name) else cmd_name
        command: click.Command = getattr(module, function)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-"):
            close = difflib.get_close_matches(name, _COMMANDS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise click.UsageError(f"No such command {name!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("-V", "--verbose", is_flag=True, help="Say more, e.g. bit rate and distortion.")
@click.option(
    "--model_path",
    metavar="DIR",
    help="Trained model of train, compress, decompress and extract.",
)
@click.version_option(__version__, "--version", prog_name="xlic")
@click.pass_context
def cli(ctx: click.Context, verbose: bool, model_path: str | None) -> None:
    """The learned image codec bls2017, from TensorFlow to INT16 hardware.

    Start with `xlic demo`; `xlic COMMAND --help` explains each command.
    """
    ctx.obj = {"verbose": verbose, "model_path": model_path}
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    0 is success, 2 an error that the message on stderr explains in one line, 130 an interruption,
    141 a reader that closed the pipe. A defect of xlic itself keeps its traceback.
    """
    _make_streams_usable()
    with ended_in_order() as ending:
        try:
            status = _run(argv)
        except OSError:
            # A terminal that went away takes no message.
            if ending.status is None:
                raise
            status = ending.status
            _discard(sys.stdout)
            _discard(sys.stderr)
        return status if ending.status is None else ending.status


def _run(argv: Sequence[str] | None) -> int:
    try:
        outcome: Any = cli.main(
            args=None if argv is None else list(argv), prog_name="xlic", standalone_mode=False
        )
        sys.stdout.flush()
        return outcome if isinstance(outcome, int) else 0
    except click.Abort:
        return ExitStatus.INTERRUPTED
    except click.ClickException as error:
        return _fail(_usage_message(error))
    except XlicError as error:
        _fail(str(error))
        return error.exit_status
    except BrokenPipeError:
        _discard(sys.stdout)
        return ExitStatus.BROKEN_PIPE
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED
    except MemoryError:
        return _fail("out of memory; use a smaller image, or close other programs")
    except OSError as error:
        _discard(sys.stdout)
        where = f" {error.filename}" if error.filename else ""
        return _fail(f"the system refused{where}: {error.strerror or error}")


def _make_streams_usable() -> None:
    """Let no character, and no stream that the caller closed, end a command half-way."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        # A choice of another error handler, as in PYTHONIOENCODING, is left alone.
        elif isinstance(stream, TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="replace")


def _usage_message(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    if "unexpected extra argument" in message:
        message += "; quote patterns, as in '*.png', so that the shell leaves them alone"
    command = context.command_path if context else "xlic"
    separator = " " if message.endswith("?") else "; "
    return f"{message}{separator}see `{command} --help`"


def _fail(message: str) -> int:
    one_line = " ".join(message.split())
    click.echo(f"xlic: error: {one_line}", err=True)
    return ExitStatus.INPUT


def _discard(stream: TextIO) -> None:
    """Let the interpreter's last flush go nowhere: the stream cannot take it."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    except (OSError, ValueError):
        pass
