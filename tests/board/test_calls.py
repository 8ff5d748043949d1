"""Calls of the board's program: what its answers are taken for."""

from __future__ import annotations

import pytest

from tests.board.local import LocalShell, limit
from xlic.board.calls import Caller
from xlic.board.config import Board, LeaseSettings
from xlic.board.errors import InfrastructureError, LeaseLostError
from xlic.board.lease import Lease
from xlic.board.results import Outcome
from xlic.board.transfer import Store

pytestmark = pytest.mark.board

ANSWER = '{"outcome": "ok", "message": "fine", "buffer_bytes": 5}'


@pytest.fixture
def caller(tmp_path):
    shell, folder = LocalShell(), str(tmp_path / "board")
    settings = LeaseSettings(60, 0, "alice", folder=str(tmp_path / "lease"))
    lease = Lease(shell, settings)
    lease.acquire()
    board = Board("b", folder=folder, lease=settings)
    return Caller(shell, board, lease, Store(shell, folder, lease.guard))


def call(caller, kind, words, folder):
    return caller.ask(words, "asking") if kind == "ask" else caller.run(words, folder, limit())


def lose(caller, tmp_path):
    folder = tmp_path / "lease"
    (folder / f"lease.{caller.lease.number + 1}").write_text("token=another\n")


def test_a_short_call_prints_its_result(caller):
    result = caller.ask(["printf", "%s", ANSWER], "asking")
    assert (result.outcome, result.message) == (Outcome.OK, "fine")


def test_a_long_call_leaves_its_result_in_its_folder(caller):
    folder = caller.new_folder()
    words = ["sh", "-c", f"echo '{ANSWER}' > {folder}/result.json"]
    assert caller.run(words, folder, limit()).message == "fine"
    caller.clean(folder, limit())
    assert caller.shell.run(f"ls -d {folder}", limit()).status != 0


def test_until_the_end_of_a_run_is_seen_nobody_knows_what_is_loaded(caller, tmp_path):
    marker = tmp_path / "lease/bitstream"
    marker.write_text("what is loaded")
    folder = caller.new_folder()
    look = f"[ -e {marker} ] && echo known >&2; echo '{ANSWER}' > {folder}/result.json"
    words = ["sh", "-c", f"{look}; exit 15"]
    with pytest.raises(InfrastructureError) as caught:
        caller.run(words, folder, limit())
    assert "known" not in str(caught.value)
    assert not marker.exists(), "nobody has seen its end"
    caller.clean(folder, limit())
    assert marker.read_text() == "what is loaded"


@pytest.mark.parametrize("kind", ["ask", "run"])
def test_what_makes_no_sense_is_told_with_what_was_said_beside_it(caller, kind):
    folder = caller.new_folder()
    script = f"echo nonsense; printf 'why\\033[2J' >&2; mkdir -p {folder}; cd {folder}; "
    words = ["sh", "-c", script + "echo nonsense > result.json"]
    with pytest.raises(InfrastructureError, match=r"makes no sense .*; it said: why\?\[2J$"):
        call(caller, kind, words, folder)


def test_a_call_without_a_result_says_why(caller):
    words = ["sh", "-c", "echo no such device >&2; exit 10"]
    with pytest.raises(InfrastructureError, match="status 10 and without a result: no such device"):
        caller.run(words, caller.new_folder(), limit())


@pytest.mark.parametrize("kind", ["ask", "run"])
def test_nothing_is_called_once_the_lease_is_lost(caller, tmp_path, kind):
    lose(caller, tmp_path)
    words = ["touch", str(tmp_path / "touched")]
    with pytest.raises(LeaseLostError):
        call(caller, kind, words, caller.new_folder())
    assert not (tmp_path / "touched").exists()


def test_nothing_is_sent_or_removed_once_the_lease_is_lost(caller, tmp_path):
    path = caller.store.put(b"before", limit())
    folder = caller.new_folder()
    caller.shell.run(f"mkdir -p {folder}", limit())
    lose(caller, tmp_path)
    with pytest.raises(LeaseLostError):
        caller.store.put(b"after", limit())
    caller.clean(folder, limit())
    assert caller.shell.run(f"ls -d {folder}", limit()).status == 0
    assert [str(file) for file in (tmp_path / "board/store").iterdir()] == [path]
