"""An option that is given twice, of which one would be dropped silently, is refused."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click


def refuse_repeats(command: click.Command) -> click.Command:
    """Have a command, and all below it, refuse options given more often than they can hold."""
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        refuse_repeats(inner)
    parse_args = command.parse_args

    def checked(ctx: click.Context, args: list[str]) -> list[str]:
        # click takes from the arguments what it parses.
        _, _, order = command.make_parser(ctx).parse_args(args=list(args))
        for parameter, times in Counter(order).items():
            if ctx.resilient_parsing:  # the shell completes a line
                break
            if times > 1 and not _takes_several(parameter):
                name = " / ".join(parameter.opts)
                raise click.UsageError(f"{name} is given {times} times, takes one value", ctx)
        return parse_args(ctx, args)

    if not getattr(command, "refuses_repeats", False):
        vars(command).update(parse_args=checked, refuses_repeats=True)
    return command


def _takes_several(parameter: Any) -> bool:
    # The same flag twice says the same.
    return bool(
        not isinstance(parameter, click.Option)
        or parameter.multiple
        or parameter.count
        or (parameter.is_flag and not parameter.secondary_opts)
    )
