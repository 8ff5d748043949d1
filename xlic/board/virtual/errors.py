"""What can go wrong with the virtual board itself, as opposed to what runs on it."""

from __future__ import annotations

from xlic.errors import XlicError


class VirtualBoardError(XlicError):
    """The virtual board cannot be made, started or reached."""
