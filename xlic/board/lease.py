"""A lease on the board, kept on the board itself: nobody else runs a server for it.

A folder on the board holds ``lease.N`` for growing N; the one with the highest N counts. Making
``lease.N+1`` by a hard link is atomic and is how the board changes hands: from one who released it
(``released.N``), or whose last heartbeat (``beat.N``) is too old by the board's own clock, that of
its uptime, which nobody sets. A lease from before a restart is stale. The highest is never removed,
so no moment exists in which two could take the same one, and one who was too slow sees at the next
look that there is a higher one.
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

from xlic.board.config import LeaseSettings
from xlic.board.deadline import Deadline
from xlic.board.errors import InfrastructureError, LeaseError, LeaseLostError
from xlic.board.shell import LEASE_LOST_STATUS, Shell, checked, plain, quoted
from xlic.errors import XlicError

UPTIME = "cut -d. -f1 /proc/uptime"
HELD_STATUS = 76
"""Exit status of :attr:`Lease.whose` where somebody else holds the board."""
OURS_STATUS = 77
"""The same where it is ours."""
UNKNOWN_STATUS = 78
"""The same where the user may not know."""
_BEATS_PER_EXPIRY = 4
_LOOK = 1.0
_SAY_EVERY = 30.0
_COMMAND = 20.0
_ONE_TRY = 6.0
_LOG_LINES = 200

Say = Callable[[str], None]


@dataclass(frozen=True)
class Holder:
    """Who holds the board.

    Attributes:
        owner: user.
        host: where from.
        purpose: what for.
        held: seconds since when.
        beat: seconds since the last heartbeat.
        stale: whether the board may be taken.
    """

    owner: str
    host: str
    purpose: str
    held: int
    beat: int
    stale: bool

    def __str__(self) -> str:
        state = "stale, " if self.stale else ""
        return (
            f"{self.owner}@{self.host} for {self.purpose} ({state}held for {self.held} s, "
            f"last heard of {self.beat} s ago)"
        )


class Lease:
    """A lease; as a context manager it is taken, renewed in the background, and released.

    Args:
        shell: the way to the board; may be replaced when the connection is.
        folder: xlic's on the board.
        settings: owner, expiry, patience.
        say: told who is waited for, and what was reclaimed.
        clock: shell command for the board's seconds.
    """

    def __init__(
        self,
        shell: Shell,
        folder: str,
        settings: LeaseSettings,
        say: Say = lambda _: None,
        clock: str = UPTIME,
    ) -> None:
        self.shell = shell
        self.number = 0
        # Also without an answer the board may have become ours.
        self._asked = False
        self._settings = settings
        self._say = say
        self._token = secrets.token_hex(16)
        self._folder = quoted(f"{folder}/lease")
        self._functions = _FUNCTIONS.format(clock=clock)
        # Of what the background renews and the session takes again after a restart of the board.
        self._turn = threading.Lock()
        self._lost: str | None = None
        # Who had it when it was last asked for.
        self._holder: Holder | None = None
        self._renewed = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def guard(self) -> str:
        """Shell for the beginning of a script: goes on only while the lease is ours."""
        return f"( {self._mine} ) || {_LOST}"

    @property
    def whose(self) -> str:
        """Shell whose exit status says whose the board is; 0: nobody's.

        It may be typed on a console: what shells take for their history is not in it.
        """
        return (
            f"( {self._functions}\ncd {self._folder} 2> /dev/null || "
            f'{{ [ "$(id -u)" = 0 ] && exit 0; exit {UNKNOWN_STATUS}; }}\n'
            'top; [ -n "$n" ] || exit 0; [ -e "released.$n" ] && exit 0\n'
            f"mine {self._token} && exit {OURS_STATUS}\n"
            f"look; [ $stale = 1 ] || exit {HELD_STATUS} )"
        )

    def acquire(self, wait: float | None = None) -> None:
        """Take the board, as soon as it is free.

        Args:
            wait: seconds; None takes the settings'.

        Raises:
            LeaseError: somebody else holds it.
            InfrastructureError: the board cannot be asked.
        """
        patience = self._settings.wait if wait is None else wait
        deadline = Deadline(patience, "waiting for the board")
        said, said_at = "", 0.0
        while (holder := self._try_in_turn()) is not None:
            name = f"{holder.owner}@{holder.host}"
            if said != name or time.monotonic() > said_at + _SAY_EVERY:
                self._say(f"waiting for the board, held by {holder}")
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
        script = f"{self._mine} || {_LOST}\n{_BEAT}"
        with self._turn:
            asked = moment()
            try:
                checked(self.shell, script, Deadline(_COMMAND, "renewing the lease"), "heartbeat")
            except LeaseLostError:
                self._lost = "the lease on the board was lost to somebody else"
                raise
            self._renewed = asked

    def check(self) -> None:
        """Make sure, without asking the board, that the lease can be ours still.

        Raises:
            LeaseLostError: it was lost, or could not be renewed in time.
        """
        if self.number and self._lost is None and moment() - self._renewed > self._settings.expiry:
            expiry = self._settings.expiry
            self._lost = f"the lease on the board could not be renewed for {expiry:g} s"
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
            script = f'{self._mine} && : > "released.$n"'
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
            with suppress(XlicError):
                self.renew()

    @property
    def _mine(self) -> str:
        """Shell that succeeds if the lease that counts is ours; ``n`` is its number then."""
        return f"{self._functions}\ncd {self._folder} 2> /dev/null && top && mine {self._token}"

    def _try_in_turn(self) -> Holder | None:
        with self._turn:
            asked = moment()
            self._holder = holder = self._try()
            if holder is None:
                self._lost = None
                self._renewed = asked
            return holder

    def _try(self) -> Holder | None:
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
        lines = " ".join(quoted(f"{key}={value}") for key, value in claim.items())
        script = f"{self._functions}\n" + _TAKE.format(
            folder=self._folder,
            claim=quoted(f"claim.{self._token}"),
            token=self._token,
            lines=lines,
            log=_LOG_LINES,
            beat=_BEAT,
        )
        text = checked(
            self.shell, script, Deadline(_COMMAND, "asking for the lease"), "asking for the lease"
        )
        first, _, rest = text.partition("\n")
        if first.startswith("got "):
            self.number = _integer(first[4:])
            if rest.strip():
                self._say(f"took over the board from {_holder(rest)}")
            return None
        return _holder(rest)


def moment() -> float:
    """Seconds of a clock that goes on, as the board's does, while this machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def read_holder(shell: Shell, folder: str, clock: str = UPTIME) -> Holder | None:
    """Who holds the board; None if nobody does.

    Raises:
        InfrastructureError: the board cannot be asked.
    """
    functions = _FUNCTIONS.format(clock=clock)
    script = (
        f"{functions}\ncd {quoted(f'{folder}/lease')} 2> /dev/null || exit 0; top\n"
        '[ -z "$n" ] || [ -e "released.$n" ] || tell'
    )
    limit = Deadline(_COMMAND, "asking who holds the board")
    text = checked(shell, script, limit, "asking who holds the board")
    return _holder(text) if text.strip() else None


