"""Calls of the program on the board: under the lease, in time, their results read and checked."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator.compiler import Compiled
from xlic.accelerator.isa import BEAT_BYTES
from xlic.board.bitstream import doubted, known_again
from xlic.board.config import Board
from xlic.board.deadline import Deadline
from xlic.board.errors import InfrastructureError
from xlic.board.invocation import RESULT, Invocation
from xlic.board.jobs import start_job, wait_job
from xlic.board.lease import Lease
from xlic.board.results import RESULT_LIMIT, Result, parse_result
from xlic.board.shell import Completed, Shell, quoted, require_lease
from xlic.board.transfer import Store, local_path
from xlic.disk import scratch_folder


def runs_folder(board: Board) -> str:
    """Folder on the board that holds those of runs."""
    return f"{board.folder}/runs"


@dataclass(frozen=True)
class Caller:
    """Who calls.

    Attributes:
        shell: the way to the board.
        board: which one.
        lease: on it.
        store: of files on it.
    """

    shell: Shell
    board: Board
    lease: Lease
    store: Store

    def new_folder(self) -> str:
        """A folder on the board for the files of a run; not made yet."""
        return f"{runs_folder(self.board)}/{secrets.token_hex(8)}"

    def ask(self, words: Sequence[str], what: str) -> Result:
        """A short call, whose result is what it prints.

        Raises:
            LeaseLostError: the lease is lost; nothing was started.
            InfrastructureError: it did not end, or its result makes no sense.
        """
        limit = Deadline(self.board.limits.command, what)
        done = self.shell.run(f"{self.lease.guard}\nexec {quoted(*words)}", limit)
        require_lease(done, what)
        return _parse(done.output.encode(), done)

    def run(self, words: Sequence[str], folder: str, deadline: Deadline) -> Result:
        """A long call, detached, whose result is the file :data:`RESULT` in its folder.

        Raises:
            LeaseLostError: the lease is lost; what was started is ended.
            DeadlineError: no end in time, or the board does not say whether there was one.
            InfrastructureError: it cannot be started, is gone, or left no result.
        """
        self.lease.check()
        guard = f"{self.lease.guard}\n{doubted(self.board.lease.folder)}"
        job = start_job(self.shell, quoted(*words), folder, deadline, guard=guard)
        patience = self.board.limits.command
        done = wait_job(self.shell, job, deadline, patience=patience, check=self.lease.check)
        limit = Deadline(patience, "reading the result")
        try:
            data = self.store.read(f"{folder}/{RESULT}", RESULT_LIMIT, limit)
        except InfrastructureError as error:
            # Without a message of the program's, why there is none to be read.
            reason = done.last_error() if done.errors.strip() else error.args[0]
            raise InfrastructureError(
                f"the board's program ended with status {done.status} and without a result: "
                f"{reason}"
            ) from error
        return _parse(data, done)

    def fetch(
        self, compiled: Compiled, call: Invocation, result: Result, artifacts: Path | None
    ) -> dict[str, NDArray[Any]]:
        """The tensors that a run was asked for, of its last repeat.

        Args:
            compiled: what was run.
            call: how.
            result: of it.
            artifacts: folder for files under way; None takes that of the system.

        Raises:
            InfrastructureError: they did not arrive, or are not what the program told of.
        """
        if not result.repeats or len(result.repeats[-1].hashes) != len(call.names):
            raise InfrastructureError("the board's program tells other tensors than asked for")
        limit = Deadline(self.board.limits.transfer, "fetching tensors")
        tensors: dict[str, NDArray[Any]] = {}
        with scratch_folder(artifacts) as place:
            for index, name in enumerate(call.names):
                tensor = compiled.memory.tensor(name)
                target = local_path(place, f"{index}.bin")
                size = tensor.beats * BEAT_BYTES
                digest = result.repeats[-1].hashes[index]
                self.store.fetch(call.file(index), target, size, digest, limit)
                tensors[name] = tensor.unpack(np.fromfile(target, np.uint8))
        return tensors

    def clean(self, folder: str, deadline: Deadline) -> None:
        """Remove what there is of a run whose end was seen.

        Nothing is done where the board is somebody else's: they would, too.

        Raises:
            InfrastructureError: the link failed.
        """
        known = known_again(self.board.lease.folder)
        self.shell.run(f"{self.lease.guard}\nrm -rf {quoted(folder)}; {known}", deadline)


def _parse(data: bytes, done: Completed) -> Result:
    try:
        return parse_result(data, done.status)
    except InfrastructureError as error:
        if not done.errors.strip():
            raise
        raise InfrastructureError(f"{error.args[0]}; it said: {done.last_error()}") from error
