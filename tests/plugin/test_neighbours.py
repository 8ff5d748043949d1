"""The plugin in projects that are not about xlic, loaded by its entry point as there.

Each is a folder outside of this project; where it counts, pytest is a process of its own there.
"""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from xlic.pytest_plugin.markers import MARKERS
from xlic.pytest_plugin.options import OPTIONS
from xlic.pytest_plugin.outcomes import OUTCOMES

OURS = ("xlic", "numpy", "safetensors", "PIL", "numba", "scipy", "paramiko", "tensorflow")
LIGHT = (
    "xlic.accelerator.choices",
    "xlic.errors",
    "xlic.exit_status",
    "xlic.signals",
    "xlic.sources",
    "xlic.pytest_plugin",
)
"""What of xlic may be imported where nobody uses it, with what is inside."""


def run(pytester, *arguments):
    return pytester.runpytest("-p", "no:randomly", *arguments)


def run_alone(pytester, *arguments):
    # What this process has imported and which markers it knows would be known there.
    return pytester.runpytest_subprocess("-p", "no:randomly", *arguments)


@pytest.fixture
def foreign(pytester):
    """A project with markers, options and fixtures of its own that are called as ours are."""
    options = "\n".join(
        f'    parser.addoption("--{option.name}", dest="{option.name}", default="own")'
        for option in OPTIONS
    )
    markers = "\n".join(f"    {name}: of its own" for name in MARKERS)
    pytester.makeini(f"[pytest]\naddopts = --strict-markers\nmarkers =\n{markers}\n")
    pytester.makeconftest(
        f"""
import pytest

def pytest_addoption(parser):
{options}

@pytest.fixture
def image(): return "own"

@pytest.fixture(params=["a", "b"])
def rung(request): return request.param
"""
    )
    marked = "\n".join(
        f"@pytest.mark.{name}\ndef test_marked_{name}(): print('ran')\n" for name in MARKERS
    )
    pytester.makepyfile(
        f"""
import pytest

{marked}

def test_fixtures(image, rung): assert image == "own" and rung in "ab"

@pytest.mark.parametrize("weights", [1, 2])
def test_parameters(weights): assert weights in (1, 2)

def test_options(pytestconfig):
    assert pytestconfig.getoption("--host") == pytestconfig.getoption("model") == "own"
"""
    )
    return pytester


COUNT = len(MARKERS) + 5


def test_tests_of_others_run_whatever_their_marks_options_and_fixtures_are_called(foreign):
    result = run_alone(foreign, "-v")
    result.assert_outcomes(passed=COUNT)
    text = result.stdout.str()
    assert "::test_fixtures[a] PASSED" in text
    assert "::test_marked_board PASSED" in text
    assert "weights bls2017" not in text


def test_the_same_in_workers(foreign):
    pytest.importorskip("xdist")
    result = run_alone(foreign, "-n", "2")
    result.assert_outcomes(passed=COUNT)
    assert "weights bls2017" not in result.stdout.str()


def test_the_same_without_the_plugin(foreign):
    run(foreign, "-p", "no:xlic").assert_outcomes(passed=COUNT)


def test_options_of_others_keep_their_values(foreign):
    result = run(foreign, "--host", "own", "--model", "own", "--images", "nothing/*.png")
    result.assert_outcomes(passed=COUNT)


def test_generic_markers_are_not_declared_by_us(pytester):
    text = "import pytest\n@pytest.mark.{}\ndef test_x(): pass"
    pytester.makepyfile(**{f"test_{name}": text.format(name) for name in MARKERS})
    result = run_alone(pytester, "--strict-markers")
    result.assert_outcomes(errors=len(MARKERS))
    for name in MARKERS:
        result.stdout.fnmatch_lines([f"*'{name}' not found in `markers`*"])


def test_generic_options_are_not_ours(pytester):
    text = run(pytester, "--help").stdout.str()
    for option in OPTIONS:
        assert f"--xlic-{option.name}" in text
        assert f" --{option.name}" not in text


