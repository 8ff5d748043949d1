"""What commands share: finding images, checking outputs, progress, printing."""

from __future__ import annotations

import json
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xlic.cli.streams import STANDARD, is_stdin, is_stdout, name_of, read_input
from xlic.errors import InputError
from xlic.files import LongPhase, Progress, find_files
from xlic.files import require_writable as require_writable_file

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from xlic.images import LoadedImage, UInt8Image

NamedPath = tuple[str, Path]

STREAM_LIMIT = 1 << 28
"""Bytes of the largest stream read: four per pixel of the largest image."""

_QUIET_S = 2.0
_EVERY_S = 5.0
_UNBOUNDED = 10_000


def output_beside(source: str, target: str | None, suffix: str) -> str:
    """The output that was given, or the one that belongs to the input: beside it, or stdout."""
    return target or (STANDARD if is_stdin(source) else f"{source}{suffix}")


def quality_lines(image: UInt8Image, picture: UInt8Image, stream_bytes: int) -> Iterator[str]:
    """Rate and quality of a decoded picture, as the public bls2017.py tells them."""
    import numpy as np

    from xlic.evaluation.metrics import ms_ssim, psnr

    mse = float(np.square(image.astype(np.float64) - picture).mean())
    yield f"Mean squared error: {mse:.4f}"
    yield f"PSNR (dB): {psnr(image, picture):.2f}"
    similarity = ms_ssim(image, picture)
    if similarity is None:
        yield "Multiscale SSIM: not defined below 161 pixels"
    else:
        decibel = -10.0 * math.log10(1.0 - similarity) if similarity < 1.0 else math.inf
        yield f"Multiscale SSIM: {similarity:.4f}"
        yield f"Multiscale SSIM (dB): {decibel:.2f}"
    yield f"Bits per pixel: {8.0 * stream_bytes / (image.shape[0] * image.shape[1]):.4f}"


def find_images(patterns: str | Sequence[str], option: str) -> list[NamedPath]:
    """Files that glob patterns match (``**`` goes into folders), each with a short name.

    Args:
        patterns: one or several; ``~`` is the home folder, as a quoted pattern keeps it from the
            shell. Files are in the order of the patterns, then of their names, each once.
        option: where they came from, for the message.

    Raises:
        InputError: one matches nothing.
    """
    paths: dict[str, Path] = {}
    for pattern in (patterns,) if isinstance(patterns, str) else patterns:
        # Path.expanduser raises where there is no such user; this leaves the text alone.
        for path in find_files(os.path.expanduser(pattern), option):  # noqa: PTH111
            paths.setdefault(os.path.realpath(path), path)
    names = [path.name for path in paths.values()]
    return [
        (path.name if names.count(path.name) == 1 else str(path), path) for path in paths.values()
    ]


def check_output(
    out: str | os.PathLike[str], *inputs: str | os.PathLike[str] | None, stdout: bool = False
) -> None:
    """Refuse an output that cannot be written or would destroy an input, before any work.

    Args:
        out: the output.
        inputs: what it must not be; None is passed over.
        stdout: whether it may be stdout.

    Raises:
        InputError: so.
    """
    if is_stdout(out):
        if not stdout:
            raise InputError(f"{os.fspath(out)} is stdout, which has a table to show; name a file")
        if sys.stdout.isatty():
            raise InputError("a terminal cannot show that; send it on: COMMAND … - > FILE")
    require_writable(out)
    refuse_overwrite(out, *inputs)


def refuse_overwrite(out: str | os.PathLike[str], *inputs: str | os.PathLike[str] | None) -> None:
    """Refuse an output that is the same file as an input, by whatever name, or as another output.

    Args:
        out: the output.
        inputs: the others; of a folder the weights in it count, None is passed over.

    Raises:
        InputError: so.
    """
    from xlic.weights import RAW_FILES

    if is_stdout(out) or (Path(out).exists() and not Path(out).is_file()):
        return  # a device or pipe keeps nothing that could be lost
    for given in inputs:
        if given is None or is_stdin(given):
            continue
        folder = Path(given).is_dir()
        for path in [Path(given, name) for name in RAW_FILES] if folder else [Path(given)]:
            if _same_file(Path(out), path):
                raise InputError(f"{out} would overwrite {path}; give the output another name")


