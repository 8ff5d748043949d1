"""A board in pytest: options, fixtures, and verdicts that tell the board's fault from the way's.

Infrastructure errors are reported as errors of their own kind: the text begins with
``infrastructure:``, the JUnit property ``xlic_outcome`` is ``infrastructure``. Mismatches carry the
properties ``xlic_outcome=mismatch`` and ``xlic_repeatability``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from xlic.board.config import Board, choose_board
from xlic.board.errors import HostKeyError, InfrastructureError
from xlic.errors import MismatchError, MissingToolError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xlic.accelerator.compiler import Transform
    from xlic.board.comparison import TransformResult
    from xlic.board.session import BoardSession
    from xlic.quantization.model import QuantizedModel
    from xlic.rungs.board import BoardRung

__all__ = ["board_config", "board_rung", "board_session", "compare_on_board"]

NO_BOARD = "needs a board: give --host NAME, --host virtual or --board FILE"
OUTCOME = "xlic_outcome"
REPEATABILITY = "xlic_repeatability"
BOARD = pytest.StashKey["BoardOptions"]()

Compare = Callable[["NDArray[Any]", Sequence["Transform"]], "list[TransformResult]"]


@dataclass(frozen=True)
class BoardOptions:
    """What the command line says of a board.

    Attributes:
        board: None if there is none.
        sources: that the accelerator must have been made from.
        accept_new_host_key: whether an unknown host key is taken.
    """

    board: Board | None
    sources: str
    accept_new_host_key: bool


def add_options(group: Any) -> None:
    """Add the board's options to the plugin's group."""
    group.addoption(
        "--host",
        metavar="NAME|virtual",
        help="run board tests on this ZCU102: a name in ~/.ssh/config, an "
        "address, or the virtual one",
    )
    group.addoption("--board", metavar="FILE", help="board file (docs/board.md)")
    group.addoption(
        "--serial", metavar="PORT", help="its console: /dev/ttyUSB0, socket://host:port"
    )
    group.addoption("--bitstream", metavar="FILE", help="load this .bit or .bin first")
    group.addoption(
        "--board-sources",
        metavar="rtl|hls|any|HASH",
        default="rtl",
        help="sources that its accelerator must have been made from (default: %(default)s)",
    )
    group.addoption(
        "--accept-new-host-key",
        action="store_true",
        help="add a host key that is not known yet; a changed one is refused in any case",
    )


def configure(config: pytest.Config) -> None:
    """Check the options and have outcomes reported.

    Raises:
        XlicError: they are unusable.
    """
    host, file = config.getoption("--host"), config.getoption("--board")
    board = None
    if host is not None or file is not None:
        board = choose_board(
            host,
            file,
            serial=config.getoption("--serial"),
            bitstream=config.getoption("--bitstream"),
        )
    config.stash[BOARD] = BoardOptions(
        board, config.getoption("--board-sources"), config.getoption("--accept-new-host-key")
    )
    config.pluginmanager.register(BoardReports(), "xlic-board-reports")


class BoardReports:
    """Marks reports by what kind of failure they are, and sums them up."""

    def __init__(self) -> None:
        self.infrastructure = 0
        self.recovered: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add the properties; the text of an infrastructure error comes first."""
        report = yield
        error = None if call.excinfo is None else call.excinfo.value
        if isinstance(error, InfrastructureError | HostKeyError):
            self.infrastructure += 1
            properties = [(OUTCOME, "infrastructure")]
            report.longrepr = str(error)
        elif isinstance(error, MismatchError):
            properties = [(OUTCOME, "mismatch")]
        else:
            return report
        report.user_properties += properties
        return report

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Count what says nothing about the hardware."""
        if self.infrastructure:
            terminalreporter.write_line(
                f"xlic: {self.infrastructure} tests ended by infrastructure errors: "
                "they say nothing about the hardware"
            )
        for line in self.recovered:
            terminalreporter.write_line(f"xlic: {line}")


@pytest.fixture(scope="session")
def board_config(request: pytest.FixtureRequest) -> Board:
    """The board (``--host``, ``--board``); skips where none is given."""
    from xlic.board.connect import resolve

    board = request.config.stash[BOARD].board
    if board is None:
        pytest.skip(NO_BOARD)
    if not board.virtual:
        return board
    # Started for this run of pytest, and ended with it.
    return resolve(board, request.getfixturevalue("virtual_board_session"))


@pytest.fixture(scope="session")
def board_session(
    request: pytest.FixtureRequest,
    board_config: Board,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[BoardSession]:
    """A session with the board: leased, its logic loaded and identified."""
    from xlic.board.connect import open_session

    options = request.config.stash[BOARD]
    reports = request.config.pluginmanager.get_plugin("xlic-board-reports")
    try:
        opened = open_session(
            board_config,
            sources=options.sources,
            accept_new_host_key=options.accept_new_host_key,
            artifacts=tmp_path_factory.mktemp("board"),
        )
        with opened as session:
            yield session
            if session.failures and isinstance(reports, BoardReports):
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
    """Compares transforms of a picture with the simulation; a mismatch is labelled and raised."""
    from xlic.board.comparison import BoardComparison

    def compare(
        image: NDArray[Any], transforms: Sequence[Transform] = ("encode", "decode")
    ) -> list[TransformResult]:
        results = BoardComparison(board_rung, board_rung.model).run(image, transforms)
        wrong = [result for result in results if not result.equal]
        for result in wrong:
            if result.repeatability is not None:
                request.node.user_properties.append((REPEATABILITY, result.repeatability.value))
        if wrong:
            raise MismatchError("; ".join(str(result) for result in wrong))
        return results

    return compare
