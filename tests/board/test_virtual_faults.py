"""Every fault of the virtual board does what it says, and its undoing undoes it."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.board.test_virtual_support import (
    connected,
    expected,
    load,
    place,
    run,
    start_command,
    wrong_tensors,
)
from xlic.accelerator.isa import Control, Register
from xlic.board.virtual import layout
from xlic.board.virtual.errors import VirtualBoardError
from xlic.board.virtual.faults import OTHER_SOURCES

paramiko = pytest.importorskip("paramiko", reason="needs paramiko: pip install paramiko")
pytestmark = [pytest.mark.board, pytest.mark.selfcheck]


@pytest.fixture
def board(virtual_board):
    return virtual_board


def answers(board, seconds: float = 2.0) -> bool:
    try:
        board.wait_for_ssh(seconds)
    except VirtualBoardError:
        return False
    return True


def test_link_down(board):
    with connected(board) as client:
        with board.faults.link_down():
            assert not answers(board)
            with pytest.raises((TimeoutError, paramiko.SSHException)):
                run(client, "true", timeout=2)
        assert answers(board, 10)


def test_a_pulled_cable_stays_pulled_whatever_is_done_to_the_power(board):
    with board.faults.link_down():
        board.power_cycle()
        assert board.service("echo up", deadline=60) == "up\n"
        assert not answers(board)
        board.reset()
        assert board.service("echo up", deadline=60) == "up\n"
        assert not answers(board)
    assert answers(board, 10)


def test_logic_that_is_wrong_stays_wrong_whatever_is_done_to_the_power(board):
    with board.faults.lost_interrupts(), board.faults.never_finishes():
        board.power_cycle()
        faults = board.status()["pl"]["faults"]
        assert faults["hang"]
        assert faults["lose_interrupts"]
    faults = board.status()["pl"]["faults"]
    assert not faults["hang"]
    assert not faults["lose_interrupts"]
    board.wait_for_ssh()


@pytest.mark.parametrize("fault", ["hang", "slow_network", "no_sftp", "lost_interrupts"])
def test_a_fault_can_be_left_without_power(board, fault):
    with getattr(board.faults, fault)():
        board.power_off()
    board.power_cycle()
    board.wait_for_ssh()
    assert not board.status()["pl"]["faults"]["lose_interrupts"]


def test_a_command_that_restarts_the_board_is_run_once(board):
    since = board.console_log.stat().st_size
    with pytest.raises(VirtualBoardError, match="restarted before it had answered"):
        board.service("reboot -f", deadline=60)
    board.wait_for_ssh()
    assert board.console_log.read_bytes()[since:].count(b"--- reset ---") == 1


def test_link_flapping(board):
    since = board.console_log.stat().st_size
    with board.faults.link_flapping():
        for text in ("Link is Down", "Link is Up", "Link is Down"):
            since = board.wait_for_console(text, 15, since=since)
    assert answers(board, 10)
    time.sleep(1)
    assert answers(board)


def test_slow_network(board):
    def seconds(client) -> float:
        begin = time.monotonic()
        for _ in range(5):
            run(client, "true")
        return time.monotonic() - begin

    with connected(board) as client:
        before = seconds(client)
        with board.faults.slow_network(milliseconds=100):
            assert seconds(client) > before + 0.5
        assert seconds(client) < before + 0.5


def test_hang(board):
    with board.faults.hang():
        assert board.status()["run_state"] == "paused"
        assert not answers(board)
        with pytest.raises(VirtualBoardError, match="does not answer"):
            board.service("true", deadline=1)
    assert board.service("echo again") == "again\n"
    assert answers(board)


def test_hang_ends_with_a_reset(board):
    with board.faults.hang():
        board.reset()
        assert board.wait_for_ssh() < 60


def test_qemu_that_stands_still_for_a_while_goes_on_afterwards(board, tmp_path):
    with connected(board) as client:
        load(client, tmp_path)
        program = place(board)
        # As the guest would, but while QEMU stands still: its interrupt waits until it goes on.
        registers = board.region(layout.REGISTERS).view(np.uint32)
        before = board.status()
        qemu = before["processes"]["qemu"]
        os.kill(qemu, signal.SIGSTOP)
        try:
            runs = {
                Register.GMEM0_LOW: layout.BUFFER.address,
                Register.GMEM1_LOW: layout.BUFFER.address,
                Register.WINDOW_BEATS: program.memory.beats,
                Register.PROGRAM: program.memory.program,
                Register.INTERRUPT_ENABLE: 1,
                Register.GLOBAL_INTERRUPT_ENABLE: 1,
                Register.CONTROL: 1 << Control.START,
            }
            for register, value in runs.items():
                registers[register // 4] = value
            time.sleep(14)
            # Also while the interrupt waits, the logic answers.
            assert board.status()["pl"]["runs"] == before["pl"]["runs"] + 1
        finally:
            os.kill(qemu, signal.SIGCONT)
        assert board.status()["power"]
        assert wrong_tensors(board, program) == []
        # Taken, as the guest would: else the next run would find it waiting.
        registers[Register.INTERRUPT_STATUS // 4] = 1
        time.sleep(0.5)
        assert run(client, start_command(place(board)))[0] == 0
        assert wrong_tensors(board, program) == []


def test_kernel_panic(board):
    with board.faults.kernel_panic():
        assert not answers(board)
    assert answers(board)


def test_kernel_panic_that_was_recovered_is_left_alone(board):
    with board.faults.kernel_panic():
        board.power_cycle()
        board.wait_for_ssh()
        since = board.console_log.stat().st_size
    assert b"---" not in board.console_log.read_bytes()[since:]


def test_reset_in_run(board, tmp_path):
    with connected(board) as client, board.faults.never_finishes():
        load(client, tmp_path)
        program = place(board)
        since = board.console_log.stat().st_size
        with board.faults.reset_in_run():
            client.exec_command(start_command(program))
            board.wait_for_console("--- reset ---", 20, since=since)
    assert answers(board)
    assert not board.status()["pl"]["running"]


def test_reset_in_run_without_a_run_does_nothing(board):
    since = board.console_log.stat().st_size
    with board.faults.reset_in_run():
        time.sleep(0.3)
    assert b"reset" not in board.console_log.read_bytes()[since:]


def test_stale_bitstream(board, tmp_path):
    with connected(board) as client:
        load(client, tmp_path)
        command = start_command(place(board))
        with board.faults.stale_bitstream():
            assert run(client, command)[1].split()[-1] == f"{OTHER_SOURCES:016x}"
        assert run(client, command)[1].split()[-1] != f"{OTHER_SOURCES:016x}"


def test_bitstream_of_other_sources(board, tmp_path):
    with connected(board) as client:
        load(client, tmp_path, sources=0xABCD)
        assert run(client, start_command(place(board)))[1].split()[-1] == f"{0xABCD:016x}"


def test_never_finishes(board, tmp_path):
    with connected(board) as client:
        load(client, tmp_path)
        program = place(board)
        with board.faults.never_finishes():
            assert run(client, start_command(program, 1))[0] == 3
        # Still: only a new configuration helps.
        assert run(client, start_command(program, 1))[0] == 3
        load(client, tmp_path)
        assert run(client, start_command(program))[0] == 0


def test_lost_interrupts(board, tmp_path):
    with connected(board) as client:
        load(client, tmp_path)
        program = place(board)
        with board.faults.lost_interrupts():
            status, text = run(client, start_command(program, 1))
            assert (status, text[:8]) == (4, "error 0 ")
        assert run(client, start_command(program))[0] == 0
        assert wrong_tensors(board, program) == []


def test_wrong_output(board, tmp_path):
    with connected(board) as client:
        load(client, tmp_path)
        program = place(board)
        with board.faults.wrong_output():
            assert run(client, start_command(program))[0] == 0
        (name,) = wrong_tensors(board, program)
        wrong = program.read(board.buffer, name) ^ expected()[name]
        assert sorted(set(wrong.ravel())) == [0, 1]
        assert int(wrong.sum()) == 1
        place(board)
        assert run(client, start_command(program))[0] == 0
        assert wrong_tensors(board, program) == []


def test_faults_of_the_logic_nest(board):
    with board.faults.wrong_output(), board.faults.lost_interrupts():
        found = board.status()["pl"]["faults"]
        assert found["flip"]
        assert found["lose_interrupts"]
    assert not any(board.status()["pl"]["faults"].values())


@pytest.mark.parametrize("folder", ["/tmp", "/"])
def test_full_disk(board, folder):
    target = f"{folder.rstrip('/')}/probe"
    with connected(board) as client:
        with board.faults.full_disk(folder):
            assert "No space left" in run(client, f"dd if=/dev/zero of={target} bs=4k count=4")[1]
        assert run(client, f"dd if=/dev/zero of={target} bs=4k count=4; rm {target}")[0] == 0


def test_no_sftp(board):
    with (
        connected(board) as client,
        board.faults.no_sftp(),
        pytest.raises((EOFError, paramiko.SSHException)),
    ):
        client.open_sftp()
    with connected(board) as client, client.open_sftp() as sftp:
        assert "lib" in sftp.listdir("/")


def test_rsa_only(board):
    with board.faults.rsa_only(), connected(board) as client:
        assert client.get_transport().get_remote_server_key().get_name() == "ssh-rsa"
    with connected(board) as client:
        assert client.get_transport().get_remote_server_key().get_name() == "ssh-ed25519"


@pytest.mark.parametrize("skew", [3600.0, -3600.0])
def test_clock_skew(board, skew):
    def ahead() -> float:
        with connected(board) as client:
            return float(run(client, "date +%s")[1]) - time.time()

    with board.faults.clock_skew(skew):
        assert abs(ahead() - skew) < 30
    assert abs(ahead()) < 30


def test_faults_are_undone_where_the_board_was_switched_off_and_on(board):
    faults = board.faults
    with faults.no_sftp(), faults.rsa_only(), faults.slow_network(), faults.never_finishes():
        board.power_cycle()
        board.wait_for_ssh()
    with connected(board) as client, client.open_sftp() as sftp:
        assert "lib" in sftp.listdir("/")
    assert not any(board.status()["pl"]["faults"].values())


def test_requests_of_several_threads_do_not_mix(board):
    def ask() -> list[str]:
        return [board.status()["run_state"] for _ in range(5)]

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask) for _ in range(4)]
        for _ in range(5):
            assert board.service("echo mine") == "mine\n"
        assert [one.result() for one in asked] == [["running"] * 5] * 4
