"""Fixtures of the virtual board."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from xlic.pytest_plugin.board_options import SESSIONS, board_options

if TYPE_CHECKING:
    from xlic.board.virtual.machine import VirtualBoard

__all__ = ["virtual_board", "virtual_board_session"]

_RUNNING = pytest.StashKey["VirtualBoard"]()


@pytest.fixture(scope="session")
def virtual_board_session(pytestconfig: pytest.Config) -> VirtualBoard:
    """One board for the whole run of pytest, whichever module takes it.

    Skips where its tools are absent, and where the options name another board.
    """
    from xlic.board.virtual.machine import VirtualBoard
    from xlic.board.virtual.tools import missing
    from xlic.errors import MissingToolError

    board = board_options(pytestconfig).board
    if not board.virtual:
        pytest.skip(f"a test of the virtual board; this run is for {board.host}")
    if _RUNNING not in pytestconfig.stash:
        reason = missing()
        if reason is not None:
            pytest.skip(reason)
        try:
            running = VirtualBoard.start()
        except MissingToolError as error:
            pytest.skip(str(error))
        pytestconfig.stash[_RUNNING] = running
        pytestconfig.add_cleanup(running.stop)
    return pytestconfig.stash[_RUNNING]


@pytest.fixture
def virtual_board(pytestconfig: pytest.Config, virtual_board_session: VirtualBoard) -> VirtualBoard:
    """The board for a test of its own, up and answering: nobody else holds it.

    One that a test leaves dead is switched off and on.
    """
    from xlic.board.virtual.errors import VirtualBoardError

    board = virtual_board_session
    for session in pytestconfig.stash.get(SESSIONS, []):
        session.rest()
    try:
        board.wait_for_ssh(5)
    except VirtualBoardError:
        board.power_cycle()
        board.wait_for_ssh()
    return board
