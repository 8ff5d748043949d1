"""What can go wrong with a board, by what is to be done about it.

* :class:`InfrastructureError`: link, power, files, a hung board. Recovered and retried a bounded
  number of times, counted, never called a mismatch.
* :class:`~xlic.errors.MissingToolError`: something is not installed; a test is skipped.
* :class:`IdentityError`: the hardware found is not the one expected. Refused, not retried.
* :class:`AcceleratorTimeoutError`, :class:`LostInterruptError`,
  :class:`~xlic.errors.AcceleratorError`: the accelerator itself failed. Reported; not retried.
* :class:`~xlic.errors.MismatchError`: wrong integers. Never retried into green.
"""

from __future__ import annotations

from xlic.errors import AcceleratorError, DesignMismatchError, XlicError
from xlic.exit_status import ExitStatus

INFRASTRUCTURE_PREFIX = "infrastructure: "
"""How every message of an infrastructure error begins, in terminals and reports alike."""


class InfrastructureError(XlicError):
    """The way to the accelerator failed, and says nothing about what it computes.

    Attributes:
        done: what recovery has tried, in order.
    """

    exit_status = ExitStatus.BOARD

    def __init__(self, message: str, done: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.done = done

    def __str__(self) -> str:
        tried = f" (tried: {'; '.join(self.done)})" if self.done else ""
        return f"{INFRASTRUCTURE_PREFIX}{super().__str__()}{tried}"


class DeadlineError(InfrastructureError):
    """Something did not answer in the time that it was given."""


class ResetNeededError(InfrastructureError):
    """The board answers, but is in a state that only a restart ends."""


class LeaseError(InfrastructureError):
    """The board is somebody else's; trying harder would not be right."""


class LeaseLostError(LeaseError):
    """The lease went to somebody else, or could not be renewed in time."""


class DeviceBusyError(LeaseError):
    """Another program has the accelerator, and whoever it belongs to is not ours to end."""


class TransferError(InfrastructureError):
    """What arrived is not what was sent."""


class HostKeyError(XlicError):
    """The board's host key is unknown, or not the known one. Never retried."""

    exit_status = ExitStatus.BOARD


class IdentityError(DesignMismatchError):
    """The accelerator behind the registers is not the one that was expected."""


class AcceleratorTimeoutError(AcceleratorError):
    """The accelerator did not end in time."""


class LostInterruptError(AcceleratorError):
    """The accelerator ended, but its interrupt never came."""
