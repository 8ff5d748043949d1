"""Board files, deadlines, what is tried again, what a mismatch is called."""

from __future__ import annotations

import pytest

from xlic.board.config import Limits, choose_board, read_board
from xlic.board.deadline import Deadline
from xlic.board.errors import (
    DeadlineError,
    IdentityError,
    InfrastructureError,
    LeaseLostError,
)
from xlic.board.policy import Repeatability, attempt, repeatability
from xlic.errors import AcceleratorError, FormatError, InputError, MismatchError, MissingToolError

pytestmark = pytest.mark.board


def test_a_host_alone_is_a_board():
    board = choose_board("zcu102")
    assert (board.host, board.port, board.user, board.serial) == ("zcu102", None, None, None)


def test_options_win_over_the_file_whose_paths_are_relative_to_it(tmp_path):
    file = tmp_path / "board.toml"
    file.write_text(
        'host = "lab"\nport = 2222\nkey_file = "keys/id"\nbitstream = "x.bit"\n'
        "clock_hz = 100000000\n"
        'reset_command = ["usbrelay", "1"]\n[limits]\nrun = 5\n[lease]\nowner = "ci"\n'
    )
    board = choose_board("other", file, bitstream="/y.bin", serial=None)
    assert (board.host, board.port, board.bitstream) == ("other", 2222, "/y.bin")
    assert board.key_file == str(tmp_path / "keys/id")
    assert board.reset_command == ("usbrelay", "1")
    assert (board.limits.run, board.limits.boot, board.lease.owner) == (5.0, Limits().boot, "ci")
    assert board.clock_hz == 100e6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("host = ", "no TOML"),
        ("port = 22", "names no host"),
        ('host = "a"\nprot = 22', "unknown: prot; known: host, port"),
        ('host = "a"\nport = "22"', "port is '22', must be int"),
        ('host = "a"\nport = true', "must be int"),
        ('host = "a"\n[limits]\nrnu = 3', "limits.rnu"),
        ('host = "a"\n[limits]\nrun = -3', "limits.run is -3"),
        ('host = "a"\n[limits]\nrun = nan', "limits.run is nan"),
        ('host = "a"\nreset_command = "rm -rf"', "must be a list of strings"),
        ('host = "-oProxyCommand=x"', "no host name"),
        ('host = "a"\nfolder = "/"', "xlic's own"),
        ('host = "a"\nudmabuf = "../x"', "not a path"),
        ('host = "a"\nmem = "/dev/mem"', "needs registers_address"),
        ('host = "a"\npassword = "hunter2"', "unknown: password"),
        ('host = "a"\nclock_hz = inf', "clock_hz must be positive numbers"),
        ('host = "a"\nclock_hz = nan', "clock_hz must be positive numbers"),
        (f'host = "a"\nclock_hz = 1{400 * "0"}', "clock_hz is an integer of hundreds of digits"),
        (f'host = "a"\n[limits]\nrun = 1{400 * "0"}', "limits.run is an integer of hundreds"),
    ],
)
def test_unusable_board_files_are_refused_with_the_reason(tmp_path, text, message):
    (tmp_path / "b.toml").write_text(text)
    with pytest.raises((FormatError, InputError), match=message) as caught:
        read_board(tmp_path / "b.toml")
    assert "hunter2" not in str(caught.value)


def test_no_board_is_refused():
    with pytest.raises(InputError, match="--host NAME"):
        choose_board(None)


class FakeClock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_part_never_ends_later_than_the_whole():
    clock = FakeClock()
    whole = Deadline(10, "whole", clock)
    clock.now = 7
    assert whole.within(60, "part").left == 3
    assert whole.within(1, "part").left == 1
    part = whole.within(1, "part")
    clock.now = 8.5
    whole.check()
    with pytest.raises(DeadlineError, match="part: no answer within 1 s"):
        part.check()


def failing(*errors):
    remaining = list(errors)

    def action():
        if remaining:
            raise remaining.pop(0)
        return "value"

    return action


def test_infrastructure_is_recovered_tried_again_and_counted():
    recovered = []

    def recover(error):
        recovered.append(error)
        return (f"step {len(recovered)}",)

    errors = InfrastructureError("one"), DeadlineError("two")
    attempted = attempt(failing(*errors), recover, 3)
    assert attempted.value == "value"
    assert attempted.failures == errors
    assert recovered == list(errors)


def test_the_last_attempt_says_what_was_tried():
    errors = [InfrastructureError(str(index)) for index in range(3)]
    with pytest.raises(InfrastructureError) as caught:
        attempt(failing(*errors), lambda _: ("reset: helped",), 3)
    assert str(caught.value) == "infrastructure: 2 (tried: reset: helped; reset: helped)"


@pytest.mark.parametrize(
    "error",
    [
        AcceleratorError("x"),
        IdentityError("x"),
        MismatchError("x"),
        MissingToolError("x"),
        LeaseLostError("x"),
        KeyboardInterrupt(),
        ValueError("x"),
    ],
)
def test_nothing_else_is_tried_again(error):
    def recover(_):
        raise AssertionError("must not be called")

    with pytest.raises(type(error)):
        attempt(failing(error, error), recover, 5)


@pytest.mark.parametrize(
    ("reruns", "kind"),
    [
        (["w", "w", "w", "w"], Repeatability.DETERMINISTIC),
        ([None, None, None, None], Repeatability.FIRST_RUN_ONLY),
        ([None, "w", None, None], Repeatability.INTERMITTENT),
        (["w", "w", "v", "w"], Repeatability.INTERMITTENT),
        (["v", "v", "v", "v"], Repeatability.INTERMITTENT),
    ],
)
def test_a_mismatch_is_labelled_by_running_again(reruns, kind):
    results = iter(reruns)
    assert repeatability("w", lambda: next(results)) is kind
