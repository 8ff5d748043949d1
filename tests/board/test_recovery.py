"""Recovery's ladder: how high it climbs, and that nobody else's board is restarted."""

from __future__ import annotations

import sys

import pytest

from tests.board.local import LocalShell, limit
from xlic.board import recovery
from xlic.board.config import Board, LeaseSettings, Limits
from xlic.board.errors import (
    DeadlineError,
    InfrastructureError,
    LeaseError,
    LeaseLostError,
    ResetNeededError,
)
from xlic.board.lease import Lease
from xlic.board.lease_scripts import HELD_STATUS, OURS_STATUS, UNKNOWN_STATUS
from xlic.board.recovery import Recovery
from xlic.board.session import BoardSession
from xlic.errors import InputError, MissingToolError

pytestmark = pytest.mark.board


class FakeLink:
    def close(self):
        pass


LINK = FakeLink()


class Ladder:
    """A board that answers once a certain step was taken."""

    def __init__(self, answers_after: str | None, folder) -> None:
        self.folder, self.answers_after = folder, answers_after
        touch = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch()"
        self.board = Board(
            "b",
            limits=Limits(connect=0.2, boot=0.2),
            reset_command=(sys.executable, "-c", touch, str(folder / "reset")),
            power_command=(sys.executable, "-c", touch, str(folder / "power")),
        )

    def connect(self, deadline):
        if self.answers_after and (self.folder / self.answers_after).exists():
            return LINK
        raise InfrastructureError("no answer")

    def console(self):
        raise InfrastructureError("no console")


@pytest.mark.parametrize(
    ("needed", "steps"),
    [("reset", ["ssh", "console", "reset"]), ("power", ["ssh", "console", "reset", "power"])],
)
def test_recovery_climbs_no_higher_than_needed(tmp_path, needed, steps):
    ladder = Ladder(needed, tmp_path)
    recovered = Recovery(ladder.board, ladder.connect, ladder.console).recover()
    assert recovered.link is LINK
    assert [step.split(":")[0] for step in recovered.done] == steps
    assert recovered.done[-1] == f"{needed}: helped"
    assert (tmp_path / "power").exists() == (needed == "power")


def test_recovery_that_does_not_help_says_all_that_was_tried(tmp_path):
    ladder = Ladder(None, tmp_path)
    with pytest.raises(InfrastructureError) as caught:
        Recovery(ladder.board, ladder.connect).recover()
    assert [step.split(":")[0] for step in caught.value.done] == ["ssh", "reset", "power"]


def test_commands_of_the_board_file_are_run_without_a_shell_and_checked(tmp_path):
    board = Board("b", limits=Limits(connect=0.1, boot=0.1), reset_command=("false", "; touch x"))
    with pytest.raises(InfrastructureError, match="reset: false failed with status 1"):
        Recovery(board, Ladder(None, tmp_path).connect).recover()


def names(done):
    return [step.split(":")[0] for step in done]


def restarted(folder):
    return (folder / "reset").exists() or (folder / "power").exists()


def test_a_board_that_answers_but_is_of_no_use_is_restarted_at_once(tmp_path):
    ladder = Ladder("reset", tmp_path)
    recovered = Recovery(ladder.board, ladder.connect, ladder.console).recover(restart=True)
    assert recovered.done == ("reset: helped",)


def test_a_reset_that_restarts_nothing_has_not_helped(tmp_path):
    ladder = Ladder("reset", tmp_path)
    climb = Recovery(ladder.board, ladder.connect, restarted=lambda: (tmp_path / "power").exists())
    assert climb.recover(restart=True).done == (
        "reset: it answers, but was not restarted",
        "power: helped",
    )


def test_without_means_to_restart_it_the_rest_is_tried(tmp_path):
    board = Board("b", limits=Limits(connect=0.1))
    with pytest.raises(InfrastructureError) as caught:
        Recovery(board, Ladder(None, tmp_path).connect).recover(restart=True)
    assert names(caught.value.done) == ["ssh"]


@pytest.mark.parametrize(
    "lack", [InputError("XLIC_PASSWORD is not set"), MissingToolError("needs pyserial")]
)
def test_what_one_step_lacks_does_not_end_the_climb(tmp_path, lack):
    ladder = Ladder("reset", tmp_path)

    def console():
        raise lack

    done = Recovery(ladder.board, ladder.connect, console).recover().done
    assert done[1] == f"console: {lack}"
    assert done[-1] == "reset: helped"


def test_a_command_that_is_not_there_does_not_end_the_climb(tmp_path):
    ladder = Ladder("power", tmp_path)
    power = ladder.board.power_command
    limits = Limits(connect=0.1, boot=0.2)
    board = Board("b", limits=limits, reset_command=("no-such-tool",), power_command=power)
    done = Recovery(board, ladder.connect).recover().done
    assert done[1].startswith("reset: cannot run no-such-tool")
    assert done[-1] == "power: helped"


