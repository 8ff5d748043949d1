"""Whole sessions on the virtual board, when all is well."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from tests.board.local import limit
from tests.board.tiny import IMAGE, PROGRAMS, compare, running, wake
from tests.hls.programs import TINY, compiled, model, values
from xlic.accelerator.design import Design
from xlic.board import session
from xlic.board.bitstream import read_bitstream
from xlic.board.comparison import BoardComparison
from xlic.board.config import LeaseSettings
from xlic.board.connect import open_session
from xlic.board.deadline import Deadline
from xlic.board.errors import IdentityError, LeaseError, LeaseLostError, ResetNeededError
from xlic.board.lease import Lease, read_holder
from xlic.board.ssh import Link
from xlic.board.status import read_status
from xlic.rungs.board import BoardRung

pytestmark = pytest.mark.board


def test_both_transforms_are_the_simulations(tiny_session):
    for result in compare(tiny_session, repeat=3):
        assert result.equal
        assert result.repeatability is None
        assert result.repeats == 3
        assert 0 < result.seconds.min <= result.seconds.median <= result.seconds.max
        assert result.layers[-1].name in ("ana_2", "syn_2")
    assert tiny_session.failures == []


def test_tensors_inside_are_fetched_on_request(tiny_session):
    rung = BoardRung(model(), tiny_session)
    kept = rung.analyze(IMAGE, keep=("ana_0", "gdn_0")).tensors
    expected = BoardComparison(rung, model()).sim.analyze(IMAGE, keep=("ana_0", "gdn_0")).tensors
    for name in ("ana_0", "gdn_0"):
        np.testing.assert_array_equal(kept[name], expected[name])


def test_what_is_there_already_is_not_sent_again(tiny_board):
    with open_session(tiny_board, logic="hls") as first:
        first.run(compiled("encode"), values("encode"))
    with open_session(tiny_board, logic="hls") as second:
        second.run(compiled("encode"), values("encode"))
        assert second.traffic.sent == 0
        assert second.traffic.kept > 100_000


def test_the_board_is_leased_meanwhile_and_free_afterwards(tiny_board):
    with open_session(tiny_board, logic="hls"), Link(tiny_board) as link:
        assert read_holder(link, tiny_board.lease.folder).owner == "test"
        with pytest.raises(LeaseError, match="held by test@"), open_session(tiny_board):
            pass
    assert read_status(tiny_board)["held by"] is None
    assert read_status(tiny_board)["fpga"] == "operating"


def test_a_session_that_rests_gives_the_board_back_until_its_next_run(tiny_session, tiny_board):
    tiny_session.rest()
    with open_session(tiny_board, logic="hls") as other:
        assert all(result.equal for result in compare(other))
    assert all(result.equal for result in compare(tiny_session))


def give_to_another(link, board):
    """Let somebody else have taken the board, and given it back."""
    script = f"cd {board.lease.folder}; n=$(ls | sed -n 's/^lease.//p' | sort -n | tail -n 1); "
    script += 'ln lease.$n "lease.$((n + 1))"; : > "released.$((n + 1))"; '
    # busybox compares whole seconds.
    folders = f"{board.folder} {board.lease.folder}"
    script += f"find {folders} -exec touch -d @1 {{}} ';'; touch -d @2 /tmp/then"
    assert link.run(script, limit()).status == 0


def changed_since(link, board):
    folders = f"{board.folder} {board.lease.folder}"
    done = link.run(f"find {folders} -newer /tmp/then && rm /tmp/then", limit())
    assert done.status == 0
    return done.output


def test_a_lost_lease_stops_before_the_board_is_touched(tiny_session, tiny_board):
    with Link(tiny_board) as link:
        give_to_another(link, tiny_board)
        with pytest.raises(LeaseLostError):
            tiny_session.run(compiled("encode"), values("encode"))
        assert changed_since(link, tiny_board) == ""
    # The next run asks for the board anew.
    assert all(result.equal for result in compare(tiny_session))


def test_a_lease_that_is_lost_in_a_run_ends_the_run(tiny_board, virtual_board):
    # A run that would not end before the loss is noticed.
    patient = replace(tiny_board, limits=replace(tiny_board.limits, run=60))
    with (
        Link(tiny_board) as link,
        open_session(patient, logic="hls") as session,
        virtual_board.faults.never_finishes(),
        ThreadPoolExecutor() as pool,
    ):

        def lose() -> None:
            virtual_board.service(f"while ! {PROGRAMS}; do sleep 0.05; done", deadline=30)
            give_to_another(link, tiny_board)
            with pytest.raises(LeaseLostError):
                session._lease.renew()

        lost = pool.submit(lose)
        with pytest.raises(LeaseLostError):
            session.run(compiled("encode"), values("encode"))
        lost.result()
        assert running(virtual_board) == ""
    # Its logic still runs, which whoever comes next knows, whatever folder is theirs.
    other = replace(tiny_board, folder="/tmp/xlic-other")
    with open_session(other, logic="hls") as session:
        assert all(result.equal for result in compare(session, transforms=("encode",)))
        assert session.failures == []


def test_a_run_that_was_left_in_the_middle_is_ended_and_not_trusted(
    tiny_session, tiny_board, virtual_board, monkeypatch
):
    marker = f"{tiny_board.lease.folder}/bitstream"
    with virtual_board.faults.never_finishes(), monkeypatch.context() as patch:

        def interrupt(*_):
            raise KeyboardInterrupt

        patch.setattr(Deadline, "wait", interrupt)
        with pytest.raises(KeyboardInterrupt):
            tiny_session.run(compiled("encode"), values("encode"))
    assert running(virtual_board) == ""
    assert virtual_board.service(f"ls {marker} 2> /dev/null; true") == ""
    assert virtual_board.service(f"ls {tiny_board.folder}/runs") != "", "what it left can be found"
    assert all(result.equal for result in compare(tiny_session))
    assert virtual_board.service(f"ls {marker}").strip() == marker
    assert virtual_board.service(f"ls {tiny_board.folder}/runs") == ""


def test_a_run_of_before_that_cannot_be_ended_is_ended_by_a_reset(
    tiny_session, tiny_board, monkeypatch
):
    failures = [ResetNeededError("a run of before cannot be ended; the board must be reset")]
    real = session.end_jobs

    def end_jobs(*arguments):
        if failures:
            raise failures.pop()
        return real(*arguments)

    monkeypatch.setattr(session, "end_jobs", end_jobs)
    tiny_session.rest()
    assert all(result.equal for result in compare(tiny_session))
    assert tiny_session.done == ["reset: helped"]


def test_a_board_that_others_hold_is_not_restarted_where_only_our_way_is_cut(
    tiny_board, virtual_board
):
    board = replace(tiny_board, limits=replace(tiny_board.limits, connect=3, boot=3))
    with Link(tiny_board) as link:
        Lease(link, LeaseSettings(owner="bob", wait=0)).acquire()
        boot = virtual_board.service("cat /proc/sys/kernel/random/boot_id")
        with (
            virtual_board.faults.link_down(),
            pytest.raises(LeaseError, match="console says that somebody else holds it"),
            open_session(board, logic="hls"),
        ):
            pass
    assert virtual_board.service("cat /proc/sys/kernel/random/boot_id") == boot


@pytest.mark.selfcheck
def test_another_design_is_refused(tiny_session):
    for design in (Design(), replace(TINY, channels=TINY.channels + 1)):
        with pytest.raises(IdentityError, match="load the other bitstream"):
            tiny_session.run(replace(compiled("encode"), design=design), values("encode"))
    tiny_session.run(compiled("encode"), values("encode"))


def test_sensors_tell_si_units(tiny_session):
    assert tiny_session.sensors() == pytest.approx(
        {"virtual_zcu102 ps": 42.5, "virtual_zcu102 vccint": 0.85}
    )


def test_the_virtual_bitstream_is_for_the_boards_part(tiny_bitstream, tiny_board):
    assert read_bitstream(tiny_bitstream, tiny_board.part).part.startswith(tiny_board.part)


# ---- others on the same board, by whatever way they came


def test_two_whose_folders_differ_work_in_turn(tiny_board):
    """Each by a board file of its own, at once, three times."""
    said, results = [], []

    def work(name: str) -> None:
        lease = LeaseSettings(wait=120, owner=name)
        board = replace(tiny_board, folder=f"/tmp/xlic-{name}", lease=lease)
        for _ in range(3):
            with open_session(board, logic="hls", say=said.append) as session:
                results.extend(result.equal for result in compare(session, transforms=("encode",)))
                assert session.failures == []

    with ThreadPoolExecutor() as pool:
        for one in [pool.submit(work, name) for name in ("alice", "bob")]:
            one.result(300)
    assert results == [True] * 6
    assert any("waiting" in line for line in said)
    with Link(tiny_board) as link:
        link.run("rm -rf /tmp/xlic-alice /tmp/xlic-bob", limit())


@pytest.mark.parametrize("folders", ["/tmp/xlic", "/tmp/xlic /tmp/xlic-lease"])
def test_a_program_whose_files_were_removed_is_ended(tiny_board, virtual_board, folders):
    """Without its job's files; then without its lease, by whoever comes next."""
    board = replace(tiny_board, limits=replace(tiny_board.limits, run=60))
    wake(tiny_board)
    with ThreadPoolExecutor() as pool, Link(tiny_board) as link:
        with virtual_board.faults.never_finishes():
            started = pool.submit(encode_once, board)
            virtual_board.service(f"while ! {PROGRAMS}; do sleep 0.05; done", deadline=60)
            link.run(f"rm -rf {folders}", limit())
            if "lease" in folders:
                said = []
                # Another who finds no lease, and whose run is right all the same.
                virtual_board.request("faults", set={})
                with open_session(tiny_board, logic="hls", say=said.append) as session:
                    assert all(result.equal for result in compare(session))
                    assert session.failures == []
                with pytest.raises(LeaseLostError):
                    started.result(120)
        if "lease" not in folders:
            # Its own second attempt, with logic that was loaded anew.
            assert started.result(120) == 1
        assert running(virtual_board) == ""


def encode_once(board) -> int:
    with open_session(board, logic="hls", say=print) as session:
        session.run(compiled("encode"), values("encode"))
        return len(session.failures)
