"""What a run's options say of a board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from xlic.accelerator.choices import Logic
from xlic.pytest_plugin.options import value

if TYPE_CHECKING:
    from xlic.board.config import Board
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


_BOARD = pytest.StashKey[BoardOptions]()
SESSIONS = pytest.StashKey[list["BoardSession"]]()
"""Those that are open during the whole run."""


def board_options(config: pytest.Config) -> BoardOptions:
    """What the options of a run name.

    Raises:
        InputError: they are unusable, or the board file is.
    """
    if _BOARD not in config.stash:
        config.stash[_BOARD] = _read(config)
    return config.stash[_BOARD]


def _read(config: pytest.Config) -> BoardOptions:
    from xlic.board.config import VIRTUAL_HOST, choose_board
    from xlic.board.connect import expected_sources

    host, file = value(config, "host"), value(config, "board")
    board = choose_board(
        VIRTUAL_HOST if host is None and file is None else host,
        file,
        serial=value(config, "serial"),
        bitstream=value(config, "bitstream"),
    )
    logic = value(config, "pl")
    sources = value(config, "board-sources") or logic
    if sources != logic:
        expected_sources(sources)
    return BoardOptions(board, logic, sources, value(config, "accept-new-host-key"))
