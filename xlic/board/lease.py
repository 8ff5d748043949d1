"""A lease on the board, kept on the board itself: nobody else runs a server for it.

A folder on the board holds ``lease.N`` for growing N; the one with the highest N counts. Making
``lease.N+1`` by a hard link is atomic and is how the board changes hands: from one who released it
(``released.N``), or whose last heartbeat (``beat.N``) is too old by the board's own clock, that of
its uptime, which nobody sets. A lease from before a restart is stale. The highest is never removed,
so no moment exists in which two could take the same one, and one who was too slow sees at the next
look that there is a higher one. Those who wait have a ``ticket.N``, and only the lowest that lives
takes the board.
"""

from __future__ import annotations

import getpass
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from xlic.board import lease_scripts
from xlic.board.config import LeaseSettings
from xlic.board.deadline import Deadline
from xlic.board.errors import InfrastructureError, LeaseError, LeaseLostError
from xlic.board.lease_scripts import LOST, UPTIME
from xlic.board.shell import Shell, checked, plain, quoted
from xlic.errors import XlicError

MARK = "XLIC_LEASE"
"""Environment variable of all that runs on the board under a lease: its folder and token."""
_BEATS_PER_EXPIRY = 4
_OURS = 7 / 8
"""Part of its expiry after which a lease that was not renewed is none to its owner: what runs is to
have ended before others may take the board."""
_LOOK = 1.0
_SAY_EVERY = 30.0
_COMMAND = 20.0
_ONE_TRY = 6.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Holder:
    """Who holds the board, or is to have it next.

    Attributes:
        owner: user.
        host: where from.
        purpose: what for.
        held: seconds since when.
        beat: seconds since the last heartbeat.
        stale: whether the board may be taken.
        next: whether it is free, but was asked for by them before.
        ahead: how many in line come before us.
    """

    owner: str
    host: str
    purpose: str
    held: int
    beat: int
    stale: bool
    next: bool = False
    ahead: int = 0

    def __str__(self) -> str:
        if self.next:
            return f"{self.owner}@{self.host} for {self.purpose} (next in line)"
        state = "stale, " if self.stale else ""
        return (
            f"{self.owner}@{self.host} for {self.purpose} ({state}held for {self.held} s, "
            f"last heard of {self.beat} s ago)"
        )


