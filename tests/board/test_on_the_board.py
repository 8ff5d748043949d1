"""The accelerator on a board: ``pytest -m board --host zcu102``, or the virtual one.

Each layer is in tests/test_ladder.py. What is measured goes into the JUnit report.
"""

from __future__ import annotations

import numpy as np
import pytest

from xlic.accelerator.isa import INTERFACE_VERSION
from xlic.errors import MismatchError
from xlic.images import read_image
from xlic.shipped import photo_path

pytestmark = pytest.mark.board

REPEATS = 5


@pytest.fixture(scope="module")
def picture():
    """A piece of a photograph: small enough for a simulated accelerator."""
    return read_image(photo_path("coffee")).pixels[:96, :128]


@pytest.fixture
def record(request):
    def add(name, value):
        request.node.user_properties.append((name, value))

    return add


def test_the_accelerator_says_what_it_is(board_session, record):
    identity = board_session.identity
    assert identity.version == INTERFACE_VERSION
    assert identity.design.macs > 0
    record("xlic_design", vars(identity.design))
    record("xlic_sources", f"{identity.source_hash:016x}")


def test_registers_and_buffer_hold_what_is_written(board_session, record):
    result = board_session.check()
    assert result.buffer_bytes >= 64 << 20
    record("xlic_buffer_bytes", result.buffer_bytes)


def test_a_whole_photograph_equals_the_simulation_both_ways(compare_on_board):
    pixels = read_image(photo_path("coffee")).pixels
    wide = np.pad(pixels, ((0, 112), (0, 168), (0, 0)), "symmetric")[:512, :768]
    results = compare_on_board(wide)
    assert [result.transform for result in results] == ["encode", "decode"]
    assert sum(layer.macs for layer in results[0].layers) == 4_413_456_384


def test_running_again_and_again_yields_the_same(compare_on_board, picture):
    for result in compare_on_board(picture, repeat=REPEATS):
        assert result.stable
        assert result.repeats == REPEATS
        for measured in (result.cycles, result.seconds, *(one.cycles for one in result.layers)):
            assert 0 < measured.min <= measured.median <= measured.max
        # Layers follow each other; the rest is loading the program.
        assert sum(layer.cycles.median for layer in result.layers) <= result.cycles.max


def test_the_first_run_after_loading_the_logic_is_right(
    board_session, board_config, compare_on_board, picture, monkeypatch
):
    if board_config.bitstream is None:
        pytest.skip("no bitstream to load: give --bitstream FILE, or bitstream in the board file")
    said = []
    monkeypatch.setattr(board_session, "_say", said.append)
    for times in (1, 2):
        board_session.reload()
        compare_on_board(picture)
        assert sum(line.startswith("loaded ") for line in said) == times


def test_results_of_one_picture_do_not_pass_for_those_of_another(compare_on_board, picture):
    # Same sizes, same places in memory: what a run does not write would be the other's.
    compare_on_board(picture)
    compare_on_board(np.ascontiguousarray(picture[::-1]))
    compare_on_board(255 - picture)


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (17, 33), (5, 200)])
def test_odd_sizes_equal_the_simulation(compare_on_board, picture, size):
    rows, columns = size
    compare_on_board(np.resize(picture, (rows, columns, 3)))


def test_temperatures_and_voltages_are_recorded(board_session, compare_on_board, picture, record):
    before = board_session.sensors()
    if not before:
        pytest.skip("the board's sysfs has no sensors")
    compare_on_board(picture, repeat=REPEATS)
    after = board_session.sensors()
    assert after.keys() == before.keys()
    record("xlic_sensors", {name: (before[name], after[name]) for name in before})


@pytest.mark.selfcheck
def test_a_mismatch_makes_the_test_fail_and_is_labelled(virtual_board, compare_on_board, picture):
    with (
        virtual_board.faults.wrong_output(),
        pytest.raises(MismatchError, match=r"encode differs in 1 of .*, deterministic"),
    ):
        compare_on_board(np.ascontiguousarray(picture[:16, :16]), ("encode",))
