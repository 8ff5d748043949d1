"""The board's program, compiled for this machine, against an accelerator of plain files."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.board import fake
from tests.board.fake import BEATS, INPUT, OUTPUT, PROGRAM_AT, WINDOW, Behaviour, FakeBoard
from xlic.accelerator.isa import Info, Register
from xlic.board.errors import (
    AcceleratorTimeoutError,
    IdentityError,
    InfrastructureError,
    LostInterruptError,
)
from xlic.board.program import build_program
from xlic.board.results import Outcome, failure, parse_result
from xlic.errors import AcceleratorError, InputError
from xlic.sources import HLS_DIR, PROGRAM_DIR

pytestmark = pytest.mark.board


@pytest.fixture
def run(program, tmp_path):
    boards = []

    def start(behaviour=None, *more, expect=None, file=None, size=WINDOW * 16, **changes):
        folder = tmp_path / str(len(boards))
        folder.mkdir()
        board = FakeBoard(folder, behaviour or Behaviour(), size)
        boards.append(board)
        (folder / "program").write_bytes(fake.program_bytes() if file is None else file)
        (folder / "input").write_bytes(bytes(range(64)))
        options = {
            "--program": folder / "program",
            "--offset": PROGRAM_AT,
            "--window": WINDOW,
            "--load": f"{INPUT}:{folder / 'input'}",
            "--poison": f"{OUTPUT}:{BEATS + 1}",
            "--fetch": f"{OUTPUT}:{BEATS + 1}:{folder / 'output'}",
            "--timeout-ms": 1000,
            "--json": folder / "json",
        } | changes
        words = [str(word) for pair in options.items() for word in pair]
        done = subprocess.run(
            [program, "run", *board.options, *words, *more],
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        assert done.returncode == (expect or Outcome.OK), done.stderr
        result = parse_result((folder / "json").read_bytes(), done.returncode)
        return board, result, done

    yield start
    for board in boards:
        board.stop()


def test_a_run_loads_poisons_starts_waits_and_fetches(run):
    board, result, _ = run()
    output = (board.folder / "output").read_bytes()
    assert output[:64] == bytes(255 - value for value in range(64))
    assert output[64:] == b"\xa5" * 16, "what the accelerator did not write shows the poison"
    (repeat,) = result.repeats
    assert repeat.hashes == (hashlib.sha256(output).hexdigest(),)
    assert repeat.interrupted
    assert repeat.cycles == 1001
    assert 0.01 <= repeat.seconds < 1
    assert [layer.cycles for layer in result.repeats[-1].counters] == [100, 108]
    assert result.identity is not None
    assert result.identity.source_hash == fake.HASH
    assert failure(result) is None
    assert board.get(Register.GMEM0_LOW) == board.get(Register.GMEM1_LOW) == fake.ADDRESS
    assert board.get(Register.WINDOW_BEATS) == WINDOW
    assert board.get(Register.PROGRAM) == PROGRAM_AT


def test_each_repeat_starts_from_what_was_given_and_from_poison(run):
    board, result, _ = run(Behaviour(dirty=True), "--repeat", "4")
    assert board.starts == 4
    assert len({repeat.hashes for repeat in result.repeats}) == 1
    assert len(set(board.programs)) == 1


def test_repeats_tell_differing_results(run):
    board, result, _ = run(Behaviour(wrong_from=2), "--repeat", "4")
    assert board.starts == 4
    hashes = [repeat.hashes for repeat in result.repeats]
    assert hashes[0] == hashes[1] != hashes[2] == hashes[3]


def test_a_run_that_does_not_end_is_a_time_out(run):
    begin = time.monotonic()
    _, result, _ = run(Behaviour(hang=True), expect=Outcome.TIMEOUT, **{"--timeout-ms": 300})
    assert time.monotonic() - begin < 5
    assert isinstance(failure(result), AcceleratorTimeoutError)


def test_a_lost_interrupt_is_told_although_the_run_ended(run):
    board, result, _ = run(Behaviour(lose_interrupts=True), expect=Outcome.LOST_INTERRUPT)
    assert isinstance(failure(result), LostInterruptError)
    assert not result.repeats[0].interrupted
    assert (board.folder / "output").exists()


def test_an_interrupt_without_a_cause_is_counted_and_waited_out(run):
    behaviour = Behaviour(spurious=True, seconds=1.4)
    _, result, _ = run(behaviour, **{"--timeout-ms": 5000})
    assert result.repeats[0].spurious == 1
    assert result.repeats[0].interrupted


@pytest.mark.parametrize(
    ("behaviour", "more"),
    [
        (Behaviour(identity={Info.MAGIC: 0}), ()),
        (Behaviour(identity={Info.VERSION: 9}), ()),
        (Behaviour(), ("--expect-array", "1")),
        (Behaviour(), ("--expect-hash", "1122334455667789")),
        (Behaviour(), ("--expect-program", "1")),
    ],
)
def test_another_identity_is_refused_before_anything_is_touched(run, behaviour, more):
    board, result, _ = run(behaviour, *more, expect=Outcome.REFUSED)
    assert isinstance(failure(result), IdentityError)
    assert board.starts == 0
    assert not board.buffer.any()
    assert board.get(Register.GMEM0_LOW) == 0


def test_a_program_for_another_array_is_refused(run):
    board, _, _ = run(file=fake.program_bytes(array=0x100410), expect=Outcome.REFUSED)
    assert board.starts == 0
    assert run(file=b"short", expect=Outcome.REFUSED)[0].starts == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"--window": WINDOW + 1},
        {"--offset": WINDOW - 1},
        {"--offset": WINDOW},
        {"--load": f"{WINDOW - 1}:INPUT"},
        {"--fetch": f"{WINDOW - 1}:2:OUT"},
        {"--poison": f"0:{WINDOW + 1}"},
        {"--poison": "4294967295:4294967295"},
    ],
)
def test_what_leaves_the_window_is_refused(run, changes, tmp_path):
    (tmp_path / "INPUT").write_bytes(bytes(17))
    changes = {
        key: str(value).replace("INPUT", str(tmp_path / "INPUT")) for key, value in changes.items()
    }
    board, result, _ = run(expect=Outcome.WINDOW, **changes)
    assert isinstance(failure(result), InputError)
    assert board.starts == 0
    assert not board.buffer.any()


def test_errors_of_the_accelerator_are_told_with_their_layer(run):
    _, result, done = run(Behaviour(error=12), expect=Outcome.ACCELERATOR)
    assert (result.error, result.error_layer) == (12, 1)
    assert "STALL" in str(failure(result))
    assert "error 12 in layer 1" in done.stderr


def test_an_error_is_told_although_memory_still_owes_answers(run):
    _, result, done = run(Behaviour(error=12, rests=False), expect=Outcome.ACCELERATOR)
    assert (result.error, result.rests) == (12, False)
    assert "memory still owes it answers: load it again" in done.stderr


def test_nothing_is_written_to_the_buffer_before_the_accelerator_is_idle(run):
    board, result, _ = run(Behaviour(busy=True, error=12), expect=Outcome.BUSY)
    assert not board.buffer.any()
    assert "memory owes it answers since its error 12" in result.message


@pytest.mark.parametrize("behaviour", [Behaviour(layers_done=1), Behaviour(program=5)])
def test_another_program_than_the_one_loaded_is_no_success(run, behaviour):
    _, result, _ = run(behaviour, expect=Outcome.ACCELERATOR)
    assert isinstance(failure(result), AcceleratorError)


@pytest.mark.parametrize("behaviour", [Behaviour(busy=True), Behaviour(stuck=True)])
def test_an_accelerator_that_is_not_ready_is_not_started(run, behaviour):
    board, result, _ = run(behaviour, expect=Outcome.BUSY)
    assert board.starts == 0
    assert isinstance(failure(result), InfrastructureError)


def words_of(board, tmp_path, **changes):
    """A run that nobody but the board's program itself ends."""
    (tmp_path / "program").write_bytes(fake.program_bytes())
    options = {
        "--program": tmp_path / "program",
        "--offset": PROGRAM_AT,
        "--window": WINDOW,
        "--timeout-ms": 60_000,
    } | changes
    return [str(word) for pair in options.items() for word in pair]


