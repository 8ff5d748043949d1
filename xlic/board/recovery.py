"""Getting back to a board that does not answer: from the mildest means to the harshest.

ssh → console: log in, mend the network → reset → power. Each step is bounded, what was done is
kept, and a step that the board file gives no means for is passed over. The last two restart the
board, which is done to nobody else's: who holds it is asked on the console, where that answers.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from xlic.board.config import Board
from xlic.board.console import Console, command, login
from xlic.board.deadline import Deadline
from xlic.board.errors import InfrastructureError, LeaseError
from xlic.board.lease import Lease, moment
from xlic.board.lease_scripts import HELD_STATUS, OURS_STATUS, UNKNOWN_STATUS
from xlic.errors import InputError, MissingToolError, XlicError

if TYPE_CHECKING:
    from xlic.board.ssh import Link

Connect = Callable[[Deadline], "Link"]
RESTARTS = ("reset", "power")
"""Steps that restart the board."""
_COMMAND = 60.0
_BETWEEN = 1.0


@dataclass(frozen=True)
class Recovered:
    """A board that answers again.

    Attributes:
        link: the new connection.
        done: what was done for it, in order, with what did not help.
    """

    link: Link
    done: tuple[str, ...]


class Recovery:
    """The ladder.

    Args:
        board: what there is to do it with.
        connect: makes a connection.
        console: opens the serial console, None where there is none.
        password: of the console's user; called where the console is used.
        lease: on the board, held or not; None restarts the board without asking.
        restarted: whether the last connection found the board restarted.
    """

    def __init__(
        self,
        board: Board,
        connect: Connect,
        console: Callable[[], Console] | None = None,
        password: Callable[[], str | None] = lambda: None,
        lease: Lease | None = None,
        restarted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._board = board
        self._connect = connect
        self._console = console
        self._password = password
        self._lease = lease
        self._restarted = restarted
        self._refusal: str | None = None

    def recover(self, *, restart: bool = False) -> Recovered:
        """Climb until the board answers.

        Args:
            restart: begin with what restarts the board, where there is any: it answers, but is of
                no use.

        Raises:
            InfrastructureError: it does not; says what was tried.
            LeaseError: it would have to be restarted, but somebody else may hold it.
        """
        done: list[str] = []
        last: XlicError | None = None
        steps = list(self._steps())
        if restart:
            steps = [step for step in steps if step[0] in RESTARTS] or steps
        asked = False
        for name, act, patience in steps:
            try:
                if name in RESTARTS and not asked:
                    # Whoever took it after that could not have reached it either.
                    asked = True
                    self._ask_for_restart()
                self._act(act)
                link = self._reach(patience, restart and name in RESTARTS)
            except LeaseError as error:
                error.done = (*done, *error.done)
                raise
            except InfrastructureError as error:
                done.append(f"{name}: {error.args[0]}")
                last = error
                continue
            done.append(f"{name}: helped")
            return Recovered(link, tuple(done))
        raise InfrastructureError(
            f"{self._board.host} does not answer, and nothing helped", tuple(done)
        ) from last

    def _steps(self) -> Iterator[tuple[str, Callable[[], None], float]]:
        limits = self._board.limits
        yield "ssh", lambda: None, limits.connect
        if self._console is not None:
            yield "console", self._mend_network, limits.connect
        for name in ("reset", "power"):
            words = getattr(self._board, f"{name}_command")
            if words:
                yield name, partial(_run, words), limits.boot

    def _ask_for_restart(self) -> None:
        if self._refusal is not None:
            raise LeaseError(
                f"{self._board.host} does not answer, and is not restarted: {self._refusal}"
            )
        if self._lease is not None:
            self._lease.check_restart()

    def _act(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (InputError, MissingToolError) as error:
            # What this step lacks, the next may not.
            raise InfrastructureError(str(error)) from error

    def _mend_network(self) -> None:
        if self._console is None:
            return
        patience = self._board.limits.console
        deadline = Deadline(patience, "mending the network by the console")
        with self._console() as console:
            login(console, self._board.serial_user, self._password(), deadline)
            if self._lease is not None and not self._ask_whose(console, self._lease, deadline):
                # Their network is not ours to mend.
                return
            for line in self._board.network_repair:
                # One of them failing may be in order: the link may be up already.
                command(console, line, deadline)

    def _ask_whose(self, console: Console, lease: Lease, deadline: Deadline) -> bool:
        """Whether the board may be ours, by the console."""
        asked = moment()
        status = command(console, lease.whose, deadline)
        if status == OURS_STATUS:
            lease.confirm(asked)
        refusals = {
            0: None,
            OURS_STATUS: None,
            HELD_STATUS: "the console says that somebody else holds it",
            UNKNOWN_STATUS: f"on the console {self._board.serial_user} may not see who holds it; "
            "give serial_user the user of SSH, or root",
        }
        self._refusal = refusals.get(status, "the console does not say whether somebody holds it")
        return self._refusal is None

    def _reach(self, patience: float, restart: bool) -> Link:
        deadline = Deadline(patience, f"waiting for {self._board.host}")
        while True:
            try:
                link = self._connect(deadline)
                if not restart or self._restarted():
                    return link
                link.close()
                raise InfrastructureError("it answers, but was not restarted")
            except InfrastructureError:
                if deadline.left <= _BETWEEN:
                    raise
                deadline.wait(_BETWEEN)


def _run(words: tuple[str, ...]) -> None:
    try:
        done = subprocess.run(
            list(words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_COMMAND,
        )
    except subprocess.TimeoutExpired as error:
        raise InfrastructureError(f"{words[0]} did not end within {_COMMAND:g} s") from error
    except OSError as error:
        raise InputError(f"cannot run {words[0]}: {error.strerror or error}") from error
    if done.returncode:
        text = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = text[-1][:200] if text else "no message"
        raise InfrastructureError(f"{words[0]} failed with status {done.returncode}: {reason}")
