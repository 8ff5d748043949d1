"""The few kinds of error that xlic raises on purpose.

Every one carries a message that names the thing, the value and the remedy, in one line; the
command line prints it and leaves with :attr:`XlicError.exit_status`. Anything else that escapes is
a defect of xlic itself and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Callable

from xlic.exit_status import ExitStatus


class XlicError(Exception):
    """Base of all errors that a user can cause or mend."""

    exit_status = ExitStatus.INPUT


class InputError(XlicError):
    """An argument, image, size or option is unusable."""


class DiskFullError(InputError):
    """This machine has no room for what must be written; never a failure of board or build."""


class ParameterError(InputError):
    """Parameters have values that cannot be, or that do not do.

    Args:
        message: the line, with ``{}`` where a parameter's name belongs.
        names: those names, in that order, as Python has them.
    """

    def __init__(self, message: str, *names: str) -> None:
        super().__init__(message.format(*names))
        self._message = message
        self._names = names

    def told(self, spelling: Callable[[str], str]) -> str:
        """The line for who knows the parameters by other names, as options of a command line."""
        return self._message.format(*map(spelling, self._names))


class FormatError(InputError):
    """A file or stream is damaged, truncated, hostile or of another version."""


class MissingToolError(XlicError):
    """Something optional that the request needs is not installed (TensorFlow, a compiler, …)."""


class BuildError(XlicError):
    """A compiler or simulator refused the project's own sources; never a reason to skip."""


class AcceleratorError(XlicError):
    """The accelerator stopped with an error, did not end, or answers nonsense."""


class DesignMismatchError(AcceleratorError):
    """The accelerator found is not the one that was expected."""


class MismatchError(XlicError):
    """Two implementations that must compute the same integers do not."""

    exit_status = ExitStatus.MISMATCH
