"""Benches run by pytest: what they find is told, and nothing passes that did not run."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from tests.rtl import copier
from xlic.accelerator import cocotb_runner
from xlic.accelerator.builds import cache_folder
from xlic.accelerator.cocotb_runner import Bench, require_simulator, run_bench
from xlic.accelerator.sources import needed_sources, rtl_sources
from xlic.accelerator.verilated_library import Rtl
from xlic.errors import MissingToolError
from xlic.sources import RTL_DIR

pytestmark = pytest.mark.rtl


# pytester has a home of its own; what was built already need not be built again.
CACHES = {"XDG_CACHE_HOME": cache_folder().parent, "CCACHE_DIR": Path.home() / ".cache" / "ccache"}


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    for name, folder in CACHES.items():
        monkeypatch.setenv(name, os.environ.get(name, str(folder)))


@pytest.fixture(params=["verilator", "icarus"])
def simulator(request):
    try:
        require_simulator(request.param)
    except MissingToolError as error:
        pytest.skip(str(error))
    return request.param


def selftest(what):
    fifo = Rtl(needed_sources(rtl_sources(), "fifo"), "fifo", {"WIDTH": 8, "DEPTH": 4})
    return Bench("bench_selftest", fifo, {"XLIC_SELFTEST": what})


def test_tests_that_pass_are_named(simulator, tmp_path):
    outcome = run_bench(selftest("nothing"), simulator, tmp_path)
    assert "passes" in outcome.tests
    assert not outcome.failures
    assert outcome.waves is None
    assert not list(tmp_path.rglob("*.fst"))


def test_failures_are_told_and_repeated_with_waveforms(simulator, tmp_path):
    outcome = run_bench(selftest("fail never_ends"), simulator, tmp_path)
    fails, never_ends = outcome.failures
    assert fails.test == "fails"
    assert fails.message.startswith("AssertionError: on purpose, drew ")
    assert never_ends.message == "AssertionError: not done after 100 cycles"
    if outcome.no_waves:
        pytest.skip(outcome.no_waves)
    assert outcome.waves is not None
    assert outcome.waves.stat().st_size > 100
    assert "on purpose" in outcome.log.read_text()


def test_the_seed_decides_what_is_drawn(tmp_path):
    def drawn(seed):
        outcome = run_bench(selftest("fail"), "verilator", tmp_path, seed)
        return re.findall(r"drew (\d+)", outcome.failures[0].message)

    assert drawn(1) == drawn(1) != drawn(2)


def test_a_simulation_that_ends_early_has_failed_whatever_its_status(simulator, tmp_path):
    outcome = run_bench(selftest("crash"), simulator, tmp_path)
    assert [failure.test for failure in outcome.failures] == ["simulation"]
    assert outcome.failures[0].message.startswith("ended early: ")


def test_a_bench_without_tests_has_failed(tmp_path):
    fifo = selftest("").rtl
    (tmp_path / "bench_empty.py").write_text("")
    sys.path.insert(0, str(tmp_path))
    try:
        outcome = run_bench(Bench("bench_empty", fifo), "verilator", tmp_path)
    finally:
        sys.path.remove(str(tmp_path))
    assert len(outcome.failures) == 1
    assert not outcome.tests


def test_a_missing_simulator_is_told(monkeypatch):
    monkeypatch.setattr(cocotb_runner.tools, "find_tool", lambda name: None)
    with pytest.raises(MissingToolError, match=r"Debian: apt-get install iverilog"):
        require_simulator("icarus")


def test_an_old_icarus_is_refused(monkeypatch, tmp_path):
    for name in ("iverilog", "vvp"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'Icarus Verilog version 10.3 (stable)'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="is too old, needs 11"):
        require_simulator("icarus")


def test_missing_cocotb_is_told(monkeypatch):
    monkeypatch.setattr(cocotb_runner, "_installed", lambda name: name != "cocotbext.axi")
    with pytest.raises(MissingToolError, match=r"pip install .*\[rtl\]'"):
        require_simulator("verilator")


def test_the_monitors_of_the_top_bench_notice(simulator, tmp_path):
    environment = {"XLIC_SIMULATOR": simulator}
    outcome = run_bench(Bench("bench_monitors", copier.rtl(), environment), simulator, tmp_path)
    assert not outcome.failures
    assert len(outcome.tests) == 7


# --- in pytest ---

TEST = """
    import pytest
    @pytest.mark.xlic_rtl
    def test_unit(bench):
        parameters, environment = {{"WIDTH": 8, "DEPTH": 4}}, {{"XLIC_SELFTEST": {what!r}}}
        bench.unit("bench_selftest", {top!r}, parameters, environment)
"""


def test_a_failing_bench_is_a_failing_test_with_all_one_needs(pytester):
    pytester.makepyfile(TEST.format(top="fifo", what="fail"))
    result = pytester.runpytest("--xlic-rtl-seed", "5")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "1 of 4 tests of bench_selftest failed on fifo {'WIDTH': 8, 'DEPTH': 4} in verilator:",
            "  fails: AssertionError: on purpose, drew *",
            "log: */bench_selftest.log",
            "waveforms: */bench_selftest.fst",
            "seed: 5 (--xlic-rtl-seed)",
        ]
    )


def test_a_passing_bench_is_a_passing_test(pytester):
    pytester.makepyfile(TEST.format(top="fifo", what="nothing"))
    pytester.runpytest().assert_outcomes(passed=1)


def test_a_module_that_the_rtl_lacks_is_skipped(pytester):
    pytester.makepyfile(TEST.format(top="absent", what=""))
    result = pytester.runpytest("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*there is no module absent in *"])


def test_a_missing_simulator_skips_with_the_remedy(pytester, monkeypatch):
    monkeypatch.setattr(cocotb_runner, "_installed", lambda name: False)
    pytester.makepyfile(TEST.format(top="fifo", what=""))
    result = pytester.runpytest("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*pip install *?rtl?'*"])


def test_rtl_that_is_refused_fails_with_the_first_error(pytester):
    (pytester.path / "rtl").mkdir()
    text = (RTL_DIR / "fifo.sv").read_text().replace("head <= '0", "hed <= '0")
    (pytester.path / "rtl" / "fifo.sv").write_text(text)
    pytester.makepyfile(TEST.format(top="fifo", what=""))
    result = pytester.runpytest("--xlic-rtl-dir", "rtl")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["verilator refused fifo: *fifo.sv:*hed*"])


def test_the_options_are_in_the_help(pytester):
    text = pytester.runpytest("--help").stdout.str()
    for option in (
        "--xlic-simulator={verilator,icarus}",
        "--xlic-rtl-dir=DIR",
        "--xlic-rtl-top=NAME",
    ):
        assert option in text


def test_an_unknown_simulator_is_refused(pytester):
    result = pytester.runpytest("--xlic-simulator", "other")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--xlic-simulator: invalid choice: 'other'*"])


def test_an_empty_folder_of_rtl_is_refused(pytester):
    result = pytester.runpytest("--xlic-rtl-dir", str(pytester.mkdir("empty")))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: no SystemVerilog or Verilog files in *"])
