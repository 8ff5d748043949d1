"""pytest fixtures of the virtual board."""

from __future__ import annotations

import pytest

from xlic.board.virtual.errors import VirtualBoardError
from xlic.board.virtual.machine import VirtualBoard
from xlic.board.virtual.tools import missing
from xlic.errors import MissingToolError

__all__ = ["virtual_board", "virtual_board_session"]

_BOARD = pytest.StashKey[VirtualBoard]()


@pytest.fixture(scope="session")
def virtual_board_session(pytestconfig: pytest.Config) -> VirtualBoard:
    """One board for the whole run of pytest, whichever module takes it; skips without tools."""
    if _BOARD not in pytestconfig.stash:
        reason = missing()
        if reason is not None:
            pytest.skip(reason)
        try:
            board = VirtualBoard.start()
        except MissingToolError as error:
            pytest.skip(str(error))
        pytestconfig.stash[_BOARD] = board
        pytestconfig.add_cleanup(board.stop)
    return pytestconfig.stash[_BOARD]


@pytest.fixture
def virtual_board(virtual_board_session: VirtualBoard) -> VirtualBoard:
    """The board, up and answering; one that a test leaves dead is switched off and on."""
    board = virtual_board_session
    try:
        board.wait_for_ssh(5)
    except VirtualBoardError:
        board.power_cycle()
        board.wait_for_ssh()
    return board
