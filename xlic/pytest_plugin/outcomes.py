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

REPORTS = "xlic-outcomes"
"""Name under which :class:`OutcomeReports` is registered."""
PROPERTY = "xlic_outcome"
INFRASTRUCTURE = "infrastructure"
OUTCOMES = {
    "xlic.board.errors.InfrastructureError": INFRASTRUCTURE,
    "xlic.board.errors.HostKeyError": "refused-host-key",
    "xlic.board.errors.IdentityError": "refused-identity",
    "xlic.board.errors.AcceleratorTimeoutError": "accelerator-timeout",
    "xlic.board.errors.LostInterruptError": "lost-interrupt",
    "xlic.errors.AcceleratorError": "accelerator-error",
    "xlic.errors.MismatchError": "mismatch",
}
"""By the exception's name, as its class is not imported for tests that have nothing to do with it;
the most special one of an exception's kinds counts."""


def outcome_of(error: BaseException | None) -> str | None:
    """Which outcome an exception is; None if it is none of ours."""
    kinds = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__)
    return next((OUTCOMES[kind] for kind in kinds if kind in OUTCOMES), None)


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
            # Kept with the report on its way from a worker of pytest-xdist, where nobody sums up.
            vars(report)[PROPERTY] = outcome
            report.user_properties.append((PROPERTY, outcome))
            # JUnit takes those of the item, at its end.
            item.user_properties.append((PROPERTY, outcome))
            if outcome == INFRASTRUCTURE:
                # Where in the host's code the way to the board failed is of no interest.
                report.longrepr = str(error)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count it."""
        outcome = getattr(report, PROPERTY, None)
        if outcome is not None:
            self._counts[outcome] += 1

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Count outcomes by kind."""
        for outcome, count in self._counts.items():
            note = ": they say nothing about the hardware" if outcome == INFRASTRUCTURE else ""
            tests = "1 test" if count == 1 else f"{count} tests"
            terminalreporter.write_line(f"xlic: {tests} ended as {outcome}{note}")
        for line in self.recovered:
            terminalreporter.write_line(f"xlic: {line}")
