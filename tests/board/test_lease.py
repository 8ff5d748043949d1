"""The lease against a folder of this machine, with a clock that the test sets."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.board.local import LocalShell, limit
from xlic.board.config import LeaseSettings
from xlic.board.deadline import Deadline
from xlic.board.errors import HostKeyError, InfrastructureError, LeaseError, LeaseLostError
from xlic.board.lease import Lease, moment, read_holder
from xlic.board.lease_scripts import (
    HELD_STATUS,
    OURS_STATUS,
    TICKET_EXPIRY,
    UNKNOWN_STATUS,
)
from xlic.board.shell import LEASE_LOST_STATUS
from xlic.errors import InputError

pytestmark = pytest.mark.board


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "board"
        self._clock = folder / "clock"
        self.clock = f"cat {self._clock}"
        self.said: list[str] = []
        self.at(1000)

    def at(self, seconds: int) -> None:
        self._clock.write_text(f"{seconds}\n")

    def lease(self, owner: str = "alice", expiry: float = 60, wait: float = 0) -> Lease:
        settings = LeaseSettings(expiry, wait, owner, "a test", str(self.folder))
        return Lease(LocalShell(), settings, self.said.append, self.clock)

    def holder(self):
        return read_holder(LocalShell(), str(self.folder), self.clock)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_it_is_taken_shown_and_released(bench):
    lease = bench.lease()
    assert bench.holder() is None
    lease.acquire()
    lease.check()
    bench.at(1030)
    holder = bench.holder()
    assert (holder.owner, holder.purpose, holder.held, holder.stale) == (
        "alice",
        "a test",
        30,
        False,
    )
    lease.release()
    assert bench.holder() is None
    bench.lease("bob").acquire()


def test_who_holds_it_is_told_to_those_who_wait(bench):
    bench.lease().acquire()
    with pytest.raises(LeaseError, match=r"held by alice@.* for a test .*; wait, or ask them"):
        bench.lease("bob").acquire()
    assert "waiting for the board, held by alice@" in bench.said[0]


def test_heartbeats_keep_it_and_their_absence_loses_it(bench):
    first, second = bench.lease(), bench.lease("bob")
    first.acquire()
    bench.at(1050)
    first.renew()
    bench.at(1110)
    with pytest.raises(LeaseError):
        second.acquire()
    bench.at(1111)
    assert bench.holder().stale
    second.acquire()
    assert "took over the board from alice" in bench.said[-1]
    assert "reclaimed from" in (bench.folder / "log").read_text()
    with pytest.raises(LeaseLostError):
        first.renew()
    with pytest.raises(LeaseLostError):
        first.check()
    first.release()
    assert bench.holder().owner == "bob", "who lost it cannot release it"


def test_one_that_was_late_but_not_replaced_goes_on(bench):
    lease = bench.lease()
    lease.acquire()
    bench.at(5000)
    lease.renew()
    assert not bench.holder().stale


def test_a_lease_of_before_a_restart_is_stale(bench):
    lease = bench.lease()
    lease.acquire()
    file = bench.folder / f"lease.{lease.number}"
    file.write_text(file.read_text().replace("boot=", "boot=earlier-"))
    bench.at(3)
    bench.lease("bob").acquire()
    assert bench.holder().owner == "bob"


class Deaf(LocalShell):
    """Does what it is told, but its answers are lost until ``hears`` is set."""

    hears = False

    def run(self, script, deadline, **options):
        done = super().run(script, deadline, **options)
        if not self.hears:
            raise InfrastructureError("no answer")
        return done


def test_a_lease_whose_answer_was_lost_is_ours_all_the_same(bench):
    lease = bench.lease()
    lease.shell = shell = Deaf()
    with pytest.raises(InfrastructureError):
        lease.acquire()
    shell.hears = True
    lease.acquire()
    lease.renew()
    assert (bench.holder().owner, bench.said) == ("alice", [])
    lease.release()
    assert bench.holder() is None


def test_a_lease_whose_answer_was_lost_is_given_back(bench):
    lease = bench.lease()
    lease.shell = shell = Deaf()
    with pytest.raises(InfrastructureError):
        lease.acquire()
    assert bench.holder().owner == "alice"
    shell.hears = True
    lease.release()
    assert bench.holder() is None


def test_a_script_does_nothing_once_the_lease_is_lost(bench, tmp_path):
    first = bench.lease()
    first.acquire()
    script = f"{first.guard}\necho touched > {tmp_path / 'touched'}"
    shell = LocalShell()
    assert shell.run(script, limit()).status == 0
    (tmp_path / "touched").unlink()
    bench.at(2000)
    bench.lease("bob").acquire()
    assert shell.run(script, limit()).status == LEASE_LOST_STATUS
    assert not (tmp_path / "touched").exists()


def test_without_the_board_it_is_held_to_be_lost_after_its_expiry(bench, monkeypatch):
    lease = bench.lease()
    lease.acquire()
    now = moment()
    monkeypatch.setattr("xlic.board.lease.moment", lambda: now + 61)
    with pytest.raises(LeaseLostError, match="could not be renewed for 61 s"):
        lease.check()


def test_the_heartbeat_survives_a_link_that_is_down_for_a_while(bench):
    lease = bench.lease(expiry=1.2)
    lease.acquire()
    lease.start_heartbeat()
    lease.shell.down = True
    time.sleep(0.5)
    lease.shell.down = False
    # Longer than the expiry since it was taken: only a renewal can have kept it.
    time.sleep(1.2)
    lease.check()
    lease.release()


@pytest.mark.parametrize("error", [HostKeyError("changed"), InputError("not let in")])
def test_the_heartbeat_survives_whatever_the_link_says(bench, error):
    lease = bench.lease(expiry=1.2)
    lease.acquire()
    run = lease.shell.run
    lease.shell.run = raising(error)
    lease.start_heartbeat()
    time.sleep(0.5)
    lease.shell.run = run
    bench.at(1010)
    end = time.monotonic() + 20
    while bench.holder().beat and time.monotonic() < end:
        time.sleep(0.05)
    assert bench.holder().beat == 0, "it beats again"
    lease.shell.run = raising(error)
    begin = time.monotonic()
    lease.release()
    assert time.monotonic() - begin < 5, "what is refused is not told again and again"


def raising(error):
    def run(*_, **__):
        raise error

    return run


def test_a_restart_is_refused_where_it_would_be_anothers(bench):
    mine, other = bench.lease(), bench.lease("bob")
    mine.check_restart()
    mine.acquire()
    mine.check_restart()
    with pytest.raises(LeaseError):
        other.acquire()
    with pytest.raises(LeaseError, match="is not restarted: it is held by alice@"):
        other.check_restart()
    mine.release()
    other.acquire()
    other.check_restart()
    with pytest.raises(LeaseLostError):
        mine.renew()


def test_a_restart_is_refused_after_a_loss_until_the_board_is_ours_again(bench, monkeypatch):
    lease = bench.lease()
    lease.acquire()
    now = moment()
    with monkeypatch.context() as patch:
        patch.setattr("xlic.board.lease.moment", lambda: now + 61)
        with pytest.raises(LeaseLostError):
            lease.check()
    lease.release()
    with pytest.raises(LeaseLostError, match="could not be renewed"):
        lease.check_restart()
    lease.acquire()
    lease.check_restart()


def test_a_lease_that_the_console_confirms_is_ours(bench, monkeypatch):
    lease = bench.lease()
    lease.acquire()
    now = moment()
    monkeypatch.setattr("xlic.board.lease.moment", lambda: now + 61)
    with pytest.raises(LeaseLostError):
        lease.check()
    lease.confirm(now + 60)
    lease.check_restart()


def test_a_console_can_be_asked_whose_it_is(bench):
    mine, other = bench.lease(), bench.lease("bob")

    def status() -> int:
        return LocalShell().run(mine.whose, limit()).status

    assert status() == 0, "there is none"
    other.acquire()
    assert status() == HELD_STATUS
    bench.at(2000)
    assert status() == 0, "it is stale"
    mine.acquire()
    assert status() == OURS_STATUS
    mine.release()
    assert status() == 0, "it was given back"
    # What an interactive shell would take for its history.
    assert re.search(r"![^ ]", mine.whose) is None


def test_who_may_not_know_whose_it_is_does_not_take_it_for_nobodys(bench):
    user = "id() { echo 1000; }\n"
    assert LocalShell().run(user + bench.lease().whose, limit()).status == UNKNOWN_STATUS


def test_looking_who_holds_it_changes_nothing(bench):
    assert bench.holder() is None
    assert not bench.folder.exists()


def test_a_guard_starts_no_process(bench):
    lease = bench.lease()
    lease.acquire()
    script = f"PATH=/nonexistent; {lease.guard}\necho 'still ours'"
    assert LocalShell().run(script, limit()).output == "still ours\n"


def test_what_others_wrote_is_shown_without_control_characters(bench):
    lease = bench.lease()
    lease.acquire()
    file = bench.folder / f"lease.{lease.number}"
    file.write_text(file.read_text().replace("owner=alice", "owner=\x1b]0;evil\x07" + "x" * 500))
    assert bench.holder().owner.startswith("?]0;evil?")
    assert len(bench.holder().owner) <= 80


def test_values_are_no_shell(bench, tmp_path):
    lease = bench.lease(f"$(touch {tmp_path}/evil)'; touch {tmp_path}/evil; '")
    lease.acquire()
    assert not (tmp_path / "evil").exists()
    assert bench.holder().owner.startswith("$(touch")


_RACER = """
    import sys, time
    from pathlib import Path
    from tests.board.local import LocalShell
    from xlic.board.config import LeaseSettings
    from xlic.board.errors import LeaseError
    from xlic.board.lease import Lease

    folder, clock, name, mode = sys.argv[1:]
    inside = Path(folder, "inside")
    wins = 0
    while wins < 5:
        settings = LeaseSettings(60, 0, name, folder=folder + "/board")
        lease = Lease(LocalShell(), settings, clock=clock)
        try:
            lease.acquire()
        except LeaseError:
            continue
        # Two in here at once would collide.
        inside.mkdir()
        wins += 1
        time.sleep(0.002)
        inside.rmdir()
        if mode == "crash":
            # As if it had died long ago: whoever comes next must reclaim.
            file = Path(folder, "board", f"lease.{lease.number}")
            file.write_text(file.read_text().replace("boot=", "boot=old-"))
        else:
            lease.release()
    print(wins)