# ---- whose board it is


@pytest.fixture
def leases(tmp_path):
    """Makes leases on a board that is this machine."""

    def make(owner: str, expiry: float = 60) -> Lease:
        settings = LeaseSettings(expiry, 0, owner, folder=str(tmp_path / "lease"))
        return Lease(LocalShell(), settings)

    return make


def test_a_board_that_somebody_else_was_seen_to_hold_is_not_restarted(leases, tmp_path):
    leases("bob").acquire()
    lease = leases("alice")
    with pytest.raises(LeaseError):
        lease.acquire()
    ladder = Ladder("reset", tmp_path)
    with pytest.raises(LeaseError, match="not restarted: it is held by bob@") as caught:
        Recovery(ladder.board, ladder.connect, ladder.console, lease=lease).recover()
    assert names(caught.value.done) == ["ssh", "console"]
    assert not restarted(tmp_path)


def test_a_board_whose_lease_was_lost_is_not_restarted(leases, tmp_path):
    lease = leases("alice", expiry=1)
    lease.acquire()
    lease._renewed -= 2
    ladder = Ladder("reset", tmp_path)
    with pytest.raises(LeaseLostError, match="could not be renewed"):
        Recovery(ladder.board, ladder.connect, lease=lease).recover()
    assert not restarted(tmp_path)


@pytest.mark.parametrize("held", [False, True])
def test_a_board_that_is_ours_or_dead_from_the_start_is_restarted(leases, tmp_path, held):
    lease = leases("alice")
    if held:
        lease.acquire()
    ladder = Ladder("reset", tmp_path)
    assert Recovery(ladder.board, ladder.connect, lease=lease).recover().done[-1] == "reset: helped"


class FakeConsole:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.mark.parametrize("status", [HELD_STATUS, UNKNOWN_STATUS, OURS_STATUS, 0, 2])
def test_who_holds_it_is_asked_on_the_console(leases, tmp_path, monkeypatch, status):
    lease = leases("alice")
    if status == OURS_STATUS:
        # Long not renewed, but the console says that nobody was faster.
        lease.acquire()
        lease._renewed -= 100
    typed = []

    def command(console, line, deadline):
        typed.append(line)
        return status if line == lease.whose else 0

    monkeypatch.setattr(recovery, "login", lambda *_: None)
    monkeypatch.setattr(recovery, "command", command)
    ladder = Ladder("reset", tmp_path)
    climb = Recovery(ladder.board, ladder.connect, FakeConsole, lease=lease)
    refusals = {
        HELD_STATUS: "the console says that somebody else holds it",
        UNKNOWN_STATUS: "root may not see who holds it",
        2: "does not say whether somebody holds it",
    }
    if status in refusals:
        with pytest.raises(LeaseError, match=refusals[status]):
            climb.recover()
        assert not restarted(tmp_path)
        assert typed == [lease.whose], "their network is not mended either"
    else:
        assert climb.recover().done[-1] == "reset: helped"
        assert typed == [lease.whose, *ladder.board.network_repair]


# ---- when to begin higher


@pytest.mark.parametrize(
    ("errors", "leased", "restarts"),
    [
        ([InfrastructureError("x"), InfrastructureError("x")], True, [False, False]),
        ([DeadlineError("x"), DeadlineError("x")], True, [False, True]),
        ([InfrastructureError("x"), DeadlineError("x")], True, [False, True]),
        # It may be somebody else's work that makes it slow.
        ([DeadlineError("x"), DeadlineError("x")], False, [False, False]),
        ([ResetNeededError("x")], True, [True]),
    ],
)
def test_another_connection_is_not_tried_twice_for_a_board_of_ours_that_is_too_slow(
    monkeypatch, errors, leased, restarts
):
    session, seen, left = BoardSession(Board("b")), [], list(errors)

    def act():
        if left:
            raise left.pop(0)
        return "done"

    def recover(*, restart):
        seen.append(restart)
        return ("ssh: helped",)

    monkeypatch.setattr(session, "_recover", recover)
    monkeypatch.setattr(session, "_leased", lambda: leased)
    assert session._attempt(act) == "done"
    assert seen == restarts
    assert len(session.failures) == len(errors)


def test_what_refuses_a_board_that_let_us_in_before_is_infrastructure():
    session = BoardSession(Board("a..b", ssh_config="/dev/null"))
    with pytest.raises(InputError, match="no host"):
        session._connect_once(limit())
    session._boot = "an id"
    with pytest.raises(InfrastructureError, match="no host"):
        session._connect_once(limit())
