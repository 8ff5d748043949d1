"""A verdict that nothing after it can hide."""

from __future__ import annotations

import traceback
from types import TracebackType

from xlic.errors import MismatchError, XlicError


class Verdict:
    """Ends a block with :class:`~xlic.errors.MismatchError` if a mismatch was told within it.

    Whatever fails later (showing it to a reader who went away, a full disk, giving the board back,
    Ctrl-C), the mismatch is what the command ends with; the failure is told beside it.
    """

    def __init__(self) -> None:
        self._mismatch: str | None = None

    def mismatch(self, message: str) -> None:
        """What differs; to be told as soon as it is known."""
        self._mismatch = message

    def __enter__(self) -> Verdict:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._mismatch is None:
            return
        if error is None:
            raise MismatchError(self._mismatch)
        if isinstance(error, Exception) and not isinstance(error, XlicError | OSError):
            traceback.print_exception(error)
        then = str(error) or type(error).__name__
        raise MismatchError(f"{self._mismatch}; after that: {then}") from error
