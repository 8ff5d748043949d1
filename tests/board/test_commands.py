"""The board's commands and the pytest options, without a board."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from xlic.board.errors import InfrastructureError
from xlic.cli.board_commands import board
from xlic.errors import InputError, XlicError

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


PLUGIN = """
    import pytest
    from xlic.pytest_plugin import board
    from xlic.pytest_plugin.board import *

    def pytest_addoption(parser):
        group = parser.getgroup("xlic-board")
        try:
            board.add_options(group)
        except ValueError:
            pass  # the installed plugin has them

    def pytest_configure(config):
        if not config.pluginmanager.has_plugin("xlic-board-reports"):
            board.configure(config)
"""
TESTS = """
    import pytest
    from xlic.board.errors import InfrastructureError
    from xlic.errors import MismatchError

    def test_way(): raise InfrastructureError("the link is down", ("ssh: no answer",))
    def test_integers(): raise MismatchError("ana_0 differs")
    def test_fine(): pass
    def test_needs_one(board_config): raise AssertionError
"""


def test_pytest_tells_infrastructure_from_mismatches_and_skips_without_a_board(pytester):
    pytester.makeconftest(PLUGIN)
    pytester.makepyfile(TESTS)
    result = pytester.runpytest("-rs", "--junitxml=junit.xml")
    result.assert_outcomes(failed=2, passed=1, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "infrastructure: the link is down (tried: ssh: no answer)",
            "*1 tests ended by infrastructure errors: they say nothing about the hardware*",
        ]
    )
    result.stdout.fnmatch_lines(["*needs a board: give --host NAME*"])
    junit = (pytester.path / "junit.xml").read_text()
    assert '<property name="xlic_outcome" value="infrastructure"' in junit
    assert '<property name="xlic_outcome" value="mismatch"' in junit
