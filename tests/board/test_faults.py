"""Every fault of the virtual board: the right outcome, in time, and nothing left behind.

docs/board.md has the same table; a test compares them.
"""

from __future__ import annotations

import re
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.board.local import limit
from tests.board.tiny import compare, running
from tests.hls.programs import compiled, values
from xlic.board.config import LeaseSettings, Limits
from xlic.board.connect import open_session
from xlic.board.errors import (
    AcceleratorTimeoutError,
    IdentityError,
    InfrastructureError,
    LostInterruptError,
    TransferError,
)
from xlic.board.lease import Lease, read_holder
from xlic.board.policy import Repeatability
from xlic.board.ssh import Link

pytestmark = [pytest.mark.board, pytest.mark.selfcheck]

LIMITS = Limits(command=10, connect=10, transfer=20, run=3, boot=30, console=10)
"""Patience with a board that answers, however busy the host is; a board's own is longer."""
SHORT = Limits(command=3, connect=3, transfer=5, run=1, boot=30, console=3)
"""Patience with one that does not answer for some time, which is to be waited for here."""
BOOT_ONCE = 45.0
"""Seconds for a way down, what is tried before the board is restarted, and its start."""


@contextmanager
def within(seconds: float):
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < seconds


@pytest.fixture
def board(tiny_board, virtual_board):
    """For a fault; afterwards nothing of a run may be left on either side."""
    threads = set(threading.enumerate())
    yield replace(tiny_board, limits=LIMITS)
    left = [thread for thread in threading.enumerate() if thread not in threads]
    for thread in left:
        thread.join(5)
    assert not [thread for thread in left if thread.is_alive()]
    virtual_board.wait_for_ssh()
    assert running(virtual_board) == ""
    assert virtual_board.service("ls /tmp/xlic/runs 2> /dev/null; true") == ""
    # Nobody waits for a lease here: one that was left would be an error.
    assert tiny_board.lease.wait == 0
    with open_session(tiny_board, logic="hls") as session:
        assert all(result.equal for result in compare(session, transforms=("encode",)))
        assert session.failures == []


@pytest.fixture
def short(board):
    """The same, short of patience."""
    return replace(board, limits=SHORT)


def encode(session):
    return session.run(compiled("encode"), values("encode"))


# ---- recovered from, and counted


def test_link_down_for_a_while(short, virtual_board):
    with within(BOOT_ONCE), open_session(short, logic="hls", say=print) as session:
        results = []
        with virtual_board.faults.link_down():
            thread = threading.Thread(target=lambda: results.extend(compare(session)))
            thread.start()
            time.sleep(5)
        thread.join(BOOT_ONCE)
        assert [result.equal for result in results] == [True, True]
        assert session.failures
        assert any(line.endswith("helped") for line in session.done)


def test_link_flapping(board, virtual_board):
    patient = replace(board, limits=replace(LIMITS, connect=4), attempts=5)
    with (
        within(2 * BOOT_ONCE),
        ExitStack() as stack,
        virtual_board.faults.link_flapping(up=3, down=1.5),
    ):
        session = stack.enter_context(open_session(patient, logic="hls", say=print))
        assert all(result.equal for result in compare(session))
        # A lease that cannot be given back expires; here the way is free again.


def test_slow_network(board, virtual_board):
    patient = replace(board, limits=replace(LIMITS, command=20, connect=20, transfer=60))
    with (
        within(90),
        virtual_board.faults.slow_network(20),
        open_session(patient, logic="hls", say=print) as session,
    ):
        assert all(result.equal for result in compare(session))
        assert session.failures == []


def test_hang(short, virtual_board):
    with open_session(short, logic="hls", say=print) as session:
        with within(BOOT_ONCE), virtual_board.faults.hang():
            encode(session)
        assert session.failures
        assert re.match(r"reset: helped", session.done[-1])
        assert [line.partition(":")[0] for line in session.done] == ["ssh", "console", "reset"]


def test_kernel_panic(short, virtual_board):
    with open_session(short, logic="hls", say=print) as session:
        with within(BOOT_ONCE), virtual_board.faults.kernel_panic():
            encode(session)
        assert session.failures
        assert session.done[-1] == "reset: helped"


def test_reset_in_run(short, virtual_board):
    # SSH is back when the board is: nothing else is to be done about it.
    waiting = replace(short, limits=replace(SHORT, connect=30))
    with open_session(waiting, logic="hls", say=print) as session:
        with within(BOOT_ONCE), virtual_board.faults.reset_in_run():
            encode(session)
        assert session.failures
        assert session.done[-1] == "ssh: helped"


# ---- infrastructure errors


def test_link_down_for_good(board, virtual_board):
    steps = "ssh: .*console: .*reset: .*power: "
    with (
        # No start of the board brings the cable back.
        open_session(replace(board, limits=replace(SHORT, boot=3)), logic="hls") as session,
        virtual_board.faults.link_down(),
        within(60),
        pytest.raises(InfrastructureError, match=steps),
    ):
        encode(session)


