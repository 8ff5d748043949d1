"""What can go wrong with the virtual board itself, as opposed to what runs on it."""

from __future__ import annotations

from pathlib import Path

from xlic.errors import XlicError


class VirtualBoardError(XlicError):
    """The virtual board cannot be made, started or reached."""


def last_said(log: Path, lines: int = 2) -> str:
    """The end of a log, for messages: it may be gone by the time that somebody looks for it."""
    try:
        said = log.read_text("utf-8", "replace").split("\n")
    except OSError:
        return "there is no log any more"
    shown = [line.strip() for line in said if line.strip()][-lines:]
    return "; ".join(line[:200] for line in shown) or "nothing"