@contextmanager
def using(program, board, *words):
    """A program that has started the accelerator, which does not end."""
    with subprocess.Popen([program, "run", *words], stdout=subprocess.DEVNULL) as process:
        end = time.monotonic() + 20
        while board.starts == 0 and time.monotonic() < end:
            time.sleep(0.01)
        yield process
        process.kill()


@pytest.mark.parametrize("command", ["free", "identify", "check", "run"])
def test_a_device_that_another_process_has_is_busy_and_names_it(program, tmp_path, command):
    board = FakeBoard(tmp_path, Behaviour(hang=True))
    words = words_of(board, tmp_path)
    more = words if command == "run" else []
    with using(program, board, *board.options, *words) as first:
        before = board.registers.copy(), board.buffer.copy()
        done = subprocess.run(
            [program, command, *board.options, *more], capture_output=True, check=False, timeout=20
        )
        assert done.returncode == Outcome.BUSY
        result = parse_result(done.stdout, done.returncode)
        assert result.holder == first.pid
        assert f"uio0 is in use by process {first.pid}" in result.message
        assert (before[0] == board.registers).all()
        assert (before[1] == board.buffer).all()
    free = subprocess.run([program, "free", *board.options], check=False)
    assert free.returncode == Outcome.OK, "it went with the process, although that was killed"
    assert board.starts == 1
    board.stop()


