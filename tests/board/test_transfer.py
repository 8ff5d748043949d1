"""Files to and from the board, and long commands, on this machine."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.board.local import LocalShell, limit
from tests.small_disk import run_beside_small_disk
from xlic.board.deadline import Deadline
from xlic.board.errors import (
    DeadlineError,
    InfrastructureError,
    LeaseLostError,
    TransferError,
)
from xlic.board.jobs import cancel_job, end_jobs, start_job, wait_job
from xlic.board.shell import quoted
from xlic.board.transfer import STORE_FILES, Store, local_path
from xlic.errors import InputError

pytestmark = pytest.mark.board


@pytest.fixture
def shell():
    return LocalShell()


@pytest.fixture
def store(shell, tmp_path):
    return Store(shell, str(tmp_path / "board"))


def test_the_same_file_is_sent_once(store, shell, tmp_path):
    path = store.put(b"hello", limit())
    (tmp_path / "copy").write_bytes(b"hello")
    assert store.put(tmp_path / "copy", limit()) == path
    assert Path(path).read_bytes() == b"hello"
    assert shell.uploads == 1
    assert (store.traffic.sent, store.traffic.kept) == (5, 5)


def test_a_damaged_copy_on_the_board_is_replaced(store, shell):
    path = store.put(b"hello", limit())
    Path(path).write_bytes(b"jello")
    assert store.put(b"hello", limit()) == path
    assert Path(path).read_bytes() == b"hello"
    assert shell.uploads == 2


def test_what_arrives_damaged_is_refused_and_not_kept(store, shell, tmp_path):
    shell.damage = True
    with pytest.raises(TransferError, match="did not arrive"):
        store.put(b"hello", limit())
    assert list((tmp_path / "board/store").iterdir()) == []


def test_what_a_cut_link_left_is_removed_by_the_next_attempt(store, shell, tmp_path, monkeypatch):
    def cut(source, size, target, deadline):
        Path(target).write_bytes(b"hel")
        raise InfrastructureError("the link is down")

    with monkeypatch.context() as patch:
        patch.setattr(shell, "upload", cut)
        with pytest.raises(InfrastructureError, match="link is down"):
            store.put(b"hello", limit())
    assert [file.suffix for file in (tmp_path / "board/store").iterdir()] == [".part"]
    path = store.put(b"hello", limit())
    assert list((tmp_path / "board/store").iterdir()) == [Path(path)]


def test_programs_are_executable_and_others_are_not(store):
    assert os.access(store.put(b"#!/bin/sh\n", limit(), executable=True), os.X_OK)
    assert Path(store.put(b"data", limit())).stat().st_mode & 0o777 == 0o600


def test_the_store_is_bounded(store, tmp_path):
    for index in range(STORE_FILES + 5):
        store.put(str(index).encode(), limit())
    assert len(list((tmp_path / "board/store").iterdir())) <= STORE_FILES + 1


def test_a_program_stays_however_many_files_are_sent_after_it(store):
    program = Path(store.put(b"#!/bin/sh\n", limit(), executable=True))
    os.utime(program, (1, 1))
    for index in range(STORE_FILES + 5):
        store.put(str(index).encode(), limit())
    assert program.exists()


def test_a_fetched_file_is_verified_and_appears_whole(store, tmp_path):
    (tmp_path / "there").write_bytes(b"data")
    target = tmp_path / "out" / "here"
    good = hashlib.sha256(b"data").hexdigest()
    store.fetch(str(tmp_path / "there"), target, 4, good, limit())
    assert target.read_bytes() == b"data"
    target.unlink()
    with pytest.raises(TransferError, match="damaged"):
        store.fetch(str(tmp_path / "there"), target, 4, "0" * 64, limit())
    assert list(target.parent.iterdir()) == []
    with pytest.raises(InputError):
        store.fetch(str(tmp_path / "there"), target, 1 << 40, good, limit())


FETCH = """
import hashlib, sys
from pathlib import Path
from tests.board.local import LocalShell, limit
from xlic.board.transfer import Store
from xlic.disk import scratch_folder
from xlic.errors import XlicError
data = Path("THERE").read_bytes()
try:
    with scratch_folder() as folder:
        store = Store(LocalShell(), "unused")
        sha256 = hashlib.sha256(data).hexdigest()
        store.fetch("THERE", folder / "x", len(data), sha256, limit())
except XlicError as error:
    print(type(error).__name__, error)
    sys.exit(error.exit_status)
