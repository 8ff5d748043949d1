"""A board with a tiny accelerator, compiled C++ behind its registers: quick enough for faults."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest

# Without these nothing here can be imported; the plugin skips what else is marked ``board``.
collect_ignore_glob = []
if importlib.util.find_spec("paramiko") is None or importlib.util.find_spec("serial") is None:
    collect_ignore_glob.append("test_*.py")


@pytest.fixture(scope="session")
def tiny_bitstream(tmp_path_factory):
    from tests.hls.programs import TINY
    from xlic.board.virtual.bitstream import make_bitstream

    path = tmp_path_factory.mktemp("bitstream") / "tiny.bit"
    make_bitstream(path, TINY, "hls")
    return str(path)


@pytest.fixture
def tiny_board(virtual_board, tiny_bitstream):
    """The virtual board for this test alone, by its addresses."""
    from xlic.board.config import Board, LeaseSettings, Limits
    from xlic.board.connect import resolve

    # What a test before may have left to expire.
    virtual_board.service("cd /tmp/xlic-lease 2> /dev/null && rm -f lease.* beat.* released.* ticket.*; true")
    board = Board("virtual", bitstream=tiny_bitstream, limits=Limits(run=3))
    return replace(resolve(board, virtual_board), lease=LeaseSettings(wait=0, owner="test"))


@pytest.fixture
def tiny_session(tiny_board):
    from xlic.board.connect import open_session

    with open_session(tiny_board, logic="hls", say=print) as session:
        yield session