def test_by_dev_mem_registers_are_kept_by_their_address_and_their_uio_file_with_them(
    program, tmp_path
):
    board = FakeBoard(tmp_path, Behaviour(hang=True), one_file=True)
    maps = tmp_path / "sys/class/uio/uio0/maps/map0"
    maps.mkdir(parents=True)
    (maps / "addr").write_text("0x0\n")
    (tmp_path / "dev/uio0").write_bytes(bytes(4096))
    by_uio = ["--uio", str(tmp_path / "dev/uio0")]
    by_mem = ["--mem", str(tmp_path / "memory"), "--window-address", "0x1000"]
    by_mem += ["--window-bytes", str(WINDOW * 16), *board.options[4:]]

    def free(*where) -> int:
        return subprocess.run([program, "free", *where], check=False).returncode

    words = words_of(board, tmp_path)
    with using(program, board, *by_mem, "--registers", "0", *words):
        assert free(*by_mem, "--registers", "0") == Outcome.BUSY
        assert free(*by_uio) == Outcome.BUSY
        assert free(*by_mem, "--registers", "4096") == Outcome.OK
    assert free(*by_mem, "--registers", "0") == Outcome.OK
    assert free(*by_uio) == Outcome.OK
    board.stop()


def test_a_device_is_free_where_nothing_answers_at_its_registers_yet(program, tmp_path):
    # Memory behind the end of its file is the nearest thing to a bus that answers with an error.
    (tmp_path / "short").write_bytes(bytes(4096))
    where = ["--mem", tmp_path / "short", "--registers", "4096"]
    where += ["--window-address", "0", "--window-bytes", "4096"]
    assert subprocess.run([program, "free", *where], check=False).returncode == Outcome.OK


def test_absent_files_and_devices_have_a_status_of_their_own(run, program, tmp_path):
    _, result, _ = run(expect=Outcome.IO, **{"--load": "0:/nonexistent"})
    assert "/nonexistent" in result.message
    missing = tmp_path / "none"
    done = subprocess.run([program, "identify", "--uio", missing], capture_output=True, check=False)
    assert done.returncode == Outcome.NO_DEVICE
    assert json.loads(done.stdout)["outcome"] == "no-device"


@pytest.mark.parametrize("hang", [False, True])
def test_by_dev_mem_it_waits_by_looking(program, tmp_path, hang):
    board = FakeBoard(tmp_path, Behaviour(hang=hang, lose_interrupts=True), one_file=True)
    (tmp_path / "program").write_bytes(fake.program_bytes())
    options = {
        "--program": tmp_path / "program",
        "--offset": PROGRAM_AT,
        "--window": WINDOW,
        "--mem": tmp_path / "memory",
        "--registers": "0x0",
        "--window-address": "0x1000",
        "--window-bytes": WINDOW * 16,
        "--timeout-ms": 500,
    }
    words = [str(word) for pair in options.items() for word in pair]
    done = subprocess.run([program, "run", *words], capture_output=True, check=False, timeout=20)
    board.stop()
    assert done.returncode == (Outcome.TIMEOUT if hang else Outcome.OK), done.stderr
    assert parse_result(done.stdout, done.returncode).error == 0
    assert board.get(Register.GMEM0_LOW) == 0x1000


def test_what_tells_its_identity_only_when_it_runs_is_started_once_if_that_is_allowed(run):
    _, result, _ = run(Behaviour(asleep=True), expect=Outcome.REFUSED)
    assert "magic 00000000" in result.message
    board, result, _ = run(Behaviour(asleep=True), "--wake", "1")
    assert result.identity is not None
    assert board.starts == 2
    board, _, _ = run(Behaviour(), "--wake", "1")
    assert board.starts == 1, "it is awake"


def test_registers_that_nobody_answers_at_are_refused(program, tmp_path):
    # Memory behind the end of its file is the nearest thing to a bus that answers with an error.
    (tmp_path / "short").write_bytes(bytes(4096))
    where = ["--mem", tmp_path / "short", "--registers", "4096"]
    where += ["--window-address", "0", "--window-bytes", "4096"]
    done = subprocess.run([program, "identify", *where], capture_output=True, check=False)
    assert done.returncode == Outcome.REFUSED
    result = parse_result(done.stdout, done.returncode)
    assert "nothing answers at the registers (bus error)" in result.message
    assert isinstance(failure(result), IdentityError)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fly"],
        ["run"],
        ["identify", "--uio"],
        ["identify", "--bogus", "1"],
        ["run", "--offset", "-1"],
        ["run", "--offset", "99999999999"],
        ["run", "--fetch", "1:2"],
        ["run", "--poison", "1:0"],
        ["identify", "--mem", "/dev/mem"],
        ["identify", "--mem", "/dev/mem", "--window-bytes", "4096"],
        ["identify", "--wake", "2"],
    ],
)
def test_a_senseless_command_line_is_refused_with_the_usage(program, words):
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == Outcome.USAGE
    assert "usage: xlic-board" in done.stderr