def test_corrupt_upload(board, virtual_board):
    with virtual_board.faults.corrupt_upload(), within(BOOT_ONCE), ExitStack() as stack:
        virtual_board.service("rm -rf /tmp/xlic/store")
        with pytest.raises(TransferError, match="did not arrive on the board as it was sent"):
            stack.enter_context(open_session(board, logic="hls"))
    assert virtual_board.service("ls /tmp/xlic/store") == "", "nothing damaged is kept"


def test_full_disk(board, virtual_board):
    with open_session(board, logic="hls") as session:
        virtual_board.service("rm -f /tmp/xlic/store/*")
        with (
            virtual_board.faults.full_disk(),
            within(BOOT_ONCE),
            pytest.raises(InfrastructureError, match=r"is there room|No space left"),
        ):
            encode(session)


def test_full_disk_for_longer_than_a_lease_lives_unrenewed(board, virtual_board):
    brief = replace(board, lease=replace(board.lease, expiry=8))
    with open_session(brief, logic="hls", say=print) as session:
        with virtual_board.faults.full_disk(), Link(board) as link:
            time.sleep(12)
            assert not read_holder(link, board.lease.folder).stale
        encode(session)
        assert session.failures == []


def test_full_disk_before_the_lease(board, virtual_board):
    virtual_board.service("rm -rf /tmp/xlic /tmp/xlic-lease")
    with (
        virtual_board.faults.full_disk(),
        within(BOOT_ONCE),
        ExitStack() as stack,
        pytest.raises(InfrastructureError, match=r"is there room|No space left"),
    ):
        stack.enter_context(open_session(board, logic="hls"))


def test_full_disk_for_the_bitstream(board, virtual_board):
    virtual_board.service("rm -f /lib/firmware/xlic-* /tmp/xlic-lease/bitstream")
    with (
        virtual_board.faults.full_disk("/"),
        within(BOOT_ONCE),
        ExitStack() as stack,
        pytest.raises(InfrastructureError, match="cannot be written; is there room"),
    ):
        stack.enter_context(open_session(board, logic="hls"))


# ---- the accelerator's own, never retried


def test_stale_bitstream(board, virtual_board):
    with (
        virtual_board.faults.stale_bitstream(),
        within(20),
        ExitStack() as stack,
        pytest.raises(IdentityError, match="sources hash"),
    ):
        stack.enter_context(open_session(board, logic="hls"))


def test_never_finishes(board, virtual_board):
    brief = replace(board, limits=replace(LIMITS, run=1))
    with open_session(brief, logic="hls") as session:
        with (
            virtual_board.faults.never_finishes(),
            within(15),
            pytest.raises(AcceleratorTimeoutError, match="did not end within 1000 ms"),
        ):
            encode(session)
        assert session.failures == []
        encode(session)


def test_never_finishes_leaves_poison_where_results_would_be(board, virtual_board):
    with open_session(board, logic="hls") as session, virtual_board.faults.never_finishes():
        with pytest.raises(AcceleratorTimeoutError):
            encode(session)
        output = compiled("encode").memory.tensor(compiled("encode").output)
        begin = 16 * output.offset
        assert (virtual_board.buffer[begin : begin + 16 * output.beats] == 0xA5).all()


def test_lost_interrupts(board, virtual_board):
    with open_session(board, logic="hls") as session:
        with (
            virtual_board.faults.lost_interrupts(),
            within(15),
            pytest.raises(LostInterruptError, match="is the interrupt in the device tree"),
        ):
            encode(session)
        assert session.failures == []


def test_wrong_output(board, virtual_board):
    with open_session(board, logic="hls") as session:
        with virtual_board.faults.wrong_output(), within(30):
            (result,) = compare(session, transforms=("encode",))
        assert not result.equal
        assert result.different == 1
        assert result.first_wrong == "ana_2"
        assert result.repeatability is Repeatability.DETERMINISTIC
        assert session.failures == []


# ---- no fault at all to a harness that is up to it


@pytest.mark.parametrize("fault", ["no_sftp", "rsa_only", "clock_skew"])
def test_a_board_without_comforts_works(board, virtual_board, fault):
    with (
        getattr(virtual_board.faults, fault)(),
        within(30),
        open_session(board, logic="hls", say=print) as session,
    ):
        assert all(result.equal for result in compare(session))
        assert session.failures == []


def test_a_lease_of_a_dead_owner_is_taken_over_and_that_is_told(board):
    said = []
    with Link(board) as link:
        Lease(link, LeaseSettings(expiry=2, owner="dead", wait=0)).acquire()
        waiting = replace(board, lease=replace(board.lease, wait=20))
        with within(30), open_session(waiting, logic="hls", say=said.append) as session:
            encode(session)
        assert "log" in link.run(f"ls {board.lease.folder}", limit()).output
    assert any("waiting for the board, held by dead@" in line for line in said)
    assert any("took over the board from dead@" in line for line in said)


def test_the_documentation_lists_every_fault():
    text = (Path(__file__).parents[2] / "docs/board.md").read_text("utf-8")
    source = Path(__file__).read_text("utf-8")
    faults = set(re.findall(r"virtual_board\.faults\.(\w+)\(", source))
    faults |= {"no_sftp", "rsa_only", "clock_skew"}
    from xlic.board.virtual.faults import Faults

    public = {name for name in vars(Faults) if not name.startswith("_")}
    assert faults == public
    assert set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE)) >= public
