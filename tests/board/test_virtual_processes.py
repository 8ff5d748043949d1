"""Whatever ends the owner of a virtual board, nothing of the board stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from xlic.board.virtual.errors import VirtualBoardError
from xlic.board.virtual.machine import VirtualBoard, boards_folder, sweep
from xlic.board.virtual.supervisor import lock_folder
from xlic.board.virtual.tools import missing
from xlic.cli.board_virtual_commands import virtual

pytestmark = [
    pytest.mark.board,
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]

_OWNER = """
import signal, sys, time
from pathlib import Path
from xlic.board.virtual.machine import VirtualBoard
# A shell starts what it runs in the background deaf to it, and that is inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)
with VirtualBoard.start(Path(sys.argv[1]), wait=False) as board:
    print(board._pid, *board.status()["processes"].values(), flush=True)
    {then}
"""


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def all_gone(pids, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not all(gone(pid) for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def folder():
    import shutil
    import tempfile

    # Short: it holds a socket.
    path = Path(tempfile.mkdtemp(prefix="xvb"))
    yield path / "b"
    shutil.rmtree(path)


@pytest.fixture(autouse=True)
def private_boards(monkeypatch, folder):
    folder.parent.joinpath("run").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder.parent / "run"))


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_dies_with_its_owner(folder, end):
    code = _OWNER.format(then="time.sleep(60)")
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    pids = [int(word) for word in owner.stdout.readline().split()]
    assert len(pids) == 3
    assert not any(gone(pid) for pid in pids)
    owner.send_signal(end)
    owner.wait(30)
    assert all_gone(pids)
    left = {file.name for file in folder.iterdir()}
    assert left == {"console.log", "pl.log", "qemu.log", "supervisor.log"}


def test_dies_where_its_keeper_is_killed(folder):
    with VirtualBoard.start(folder, wait=False) as board:
        pids = list(board.status()["processes"].values())
        os.kill(board._pid, signal.SIGKILL)
        assert all_gone(pids)
        assert not board.alive()
        with pytest.raises(VirtualBoardError, match="has gone"):
            board.reset()


def test_what_a_killed_keeper_left_goes_at_the_next_start(folder):
    kept = boards_folder() / "run-kept"
    with VirtualBoard.start(kept, wait=False) as board:
        old, young = (boards_folder() / f"run-{name}" for name in ("old", "young"))
        for left in (old, young):
            left.mkdir()
            (left / "client_key").write_text("secret")
        # As long ago as boards start at most, and longer.
        os.utime(old, (time.time() - 3600,) * 2)
        os.utime(kept, (time.time() - 3600,) * 2)
        sweep(boards_folder())
        assert not old.exists()
        assert young.exists()
        assert (kept / "client_key").exists(), "a board that is kept stays"
        assert not lock_folder(board.folder, kept=False)
    os.utime(kept, (time.time() - 3600,) * 2)
    sweep(boards_folder())
    assert not kept.exists(), "nobody keeps it any more"


def test_one_that_does_not_start_leaves_nothing(folder, monkeypatch):
    (folder.parent / "qemu-system-aarch64").write_text(
        "#!/bin/sh\necho no such machine >&2; exit 1"
    )
    (folder.parent / "qemu-system-aarch64").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder.parent}:{os.environ['PATH']}")
    with pytest.raises(VirtualBoardError, match="no such machine"):
        VirtualBoard.start(folder)
    assert not folder.exists()


def test_errors_quote_logs_that_go_away_and_name_those_that_stay(folder):
    for kept in (False, True):
        with VirtualBoard.start(folder if kept else None, wait=False) as board:
            with pytest.raises(VirtualBoardError, match=r"said last: \d{4}-\d\d-\d\dT") as caught:
                board.wait_for_ssh(0.01)
            assert (str(board.console_log) in str(caught.value)) == kept
        assert board.console_log.exists() == kept


def test_qemu_that_dies_is_a_board_without_power(folder):
    with VirtualBoard.start(folder, wait=False) as board:
        os.kill(board.status()["processes"]["qemu"], signal.SIGKILL)
        end = time.monotonic() + 10
        while board.status()["power"] and time.monotonic() < end:
            time.sleep(0.05)
        assert board.status() == {"power": False}
        with pytest.raises(VirtualBoardError, match="switched off"):
            board.service("true")
        board.power_cycle()
        assert board.service("echo back") == "back\n"


def test_a_board_whose_logic_dies_is_switched_off_and_says_so(folder):
    with VirtualBoard.start(folder, wait=False) as board:
        os.kill(board.status()["processes"]["pl"], signal.SIGKILL)
        board.wait_for_console("the programmable logic has gone", 10)
        assert board.status() == {"power": False}
        board.power_cycle()
        assert set(board.status()["processes"]) == {"qemu", "pl"}


def test_a_senseless_request_does_not_end_the_board(folder):
    with VirtualBoard.start(folder, wait=False) as board:
        for action, arguments in (("qmp", {}), ("faults", {"set": 5}), ("cable", {})):
            with pytest.raises(VirtualBoardError):
                board.request(action, **arguments)
        board.power_cycle()
        assert board.status()["power"]


def test_two_boards_at_once(folder):
    with (
        VirtualBoard.start(folder, wait=False) as one,
        VirtualBoard.start(folder.with_name("c"), wait=False) as other,
    ):
        assert one.ssh_address != other.ssh_address
        assert one.serial_url != other.serial_url
        assert one.key_file.read_bytes() != other.key_file.read_bytes()
        assert one.wait_for_ssh() < 60
        assert other.wait_for_ssh() < 60


def test_commands(tmp_path):
    def xlic(*arguments: str):
        return CliRunner().invoke(virtual, list(arguments), catch_exceptions=False)

    with pytest.raises(VirtualBoardError, match="xlic board virtual up"):
        xlic("status")
    up = xlic("up", "--json", "-")
    try:
        said = json.loads(up.stdout)
        assert said["host"] == "127.0.0.1"
        assert said["state"]["run_state"] == "running"
        assert "running" in xlic("status").stdout
        assert "ready after" in xlic("console", "--log").stdout
        again = json.loads(xlic("up", "--json", "-").stdout)
        assert again["port"] == said["port"]
        xlic("power-cycle")
        xlic("reset")
        assert boards_folder().joinpath("default").is_dir()
        # Not those of before the power went.
        pids = json.loads(xlic("status", "--json", "-").stdout)["state"]["processes"].values()
    finally:
        assert xlic("down").exit_code == 0
    assert all_gone(pids)
    assert "no virtual board" in xlic("down").stderr