class Lease:
    """A lease; as a context manager it is taken, renewed in the background, and released.

    Args:
        shell: the way to the board; may be replaced when the connection is.
        settings: folder on the board, owner, expiry, patience.
        say: told who is waited for, and what was reclaimed.
        clock: shell command for the board's seconds.

    Attributes:
        number: of the lease, 0 while there is none.
        reclaimed: whether it was taken over from somebody who did not give it back.
    """

    def __init__(
        self,
        shell: Shell,
        settings: LeaseSettings,
        say: Say = lambda _: None,
        clock: str = UPTIME,
    ) -> None:
        self.shell = shell
        self.number = 0
        self.reclaimed = False
        # Also without an answer the board may have become ours.
        self._asked = False
        self._settings = settings
        self._say = say
        self._token = secrets.token_hex(16)
        self._script = (clock, settings.folder, self._token)
        # Of what the background renews and the session takes again after a restart of the board.
        self._turn = threading.Lock()
        self._lost: str | None = None
        # Why the last renewal failed.
        self._trouble = ""
        # Who had it when it was last asked for.
        self._holder: Holder | None = None
        self._renewed = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def guard(self) -> str:
        """Shell for the beginning of a script: goes on only while the lease is ours.

        What is started behind it bears the lease's :data:`MARK`.
        """
        mine = lease_scripts.is_mine(*self._script)
        return f"( {mine} ) || {LOST}; export {MARK}={quoted(self.mark)}"

    @property
    def mark(self) -> str:
        """What is in :data:`MARK`: folder and token."""
        return f"{self._settings.folder} {self._token}"

    @property
    def whose(self) -> str:
        """Shell whose exit status says whose the board is; 0: nobody's. A console takes it, too."""
        return lease_scripts.whose(*self._script)

    def acquire(self, wait: float | None = None) -> None:
        """Take the board, as soon as it is free and those who asked before have had it.

        Args:
            wait: seconds; None takes the settings'.

        Raises:
            LeaseError: somebody else holds it.
            InfrastructureError: the board cannot be asked.
        """
        patience = self._settings.wait if wait is None else wait
        deadline = Deadline(patience, "waiting for the board")
        queue = patience > 0
        try:
            self._wait_in_line(deadline, queue)
        except BaseException:
            if queue:
                # Those behind us need not wait until our ticket expires.
                limit = Deadline(_ONE_TRY, "leaving the line")
                self._insist(lease_scripts.leave(*self._script), limit)
            raise

    def _wait_in_line(self, deadline: Deadline, queue: bool) -> None:
        said, said_at = "", 0.0
        while (holder := self._try_in_turn(queue)) is not None:
            name = f"{holder.owner}@{holder.host} {holder.ahead}"
            if said != name or time.monotonic() > said_at + _SAY_EVERY:
                line = f"; {holder.ahead} in line before us" if holder.ahead else ""
                self._say(f"waiting for the board, held by {holder}{line}")
                said, said_at = name, time.monotonic()
            if deadline.over:
                raise LeaseError(f"the board is held by {holder}; wait, or ask them")
            deadline.wait(min(_LOOK, deadline.left + 0.01))

    def renew(self) -> None:
        """Tell the board that we are there.

        Raises:
            LeaseLostError: somebody else has it.
            InfrastructureError: the board cannot be asked.
        """
        script = lease_scripts.beat(*self._script)
        with self._turn:
            asked = moment()
            try:
                checked(self.shell, script, Deadline(_COMMAND, "renewing the lease"), "heartbeat")
            except LeaseLostError:
                self._lost = (
                    "the lease on the board was lost: it is somebody else's by now, or was "
                    f"removed from {self._settings.folder}"
                )
                raise
            self._renewed = asked
            self._trouble = ""

    def check(self) -> None:
        """Make sure, without asking the board, that the lease can be ours still.

        Raises:
            LeaseLostError: it was lost, or could not be renewed in time.
        """
        age = moment() - self._renewed
        if self.number and self._lost is None and age > _OURS * self._settings.expiry:
            reason = f" ({self._trouble})" if self._trouble else ""
            self._lost = f"the lease on the board could not be renewed for {age:.0f} s{reason}"
        if self._lost is not None:
            raise LeaseLostError(self._lost)
        if self.number == 0:
            raise LeaseLostError("the board was not leased")

    def check_restart(self) -> None:
        """Make sure, as far as it is known here, that a restart of the board harms nobody else.

        Raises:
            LeaseError: it is somebody else's, or may be by now.
        """
        if self._holder is not None:
            raise LeaseError(
                f"the board does not answer, and is not restarted: it is held by {self._holder}"
            )
        if self.number or self._lost is not None:
            self.check()

    def confirm(self, asked: float) -> None:
        """Take note that the lease is ours, as was learned by :attr:`whose`.

        Args:
            asked: moment of :func:`moment` before the question.
        """
        with self._turn:
            self._lost = None
            self._renewed = asked

    def release(self) -> None:
        """Give the board back; what cannot be told to the board expires by itself."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_COMMAND + 1)
            self._thread = None
        if self._asked:
            script = lease_scripts.release(*self._script)
            self._insist(script, Deadline(_COMMAND, "releasing the lease"))
            self.number, self._asked = 0, False

    def _insist(self, script: str, deadline: Deadline) -> None:
        """Run a script, again and again where the link is bad, until the deadline."""
        while True:
            try:
                self.shell.run(script, deadline.within(_ONE_TRY, deadline.what))
            except InfrastructureError:
                if deadline.left <= _LOOK:
                    return
                deadline.wait(_LOOK)
            except XlicError:
                # Login is refused by now, say: the next try would be, too.
                return
            else:
                return

    def start_heartbeat(self) -> None:
        """Renew in the background from now on."""
        if self._thread is not None:
            return
        self._stop.clear()
        self._thread = threading.Thread(target=self._beat, name="xlic-lease", daemon=True)
        self._thread.start()

    def __enter__(self) -> Lease:
        self.acquire()
        self.start_heartbeat()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _beat(self) -> None:
        while not self._stop.wait(self._settings.expiry / _BEATS_PER_EXPIRY):
            # A link that is down may come back; check() says when it is too late.
            try:
                self.renew()
            except XlicError as error:
                said, self._trouble = self._trouble, str(error)
                # Nobody may be there to hear it; the next heartbeat is due all the same.
                with suppress(OSError):
                    if not said:
                        self._say(f"the lease on the board was not renewed: {error}")

    def _try_in_turn(self, queue: bool) -> Holder | None:
        with self._turn:
            asked = moment()
            self._holder = holder = self._try(queue)
            if holder is None:
                self._lost = None
                self._renewed = asked
            return holder

    def _try(self, queue: bool) -> Holder | None:
        """Try once; who holds it, None if we do."""
        settings = self._settings
        self._asked = True
        claim = {
            "token": self._token,
            "owner": plain(settings.owner or _user()),
            "host": plain(socket.gethostname()),
            "purpose": plain(settings.purpose),
            "expiry": str(int(max(1, settings.expiry))),
        }
        clock, folder, _ = self._script
        script = lease_scripts.take(clock, folder, claim, queue)
        what = "asking for the lease"
        text = checked(self.shell, script, Deadline(_COMMAND, what), what)
        first, _, rest = text.partition("\n")
        if first.startswith("got "):
            self.number = _integer(first[4:])
            self.reclaimed = bool(rest.strip())
            if self.reclaimed:
                self._say(f"took over the board from {parse_holder(rest)}")
            return None
        return parse_holder(rest, following=first == "queued")


def moment() -> float:
    """Seconds of a clock that goes on, as the board's does, while this machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def read_holder(shell: Shell, folder: str, clock: str = UPTIME) -> Holder | None:
    """Who holds the board; None if nobody does.

    Raises:
        InfrastructureError: the board cannot be asked.
    """
    what = "asking who holds the board"
    script = lease_scripts.holder(clock, folder)
    text = checked(shell, script, Deadline(_COMMAND, what), what)
    return parse_holder(text) if text.strip() else None


def parse_holder(text: str, *, following: bool = False) -> Holder:
    """What a script told of a holder; ``following``: of who comes next."""
    # Anybody may have written this: only what is looked for, and nothing that a terminal obeys.
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return Holder(
        plain(found.get("owner", "?")),
        plain(found.get("host", "?")),
        plain(found.get("purpose", "?")),
        _integer(found.get("held", "0")),
        _integer(found.get("beat", "0")),
        found.get("stale") == "1",
        following,
        _integer(found.get("ahead", "0")),
    )


def _integer(text: str) -> int:
    digits = text.strip()
    return int(digits) if digits.isdigit() and len(digits) < 16 else 0


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