def test_nothing_heavy_is_imported_before_a_test_uses_a_fixture(pytester):
    pytester.makepyfile(
        test_foreign=f"""
        import sys

        def test_modules(request):
            assert request.config.pluginmanager.has_plugin("xlic")
            found = {{n for n in sys.modules if n.partition(".")[0] in {OURS!r}}}
            inside = ({LIGHT!r})
            heavy = [n for n in found if n not in ("xlic", "xlic.accelerator")
                     and not any(n == m or n.startswith(m + ".") for m in inside)]
            assert not heavy, heavy
            assert "xlic.pytest_plugin.pictures" not in found

        def test_that_fails(): assert False
        """
    )
    result = run_alone(pytester, "-p", "no:hypothesispytest")
    result.assert_outcomes(passed=1, failed=1)


def test_loading_the_plugin_costs_a_foreign_run_50_ms_at_most():
    script = (
        "import time, pytest, _pytest.pytester\n"
        "begin = time.process_time()\n"
        "import xlic.pytest_plugin.plugin\n"
        "print(time.process_time() - begin)"
    )
    # The least of some: what else this machine does is not counted, but not without influence.
    costs = [
        float(subprocess.check_output([sys.executable, "-c", script], text=True)) for _ in range(5)
    ]
    assert min(costs) <= 0.050


def test_a_mark_of_ours_is_acted_upon_without_any_fixture(pytester, monkeypatch):
    pytester.makepyfile("import pytest\n@pytest.mark.xlic_hls\ndef test_x(): raise AssertionError")
    monkeypatch.setenv("PATH", "/nonexistent")
    result = run(pytester, "-rs", "--strict-markers")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*apt-get install g++*"])


def test_the_header_is_there_where_a_test_uses_a_fixture_or_an_option_is_given(pytester):
    pytester.makepyfile(test_a="def test_a(): pass", test_b="def test_b(quantized): pass")
    header = "xlic *: weights bls2017_*, model bls2017_*"
    run(pytester).stdout.fnmatch_lines([header])
    run(pytester, "test_a.py", "--xlic-pl", "hls").stdout.fnmatch_lines([header])
    run(pytester, "test_a.py").stdout.no_fnmatch_line(header)


# --- the short names, for whoever asks ---

SHORT = ("-p", "xlic.short")
CELLS = "def test_cell(rung, image): pass"


@pytest.mark.parametrize("way", ["option", "addopts", "conftest", "environment"])
def test_short_names_come_to_whoever_asks(pytester, monkeypatch, way):
    pytester.makepyfile(CELLS)
    arguments = {"option": SHORT}.get(way, ())
    if way == "addopts":
        pytester.makeini("[pytest]\naddopts = -p xlic.short")
    elif way == "conftest":
        pytester.makeconftest('pytest_plugins = ["xlic.short"]')
    elif way == "environment":
        monkeypatch.setenv("PYTEST_PLUGINS", "xlic.short")
    result = run_alone(
        pytester, *arguments, "--strict-markers", "--collect-only", "-q", "-m", "hls"
    )
    assert "test_cell[hls-coffee]" in result.stdout.str()
    assert "test_cell[rtl-coffee]" not in result.stdout.str()


def test_short_names_stand_in_the_lists_beside_the_long_ones(pytester):
    markers = run(pytester, *SHORT, "--markers").stdout.str()
    options = run(pytester, *SHORT, "--help").stdout.str()
    for prefix in ("", "xlic"):
        for name in MARKERS:
            assert f"@pytest.mark.{prefix and prefix + '_'}{name}: " in markers
        for option in OPTIONS:
            assert f"  --{prefix and prefix + '-'}{option.name}" in options


def test_cells_bear_both_marks(pytester):
    pytester.makepyfile(CELLS)
    both = ("--collect-only", "-q", "-m", "sim and xlic_sim")
    alone = ("--collect-only", "-q", "-m", "(sim or xlic_sim) and not (sim and xlic_sim)")
    assert "test_cell[sim-coffee]" in run(pytester, *SHORT, *both).stdout.str()
    assert "test_cell" not in run(pytester, *SHORT, *alone).stdout.str()


def test_ids_of_cells_are_the_same_under_either_name(pytester):
    pytester.makepyfile(CELLS)

    def ids(*arguments):
        lines = run(pytester, "--collect-only", "-q", *arguments).outlines
        return [line for line in lines if "::" in line]

    assert len(ids()) == 60
    assert ids() == ids(*SHORT)
    assert ids("-m", "xlic_rtl") == ids(*SHORT, "-m", "rtl")


