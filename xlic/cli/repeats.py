"""An option that is given twice, of which one would be dropped silently, is refused."""

from __future__ import annotations

from collections import Counter

import click


def refuse_repeats(command: click.Command, ctx: click.Context, args: list[str]) -> None:
    """Refuse options that are given more often than they can hold.

    Raises:
        click.UsageError: one is.
    """
    # click takes from the arguments what it parses.
    _, _, order = command.make_parser(ctx).parse_args(args=list(args))
    for parameter, times in Counter(order).items():
        if times > 1 and not _takes_several(parameter):
            name = " / ".join(parameter.opts)
            raise click.UsageError(f"{name} is given {times} times, takes one value", ctx)


def _takes_several(parameter: click.Parameter) -> bool:
    # The same flag twice says the same.
    return bool(
        not isinstance(parameter, click.Option)
        or parameter.multiple
        or parameter.count
        or (parameter.is_flag and not parameter.secondary_opts)
    )
