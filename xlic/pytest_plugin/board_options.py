"""What pytest's command line says of a board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from xlic.board.config import VIRTUAL_HOST, Board, choose_board
from xlic.board.connect import LOGICS, Logic, expected_sources

if TYPE_CHECKING:
    from xlic.board.session import BoardSession


@dataclass(frozen=True)
class BoardOptions:
    """What the options name, checked once.

    Attributes:
        board: the virtual one, where none is named.
        logic: what its accelerator was made from; on the virtual board, what plays it.
        sources: that it must have been made from.
        accept_new_host_key: whether an unknown host key is taken.
    """

    board: Board
    logic: Logic
    sources: str
    accept_new_host_key: bool


BOARD = pytest.StashKey[BoardOptions]()
SESSIONS = pytest.StashKey[list["BoardSession"]]()
"""Those that are open during the whole run."""


def add_options(group: Any) -> None:
    """Add the options to the plugin's group."""
    group.addoption(
        "--host",
        metavar="NAME",
        help="run board tests on this ZCU102: a name in ~/.ssh/config, an address, or 'virtual' "
        "(default: virtual, where its tools are installed)",
    )
    group.addoption("--board", metavar="FILE", help="board file (docs/board.md)")
    group.addoption(
        "--serial", metavar="PORT", help="its console: /dev/ttyUSB0, socket://host:port"
    )
    group.addoption("--bitstream", metavar="FILE", help="load this .bit or .bin first")
    group.addoption(
        "--pl",
        choices=LOGICS,
        default=LOGICS[0],
        help="what its accelerator was made from; on the virtual board, what plays it "
        "(default: %(default)s)",
    )
    group.addoption(
        "--board-sources",
        metavar="any|HASH",
        help="sources that it must have been made from, where they are not this project's",
    )
    group.addoption(
        "--accept-new-host-key",
        action="store_true",
        help="add a host key that is not known yet; a changed one is refused in any case",
    )


def read_options(config: pytest.Config) -> BoardOptions:
    """Check the options.

    Raises:
        InputError: they are unusable, or the board file is.
    """
    host, file = config.getoption("--host"), config.getoption("--board")
    board = choose_board(
        VIRTUAL_HOST if host is None and file is None else host,
        file,
        serial=config.getoption("--serial"),
        bitstream=config.getoption("--bitstream"),
    )
    logic = config.getoption("--pl")
    sources = config.getoption("--board-sources") or logic
    if sources != logic:
        expected_sources(sources)
    return BoardOptions(board, logic, sources, config.getoption("--accept-new-host-key"))