"""


@pytest.mark.parametrize("mode", ["release", "crash"])
def test_of_racing_processes_never_two_hold_it(bench, tmp_path, mode):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(_RACER), tmp_path, bench.clock, name, mode],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for name in "abcd"
    ]  # fmt: skip
    results = [process.communicate(timeout=60) for process in processes]
    assert all(process.returncode == 0 for process in processes), results
    assert [int(out) for out, _ in results] == [5] * len(processes)


def test_of_many_at_once_exactly_one_takes_a_stale_one(bench):
    bench.lease().acquire()
    bench.at(9000)
    taken, refused = [], []

    def take(name: str) -> None:
        try:
            bench.lease(name).acquire()
            taken.append(name)
        except LeaseError:
            refused.append(name)

    threads = [threading.Thread(target=take, args=(f"t{index}",)) for index in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), len(refused)) == (1, 11)
    assert bench.holder().owner == taken[0]


# ---- the line of those who wait


def test_those_who_wait_are_served_in_the_order_of_their_asking(bench):
    held = bench.lease("holder")
    held.acquire()
    served = []

    def wait(name: str) -> None:
        lease = bench.lease(name, wait=60)
        lease.acquire()
        served.append(name)
        time.sleep(0.1)
        lease.release()

    threads = []
    for index, name in enumerate("abcde"):
        threads.append(threading.Thread(target=wait, args=(name,)))
        threads[-1].start()
        wait_for(lambda number=index: len(tickets(bench)) > number)
    assert tickets(bench) == [1, 2, 3, 4, 5]
    held.release()
    with pytest.raises(LeaseError, match=r"held by \w@.* for a test"):
        bench.lease("pusher").acquire()
    for thread in threads:
        thread.join(60)
    assert served == list("abcde")
    assert tickets(bench) == []
    assert any("; 4 in line before us" in line for line in bench.said)


def test_who_does_not_wait_does_not_overtake_those_who_do(bench):
    waiting(bench, "bob")
    with pytest.raises(LeaseError, match=r"held by bob@.* for a test \(next in line\)"):
        bench.lease("eve").acquire()
    assert bench.holder() is None


def test_a_place_in_line_whose_bearer_is_gone_is_given_up(bench):
    waiting(bench, "dead")
    bench.at(1000 + TICKET_EXPIRY)
    with pytest.raises(LeaseError):
        bench.lease("eve").acquire()
    bench.at(1001 + TICKET_EXPIRY)
    bench.lease("eve").acquire()
    assert bench.holder().owner == "eve"
    assert tickets(bench) == []


def test_a_place_in_line_of_before_a_restart_is_none(bench):
    waiting(bench, "dead")
    bench.at(3)
    lease = bench.lease("eve")
    lease.acquire()
    lease.check()


@pytest.mark.parametrize("end", [KeyboardInterrupt, LeaseError])
def test_who_gives_up_leaves_the_line(bench, monkeypatch, end):
    bench.lease("holder").acquire()
    lease = bench.lease("bob", wait=0.01 if end is LeaseError else 60)
    if end is KeyboardInterrupt:
        monkeypatch.setattr(Deadline, "wait", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(end):
        lease.acquire()
    assert tickets(bench) == []


def test_a_ticket_that_was_only_half_written_holds_nobody_up(bench):
    waiting(bench, "dead")
    (bench.folder / "ticket.1").write_text("1000           \n")
    lease = bench.lease("eve")
    lease.acquire()
    lease.check()


def waiting(bench: Bench, name: str) -> None:
    """Somebody who asked while the board was held, and was not heard of since it was given back."""
    holder, lease = bench.lease("holder"), bench.lease(name)
    holder.acquire()
    assert lease._try_in_turn(queue=True) is not None
    holder.release()
    assert tickets(bench) == [1]


def tickets(bench: Bench) -> list[int]:
    return sorted(int(file.suffix[1:]) for file in bench.folder.glob("ticket.*"))


def wait_for(condition) -> None:
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    assert condition()


# ---- a full disk


@pytest.fixture
def disk(tmp_path):
    """A small file system of this machine, as a board's /tmp is."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs root and the right to mount")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path) -> None:
    with (disk / "full").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert os.statvfs(disk).f_bavail == 0


