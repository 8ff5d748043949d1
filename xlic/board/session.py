"""A session with a board: connected, leased, its logic configured and identified, ready to run.

with BoardSession(Board("zcu102")) as session:
    run = session.run(compiled, picture)
    symbols = run.tensors[compiled.output]
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from xlic.accelerator.compiler import Compiled
from xlic.accelerator.driver import Execution, Identity
from xlic.board.bitstream import forget_bitstream, load_bitstream, read_bitstream
from xlic.board.calls import Caller, runs_folder
from xlic.board.config import Board
from xlic.board.console import Console
from xlic.board.deadline import Deadline
from xlic.board.errors import (
    AcceleratorTimeoutError,
    DeadlineError,
    InfrastructureError,
    LeaseLostError,
    ResetNeededError,
)
from xlic.board.invocation import Invocation, device_options
from xlic.board.jobs import end_jobs
from xlic.board.lease import Lease
from xlic.board.occupant import clear_device
from xlic.board.policy import attempt
from xlic.board.program import build_program
from xlic.board.reconnect import Reconnecting
from xlic.board.recovery import Recovery
from xlic.board.results import (
    Repeat,
    Result,
    failure,
    require_design,
)
from xlic.board.sensors import read_sensors
from xlic.board.ssh import Link
from xlic.board.status import check_system
from xlic.board.transfer import Store, Traffic
from xlic.disk import scratch_folder
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
        failures: of the infrastructure, all after which recovery was tried.
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
        self._caller: Caller | None = None
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
                self._artifacts = self._stack.enter_context(scratch_folder())
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
        try:
            self.rest()
        finally:
            self._stack.close()

    def rest(self) -> None:
        """Give the board back until the next run, which takes and prepares it again."""
        try:
            self._leave()
        finally:
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
            return self._ask("check", "checking registers and buffer")

        return self._attempt(act)

    def sensors(self) -> dict[str, float]:
        """Temperatures, voltages and the like, see :func:`~xlic.board.sensors.read_sensors`."""

        def act() -> dict[str, float]:
            self._open()
            limit = Deadline(self.board.limits.command, "reading sensors")
            return read_sensors(self._opened().shell, limit)

        return self._attempt(act)

    def reload(self) -> None:
        """Configure the logic anew before the next run, whatever is loaded."""
        self._distrust()

    def _attempt(self, action: Callable[[], _T]) -> _T:
        done: tuple[str, ...] = ()

        def recover(error: InfrastructureError) -> tuple[str, ...]:
            nonlocal done
            self.failures.append(error)
            self._say(f"{error}; recovering")
            # Where it answers, but again not in time, another connection is of no more help.
            again = isinstance(error, DeadlineError) and done[-1:] == ("ssh: helped",)
            stuck = (again and self._leased()) or isinstance(error, ResetNeededError)
            done = self._recover(restart=stuck)
            self.done += done
            return done

        try:
            return attempt(action, recover, self.board.attempts).value
        except LeaseLostError:
            # The next run asks for the board anew, and waits its turn.
            self._leave()
            raise

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
        if end_jobs(link, runs_folder(board), limit, lease.guard):
            self._suspect = True
        store = Store(link, board.folder, lease.guard)
        store.traffic = self._traffic
        self._caller = Caller(link, board, lease, store)
        sending = Deadline(limits.transfer, "sending the board's program")
        self._program = store.put(self._executable, sending, executable=True)
        if clear_device(self._caller, self._program, self._say):
            self._suspect = True
        if board.bitstream is not None:
            bitstream = read_bitstream(board.bitstream, board.part)
            loaded = load_bitstream(
                link,
                store,
                bitstream,
                board.fpga_manager,
                board.lease.folder,
                Deadline(limits.bitstream + limits.transfer, "loading the bitstream"),
                guard=lease.guard,
                force=self._suspect,
            )
            if loaded:
                self._say(f"loaded {Path(board.bitstream).name}")
            self._suspect = False
        self._identify()
        self._ready = True

    def _ask(self, command: str, what: str) -> Result:
        """A short command of the board's program."""
        words = [self._program, command, *device_options(self.board)]
        if self._wake:
            words += ["--wake", "1"]
        if self._source_hash is not None:
            words += ["--expect-hash", f"{self._source_hash:016x}"]
        result = self._opened().ask(words, what)
        error = failure(result)
        if error is not None:
            raise error
        return result

    def _identify(self) -> None:
        found = self._ask("identify", "reading the accelerator's identity").identity
        if found is None:
            raise InfrastructureError("the board's program did not tell the identity")
        self._identity = found

    def _run(
        self, compiled: Compiled, data: bytes, names: list[str], repeat: int
    ) -> tuple[Result, dict[str, NDArray[Any]]]:
        self._open()
        caller, limits = self._opened(), self.board.limits
        require_design(self.identity.design, compiled.design)
        caller.lease.check()
        sending = Deadline(limits.transfer, "sending the program and its input")
        program = caller.store.put(compiled.program.to_bytes(), sending)
        source = caller.store.put(data, sending)
        folder = caller.new_folder()
        call = Invocation(
            self._program, program, source, folder, names, repeat, self.identity.source_hash
        )
        patience = limits.run * repeat + _MARGIN + limits.command
        deadline = Deadline(patience, "the run on the board")
        ended = settled = False
        try:
            result = caller.run(call.words(compiled, self.board), folder, deadline)
            ended = True
            # Else somebody else's doings on the board could be taken for the accelerator's.
            caller.lease.renew()
            error = failure(result)
            settled = result.rests and not isinstance(error, AcceleratorTimeoutError)
            if error is not None:
                raise error
            tensors = caller.fetch(compiled, call, result, self._artifacts)
            caller.lease.check()
            return result, tensors
        finally:
            if not settled:
                # Whatever ended the wait, Ctrl-C included, the accelerator may run still, or wait
                # for memory.
                self._distrust()
            if ended:
                # Else it is how whoever comes next finds what may run still.
                what = "removing the run's files"
                self._tidy(what, lambda _, limit: caller.clean(folder, limit))

    def _tidy(self, what: str, act: Callable[[Link, Deadline], object]) -> None:
        """Do what a result must not be lost for if it fails."""
        link = self._link
        if link is None or not link.alive:
            return
        try:
            act(link, Deadline(self.board.limits.command, what))
        except InfrastructureError as error:
            self._say(str(error))

    def _recover(self, *, restart: bool) -> tuple[str, ...]:
        self._close_link()
        # That connection leads where this one led.
        self._heartbeat.close()
        before = self._boot
        recovery = Recovery(
            self.board,
            self._connect,
            self._console(),
            self._serial_password,
            self._own_lease(),
            lambda: self._boot != before,
        )
        recovered = recovery.recover(restart=restart)
        self._link = recovered.link
        self._distrust()
        return recovered.done

    def _own_lease(self) -> Lease:
        """The lease, taken or not."""
        if self._lease is None:
            self._lease = Lease(self._heartbeat, self.board.lease, self._say)
        return self._lease

    def _leased(self) -> bool:
        return self._lease is not None and self._lease.number != 0

    def _take_lease(self) -> Lease:
        """The lease, taken or made sure of."""
        lease = self._own_lease()
        if lease.number and not self._restarted:
            lease.renew()
        else:
            # After a restart it went with the board's memory, and is ours again if nobody was
            # faster.
            lease.acquire(0 if lease.number else None)
            # Whoever did not give it back may have gone in the middle of anything.
            self._suspect = self._suspect or lease.reclaimed
        self._restarted = False
        lease.start_heartbeat()
        return lease

    def _leave(self) -> None:
        """Give the lease back; what was prepared is nobody's then."""
        self._ready = False
        self._caller = None
        if self._lease is not None:
            # What it knows of others outlives it: whether they may have the board by now.
            self._lease.release()

    def _distrust(self) -> None:
        """Configure the logic anew before the next run, this session's or another's."""
        self._ready = False
        self._suspect = True
        guard = self._own_lease().guard
        self._tidy(
            "forgetting the bitstream",
            lambda link, limit: forget_bitstream(link, self.board.lease.folder, limit, guard),
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
        try:
            return Link(self.board, accept_new_host_key=self._accept, deadline=deadline)
        except InputError as error:
            if self._boot is None:
                raise
            # It let us in before: names go and logins are refused, too, while a board starts.
            raise InfrastructureError(str(error)) from error

    def _connect(self, deadline: Deadline) -> Link:
        link = self._connect_once(deadline)
        limit = Deadline(self.board.limits.command, "looking at the board")
        try:
            boot = check_system(link, self.board.host, limit)
        except BaseException:
            link.close()
            raise
        self._restarted = self._restarted or self._boot not in (None, boot)
        self._boot = boot
        return link

    def _opened(self) -> Caller:
        if self._caller is None:
            raise InfrastructureError("the session with the board is not open")
        return self._caller

    def _close_link(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
