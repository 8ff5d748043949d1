"""Fixtures of a board: its session, its rung, and comparisons that label a mismatch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from xlic.exit_status import ExitStatus
from xlic.pytest_plugin.board_options import SESSIONS, board_options
from xlic.pytest_plugin.outcomes import REPORTS, OutcomeReports
from xlic.signals import Ended

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xlic.accelerator.compiler import Transform
    from xlic.board.comparison import TransformResult
    from xlic.board.config import Board
    from xlic.board.session import BoardSession
    from xlic.quantization.model import QuantizedModel
    from xlic.rungs.board import BoardRung

__all__ = ["board_config", "board_rung", "board_session", "compare_on_board"]

REPEATABILITY = "xlic_repeatability"
MEASURED = "xlic_measured"
_ENDINGS = "xlic-endings"

Compare = Callable[..., "list[TransformResult]"]


class Endings:
    """Has a run that a signal ended leave with the status that shells give it."""

    def __init__(self) -> None:
        self._status: ExitStatus | None = None

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """See what ended the run."""
        if isinstance(excinfo.value, Ended):
            self._status = excinfo.value.exit_status

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Say so."""
        if self._status is not None:
            session.exitstatus = self._status


@pytest.fixture(scope="session")
def board_config(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Board:
    """The board (``--host``, ``--board``), else the virtual one; skips where its tools are absent.

    The virtual one is started for this run of pytest, and ends with it.
    """
    from xlic.board.connect import resolve, with_bitstream
    from xlic.errors import MissingToolError

    options = board_options(request.config)
    if not options.board.virtual:
        return options.board
    from xlic.board.virtual.ahead import player_built_beside

    folder = tmp_path_factory.mktemp("bitstream")
    try:
        with ExitStack() as stack:
            wait = None
            if options.board.bitstream is None:
                wait = stack.enter_context(player_built_beside(options.logic, lambda _: None))
            running = request.getfixturevalue("virtual_board_session")
            if wait is not None:
                wait()
        return resolve(with_bitstream(options.board, options.logic, folder), running)
    except MissingToolError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def board_session(
    request: pytest.FixtureRequest,
    board_config: Board,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[BoardSession]:
    """A session with the board: leased, its logic loaded and identified."""
    from xlic.board.connect import open_session
    from xlic.errors import MissingToolError

    options = board_options(request.config)
    plugins = request.config.pluginmanager
    reports = plugins.get_plugin(REPORTS)
    if not plugins.has_plugin(_ENDINGS):
        plugins.register(Endings(), _ENDINGS)
    try:
        with open_session(
            board_config,
            logic=options.logic,
            sources=options.sources,
            accept_new_host_key=options.accept_new_host_key,
            artifacts=tmp_path_factory.mktemp("board"),
        ) as session:
            request.config.stash.setdefault(SESSIONS, []).append(session)
            yield session
            if session.failures and isinstance(reports, OutcomeReports):
                done = "; ".join(session.done)
                reports.recovered.append(
                    f"{len(session.failures)} infrastructure failures were recovered from ({done})"
                )
    except MissingToolError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def board_rung(board_session: BoardSession, quantized: QuantizedModel) -> BoardRung:
    """The rung ``board``."""
    from xlic.rungs.board import BoardRung

    return BoardRung(quantized, board_session)


@pytest.fixture
def compare_on_board(request: pytest.FixtureRequest, board_rung: BoardRung) -> Compare:
    """Function (image, transforms=both, repeat=1): compares with the simulation.

    What was measured goes into the test's properties. A mismatch is run again, labelled, and raised
    as :class:`~xlic.errors.MismatchError`.
    """
    from xlic.board.comparison import BoardComparison
    from xlic.errors import MismatchError

    def compare(
        image: NDArray[Any],
        transforms: Sequence[Transform] = ("encode", "decode"),
        repeat: int = 1,
    ) -> list[TransformResult]:
        before, board_rung.repeat = board_rung.repeat, repeat
        try:
            results = BoardComparison(board_rung, board_rung.model).run(image, transforms)
        finally:
            board_rung.repeat = before
        clock_hz = board_rung.session.board.clock_hz
        for result in results:
            request.node.user_properties.append((MEASURED, result.as_dict(clock_hz)))
            if result.repeatability is not None:
                request.node.user_properties.append((REPEATABILITY, result.repeatability.value))
        wrong = [result for result in results if not result.equal]
        if wrong:
            raise MismatchError("; ".join(str(result) for result in wrong))
        return results

    return compare
