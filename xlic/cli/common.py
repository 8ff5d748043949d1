"""What commands share: finding images, progress, output."""

from __future__ import annotations

import glob
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xlic.errors import InputError
from xlic.files import Progress

if TYPE_CHECKING:
    from rich.console import Console

    from xlic.images import UInt8Image

NamedPath = tuple[str, Path]

_QUIET_S = 2.0
_EVERY_S = 5.0


def find_images(pattern: str) -> list[NamedPath]:
    """Files that match a glob pattern (``**`` goes into folders), sorted, each with a short name.

    Raises:
        InputError: none match.
    """
    # Path.glob takes no absolute pattern.
    matches = sorted(glob.glob(str(Path(pattern).expanduser()), recursive=True))  # noqa: PTH207
    paths = [path for match in matches if (path := Path(match)).is_file()]
    if not paths:
        hint = f"'{pattern.rstrip('/')}/*.png'" if Path(pattern).is_dir() else "'photos/*.png'"
        raise InputError(f"no image matches {pattern!r}; give a quoted pattern such as {hint}")
    names = [path.name for path in paths]
    return [(path.name if names.count(path.name) == 1 else str(path), path) for path in paths]


def read_images(
    paths: Sequence[NamedPath], quiet: bool = False
) -> Iterator[tuple[str, UInt8Image]]:
    """Read images one by one; what was converted is said on stderr, unless ``quiet``."""
    from xlic.images import read_image

    for name, path in paths:
        loaded = read_image(path)
        for note in () if quiet else loaded.notes:
            say(f"{name}: {note}")
        yield name, loaded.pixels


def say(message: str) -> None:
    """A line on stderr, beside the results."""
    click.echo(f"xlic: {message}", err=True)


def print_json(value: Any) -> None:
    """Print ``value`` on stdout as JSON without NaN or Infinity."""
    from xlic.evaluation.jsonsafe import json_safe

    click.echo(json.dumps(json_safe(value), indent=2))


def write_json_file(path: str, value: Any) -> None:
    """Write ``value`` to ``path`` as JSON without NaN or Infinity, atomically."""
    from xlic.evaluation.jsonsafe import json_safe
    from xlic.files import write_json

    write_json(path, json_safe(value))


def console() -> Console:
    """Standard output for tables; it knows NO_COLOR and the terminal's width."""
    from rich.console import Console

    return Console(highlight=False)


@contextmanager
def progress_shown() -> Iterator[Progress]:
    """Yield a callback that shows progress on stderr.

    A bar on a terminal; elsewhere a plain line every few seconds, and none for short work.
    """
    if not sys.stderr.isatty():
        yield _PlainProgress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def update(what: str, done: int, total: int) -> None:
            bar.update(task, description=what[:48], completed=done, total=total or None)

        yield update


def counted(progress: Progress, title: str, total: int) -> Progress:
    """A callback for work that does not know how many images come: it fills the total in."""

    def report(what: str, done: int, _: int) -> None:
        progress(f"{title} {what}", done, total)

    return report


class _PlainProgress:
    def __init__(self) -> None:
        self._next = time.monotonic() + _QUIET_S

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _EVERY_S
            say(f"{what} ({done}/{total})" if total else f"{what} …")
