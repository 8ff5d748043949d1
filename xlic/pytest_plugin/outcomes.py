"""Verdicts that tell a wrong accelerator from a way to it that failed.

A failing report has the property ``xlic_outcome``, one of :data:`OUTCOMES`, also in JUnit. An
infrastructure error is reported by its message alone, which begins with ``infrastructure:``, and
the summary counts it: it says nothing about the hardware.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from typing import Any

import pytest

from xlic.board.errors import (
    AcceleratorTimeoutError,
    HostKeyError,
    IdentityError,
    InfrastructureError,
    LostInterruptError,
)
from xlic.errors import AcceleratorError, MismatchError

PROPERTY = "xlic_outcome"
INFRASTRUCTURE = "infrastructure"
OUTCOMES: dict[type[Exception], str] = {
    # The first that fits: special ones before those that they are kinds of.
    InfrastructureError: INFRASTRUCTURE,
    HostKeyError: "refused-host-key",
    IdentityError: "refused-identity",
    AcceleratorTimeoutError: "accelerator-timeout",
    LostInterruptError: "lost-interrupt",
    AcceleratorError: "accelerator-error",
    MismatchError: "mismatch",
}


def outcome_of(error: BaseException | None) -> str | None:
    """Which outcome an exception is; None if it is none of ours."""
    return next((name for kind, name in OUTCOMES.items() if isinstance(error, kind)), None)


class OutcomeReports:
    """The plugin that marks reports and sums them up.

    Attributes:
        recovered: lines about what failed and was recovered from, for the summary.
    """

    def __init__(self) -> None:
        self.recovered: list[str] = []
        self._counts: Counter[str] = Counter()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add the property."""
        report = yield
        error = None if call.excinfo is None else call.excinfo.value
        outcome = outcome_of(error) if report.failed else None
        if outcome is not None:
            self._counts[outcome] += 1
            report.user_properties.append((PROPERTY, outcome))
            # JUnit takes those of the item, at its end.
            item.user_properties.append((PROPERTY, outcome))
            if outcome == INFRASTRUCTURE:
                # Where in the host's code the way to the board failed is of no interest.
                report.longrepr = str(error)
        return report

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Count outcomes by kind."""
        for outcome, count in self._counts.items():
            note = ": they say nothing about the hardware" if outcome == INFRASTRUCTURE else ""
            tests = "1 test" if count == 1 else f"{count} tests"
            terminalreporter.write_line(f"xlic: {tests} ended as {outcome}{note}")
        for line in self.recovered:
            terminalreporter.write_line(f"xlic: {line}")
