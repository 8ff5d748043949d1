"""Whole sessions on the virtual board: right when all is well, and rightly wrong when not."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from tests.hls.programs import SIZE, TINY, compiled, model, values
from xlic.accelerator.design import Design
from xlic.board.bitstream import read_bitstream
from xlic.board.comparison import BoardComparison
from xlic.board.config import Board, LeaseSettings, Limits
from xlic.board.connect import open_session, resolve
from xlic.board.errors import (
    AcceleratorTimeoutError,
    IdentityError,
    InfrastructureError,
    LeaseError,
    LeaseLostError,
    LostInterruptError,
)
from xlic.board.lease import read_holder
from xlic.board.policy import Repeatability
from xlic.board.ssh import Link
from xlic.board.status import read_status
from xlic.board.virtual.bitstream import make_bitstream
from xlic.rungs.board import BoardRung

pytest.importorskip("paramiko", reason="needs paramiko: pip install paramiko")
pytestmark = pytest.mark.board

IMAGE = np.random.default_rng(5).integers(0, 256, (*SIZE, 3)).astype(np.uint8)


@pytest.fixture(scope="session")
def bitstream(tmp_path_factory):
    path = tmp_path_factory.mktemp("bitstream") / "tiny.bit"
    make_bitstream(path, TINY, "hls")
    return str(path)


@pytest.fixture
def config(virtual_board, bitstream):
    board = Board("virtual", bitstream=bitstream, limits=Limits(run=3))
    return replace(resolve(board, virtual_board), lease=LeaseSettings(wait=0, owner="test"))


@pytest.fixture
def session(config):
    with open_session(config, sources="hls") as session:
        yield session


def compare(session, repeat: int = 1, transforms=("encode", "decode")):
    rung = BoardRung(model(), session, repeat)
    return BoardComparison(rung, model(), reruns=2).run(IMAGE, transforms)


def test_both_transforms_are_the_simulations(session):
    for result in compare(session, repeat=3):
        assert result.equal
        assert result.repeatability is None
        assert len(result.seconds) == 3
        assert result.cycles > 0
        assert [name for name, _ in result.layers][-1] in ("ana_2", "syn_2")
    assert session.failures == []


def test_tensors_inside_are_fetched_on_request(session):
    rung = BoardRung(model(), session)
    kept = rung.analyze(IMAGE, keep=("ana_0", "gdn_0")).tensors
    expected = BoardComparison(rung, model()).sim.analyze(IMAGE, keep=("ana_0", "gdn_0")).tensors
    for name in ("ana_0", "gdn_0"):
        np.testing.assert_array_equal(kept[name], expected[name])


def test_what_is_there_already_is_not_sent_again(config):
    with open_session(config, sources="hls") as first:
        first.run(compiled("encode"), values("encode"))
    with open_session(config, sources="hls") as second:
        second.run(compiled("encode"), values("encode"))
        assert second.traffic.sent == 0
        assert second.traffic.kept > 100_000


def test_the_board_is_leased_meanwhile_and_free_afterwards(config):
    with open_session(config, sources="hls"), Link(config) as link:
        assert read_holder(link, config.folder).owner == "test"
        with pytest.raises(LeaseError, match="held by test@"), open_session(config):
            pass
    assert read_status(config)["held by"] is None
    assert read_status(config)["fpga"] == "operating"


def test_a_lost_lease_stops_before_the_board_is_touched(session, config):
    with Link(config) as link:
        folder = f"{config.folder}/lease"
        script = f"cd {folder}; n=$(ls | sed -n 's/^lease.//p' | sort -n | tail -n 1); "
        script += 'ln lease.$n "lease.$((n + 1))"; : > "released.$((n + 1))"'
        from tests.board.local import limit

        assert link.run(script, limit()).status == 0
    with pytest.raises(LeaseLostError):
        session.run(compiled("encode"), values("encode"))


@pytest.mark.selfcheck
def test_another_design_is_refused(session):
    for design in (Design(), replace(TINY, channels=TINY.channels + 1)):
        with pytest.raises(IdentityError, match="load the other bitstream"):
            session.run(replace(compiled("encode"), design=design), values("encode"))
    session.run(compiled("encode"), values("encode"))


@pytest.mark.selfcheck
def test_an_old_bitstream_is_refused(virtual_board, config):
    with (
        virtual_board.faults.stale_bitstream(),
        pytest.raises(IdentityError, match="sources hash"),
        open_session(config, sources="hls"),
    ):
        pass
    with open_session(config, sources="hls"):
        pass


@pytest.mark.selfcheck
def test_a_run_that_never_ends_is_a_time_out_and_the_next_one_works(virtual_board, config):
    short = replace(config, limits=Limits(run=0.5))
    with open_session(short, sources="hls") as session:
        with virtual_board.faults.never_finishes(), pytest.raises(AcceleratorTimeoutError):
            session.run(compiled("encode"), values("encode"))
        assert session.failures == []
        session.run(compiled("encode"), values("encode"))


@pytest.mark.selfcheck
def test_a_lost_interrupt_is_told(virtual_board, session):
    with virtual_board.faults.lost_interrupts(), pytest.raises(LostInterruptError):
        session.run(compiled("encode"), values("encode"))
    session.run(compiled("encode"), values("encode"))


@pytest.mark.selfcheck
def test_a_wrong_bit_is_a_deterministic_mismatch_and_never_retried_into_green(
    virtual_board,
    session,
):
    with virtual_board.faults.wrong_output():
        (result,) = compare(session, transforms=("encode",))
    assert not result.equal
    assert result.different == 1
    assert result.repeatability is Repeatability.DETERMINISTIC
    assert session.failures == []


@pytest.mark.selfcheck
def test_a_reset_is_recovered_from_and_counted(virtual_board, session):
    virtual_board.reset()
    time.sleep(1)
    (result,) = compare(session, transforms=("encode",))
    assert result.equal
    assert session.failures
    assert session.done


@pytest.mark.selfcheck
def test_a_cable_pulled_for_a_while_is_recovered_from(virtual_board, config):
    patient = replace(config, limits=Limits(command=2, connect=10, transfer=2, run=3))
    with open_session(patient, sources="hls") as session:
        with virtual_board.faults.link_down():
            ended = threading.Event()
            results = []

            def work() -> None:
                results.extend(compare(session, transforms=("encode",)))
                ended.set()

            thread = threading.Thread(target=work)
            thread.start()
            assert not ended.wait(4)
        thread.join(60)
        assert [result.equal for result in results] == [True]
        assert session.failures


@pytest.mark.selfcheck
def test_a_full_disk_is_infrastructure(virtual_board, config):
    with (
        virtual_board.faults.full_disk(),
        pytest.raises(InfrastructureError),
        open_session(replace(config, attempts=1), sources="hls"),
    ):
        pass


@pytest.mark.selfcheck
@pytest.mark.parametrize("fault", ["no_sftp", "rsa_only", "clock_skew"])
def test_a_board_without_comforts_works(virtual_board, config, fault):
    with getattr(virtual_board.faults, fault)(), open_session(config, sources="hls") as session:
        assert all(result.equal for result in compare(session))


def test_the_virtual_bitstream_is_for_the_boards_part(bitstream, config):
    assert read_bitstream(bitstream, config.part).part.startswith(config.part)