def test_hashes_are_sha256_for_all_lengths_of_padding(run):
    for beats in range(1, 10):
        board, result, _ = run(**{"--fetch": f"{PROGRAM_AT}:{beats}:/dev/null"})
        data = np.asarray(board.buffer[PROGRAM_AT * 16 :][: beats * 16]).tobytes()
        assert result.repeats[0].hashes == (hashlib.sha256(data).hexdigest(),)


def test_host_and_board_agree_about_the_exit_status():
    text = (PROGRAM_DIR / "failure.hpp").read_text()
    found = {name: int(value) for name, value in re.findall(r"^  (\w+) = (\d+),? ", text, re.M)}
    assert found == {outcome.name: outcome.value for outcome in Outcome}


@pytest.fixture(scope="session")
def check_of(tmp_path_factory):
    """The check of registers and buffer, on a device with faults."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("needs g++: apt-get install g++")
    folder = tmp_path_factory.mktemp("check")
    for source in (*PROGRAM_DIR.glob("*.hpp"), PROGRAM_DIR / "check.cpp"):
        shutil.copy(source, folder)
    here = Path(__file__).parent
    shutil.copy(here / "broken_device.hpp", folder / "device.hpp")
    shutil.copy(here / "broken_device.cpp", folder)
    sources = [folder / "broken_device.cpp", folder / "check.cpp"]
    subprocess.run(
        [compiler, "-std=c++17", "-O1", f"-I{HLS_DIR}", *sources, "-o", folder / "check"],
        check=True,
    )
    return folder / "check"


FAULTS = {
    "bit stuck": "register 0x30 holds 0x",
    "one register": "register 0x",
    "not written": "register 0x",
    "address line": "buffer byte 0x",
    "data line": "buffer byte 0x0 holds 0x",
    "last word": "buffer byte 0x3ffff8 holds 0x",
}


@pytest.mark.selfcheck
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_registers_or_buffer_is_found_and_named(check_of, fault):
    done = subprocess.run([check_of, fault], capture_output=True, text=True, check=False)
    assert done.returncode == Outcome.BROKEN
    assert done.stdout.startswith(FAULTS[fault])


def test_registers_and_buffer_without_a_fault_pass(check_of, program, tmp_path):
    assert subprocess.run([check_of, "none"], check=False).returncode == Outcome.OK
    board = FakeBoard(tmp_path, Behaviour(), 1 << 20)
    words = [program, "check", *board.options]
    done = subprocess.run(words, capture_output=True, check=False, timeout=30)
    board.stop()
    result = parse_result(done.stdout, done.returncode)
    assert result.outcome is Outcome.OK
    assert result.buffer_bytes == 1 << 20


@pytest.mark.skipif(shutil.which("aarch64-linux-gnu-g++") is None, reason="no cross compiler")
def test_the_cross_compiled_program_is_static_and_runs():
    path = build_program()
    assert b"/lib/ld-linux" not in path.read_bytes()
    emulator = shutil.which("qemu-aarch64")
    if emulator is None:
        pytest.skip("needs qemu-aarch64: apt-get install qemu-user")
    done = subprocess.run([emulator, path, "identify", "--uio", "/nonexistent"], check=False)
    assert done.returncode == Outcome.NO_DEVICE


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"[]",
        b"{",
        b'{"outcome":"timeout","message":"","buffer_bytes":0}',
        b'{"outcome":"ok","message":3,"buffer_bytes":0}',
        b'{"outcome":"ok","message":"","buffer_bytes":-1}',
        b'{"outcome":"ok","message":"","buffer_bytes":0,"identity":{}}',
        b'{"outcome":"ok","message":"","buffer_bytes":0,"rests":1,"error":0,'
        b'"error_layer":0,"layers_done":0,"repeats":[{"nanoseconds":1,"cycles":1,"interrupted":1,"spurious":0,'
        b'"counters":[[1]],"hashes":[]}]}',
    ],
)
def test_results_that_make_no_sense_are_infrastructure(damage):
    with pytest.raises(InfrastructureError, match="makes no sense"):
        parse_result(damage, 0)
