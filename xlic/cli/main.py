"""The ``xlic`` command: its subcommands, and what the user sees when something goes wrong."""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from xlic import __version__
from xlic.cli.command import SETTINGS, Group
from xlic.entry_point import fail, run
from xlic.exit_status import ExitStatus

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
    "hls": ("hls_commands", "Run the accelerator's HLS C++ on a picture; compare."),
    "rtl": ("rtl_commands", "Run the accelerator's RTL on a picture; count cycles, compare."),
    "board": ("board_commands", "Run on a ZCU102 over SSH, or on a virtual one; compare."),
}


class _LazyGroup(Group):
    def make_context(self, *arguments: Any, **settings: Any) -> click.Context:
        with _pipe_named():
            return super().make_context(*arguments, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        with _pipe_named():
            return super().invoke(ctx)

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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings=SETTINGS)
@click.option("-V", "--verbose", is_flag=True, help="Say more, where a command has more to say.")
@click.option("--model-path", metavar="DIR", help="Trained model, where a command takes one.")
@click.version_option(
    __version__, "--version", prog_name="xlic", help="Show the version, and leave."
)
def cli(verbose: bool, model_path: str | None) -> None:
    """The learned image codec bls2017, from TensorFlow to INT16 hardware.

    Start with `xlic demo`; `xlic COMMAND --help` explains each command.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, see :class:`~xlic.exit_status.ExitStatus`."""
    return run(_run, list(sys.argv[1:] if argv is None else argv))


def _run(arguments: list[str]) -> int:
    try:
        outcome: Any = cli.main(arguments, prog_name="xlic", standalone_mode=False)
    except _ReaderGoneError as error:
        raise BrokenPipeError from error
    except click.Abort:
        return ExitStatus.INTERRUPTED
    except click.ClickException as error:
        return fail(_usage_message(error))
    return outcome if isinstance(outcome, int) else ExitStatus.DONE


class _ReaderGoneError(Exception):
    """A closed pipe, as click does not know it: of BrokenPipeError it makes status 1."""


@contextmanager
def _pipe_named() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise _ReaderGoneError from error


def _usage_message(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    if "unexpected extra argument" in message:
        message += "; quote patterns, as in '*.png', so that the shell leaves them alone"
    command = context.command_path if context else "xlic"
    separator = " " if message.endswith("?") else "; "
    return f"{message}{separator}see `{command} --help`"
