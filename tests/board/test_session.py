"""Whole sessions on the virtual board, when all is well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.board.local import limit
from tests.board.tiny import IMAGE, compare
from tests.hls.programs import TINY, compiled, model, values
from xlic.accelerator.design import Design
from xlic.board.bitstream import read_bitstream
from xlic.board.comparison import BoardComparison
from xlic.board.connect import open_session
from xlic.board.errors import IdentityError, LeaseError, LeaseLostError
from xlic.board.lease import read_holder
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
        assert read_holder(link, tiny_board.folder).owner == "test"
        with pytest.raises(LeaseError, match="held by test@"), open_session(tiny_board):
            pass
    assert read_status(tiny_board)["held by"] is None
    assert read_status(tiny_board)["fpga"] == "operating"


def test_a_session_that_rests_gives_the_board_back_until_its_next_run(tiny_session, tiny_board):
    tiny_session.rest()
    with open_session(tiny_board, logic="hls") as other:
        assert all(result.equal for result in compare(other))
    assert all(result.equal for result in compare(tiny_session))


def test_a_lost_lease_stops_before_the_board_is_touched(tiny_session, tiny_board):
    with Link(tiny_board) as link:
        folder = f"{tiny_board.folder}/lease"
        script = f"cd {folder}; n=$(ls | sed -n 's/^lease.//p' | sort -n | tail -n 1); "
        script += 'ln lease.$n "lease.$((n + 1))"; : > "released.$((n + 1))"'
        assert link.run(script, limit()).status == 0
    with pytest.raises(LeaseLostError):
        tiny_session.run(compiled("encode"), values("encode"))


@pytest.mark.selfcheck
def test_another_design_is_refused(tiny_session):
    for design in (Design(), replace(TINY, channels=TINY.channels + 1)):
        with pytest.raises(IdentityError, match="load the other bitstream"):
            tiny_session.run(replace(compiled("encode"), design=design), values("encode"))
    tiny_session.run(compiled("encode"), values("encode"))


def test_the_virtual_bitstream_is_for_the_boards_part(tiny_bitstream, tiny_board):
    assert read_bitstream(tiny_bitstream, tiny_board.part).part.startswith(tiny_board.part)
