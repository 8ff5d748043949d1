"""Whatever asks a process to end: what it holds on the board and here is given back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.board.sshd import MISSING, SSHD, Server
from tests.board.tiny import running, wake
from xlic.board.lease import read_holder
from xlic.board.ssh import Link
from xlic.exit_status import ExitStatus
from xlic.signals import Ended, ended_in_order

pytestmark = pytest.mark.board

SIGNALS = {
    signal.SIGTERM: ExitStatus.TERMINATED,
    signal.SIGHUP: ExitStatus.HANGUP,
    signal.SIGINT: ExitStatus.INTERRUPTED,
}
PREFIX = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "signal.signal(signal.SIGHUP, signal.SIG_DFL); "
)
"""What a shell runs in the background is deaf to SIGINT, what nohup runs to SIGHUP: inherited."""


@pytest.fixture
def server(tmp_path):
    if SSHD is None:
        pytest.skip(MISSING)
    started = Server(tmp_path / "sshd")
    yield started
    started.stop()


def start(code: str, *words: str, **options) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PREFIX + code, *words]
    return subprocess.Popen(command, text=True, **options)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_command_that_is_ended_gives_the_board_back(server, board_file, tmp_path, number):
    private = tmp_path / "tmp"
    private.mkdir()
    file = board_file(server.board(), f'[lease]\nfolder = "{tmp_path}/lease"')
    process = start(
        "from xlic.cli.main import main; sys.exit(main())",
        *("board", "lease", "--board", file),
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(private)},
    )
    assert "the board is yours" in process.stderr.readline()
    if number == signal.SIGHUP:
        # With its terminal goes whoever reads what it says.
        process.stderr.close()
    process.send_signal(number)
    assert process.wait(30) == SIGNALS[number]
    with Link(server.board()) as link:
        assert read_holder(link, f"{tmp_path}/lease") is None
    assert list(private.iterdir()) == []


def test_who_waits_in_line_and_is_ended_leaves_it(server, board_file, tmp_path):
    file = board_file(server.board(), f'[lease]\nfolder = "{tmp_path}/lease"')
    code = "from xlic.cli.main import main; sys.exit(main())"
    words = ("board", "lease", "--board", file)
    first = start(code, *words, stderr=subprocess.PIPE)
    assert "the board is yours" in first.stderr.readline()
    second = start(code, *words, stderr=subprocess.PIPE)
    assert "waiting for the board" in second.stderr.readline()
    assert list((tmp_path / "lease").glob("ticket.*"))
    second.send_signal(signal.SIGTERM)
    assert second.wait(30) == ExitStatus.TERMINATED
    assert list((tmp_path / "lease").glob("ticket.*")) == []
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == ExitStatus.TERMINATED


@pytest.fixture
def default():
    """Nobody else handles the signals: a session that this run has open would."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_what_others_handle_or_ignore_is_left_to_them(default):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with ended_in_order() as ending, ended_in_order() as inner:
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        with pytest.raises(Ended, match="SIGTERM"):
            signal.raise_signal(signal.SIGTERM)
    assert (ending.status, inner.status) == (ExitStatus.TERMINATED, None)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_a_second_signal_does_not_end_the_giving_back(default):
    done = []
    with ended_in_order() as ending:
        with pytest.raises(Ended):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        done.append(ending.status)
    assert done == [ExitStatus.TERMINATED]


TEST = """
    import numpy as np
    from tests.hls.programs import compiled, values

    def test_that_does_not_end(board_session):
        print("open", flush=True)
        board_session.run(compiled("encode"), values("encode"))
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_run_of_pytest_that_is_ended_leaves_nothing_on_the_board(
    tiny_board, virtual_board, board_file, tmp_path, number
):
    tests = tmp_path / "test_one.py"
    tests.write_text(textwrap.dedent(TEST))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    file = board_file(tiny_board)
    words = ["-c", str(tmp_path / "pytest.ini"), "-p", "no:cacheprovider", "-q", "-s"]
    words += ["--xlic-board", file, "--xlic-pl", "hls", str(tests)]
    wake(tiny_board)
    with virtual_board.faults.never_finishes():
        process = start(
            "import pytest; sys.exit(pytest.main())",
            *words,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        wait_for(lambda: running(virtual_board) != "", process)
        process.send_signal(number)
        said, _ = process.communicate(timeout=60)
    # pytest has a status of its own for Ctrl-C.
    assert process.returncode == (2 if number == signal.SIGINT else SIGNALS[number]), said
    assert running(virtual_board) == ""
    with Link(tiny_board) as link:
        assert read_holder(link, tiny_board.lease.folder) is None


def wait_for(condition, process) -> None:
    end = time.monotonic() + 90
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.2)
