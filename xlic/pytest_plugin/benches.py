"""The fixture that runs a cocotb bench as one pytest test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from xlic.pytest_plugin.options import shown

if TYPE_CHECKING:
    from xlic.accelerator.cocotb_runner import Bench, Outcome
    from xlic.accelerator.verilated_library import Rtl
    from xlic.pytest_plugin.session import Session

__all__ = ["bench"]


@dataclass(frozen=True)
class BenchRunner:
    """Runs cocotb benches with this run's options, and turns what they find into a verdict."""

    session: Session
    folder: Path
    seed_option: str

    def sources(self) -> tuple[Path, ...]:
        """The RTL under test (``--rtl-dir``)."""
        from xlic.accelerator.sources import rtl_sources
        from xlic.sources import RTL_DIR

        return rtl_sources(self.session.rtl_dir or RTL_DIR)

    def unit(
        self,
        module: str,
        top: str,
        parameters: Mapping[str, int] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Run a bench on one module of the RTL; skips where the RTL has no such module."""
        from xlic.accelerator.sources import needed_sources
        from xlic.accelerator.verilated_library import Rtl

        sources = self.sources()
        if top not in {file.stem for file in sources}:
            pytest.skip(f"there is no module {top} in {sources[0].parent}")
        needed = needed_sources(sources, top)
        self.run(module, Rtl(needed, top, parameters or {}), environment)

    def run(
        self,
        module: str,
        rtl: Rtl,
        environment: Mapping[str, str] | None = None,
        tests: tuple[str, ...] = (),
    ) -> None:
        """Run a bench, or some of its tests.

        Fails with what they said; skips where a tool is missing.
        """
        from xlic.accelerator.cocotb_runner import Bench, run_bench
        from xlic.errors import BuildError, MissingToolError

        bench = Bench(module, rtl, environment or {}, tests)
        try:
            outcome = run_bench(bench, self.session.simulator, self.folder, self.session.rtl_seed)
        except MissingToolError as error:
            pytest.skip(str(error))
        except BuildError as error:
            pytest.fail(str(error), pytrace=False)
        if outcome.failures:
            pytest.fail(self._verdict(bench, outcome), pytrace=False)

    def _verdict(self, bench: Bench, outcome: Outcome) -> str:
        count = f"{len(outcome.failures)} of {max(1, len(outcome.tests))}"
        lines = [
            f"{count} tests of {bench.module} failed "
            f"on {bench.rtl.top} {dict(bench.rtl.parameters)} in {self.session.simulator}:",
            *(f"  {failure.test}: {failure.message}" for failure in outcome.failures),
            f"log: {outcome.log}",
            f"waveforms: {outcome.waves or outcome.no_waves or 'none'}",
            f"seed: {self.session.rtl_seed} ({self.seed_option})",
        ]
        return "\n".join(lines)


@pytest.fixture
def bench(pytestconfig: pytest.Config, xlic_session: Session, artifacts: Path) -> BenchRunner:
    """Runs cocotb benches (``--simulator``, ``--rtl-dir``, ``--rtl-seed``)."""
    return BenchRunner(xlic_session, artifacts, shown(pytestconfig, "rtl-seed"))