"""


def test_a_full_temporary_folder_here_is_told_by_its_name(tmp_path):
    there, disk = tmp_path / "there", tmp_path / "disk"
    there.write_bytes(bytes(1_000_000))
    code = FETCH.replace("THERE", str(there))
    done = run_beside_small_disk(code, disk, "300k", {"TMPDIR": str(disk)})
    assert done.returncode == 2, done.stderr
    assert f"cannot write into {disk}: No space left on device; set TMPDIR to" in done.stdout
    done = run_beside_small_disk(code, disk, "3m", {"TMPDIR": str(disk)})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_small_files_are_read_up_to_a_limit(store, tmp_path):
    (tmp_path / "there").write_bytes(bytes(100))
    assert store.read(str(tmp_path / "there"), 100, limit()) == bytes(100)
    with pytest.raises(InfrastructureError):
        store.read(str(tmp_path / "there"), 99, limit())
    with pytest.raises(InfrastructureError):
        store.read(str(tmp_path / "absent"), 99, limit())


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../x", "a/../../x", "~/x", "a\\..\\x", "C:x", "a\nb", "a\0b", ".",
     "x" * 300, "/".join("abcdefghij"), "\x1b[2J"],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused(tmp_path, name):
    with pytest.raises(TransferError):
        local_path(tmp_path, name)


def test_links_do_not_lead_out_either(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/link").symlink_to(tmp_path)
    with pytest.raises(TransferError, match="through a link"):
        local_path(tmp_path / "in", "link/x")


@given(st.text(max_size=60))
def test_no_name_leads_out(name):
    root = Path("/tmp/artifacts")
    try:
        target = local_path(root, name)
    except TransferError:
        return
    assert os.path.realpath(target).startswith(os.path.realpath(root) + "/")


def test_a_job_is_detached_and_its_end_is_seen(shell, tmp_path):
    command = "sleep 0.2; echo out; echo err >&2; exit 7"
    begin = time.monotonic()
    job = start_job(shell, command, str(tmp_path / "run"), limit())
    assert time.monotonic() - begin < 1
    done = wait_job(shell, job, limit())
    assert (done.status, done.output, done.errors) == (7, "out\n", "err\n")


def test_a_job_is_ended_with_its_children_at_the_deadline(shell, tmp_path):
    marker = f"sleep 31.{os.getpid()}"
    job = start_job(shell, f"{marker} & {marker}", str(tmp_path / "run"), limit())
    with pytest.raises(DeadlineError):
        wait_job(shell, job, Deadline(0.4, "test"))
    assert not _runs(marker)


def test_a_job_is_ended_when_the_wait_is_interrupted(shell, tmp_path, monkeypatch):
    marker = f"sleep 32.{os.getpid()}"
    job = start_job(shell, marker, str(tmp_path / "run"), limit())
    monkeypatch.setattr(Deadline, "wait", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        wait_job(shell, job, limit())
    assert not _runs(marker)


def test_a_job_whose_start_is_interrupted_is_ended(tmp_path):
    class Interrupted(LocalShell):
        def run(self, script, deadline, **options):
            done = super().run(script, deadline, **options)
            if "setsid" in script:
                raise KeyboardInterrupt
            return done

    marker = f"sleep 37.{os.getpid()}"
    with pytest.raises(KeyboardInterrupt):
        start_job(Interrupted(), marker, str(tmp_path / "run"), limit())
    assert not _runs(marker)


def test_jobs_of_before_are_ended(shell, tmp_path):
    marker = f"{tmp_path}/store/tool"
    (tmp_path / "store").mkdir()
    Path(marker).write_text("#!/bin/sh\nsleep 33\n")
    Path(marker).chmod(0o700)
    start_job(shell, quoted(marker), str(tmp_path / "runs/a"), limit())
    assert _runs(marker)
    assert end_jobs(shell, str(tmp_path / "runs"), limit())
    assert not _runs(marker)
    assert list((tmp_path / "runs").iterdir()) == []
    assert not end_jobs(shell, str(tmp_path / "none"), limit())


def test_a_job_of_before_that_ended_by_itself_is_told_of_too(shell, tmp_path):
    job = start_job(shell, "exit 14", str(tmp_path / "runs/a"), limit())
    while not (Path(job.folder) / "status").exists():
        time.sleep(0.01)
    assert end_jobs(shell, str(tmp_path / "runs"), limit()), "nobody has seen its end"
    assert not end_jobs(shell, str(tmp_path / "runs"), limit())


def test_a_job_that_vanished_is_infrastructure(shell, tmp_path):
    job = start_job(shell, "sleep 34", str(tmp_path / "run"), limit())
    assert cancel_job(shell, job)
    with pytest.raises(InfrastructureError, match="without a status"):
        wait_job(shell, job, limit())


def test_a_status_for_which_there_is_no_room_is_told(shell, tmp_path):
    job = start_job(shell, "sleep 0.3", str(tmp_path / "run"), limit())
    # A device that is always full.
    (Path(job.folder) / "status.part").symlink_to("/dev/full")
    with pytest.raises(InfrastructureError, match="is there room in"):
        wait_job(shell, job, limit())


def test_a_job_without_room_for_its_number_does_not_run(shell, tmp_path):
    touched, folder = tmp_path / "touched", tmp_path / "run"
    guard = "ulimit -f 0; trap '' XFSZ"
    with pytest.raises(InfrastructureError, match="starting"):
        start_job(shell, f"touch {touched}", str(folder), limit(), guard=guard)
    assert not touched.exists()


def test_each_look_at_a_job_has_a_deadline_of_its_own(shell, tmp_path, monkeypatch):
    job = start_job(shell, "sleep 35", str(tmp_path / "run"), limit())
    run, seen = shell.run, []

    def watched(script, deadline, **options):
        seen.append(deadline.seconds)
        if len(seen) == 3:
            raise deadline.error()
        return run(script, deadline, **options)

    monkeypatch.setattr(shell, "run", watched)
    with pytest.raises(DeadlineError, match=r"asking whether it has ended: .* 1\.5 s"):
        wait_job(shell, job, limit(1000), patience=1.5)
    assert seen[:3] == [1.5] * 3


def test_what_is_checked_before_each_look_ends_the_job(shell, tmp_path):
    marker = f"sleep 36.{os.getpid()}"
    job = start_job(shell, marker, str(tmp_path / "run"), limit())
    looks = iter(range(3))

    def lost():
        if next(looks) == 2:
            raise LeaseLostError("lost")

    with pytest.raises(LeaseLostError):
        wait_job(shell, job, limit(), check=lost)
    assert not _runs(marker)


def test_a_guard_that_fails_starts_nothing(shell, tmp_path):
    touched = tmp_path / "touched"
    with pytest.raises(InfrastructureError):
        start_job(shell, f"touch {touched}", str(tmp_path / "run"), limit(), guard="exit 75")
    time.sleep(0.2)
    assert not touched.exists()


def _runs(marker: str) -> bool:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().replace(b"\0", b" ").decode()
            state = (file.parent / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if marker in words and state != "Z":
            return True
    return False
