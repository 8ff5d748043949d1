"""What plays the virtual board's accelerator is built beside the board, and ends with its owner."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from xlic.accelerator.design import Design
from xlic.board import connect
from xlic.board.config import Board
from xlic.board.virtual import ahead, machine
from xlic.board.virtual.ahead import player_built_beside
from xlic.board.virtual.bitstream import VirtualBitstream, build_player, current_hash
from xlic.board.virtual.errors import VirtualBoardError
from xlic.board.virtual.tools import missing

pytestmark = [
    pytest.mark.board,
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache without anything in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/xlic"


def building(cache: Path, seconds: float = 60) -> None:
    """Wait until something is being built into the cache."""
    end = time.monotonic() + seconds
    while not [path for path in cache.glob(".*") if path.is_dir()]:
        assert time.monotonic() < end
        time.sleep(0.02)


def at_work() -> list[str]:
    """Processes that build for a player."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().replace(b"\0", b" ").decode()
            environment = (file.parent / "environ").read_bytes()
        except OSError:
            continue
        if f"XDG_CACHE_HOME={os.environ['XDG_CACHE_HOME']}".encode() in environment:
            found.append(words)
    return [words for words in found if "pytest" not in words]


def nothing_left(cache: Path) -> None:
    end = time.monotonic() + 20
    while at_work() and time.monotonic() < end:
        time.sleep(0.05)
    assert at_work() == []
    assert [path for path in cache.iterdir() if path.is_dir()] == []


def test_it_is_there_for_whoever_needs_it(cache):
    said = []
    with player_built_beside("hls", said.append) as wait:
        building(cache)
        wait()
    (line,) = said
    assert "still being built (its HLS C++: half a minute, once per design)" in line
    (folder,) = cache.glob("hls-*")
    made = folder.stat().st_ctime_ns
    path = build_player(VirtualBitstream(Design(), current_hash("hls"), "hls"))
    assert path.parent == folder
    assert folder.stat().st_ctime_ns >= made


def test_it_ends_with_who_wanted_it(cache):
    def interrupted() -> None:
        with player_built_beside("rtl", print):
            building(cache)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    nothing_left(cache)


def test_it_ends_where_its_owner_is_killed(cache):
    code = (
        "import sys, time\n"
        "from xlic.board.virtual.ahead import player_built_beside\n"
        "with player_built_beside('rtl', print): time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as owner:
        building(cache)
        owner.kill()
    nothing_left(cache)


def test_a_session_starts_both_and_says_what_it_waits_for(monkeypatch, tmp_path):
    order = []

    @contextmanager
    def built(kind, say):
        order.append(f"building {kind}")
        yield lambda: order.append("waiting")
        order.append("over")

    @contextmanager
    def start(progress=None):
        order.append("starting the board")
        try:
            yield "the board"
        finally:
            order.append("board off")

    def none() -> None:
        raise VirtualBoardError("none")

    monkeypatch.setattr(ahead, "player_built_beside", built)
    monkeypatch.setattr(machine.VirtualBoard, "start", start)
    monkeypatch.setattr(machine, "find_board", none)
    said = []
    with connect.running_board(said.append, logic="rtl") as board:
        assert board == "the board"
        order.append("used")
    assert order == [
        "building rtl", "starting the board", "waiting", "used", "board off", "over"
    ]  # fmt: skip
    assert "starting a virtual board for this run" in said[0]
    order.clear()
    with connect.running_board(said.append):
        pass
    assert order == ["starting the board", "board off"]
    # A board that brings its bitstream needs no player of the default design.
    order.clear()
    with (
        pytest.raises(AttributeError),
        connect.open_session(Board("virtual", bitstream=str(tmp_path / "x.bit"))),
    ):
        pass
    assert order == ["starting the board", "board off"]