def require_writable(out: str | os.PathLike[str]) -> None:
    """Try whether a file can be written there, without touching what is there.

    Raises:
        InputError: it cannot, or there is hardly any room.
    """
    if not is_stdout(out):
        require_writable_file(out)


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of ``WxH``.

    Raises:
        InputError: it is no size, or none that xlic takes.
    """
    from xlic.images import check_size

    match = re.fullmatch(r"(\d{1,6})[x×](\d{1,6})", text.lower())
    if match is None:
        raise InputError(f"{text!r} is no image size; give width x height, as in 768x512")
    width, height = int(match[1]), int(match[2])
    check_size(height, width, text)
    return width, height


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


def read_picture(path: str) -> UInt8Image:
    """Read one image, or stdin where it is ``-``; what was converted is said on stderr."""
    loaded = load_picture(path)
    for note in loaded.notes:
        say(f"{name_of(path)}: {note}")
    return loaded.pixels


def load_picture(path: str) -> LoadedImage:
    """Read one image, or stdin where it is ``-``."""
    from xlic.images import read_image

    return read_image("stdin", read_input(path)) if is_stdin(path) else read_image(path)


def note_without_checksum(stream: str, data: bytes) -> None:
    """Say on stderr if a stream cannot tell all damage to it."""
    from xlic.entropy.codec import has_checksum

    if not has_checksum(data):
        say(
            f"note: {stream} has no checksum, as files of TensorFlow; a few in a hundred damaged "
            "ones decode to another picture unnoticed"
        )


def say(message: str) -> None:
    """A line on stderr, beside the results."""
    click.echo(f"xlic: {message}", err=True)


def show(value: Any, json_path: str | None, table: Callable[[], None]) -> None:
    """Show a command's results.

    Args:
        value: as JSON has them.
        json_path: of ``--json``: where stdout, it gets them and nothing else does.
        table: prints them for reading.
    """
    if json_path is not None and is_stdout(json_path):
        print_json(value)
        return
    if json_path is not None:
        # A reader of the table who goes away takes nothing from the file.
        write_json_file(json_path, value)
    table()


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
    """Standard output for tables; it knows NO_COLOR and the terminal's width.

    Text is printed as it is: brackets and colons of file names are no markup.
    """
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise

    return Plain(highlight=False, markup=False, emoji=False)


def print_table(table: Table) -> None:
    """Print a table whole: on a narrow terminal its lines run over, and no digit is lost."""
    out = console()
    unbounded = out.options.update(max_width=_UNBOUNDED)
    out.width = max(out.width, out.measure(table, options=unbounded).maximum)
    out.print(table)


def print_line(line: str) -> None:
    """Print a line as it is, beside tables."""
    console().print(line, soft_wrap=True)


@contextmanager
def progress_shown() -> Iterator[Progress]:
    """Yield a callback that shows progress on stderr.

    A bar on a terminal; elsewhere a plain line where a long phase begins and every few seconds,
    and none for short work.
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
        announced: set[str] = set()

        def update(what: str, done: int, total: int) -> None:
            if isinstance(what, LongPhase) and what not in announced:
                announced.add(what)
                bar.console.print(f"xlic: {what} …", markup=False, highlight=False)
            bar.update(task, description=what[:48], completed=done, total=total or None)

        yield update


def counted(progress: Progress, title: str, total: int) -> Progress:
    """A callback for work that does not know how many images come: it fills the total in."""

    def report(what: str, done: int, _: int) -> None:
        progress(what if isinstance(what, LongPhase) else f"{title} {what}", done, total)

    return report


class _PlainProgress:
    def __init__(self) -> None:
        self._next = time.monotonic() + _QUIET_S
        self._announced = ""

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if isinstance(what, LongPhase) and what != self._announced:
            self._announced = what
            self._next = now + _EVERY_S
            say(f"{what} …")
        elif now >= self._next:
            self._next = now + _EVERY_S
            say(f"{what} ({done}/{total})" if total else f"{what} …")


def _same_file(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except OSError:  # one is not there yet
        return os.path.realpath(a) == os.path.realpath(b)