def test_a_lease_is_renewed_and_given_back_on_a_full_disk(bench, disk):
    bench.folder = disk / "board"
    lease = bench.lease()
    lease.acquire()
    fill(disk)
    for seconds in range(1000, 1300, 30):
        bench.at(seconds)
        lease.renew()
    holder = bench.holder()
    assert (holder.owner, holder.beat, holder.stale) == ("alice", 0, False)
    with pytest.raises(LeaseError, match="held by alice"):
        bench.lease("bob").acquire()
    with pytest.raises(LeaseError, match="held by alice"):
        bench.lease("bob", wait=0.01).acquire()
    lease.release()
    assert bench.holder() is None
    with pytest.raises(InfrastructureError, match="is there room"):
        bench.lease("bob").acquire()
    (disk / "full").unlink()
    bench.lease("bob").acquire()


def test_a_heartbeat_that_cannot_be_read_back_is_none(bench):
    lease = bench.lease()
    lease.acquire()
    beat = bench.folder / f"beat.{lease.number}"
    beat.unlink()
    # What is written there is taken, and is not there afterwards.
    beat.symlink_to("/dev/null")
    with pytest.raises(InfrastructureError, match="cannot be written; is there room"):
        lease.renew()


def test_an_owner_whose_heartbeats_fail_knows_before_others_may_take_over(bench):
    lease = bench.lease(expiry=4)
    lease.acquire()
    renewed = moment()
    beat = bench.folder / f"beat.{lease.number}"
    beat.unlink()
    beat.symlink_to("/dev/full")
    lease.start_heartbeat()

    def look_until_others_may_have_it() -> None:
        while moment() - renewed < 4:
            lease.check()
            time.sleep(0.05)

    with pytest.raises(LeaseLostError, match=r"could not be renewed for .* is there room\?"):
        look_until_others_may_have_it()
    assert moment() - renewed > 2, "a single heartbeat is no loss"
    assert any("was not renewed: " in line for line in bench.said)
    lease._stop.set()
