"""What all commands have in common, see docs/cli.md."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import click

from xlic.cli.repeats import refuse_repeats
from xlic.errors import InputError, ParameterError

SETTINGS: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 100,
    # The public bls2017.py spells its options with underscores.
    "token_normalize_func": lambda token: token.replace("_", "-"),
}


class FiniteRange(click.FloatRange):
    """A number in a range; click takes NaN, which is neither below nor above it, for one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no number", param, ctx)
        return number


class Command(click.Command):
    """A command: takes the options that stand before it, and spells parameters as its options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; an option that takes one value is given once."""
        refuse_repeats(self, ctx, args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run it."""
        self._take_those_before(ctx)
        try:
            return super().invoke(ctx)
        except ParameterError as error:
            raise InputError(error.told(self._spelling)) from error

    def _take_those_before(self, ctx: click.Context) -> None:
        root = ctx.find_root()
        own = {parameter.name for parameter in self.params}
        for parameter in root.command.params if root is not ctx else ():
            name = str(parameter.name)
            value = root.params.get(name)
            if value in (None, False):
                continue
            if name not in own:
                option = " / ".join(parameter.opts)
                raise click.UsageError(f"{ctx.command_path} has no {option}; leave it out", ctx)
            if ctx.params[name] not in (None, False, value):
                option = " / ".join(parameter.opts)
                raise click.UsageError(f"{option} is given before the command and behind it", ctx)
            ctx.params[name] = value

    def _spelling(self, name: str) -> str:
        own = (parameter.opts[0] for parameter in self.params if parameter.name == name)
        return next(own, name)


class Group(click.Group):
    """A group: without a command it shows its help; a misspelt one is told the nearest."""

    command_class = Command
    group_class = type

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, or show the help where there is nothing to parse."""
        if not args:
            click.echo(ctx.get_help())
            ctx.exit()
        refuse_repeats(self, ctx, args)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command."""
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-"):
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise click.UsageError(f"No such command {name!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


command: Callable[..., Callable[[Callable[..., Any]], Command]] = partial(
    click.command, cls=Command
)
group: Callable[..., Callable[[Callable[..., Any]], Group]] = partial(click.group, cls=Group)
