"""How every program of xlic ends: one line about what went wrong, and a status of the one table."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path

from xlic.errors import XlicError
from xlic.exit_status import ExitStatus
from xlic.signals import ended_in_order

_STREAMS = ("stdout", "stderr")


def run(program: Callable[[list[str]], int], arguments: list[str]) -> int:
    """Run a program; returns its exit status.

    What a user can cause or mend is one line on stderr; a defect of xlic keeps its traceback.
    SIGTERM and SIGHUP end it as Ctrl-C does.
    """
    _make_streams_usable()
    with ended_in_order() as ending:
        status = _run(program, arguments)
    return status if ending.status is None else ending.status


def _run(program: Callable[[list[str]], int], arguments: list[str]) -> int:
    try:
        status = program(arguments)
        sys.stdout.flush()
    except XlicError as error:
        status = fail(str(error), error.exit_status)
    except BrokenPipeError:
        status = ExitStatus.BROKEN_PIPE
    except KeyboardInterrupt:
        status = ExitStatus.INTERRUPTED
    except MemoryError:
        status = fail("out of memory; use a smaller image, or close other programs")
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        status = fail(f"the system refused{where}: {error.strerror or error}")
    _flush_or_discard()
    return status


def fail(message: str, status: ExitStatus = ExitStatus.INPUT) -> ExitStatus:
    """Say in one line on stderr why the program ends; returns ``status``."""
    one_line = " ".join(message.split())
    # Also where nobody can hear it, the status is this one.
    with suppress(OSError):
        print(f"xlic: error: {one_line}", file=sys.stderr, flush=True)
    return status


def _make_streams_usable() -> None:
    """Let no character, and no stream that the caller closed, end a program half-way."""
    for name in _STREAMS:
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        # A choice of another error handler, as in PYTHONIOENCODING, is left alone.
        elif isinstance(stream, TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="replace")


def _flush_or_discard() -> None:
    """Leave nothing to the interpreter's last flush: a failure there is a status of its own."""
    for name in _STREAMS:
        try:
            getattr(sys, name).flush()
        except OSError:
            with suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, getattr(sys, name).fileno())
                os.close(null)