def test_what_bears_a_short_mark_is_skipped_with_the_remedy(pytester, monkeypatch):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.hls
        def test_marked(): raise AssertionError

        class TestGroup:
            pytestmark = pytest.mark.hls
            def test_inside(self): raise AssertionError
        """,
    )
    monkeypatch.setenv("PATH", "/nonexistent")
    result = run(pytester, *SHORT, "-rs", "--strict-markers")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*apt-get install g++*"])


def test_marks_that_a_conftest_adds_to_tests_count(pytester, monkeypatch):
    pytester.makeconftest(
        """
        import pytest
        def pytest_collection_modifyitems(items):
            for item in items: item.add_marker(pytest.mark.hls)
        """
    )
    pytester.makepyfile("def test_x(): raise AssertionError")
    monkeypatch.setenv("PATH", "/nonexistent")
    run(pytester, *SHORT, "-m", "xlic_hls").assert_outcomes(skipped=1)


def test_short_and_long_options_are_the_same_option(pytester):
    pytester.makepyfile(
        """
        def test_values(pytestconfig, xlic_session):
            assert pytestconfig.getoption("xlic_pl") == "hls"
            assert pytestconfig.getoption("--pl") == pytestconfig.getoption("--xlic-pl")
            assert xlic_session.rtl_seed == 9
        """
    )
    for seed in ("--rtl-seed", "--xlic-rtl-seed"):
        for pl in ("--pl", "--xlic-pl"):
            run(pytester, *SHORT, pl, "hls", seed, "9").assert_outcomes(passed=1)


def test_short_names_reach_workers(pytester):
    pytest.importorskip("xdist")
    pytester.makepyfile(
        """
        import pytest
        @pytest.mark.sim
        def test_values(xlic_session, request):
            assert xlic_session.rtl_seed == 9
            assert request.node.get_closest_marker("xlic_sim")
        """
    )
    result = run_alone(
        pytester, *SHORT, "--strict-markers", "-n", "2", "--rtl-seed", "9", "-m", "sim"
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--weights", "absent"], "no weights at absent; give a .safetensors file or a folder*"),
        (["--images", "absent/*.png"], "--images 'absent/*.png' matches no file*"),
        (["--artifacts", "test_x.py"], "--artifacts test_x.py: File exists; name a folder"),
        (["--host", "two words"], "*'two words' is no host name"),
        (["--rtl-dir", "absent"], "no SystemVerilog or Verilog files in absent; *"),
    ],
)
def test_a_mistake_in_a_short_option_is_one_line(pytester, arguments, message):
    pytester.makepyfile(test_x="def test_nothing(): pass")
    result = run(pytester, *SHORT, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def test_the_short_names_bring_the_plugin_where_none_is_loaded_unasked(pytester, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile("def test_x(weights): assert weights.filters == 128")
    pytester.runpytest_subprocess(*SHORT, "--pl", "hls").assert_outcomes(passed=1)


def test_the_short_names_without_the_plugin_do_nothing(pytester):
    pytester.makepyfile("import pytest\n@pytest.mark.sim\ndef test_x(): pass")
    for order in ((*SHORT, "-p", "no:xlic"), ("-p", "no:xlic", *SHORT)):
        run(pytester, *order, "--strict-markers").assert_outcomes(passed=1)


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="pytest tells it itself, and later")
def test_two_who_want_the_same_short_name_are_told(pytester):
    pytester.makepyfile(
        other="def pytest_addoption(parser): parser.addoption('--host')", test_x="def test_x(): 1"
    )
    pytester.syspathinsert()
    result = run(pytester, "-p", "other", *SHORT)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*want the same name: *--host*use --xlic-*"])


# --- verdicts ---


def test_the_named_outcomes_are_exceptions():
    for name in OUTCOMES:
        module, _, kind = name.rpartition(".")
        assert issubclass(getattr(importlib.import_module(module), kind), Exception)


def test_outcomes_in_workers_are_summed_up(pytester):
    pytest.importorskip("xdist")
    pytester.makepyfile(
        """
        from xlic.board.errors import InfrastructureError

        def test_way(): raise InfrastructureError("the link is down")
        def test_other(): raise ValueError
        """
    )
    result = run_alone(pytester, "-n", "2")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["xlic: 1 test ended as infrastructure: *"])
