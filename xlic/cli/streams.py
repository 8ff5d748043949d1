"""``-``: stdin where a command reads, stdout where it writes."""

from __future__ import annotations

import os
import sys

from xlic.errors import InputError
from xlic.files import MAX_FILE_BYTES, read_bytes, write_bytes

STANDARD = "-"

_STDIN = (STANDARD, "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
_STDOUT = (STANDARD, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


def is_stdin(path: str | os.PathLike[str]) -> bool:
    """Whether a file to be read is stdin."""
    return os.fspath(path) in _STDIN


def is_stdout(path: str | os.PathLike[str]) -> bool:
    """Whether a file to be written is stdout; what it may stand for must not be replaced."""
    return os.fspath(path) in _STDOUT


def name_of(path: str) -> str:
    """The file's name, as messages and files made from it have it."""
    return "stdin" if is_stdin(path) else os.path.basename(path)  # noqa: PTH119


def output_name(path: str) -> str:
    """The same of an output."""
    return "stdout" if is_stdout(path) else path


def read_input(path: str, limit: int = MAX_FILE_BYTES) -> bytes:
    """Read a file or stdin whole.

    Raises:
        InputError: it cannot be read or is larger than ``limit``.
    """
    if not is_stdin(path):
        return read_bytes(path, limit)
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError("stdin is no file; give one: COMMAND - < FILE")
    data = sys.stdin.buffer.read(limit + 1)
    if len(data) > limit:
        raise InputError(f"stdin has more than the {limit} bytes allowed; is it the right file?")
    return data


def write_output(path: str, data: bytes) -> None:
    """Write a file atomically, or to stdout.

    Raises:
        InputError: it cannot be written.
    """
    if not is_stdout(path):
        write_bytes(path, data)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
