"""A session with a board: connected, leased, its logic configured and identified, ready to run.

with BoardSession(Board("zcu102")) as session:
    run = session.run(compiled, picture)
    symbols = run.tensors[compiled.output]
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator.compiler import Compiled
from xlic.accelerator.driver import Execution, Identity
from xlic.accelerator.isa import BEAT_BYTES
from xlic.board.bitstream import forget_bitstream, load_bitstream, read_bitstream
from xlic.board.config import Board
from xlic.board.console import Console
from xlic.board.deadline import Deadline
from xlic.board.errors import (
    AcceleratorTimeoutError,
    DeadlineError,
    InfrastructureError,
    LeaseLostError,
)
from xlic.board.invocation import RESULT, Invocation, device_options
from xlic.board.jobs import end_jobs, start_job, wait_job
from xlic.board.lease import Lease
from xlic.board.policy import attempt
from xlic.board.program import build_program
from xlic.board.reconnect import Reconnecting
from xlic.board.recovery import Recovery
from xlic.board.results import (
    RESULT_LIMIT,
    Repeat,
    Result,
    failure,
    parse_result,
    require_design,
)
from xlic.board.sensors import read_sensors
from xlic.board.shell import checked, quoted
from xlic.board.ssh import Link
from xlic.board.transfer import Store, Traffic, local_path
from xlic.errors import InputError

Say = Callable[[str], None]
_T = TypeVar("_T")
_MARGIN = 30.0
"""Seconds beside the runs themselves: loading the window, hashing, start of the program."""


@dataclass(frozen=True)
class BoardRun:
    """A run that ended well.

    Attributes:
        execution: cycles and counters of the last repeat.
        repeats: all of them, with latencies and hashes.
        tensors: those fetched, by name, of the last repeat.
        failures: of the infrastructure, before it went well.
    """

    execution: Execution
    repeats: tuple[Repeat, ...]
    tensors: Mapping[str, NDArray[Any]]
    failures: tuple[InfrastructureError, ...]

    @property
    def stable(self) -> bool:
        """Whether all repeats yielded the same bytes."""
        return len({repeat.hashes for repeat in self.repeats}) <= 1


class BoardSession:
    """A session; a context manager.

    Args:
        board: which one.
        accept_new_host_key: see :class:`~xlic.board.ssh.Link`.
        source_hash: that the accelerator's sources must have; None takes any.
        wake: start it once where its identity is blank: an HLS export tells it only when it runs.
        artifacts: folder for the console's log; None makes one that goes away.
        say: told what takes time and what went wrong.

    Attributes:
        identity: of the accelerator.
        failures: of the infrastructure, all that were recovered from.
        done: what recovery did.
    """

    def __init__(
        self,
        board: Board,
        *,
        accept_new_host_key: bool = False,
        source_hash: int | None = None,
        wake: bool = False,
        artifacts: Path | None = None,
        say: Say = lambda _: None,
    ) -> None:
        self.board = board
        self.failures: list[InfrastructureError] = []
        self.done: list[str] = []
        self._accept = accept_new_host_key
        self._source_hash = source_hash
        self._wake = wake
        self._artifacts = artifacts
        self._say = say
        self._stack = ExitStack()
        self._link: Link | None = None
        self._heartbeat = Reconnecting(self._connect_once)
        self._lease: Lease | None = None
        self._store: Store | None = None
        self._program = ""
        self._identity: Identity | None = None
        self._traffic = Traffic()
        self._boot: str | None = None
        self._restarted = False
        self._ready = False
        # Its logic is in a state that nobody knows.
        self._suspect = False

    @property
    def identity(self) -> Identity:
        """What the accelerator says of itself.

        Raises:
            InfrastructureError: the session is not open.
        """
        if self._identity is None:
            raise InfrastructureError("the session with the board is not open")
        return self._identity

    @property
    def traffic(self) -> Traffic:
        """What was moved so far."""
        return self._traffic

    def __enter__(self) -> BoardSession:
        try:
            if self._artifacts is None:
                folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="xlic-"))
                self._artifacts = Path(folder)
            self._executable = build_program()
            self._attempt(self._open)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the board back and hang up."""
        self.rest()
        self._stack.close()

    def rest(self) -> None:
        """Give the board back until the next run, which takes and prepares it again."""
        self._ready = False
        if self._lease is not None:
            self._lease.release()
            self._lease = None
        self._heartbeat.close()
        self._close_link()

    def run(
        self,
        compiled: Compiled,
        values: NDArray[Any],
        *,
        fetch: Collection[str] | None = None,
        repeat: int = 1,
    ) -> BoardRun:
        """Run a compiled program.

        Args:
            compiled: for the board's design.
            values: its input ``(H, W, C)``.
            fetch: names of the tensors to fetch; None takes the output only.
            repeat: times to run it; everything is loaded anew each time.

        Raises:
            InputError: the input does not fit the program, or the board's buffer is too small.
            IdentityError: another accelerator than the program is for.
            AcceleratorError: it failed.
            InfrastructureError: the way to it failed, again and again.
        """
        names = [compiled.output] if fetch is None else list(dict.fromkeys(fetch))
        data = compiled.memory.input.pack(values).tobytes()
        attempted = self._attempt(lambda: self._run(compiled, data, names, repeat))
        result, tensors = attempted
        last = result.repeats[-1]
        execution = Execution(last.cycles, last.counters)
        return BoardRun(execution, result.repeats, tensors, tuple(self.failures))

    def check(self) -> Result:
        """Whether registers and buffer hold what is written to them; overwrites the buffer.

        Raises:
            AcceleratorError: they do not; names the address and both values.
            InfrastructureError: the way to it failed, again and again.
        """

        def act() -> Result:
            self._open()
            return self._ask(self._linked(), "check", "checking registers and buffer")

        return self._attempt(act)

    def sensors(self) -> dict[str, float]:
        """Temperatures, voltages and the like, see :func:`~xlic.board.sensors.read_sensors`."""

        def act() -> dict[str, float]:
            self._open()
            limit = Deadline(self.board.limits.command, "reading sensors")
            return read_sensors(self._linked(), limit)

        return self._attempt(act)

    def reload(self) -> None:
        """Configure the logic anew before the next run, whatever is loaded."""
        self._distrust()

    def _attempt(self, action: Callable[[], _T]) -> _T:
        def recover(error: InfrastructureError) -> tuple[str, ...]:
            self._say(f"{error}; recovering")
            done = self._recover()
            self.done += done
            return done

        attempted = attempt(action, recover, self.board.attempts)
        self.failures += attempted.failures
        return attempted.value

    def _open(self) -> None:
        """Everything up to a known accelerator; what was done before is not done again."""
        if self._ready:
            return
        limits, board = self.board.limits, self.board
        if self._link is None or not self._link.alive:
            self._close_link()
            self._link = self._connect(Deadline(limits.connect, "connecting"))
        link = self._link
        lease = self._take_lease()
        # Whoever had the board before may have gone in the middle of a run.
        limit = Deadline(limits.command, "ending runs of before")
        if end_jobs(link, f"{board.folder}/runs", limit, lease.guard):
            self._suspect = True
        store = Store(link, board.folder)
        store.traffic = self._traffic
        self._store = store
        sending = Deadline(limits.transfer, "sending the board's program")
        self._program = store.put(self._executable, sending, executable=True)
        if board.bitstream is not None:
            bitstream = read_bitstream(board.bitstream, board.part)
            loaded = load_bitstream(
                link,
                store,
                bitstream,
                board.fpga_manager,
                board.folder,
                Deadline(limits.bitstream + limits.transfer, "loading the bitstream"),
                guard=lease.guard,
                force=self._suspect,
            )
            if loaded:
                self._say(f"loaded {Path(board.bitstream).name}")
            self._suspect = False
        self._identify(link)
        self._ready = True

    def _ask(self, link: Link, command: str, what: str) -> Result:
        """A short command of the board's program."""
        options = [self._program, command, *device_options(self.board)]
        if self._wake:
            options += ["--wake", "1"]
        if self._source_hash is not None:
            options += ["--expect-hash", f"{self._source_hash:016x}"]
        limit = Deadline(self.board.limits.command, what)
        done = link.run(f"{self._owned().guard}\nexec {quoted(*options)}", limit)
        result = parse_result(done.output.encode(), done.status)
        error = failure(result)
        if error is not None:
            raise error
        return result

    def _identify(self, link: Link) -> None:
        found = self._ask(link, "identify", "reading the accelerator's identity").identity
        if found is None:
            raise InfrastructureError("the board's program did not tell the identity")
        self._identity = found

    def _run(
        self, compiled: Compiled, data: bytes, names: list[str], repeat: int
    ) -> tuple[Result, dict[str, NDArray[Any]]]:
        self._open()
        if self._store is None:
            raise InfrastructureError("the session with the board is not open")
        lease, link, store, limits = (
            self._owned(),
            self._linked(),
            self._store,
            self.board.limits,
        )
        require_design(self.identity.design, compiled.design)
        sending = Deadline(limits.transfer, "sending the program and its input")
        program = store.put(compiled.program.to_bytes(), sending)
        source = store.put(data, sending)
        folder = f"{self.board.folder}/runs/{secrets.token_hex(8)}"
        call = Invocation(
            self._program, program, source, folder, names, repeat, self.identity.source_hash
        )
        patience = limits.run * repeat + _MARGIN + limits.command
        deadline = Deadline(patience, "the run on the board")
        lease.check()
        try:
            job = start_job(
                link, quoted(*call.words(compiled, self.board)), folder, deadline, guard=lease.guard
            )
            done = wait_job(link, job, deadline)
            result = self._result(store, folder, done.status, done.errors)
            error = failure(result)
            if isinstance(error, AcceleratorTimeoutError):
                self._distrust()
            if error is not None:
                raise error
            tensors = self._fetch(compiled, store, call, result)
            lease.check()
            return result, tensors
        except DeadlineError:
            self._distrust()
            raise
        finally:
            self._clean(folder)

    def _tidy(self, what: str, act: Callable[[Link, Deadline], object]) -> None:
        """Do what a result must not be lost for if it fails."""
        link = self._link
        if link is None or not link.alive:
            return
        try:
            act(link, Deadline(self.board.limits.command, what))
        except InfrastructureError as error:
            self._say(str(error))

    def _result(self, store: Store, folder: str, status: int, errors: str) -> Result:
        limit = Deadline(self.board.limits.command, "reading the result")
        try:
            data = store.read(f"{folder}/{RESULT}", RESULT_LIMIT, limit)
        except InfrastructureError as error:
            last = errors.strip().splitlines()[-1:] or [str(error.args[0])]
            raise InfrastructureError(
                f"the board's program ended with status {status} and without a result: "
                f"{last[0][:200]}"
            ) from error
        return parse_result(data, status)

    def _fetch(
        self, compiled: Compiled, store: Store, call: Invocation, result: Result
    ) -> dict[str, NDArray[Any]]:
        if not result.repeats or len(result.repeats[-1].hashes) != len(call.names):
            raise InfrastructureError("the board's program tells other tensors than asked for")
        limit = Deadline(self.board.limits.transfer, "fetching tensors")
        tensors: dict[str, NDArray[Any]] = {}
        with tempfile.TemporaryDirectory(prefix="xlic-", dir=self._artifacts) as place:
            for index, name in enumerate(call.names):
                tensor = compiled.memory.tensor(name)
                target = local_path(Path(place), f"{index}.bin")
                size = tensor.beats * BEAT_BYTES
                digest = result.repeats[-1].hashes[index]
                store.fetch(call.file(index), target, size, digest, limit)
                tensors[name] = tensor.unpack(np.fromfile(target, np.uint8))
        return tensors

    def _clean(self, folder: str) -> None:
        script = f"rm -rf {quoted(folder)}"
        self._tidy("removing the run's files", lambda link, limit: link.run(script, limit))

    def _recover(self) -> tuple[str, ...]:
        self._close_link()
        # That connection leads where this one led.
        self._heartbeat.close()
        recovery = Recovery(self.board, self._connect, self._console(), self._serial_password())
        recovered = recovery.recover()
        self._link = recovered.link
        self._distrust()
        return recovered.done

    def _take_lease(self) -> Lease:
        """The lease, taken or made sure of."""
        if self._lease is None:
            self._lease = Lease(self._heartbeat, self.board.folder, self.board.lease, self._say)
        lease = self._lease
        if lease.number == 0:
            lease.acquire()
        elif self._restarted:
            # It went with the board's memory, and is ours again if nobody was faster.
            lease.acquire(0)
        else:
            lease.renew()
        self._restarted = False
        lease.start_heartbeat()
        return lease

    def _distrust(self) -> None:
        """Configure the logic anew before the next run, this session's or another's."""
        self._ready = False
        self._suspect = True
        self._tidy(
            "forgetting the bitstream",
            lambda link, limit: forget_bitstream(link, self.board.folder, limit),
        )

    def _console(self) -> Callable[[], Console] | None:
        port = self.board.serial
        if port is None or self._artifacts is None:
            return None
        log = self._artifacts / "console.log"
        return lambda: Console(port, self.board.baud, log)

    def _serial_password(self) -> str | None:
        name = self.board.serial_password_env
        if name is None:
            return None
        password = os.environ.get(name)
        if password is None:
            raise InputError(f"the environment variable {name} is not set")
        return password

    def _connect_once(self, deadline: Deadline) -> Link:
        return Link(self.board, accept_new_host_key=self._accept, deadline=deadline)

    def _connect(self, deadline: Deadline) -> Link:
        link = self._connect_once(deadline)
        limit = Deadline(self.board.limits.command, "looking at the board")
        look = "uname -m; cat /proc/sys/kernel/random/boot_id"
        try:
            machine, _, boot = checked(link, look, limit, "looking at the board").partition("\n")
            if machine != "aarch64":
                raise InputError(f"{self.board.host} is a {machine[:20]!r}, no aarch64 board")
        except BaseException:
            link.close()
            raise
        self._restarted = self._restarted or self._boot not in (None, boot)
        self._boot = boot
        return link

    def _owned(self) -> Lease:
        if self._lease is None:
            raise LeaseLostError("the board was not leased")
        return self._lease

    def _linked(self) -> Link:
        if self._link is None:
            raise InfrastructureError("the session with the board is not open")
        return self._link

    def _close_link(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
