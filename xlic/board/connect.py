"""From what a user says to an open session: which board, which sources it must have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from xlic.accelerator.choices import Logic
from xlic.board.config import Board
from xlic.board.session import BoardSession, Say
from xlic.disk import scratch_folder
from xlic.errors import InputError
from xlic.files import Progress
from xlic.signals import ended_in_order

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


def with_bitstream(
    board: Board, logic: Logic, folder: Path, progress: Progress | None = None
) -> Board:
    """Give the virtual board a bitstream of the default design, unless it has one.

    Args:
        board: the virtual one, resolved or not.
        logic: what is to play the accelerator; it is built unless that was done before.
        folder: for the bitstream.
        progress: told when a build begins and ends.

    Raises:
        MissingToolError: a tool to build it is absent.
        BuildError: the sources are refused.
    """
    if board.bitstream is not None:
        return board
    from xlic.accelerator.design import Design
    from xlic.board.virtual.bitstream import make_bitstream

    path = folder / f"xlic-{logic}.bit"
    make_bitstream(path, Design(), logic, progress=progress)
    return replace(board, bitstream=str(path))


@contextmanager
def running_board(
    say: Say = lambda _: None, *, logic: Logic | None = None, progress: Progress | None = None
) -> Iterator[VirtualBoard]:
    """The virtual board that the command line started, or one until the end of the context.

    Args:
        say: told what is started and waited for.
        logic: what is to play the accelerator of the default design: where a board has to be
            started that is built beside it. None builds nothing.
        progress: told what is fetched and built for the board.

    Raises:
        MissingToolError: a tool is absent; names the command that installs it.
        VirtualBoardError: it does not start.
    """
    from xlic.board.virtual.ahead import player_built_beside
    from xlic.board.virtual.errors import VirtualBoardError
    from xlic.board.virtual.machine import VirtualBoard, find_board

    try:
        found = find_board()
    except VirtualBoardError:
        say("starting a virtual board for this run; xlic board virtual up starts one that stays")
        with ExitStack() as stack:
            wait = None
            if logic is not None:
                wait = stack.enter_context(player_built_beside(logic, say))
            started = stack.enter_context(VirtualBoard.start(progress=progress))
            if wait is not None:
                wait()
            yield started
    else:
        yield found


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
    logic: Logic = "rtl",
    sources: str | None = None,
    accept_new_host_key: bool = False,
    artifacts: Path | None = None,
    say: Say = lambda _: None,
    progress: Progress | None = None,
) -> Iterator[BoardSession]:
    """A session with a board, see :class:`~xlic.board.session.BoardSession`.

    While it is open SIGTERM and SIGHUP end it in order, unless they are handled or ignored.

    Args:
        board: which one; the virtual one is started unless it runs.
        logic: what the accelerator was made from; in the virtual board, what plays it.
        sources: see :func:`expected_sources`; None takes ``logic``.
        accept_new_host_key: whether an unknown host key is taken.
        artifacts: folder for logs.
        say: told what takes time and what went wrong.
        progress: told when a build begins and ends.
    """
    with ExitStack() as stack:
        stack.enter_context(ended_in_order())
        if board.virtual:
            player = logic if board.bitstream is None else None
            running = stack.enter_context(running_board(say, logic=player, progress=progress))
            folder = stack.enter_context(scratch_folder())
            board = resolve(with_bitstream(board, logic, folder, progress), running)
        session = BoardSession(
            board,
            accept_new_host_key=accept_new_host_key,
            source_hash=expected_sources(sources or logic),
            wake=logic == "hls",
            artifacts=artifacts,
            say=say,
        )
        yield stack.enter_context(session)
