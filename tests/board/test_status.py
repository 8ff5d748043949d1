"""Whether a board can run what is sent to it."""

from __future__ import annotations

import re

import pytest

from tests.board.local import LocalShell, limit
from xlic.board.shell import Completed
from xlic.board.status import check_system
from xlic.errors import InputError

pytestmark = pytest.mark.board


class Aarch64(LocalShell):
    """This machine, but for what ``uname -m`` says, and with some tools absent."""

    def __init__(self, *absent: str) -> None:
        super().__init__()
        self._absent = absent

    def run(self, script, deadline, **options):
        hide = "".join(f"{tool}() {{ return 1; }}; " for tool in self._absent)
        hide += "command() { case $2 in " + "|".join(("none", *self._absent))
        hide += ") return 1;; esac; type $2; }; uname() { echo aarch64; }\n"
        return super().run(hide + script, deadline, **options)


def test_a_board_with_all_tools_tells_its_boot():
    boot = check_system(Aarch64(), "b", limit())
    assert re.fullmatch(r"[0-9a-f-]{36}", boot)


def test_every_tool_that_is_absent_is_named():
    with pytest.raises(
        InputError, match="lacks setsid, sha256sum, sleep for fractions of seconds; "
    ) as caught:
        check_system(Aarch64("setsid", "sha256sum", "sleep"), "b", limit())
    assert "install coreutils" in str(caught.value)


def test_another_machine_is_refused():
    class Other(LocalShell):
        def run(self, script, deadline, **_):
            return Completed(0, "x86_\x1b64\nboot\n", "")

    with pytest.raises(InputError, match=r"b is a 'x86_\?64', no aarch64 board"):
        check_system(Other(), "b", limit())
