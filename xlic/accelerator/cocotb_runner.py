"""Runs cocotb benches: builds the design once, runs the simulation, reads what the tests found.

cocotb's own runner builds and runs; around it: a cache of builds, a fixed seed, results that are
read and never taken from an exit status, and waveforms of what failed.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock
from xml.etree import ElementTree

from xlic import tools
from xlic.accelerator.builds import cached_build, digest_of
from xlic.accelerator.choices import SEED
from xlic.accelerator.verilated_library import Rtl
from xlic.accelerator.verilator import (
    find_verilator,
    first_errors,
    require_trace_libraries,
)
from xlic.errors import BuildError, MissingToolError
from xlic.remedies import install
from xlic.sources import BENCH_DIR

OLDEST_ICARUS = (11,)
PARAMETERS = "XLIC_PARAMETERS"
"""Variable in which benches find the design's parameters (JSON)."""

# The simulation is Python's most of the time: a quick build is worth more than a fast one.
_OPTIMIZE = "-O1"
_VERILATOR_ARGUMENTS = (
    # cocotb's runner makes every signal public, which is 5 to 25 times slower; the ports will do.
    *("--no-public-flat-rw", "--public-depth", "1"),
    *("-O3", "--x-assign", "unique", "--x-initial", "unique", "--assert"),
    *("-Wno-fatal", "-Wno-lint", "-Wno-style", "-Wno-SYMRSVDWORD"),
)
_MESSAGE = 500  # characters of a failure's message; all of it is in the log
_TIMESCALE = ("1ns", "1ps")


