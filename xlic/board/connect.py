"""From what a user says to an open session: which board, which sources it must have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from xlic.board.config import Board
from xlic.board.session import BoardSession, Say
from xlic.errors import InputError

if TYPE_CHECKING:
    from xlic.board.virtual.machine import VirtualBoard

ANY_SOURCES = "any"


def resolve(board: Board, running: VirtualBoard | None = None) -> Board:
    """Fill in where the virtual board is; another board is returned as it is.

    Args:
        board: which one.
        running: the virtual board; None takes the one that the command line started.

    Raises:
        VirtualBoardError: the virtual board does not run.
    """
    if not board.virtual:
        return board
    from xlic.board.virtual.machine import find_board

    running = running or find_board()
    address, port = running.ssh_address
    return replace(
        board,
        host=address,
        port=port,
        user="root",
        key_file=str(running.key_file),
        known_hosts=str(running.known_hosts),
        serial=running.serial_url if board.serial is None else board.serial,
        reset_command=board.reset_command or running.reset_command,
        power_command=board.power_command or running.power_command,
    )


def expected_sources(text: str) -> int | None:
    """The hash that an accelerator's sources must have.

    Args:
        text: ``rtl`` or ``hls``, this project's; ``any``; or 16 hexadecimal digits.

    Raises:
        InputError: it is none of these, or the sources are not there.
    """
    if text == ANY_SOURCES:
        return None
    if text == "rtl":
        from xlic.accelerator.sources import rtl_sources, source_hash

        return source_hash(rtl_sources())
    if text == "hls":
        from xlic.accelerator.native_library import hls_sources
        from xlic.accelerator.sources import source_hash

        return source_hash(hls_sources())
    if not re.fullmatch(r"[0-9a-f]{16}", text):
        raise InputError(f"{text!r} is no hash of sources; give rtl, hls, any or 16 hex digits")
    return int(text, 16)


@contextmanager
def open_session(
    board: Board,
    *,
    sources: str = "rtl",
    accept_new_host_key: bool = False,
    artifacts: Path | None = None,
    say: Say = lambda _: None,
) -> Iterator[BoardSession]:
    """A session with a board, see :class:`~xlic.board.session.BoardSession`.

    Args:
        board: which one; also the virtual one.
        sources: see :func:`expected_sources`.
        accept_new_host_key: whether an unknown host key is taken.
        artifacts: folder for logs.
        say: told what takes time and what went wrong.
    """
    session = BoardSession(
        resolve(board),
        accept_new_host_key=accept_new_host_key,
        source_hash=expected_sources(sources),
        artifacts=artifacts,
        say=say,
    )
    with session:
        yield session
