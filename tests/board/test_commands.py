"""The board's commands and the pytest options, without a board."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from xlic.board.errors import InfrastructureError
from xlic.cli.board_commands import board
from xlic.errors import InputError, XlicError
from xlic.pytest_plugin.outcomes import OUTCOMES

pytestmark = pytest.mark.board


def invoke(*words):
    return CliRunner().invoke(board, list(words))


def test_every_command_has_help_with_an_example():
    for name in ("run", "status", "lease", "console"):
        result = invoke(name, "--help")
        assert result.exit_code == 0
        assert "Example: xlic board" in result.output
        assert "--host" in result.output


@pytest.mark.parametrize("words", [("status",), ("lease",), ("console",)])
def test_without_a_board_the_option_is_named(words):
    error = invoke(*words).exception
    assert isinstance(error, InputError)
    assert "--host" in str(error) or "--serial" in str(error)


def test_a_board_that_does_not_answer_is_infrastructure(tmp_path):
    file = tmp_path / "board.toml"
    file.write_text('host = "127.0.0.1"\nport = 1\nssh_config = "/dev/null"\n')
    error = invoke("status", "--board", str(file)).exception
    assert isinstance(error, InfrastructureError)
    assert isinstance(error, XlicError)
    assert error.exit_status == 3
    assert str(error).startswith("infrastructure: ")


TESTS = """
    import pytest
    from xlic.board.errors import (
        AcceleratorTimeoutError, HostKeyError, IdentityError, InfrastructureError,
        LostInterruptError
    )
    from xlic.errors import AcceleratorError, MismatchError

    def test_way(): raise InfrastructureError("the link is down", ("ssh: no answer",))
    def test_integers(): raise MismatchError("ana_0 differs")
    def test_other(): raise IdentityError("another array")
    def test_slow(): raise AcceleratorTimeoutError("10 ms")
    def test_lost(): raise LostInterruptError("1 of 1")
    def test_key(): raise HostKeyError("unknown")
    def test_stop(): raise AcceleratorError("error 3")
    def test_fine(): pass
    def test_expected():
        with pytest.raises(MismatchError): raise MismatchError("wanted")
"""


def test_pytest_and_junit_tell_the_outcomes_apart(pytester):
    pytester.makepyfile(TESTS)
    result = pytester.runpytest("--junitxml=junit.xml")
    result.assert_outcomes(failed=7, passed=2)
    result.stdout.fnmatch_lines(["infrastructure: the link is down (tried: ssh: no answer)"])
    result.stdout.fnmatch_lines(
        ["xlic: 1 test ended as infrastructure: they say nothing about the hardware"]
    )
    junit = (pytester.path / "junit.xml").read_text()
    for outcome in OUTCOMES.values():
        assert junit.count(f'<property name="xlic_outcome" value="{outcome}"') == 1


def test_without_the_virtual_boards_tools_tests_skip_with_the_remedy(pytester, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    pytester.makepyfile("def test_needs_one(board_session): raise AssertionError")
    result = pytester.runpytest("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*apt-get install --no-install-recommends *qemu-system-arm*"])


def test_a_board_that_does_not_answer_is_an_error_of_its_own_kind(pytester):
    pytester.makefile(".toml", board='host = "127.0.0.1"\nport = 1\nattempts = 1\n')
    pytester.makepyfile("def test_needs_one(board_session): raise AssertionError")
    result = pytester.runpytest("--xlic-board", "board.toml")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["infrastructure: *"])


def test_tests_of_the_virtual_board_skip_where_another_is_named(pytester):
    pytester.makepyfile("def test_faults(virtual_board): raise AssertionError")
    result = pytester.runpytest("-rs", "--xlic-host", "zcu102")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*a test of the virtual board; this run is for zcu102*"])


@pytest.mark.parametrize(
    "options",
    [
        ("--xlic-host", "two words"),
        ("--xlic-board", "absent.toml"),
        ("--xlic-board-sources", "xyz"),
    ],
)
def test_unusable_options_are_refused_before_anything_runs(pytester, options):
    pytester.makepyfile("def test_fine(): pass")
    result = pytester.runpytest(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert options[1] in "".join(result.stderr.lines)