@dataclass(frozen=True)
class Bench:
    """Tests for cocotb, and what they are for.

    Attributes:
        module: Python module with the tests, in ``rtl_sim/bench``.
        rtl: the design.
        environment: variables that the module reads.
        tests: only these of its tests; all if empty.
    """

    module: str
    rtl: Rtl
    environment: Mapping[str, str] = field(default_factory=dict)
    tests: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A cocotb test that failed: its name and what it said."""

    test: str
    message: str


@dataclass(frozen=True)
class Outcome:
    """What a simulation found.

    Attributes:
        tests: names of the tests that ran.
        failures: those that failed.
        log: all that the simulation printed.
        waves: waveforms of the failed tests, None if there are none.
        no_waves: why there are none, where a tool is absent.
    """

    tests: tuple[str, ...]
    failures: tuple[Failure, ...]
    log: Path
    waves: Path | None = None
    no_waves: str = ""


def require_simulator(simulator: str) -> list[str]:
    """Facts about the simulator for the cache of builds.

    Raises:
        MissingToolError: it, or cocotb, is absent or too old; the message holds the remedy.
    """
    needed = ("cocotb", "cocotb_tools", "cocotbext.axi")
    if not all(_installed(name) for name in needed):
        raise MissingToolError(f"needs cocotb and cocotbext-axi: {install('rtl')}")
    if simulator == "verilator":
        return find_verilator().facts()
    found = tools.find_tool("iverilog")
    if found is None or tools.find_tool("vvp") is None:
        raise MissingToolError("needs Icarus Verilog (Debian: apt-get install iverilog)")
    answer = subprocess.run([found, "-V"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"version (\d+)", answer)
    if version is None or (int(version.group(1)),) < OLDEST_ICARUS:
        raise MissingToolError(
            f"Icarus Verilog at {found} is too old, needs {OLDEST_ICARUS[0]}.0 "
            "(Debian: apt-get install iverilog)"
        )
    return [answer.partition("\n")[0]]


def run_bench(
    bench: Bench, simulator: str, folder: Path, seed: int = SEED, *, waves: bool = True
) -> Outcome:
    """Build (unless that was done before) and run; on failure run again with waveforms.

    Args:
        bench: what to run.
        simulator: of :data:`xlic.accelerator.choices.SIMULATORS`.
        folder: for logs, results and waveforms.
        seed: of all that the tests draw, and of the state that no reset sets.
        waves: whether to run again what failed.

    Raises:
        MissingToolError: the simulator or cocotb is absent.
        BuildError: the simulator refuses the sources.
    """
    facts = require_simulator(simulator)
    folder.mkdir(parents=True, exist_ok=True)
    build = _build(bench.rtl, simulator, facts, waves=False)
    outcome = _run(bench, simulator, build, folder, seed, waves=None)
    names = tuple(failure.test for failure in outcome.failures if failure.test in outcome.tests)
    if not names or not waves:
        return outcome
    if simulator == "verilator":
        try:
            require_trace_libraries()
        except MissingToolError as error:
            return replace(outcome, no_waves=str(error))
    file = folder / f"{bench.module}.fst"
    traced = _build(bench.rtl, simulator, facts, waves=True)
    again = Bench(bench.module, bench.rtl, bench.environment, names)
    _run(again, simulator, traced, folder / "waves", seed, waves=file)
    kept = file if file.is_file() else None
    return Outcome(outcome.tests, outcome.failures, outcome.log, kept)


def _build(rtl: Rtl, simulator: str, facts: list[str], *, waves: bool) -> Path:
    arguments = _arguments(simulator, waves)
    parameters = {name: str(value) for name, value in rtl.parameters.items()}
    if simulator == "verilator":
        parameters = dict(option[2:].split("=", 1) for option in rtl.generics())
    options = [*arguments, *(f"{name}={value}" for name, value in parameters.items())]

    def build(folder: Path) -> None:
        log = folder / "build.log"
        with _environment(simulator):
            try:
                _runner(simulator).build(
                    sources=list(rtl.sources),
                    hdl_toplevel=rtl.top,
                    parameters=parameters,
                    build_args=arguments,
                    build_dir=folder,
                    timescale=_TIMESCALE,
                    waves=waves,
                    log_file=log,
                )
            except (SystemExit, RuntimeError) as error:
                raise BuildError(f"{simulator} refused {rtl.top}: {first_errors(log)}") from error
        for file in folder.iterdir():
            if file.name not in (rtl.top, "sim.vvp", log.name):
                file.unlink()

    digest = digest_of(rtl.sources, [simulator, rtl.top, *options, *facts, str(waves), _cocotb()])
    return cached_build(f"bench-{simulator}", digest, build)


def _run(
    bench: Bench, simulator: str, build: Path, folder: Path, seed: int, waves: Path | None
) -> Outcome:
    folder.mkdir(parents=True, exist_ok=True)
    log, results = folder / f"{bench.module}.log", folder / f"{bench.module}.xml"
    results.unlink(missing_ok=True)
    test_args: list[str] = []
    plusargs: list[str] = []
    if simulator == "verilator":
        plusargs = [f"+verilator+seed+{seed}", "+verilator+rand+reset+2"]
        test_args = ["--trace-file", str(waves)] if waves else []
    elif waves:
        plusargs = [f"+dumpfile_path={waves}"]
    # What the tests found is in the results; if nothing is, that is told below.
    with _environment(simulator), suppress(SystemExit, RuntimeError):
        _runner(simulator).test(
            test_module=bench.module,
            hdl_toplevel=bench.rtl.top,
            hdl_toplevel_lang="verilog",
            build_dir=build,
            test_dir=folder,
            testcase=list(bench.tests) or None,
            results_xml=str(results),
            seed=seed,
            test_args=test_args,
            plusargs=plusargs,
            extra_env={PARAMETERS: json.dumps(dict(bench.rtl.parameters)), **bench.environment},
            waves=waves is not None,
            log_file=log,
        )
    return _outcome(results, log)


def _runner(simulator: str) -> Any:
    from cocotb_tools.runner import get_runner

    runner = get_runner(simulator)
    runner.log.setLevel(logging.CRITICAL)  # what it has to say is in its results and logs
    return runner


def _outcome(results: Path, log: Path) -> Outcome:
    """Read the results; a simulation that left none, or ran no test, has failed."""
    try:
        cases = list(ElementTree.parse(results).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return Outcome((), (Failure("simulation", f"ended early: {_tail(log)}"),), log)
    if not cases:
        return Outcome((), (Failure("simulation", f"ran no test: {_tail(log)}"),), log)
    failures = []
    for case in cases:
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        if bad is not None:
            message = bad.get("message") or (bad.text or "").strip()
            text = " ".join(f"{bad.get('type')}: {message}".split())
            failures.append(Failure(case.get("name", "?"), textwrap.shorten(text, _MESSAGE)))
    return Outcome(tuple(case.get("name", "?") for case in cases), tuple(failures), log)


def _tail(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").splitlines() if log.is_file() else []
    return " | ".join(line.strip() for line in lines[-5:]) or "no output"


def _arguments(simulator: str, waves: bool) -> list[str]:
    if simulator == "verilator":
        # The runner asks for VCD; the later option counts.
        trace = ["--trace-fst"] if waves else []
        return [*_VERILATOR_ARGUMENTS, *trace]
    return []


@contextmanager
def _environment(simulator: str) -> Iterator[None]:
    """What cocotb's runner takes from this process: the environment, and Python's search path."""
    environment = tools.environment()
    if simulator == "verilator":
        environment = find_verilator().environment(_OPTIMIZE)
    for name in ("WAVES", "GUI", "COCOTB_TEST_FILTER", "COCOTB_RANDOM_SEED", "GPI_USERS"):
        environment.pop(name, None)
    search = [str(BENCH_DIR), *sys.path]
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.object(sys, "path", search),
    ):
        yield


def _cocotb() -> str:
    from cocotb import __version__

    return f"cocotb {__version__} {sys.prefix}"


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
