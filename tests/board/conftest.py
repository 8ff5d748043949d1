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
def program():
    """The board's program, for this machine, with sanitizers."""
    from xlic.board.program import build_program
    from xlic.errors import MissingToolError

    try:
        return build_program("g++", ("-fsanitize=address,undefined", "-fno-sanitize-recover=all"))
    except MissingToolError as error:
        pytest.skip(str(error))


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
    left = "lease.* beat.* released.* ticket.*"
    virtual_board.service(f"cd /tmp/xlic-lease 2> /dev/null && rm -f {left}; true")
    board = Board("virtual", bitstream=tiny_bitstream, limits=Limits(run=3))
    return replace(resolve(board, virtual_board), lease=LeaseSettings(wait=0, owner="test"))


@pytest.fixture
def board_file(tmp_path):
    """Function (board, more=""): writes a board file for another process."""

    def write(board, more: str = "") -> str:
        lines = [
            f'host = "{board.host}"',
            f"port = {board.port}",
            f'user = "{board.user}"',
            f'key_file = "{board.key_file}"',
            f'known_hosts = "{board.known_hosts}"',
            'ssh_config = "/dev/null"',
            *([f'bitstream = "{board.bitstream}"'] if board.bitstream else []),
        ]
        path = tmp_path / f"board{len(list(tmp_path.glob('board*.toml')))}.toml"
        path.write_text("\n".join(lines) + f"\n{more}\n")
        return str(path)

    return write


@pytest.fixture
def tiny_session(tiny_board):
    from xlic.board.connect import open_session

    with open_session(tiny_board, logic="hls", say=print) as session:
        yield session