_LOST = f"{{ echo 'the lease is lost' >&2; exit {LEASE_LOST_STATUS}; }}"

# Functions of all scripts: the clock, the highest lease, whether it is ours, what is known of it.
# Those of a guard start no process: on a slow board each costs as much as all the rest.
_FUNCTIONS = r"""umask 077; IFS= read -r boot < /proc/sys/kernel/random/boot_id
now() {{ {clock}; }}
top() {{ n=; for file in lease.*; do number=${{file#lease.}}
  [ "$number" -gt "${{n:-0}}" ] 2> /dev/null && n=$number; done; [ -n "$n" ]; }}
mine() {{ [ ! -e "released.$n" ] && IFS= read -r line 2> /dev/null < "lease.$n" &&
  [ "$line" = "token=$1" ]; }}
value() {{ sed -n "s/^$1=//p" "lease.$n" 2> /dev/null | head -n 1; }}
look() {{ since=$(value since); expiry=$(value expiry)
  beat=$(cat "beat.$n" 2> /dev/null); beat=${{beat:-$since}}
  stale=1; t=$(now)
  age=$((t - ${{beat:-0}}))
  if [ "$(value boot)" = "$boot" ] && [ $age -le "${{expiry:-0}}" ]; then stale=0; fi; }}
tell() {{ look; echo "beat=$age"; echo "held=$((t - ${{since:-0}}))"
  echo "stale=$stale"; grep -E '^(owner|host|purpose)=' "lease.$n"; }}"""

_BEAT = 'now > "beat.$n.part" && mv "beat.$n.part" "beat.$n"'

# What is ours already, by an attempt whose answer was lost, stays so.
_TAKE = r"""mkdir -p {folder} && cd {folder} || exit 9
top; before=
if [ -n "$n" ] && [ ! -e "released.$n" ]; then
  look
  if [ $stale = 0 ] && mine {token}; then {beat}; echo "got $n"; exit 0; fi
  if [ $stale = 0 ]; then echo held; tell; exit 0; fi
  before=$(tell)
fi
next=$((${{n:-0}} + 1))
printf '%s\n' {lines} "boot=$boot" "since=$(now)" > {claim} || {{
  rm -f {claim}; echo "$PWD cannot be written; is there room?" >&2; exit 9; }}
if ! ln {claim} "lease.$next" 2> /dev/null; then
  rm -f {claim}; top; echo raced; tell; exit 0
fi
rm -f {claim}
top
if [ "$n" != "$next" ]; then
  rm -f "lease.$next"; echo raced; tell; exit 0
fi
for old in lease.* beat.* released.*; do
  number=${{old#*.}}; number=${{number%%.*}}
  case $number in *[!0-9]*|'') ;; *) [ "$number" -lt "$next" ] && rm -f "$old";; esac
done
if [ -n "$before" ]; then
  {{ tail -n {log} log 2> /dev/null; echo "$(now) reclaimed from" $before; }} > "log.$next"
  mv "log.$next" log
fi
echo "got $next"; printf '%s' "$before"; exit 0"""


def _holder(text: str) -> Holder:
    # Anybody may have written this: only what is looked for, and nothing that a terminal obeys.
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return Holder(
        plain(found.get("owner", "?")),
        plain(found.get("host", "?")),
        plain(found.get("purpose", "?")),
        _integer(found.get("held", "0")),
        _integer(found.get("beat", "0")),
        found.get("stale") == "1",
    )


def _integer(text: str) -> int:
    digits = text.strip()
    return int(digits) if digits.isdigit() and len(digits) < 16 else 0


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
