"""Whose program has the device, and what becomes of it: the board's program, on plain files."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from dataclasses import replace

import pytest

from tests.board import fake
from tests.board.fake import PROGRAM_AT, WINDOW, Behaviour, FakeBoard
from tests.board.local import LocalShell
from xlic.board.calls import Caller
from xlic.board.config import Board, LeaseSettings
from xlic.board.errors import DeviceBusyError, ResetNeededError
from xlic.board.lease import MARK, Lease
from xlic.board.occupant import clear_device
from xlic.board.transfer import Store

pytestmark = pytest.mark.board


class Bench:
    """A device of plain files that a program of somebody's may have, and we who hold the lease."""

    def __init__(self, folder, program) -> None:
        self.fake = FakeBoard(folder, Behaviour(hang=True))
        self.folder, self.program = folder, program
        self.said: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None

    def lease(self, owner: str, folder: str = "lease", expiry: float = 60) -> Lease:
        settings = LeaseSettings(expiry, 0, owner, "a test", str(self.folder / folder))
        return Lease(LocalShell(), settings)

    def use(self, mark: str | None) -> subprocess.Popen[bytes]:
        (self.folder / "program").write_bytes(fake.program_bytes())
        words = ["--program", self.folder / "program", "--offset", PROGRAM_AT, "--window", WINDOW]
        words += ["--timeout-ms", 60_000, *self.fake.options]
        environment = dict(os.environ) if mark is None else {**os.environ, MARK: mark}
        self.process = subprocess.Popen(
            [self.program, "run", *map(str, words)], env=environment, stdout=subprocess.DEVNULL
        )
        # Ended by somebody else it would stay a zombie.
        threading.Thread(target=self.process.wait, daemon=True).start()
        end = time.monotonic() + 20
        while self.fake.starts == 0 and time.monotonic() < end:
            time.sleep(0.01)
        return self.process

    def clear(self, shell: LocalShell | None = None, wait: float = 0) -> bool:
        shell, lease = shell or LocalShell(), self.lease("us")
        lease.acquire()
        folder = str(self.folder / "board")
        settings = replace(LeaseSettings(), wait=wait)
        board = Board("b", folder=folder, uio=str(self.folder / "uio0"), lease=settings)
        caller = Caller(shell, board, lease, Store(shell, folder))
        try:
            return clear_device(caller, str(self.program), self.said.append)
        finally:
            lease.release()


@pytest.fixture
def bench(tmp_path, program):
    made = Bench(tmp_path, program)
    yield made
    if made.process is not None:
        made.process.kill()
    made.fake.stop()


def test_a_free_device_is_left_alone(bench):
    assert not bench.clear()
    assert bench.said == []


@pytest.mark.parametrize("fate", ["given back", "removed", "stale", "of before a restart"])
def test_a_program_that_is_nobodys_is_ended(bench, fate):
    lease = bench.lease("dead", expiry=1)
    lease.acquire()
    process = bench.use(lease.mark)
    file = bench.folder / f"lease/lease.{lease.number}"
    if fate == "given back":
        lease.release()
    elif fate == "removed":
        shutil.rmtree(bench.folder / "lease")
    elif fate == "stale":
        time.sleep(3)
    else:
        file.write_text(file.read_text().replace("boot=", "boot=earlier-"))
    assert bench.clear(), "what its accelerator does now nobody knows"
    assert process.wait(10) == -9
    assert f"in use by process {process.pid}, which was nobody's and was ended" in bench.said[0]


def test_a_program_of_ours_that_was_left_is_ended(bench, monkeypatch):
    mark = f"{bench.folder}/lease {'0' * 32}"
    monkeypatch.setattr("xlic.board.lease.secrets.token_hex", lambda _: "0" * 32)
    process = bench.use(mark)
    assert bench.clear()
    assert process.wait(10) == -9


def test_a_program_whose_owner_lives_elsewhere_is_waited_for(bench):
    other = bench.lease("bob", "elsewhere")
    other.acquire()
    process = bench.use(other.mark)
    with pytest.raises(
        DeviceBusyError,
        match=rf"in use by process {process.pid}, of bob@.* for a test .*; "
        rf"wait, or end it there: kill {process.pid}$",
    ):
        bench.clear()
    assert process.poll() is None
    threading.Timer(1.5, process.kill).start()
    assert not bench.clear(wait=30), "it went by itself"
    assert "waiting: on the board, " in bench.said[0]


def test_a_program_under_no_lease_is_waited_for_and_named(bench):
    process = bench.use(None)
    with pytest.raises(
        DeviceBusyError, match=rf"runs under no lease; .*: kill {process.pid}$"
    ) as caught:
        bench.clear(wait=0.5)
    assert process.poll() is None
    assert caught.value.exit_status == 3
    assert str(caught.value).startswith("infrastructure: ")


def test_a_program_that_cannot_be_ended_needs_a_reset(bench):
    class Immortal(LocalShell):
        def run(self, script, deadline, **options):
            return super().run("kill() { :; }\n" + script, deadline, **options)

    process = bench.use("/nonexistent/lease 0")
    with pytest.raises(ResetNeededError, match=f"process {process.pid} .* must be reset"):
        bench.clear(Immortal())
