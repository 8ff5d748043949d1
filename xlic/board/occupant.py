"""Whose program has the accelerator, and what is done about it by whoever holds the lease.

The lease keeps those apart who ask for it; the board's program keeps the device for itself as long
as it lives, whatever became of the lease it was started under. What is found there is ended if it
is nobody's: its lease is ours, gone, stale or given back. Else it is waited for.
"""

from __future__ import annotations

from collections.abc import Callable

from xlic.board import lease_scripts
from xlic.board.calls import Caller
from xlic.board.deadline import Deadline
from xlic.board.errors import DeviceBusyError, InfrastructureError, ResetNeededError
from xlic.board.invocation import device_options
from xlic.board.lease import MARK, Holder, parse_holder
from xlic.board.lease_scripts import UPTIME
from xlic.board.results import Outcome
from xlic.board.shell import quoted, require_lease

_LOOK = 1.0
_UNENDED = 7


def clear_device(caller: Caller, program: str, say: Callable[[str], None]) -> bool:
    """Have the device for the holder of the lease.

    Args:
        caller: under the lease.
        program: the board's, on the board.
        say: told who is waited for, and what was ended.

    Returns:
        Whether a program was ended: nobody knows what its accelerator does now.

    Raises:
        DeviceBusyError: a program that is not nobody's has it, longer than one waits for a lease.
        ResetNeededError: a program that is nobody's cannot be ended.
        InfrastructureError: the link failed.
    """
    board = caller.board
    deadline = Deadline(board.lease.wait, "waiting for the device")
    words = [program, "free", *device_options(board)]
    ended = waiting = False
    while True:
        found = caller.ask(words, "asking whether the device is free")
        if found.outcome is not Outcome.BUSY:
            return ended
        what = f"on the board, {found.message}"
        owner: Holder | None = None
        if found.holder:
            over, owner = _end_orphan(caller, found.holder)
            if over:
                say(f"{what}, which was nobody's and was ended")
                ended = True
                continue
        remedy = f"wait, or end it there: kill {found.holder}" if found.holder else "wait"
        whose = f"of {owner}" if owner else "which runs under no lease"
        if deadline.over:
            raise DeviceBusyError(f"{what}, {whose}; {remedy}")
        if not waiting:
            say(f"waiting: {what}, {whose}")
            waiting = True
        caller.lease.check()
        deadline.wait(min(_LOOK, deadline.left + 0.01))


def _end_orphan(caller: Caller, pid: int) -> tuple[bool, Holder | None]:
    """End a process if it is nobody's; whether it is gone, else whose it is, if a lease says so."""
    ours = quoted(caller.lease.mark)
    script = (
        f"{caller.lease.guard}\n{lease_scripts.functions(UPTIME)}\n"
        f"pid={pid}; [ -e /proc/$pid ] || {{ echo over; exit 0; }}\n"
        f"mark=$(tr '\\0' '\\n' < /proc/$pid/environ 2> /dev/null | sed -n 's/^{MARK}=//p')\n"
        '[ -n "$mark" ] || exit 0\n'
        f'if [ "$mark" != {ours} ] && cd "${{mark% *}}" 2> /dev/null && top && '
        'mine "${mark##* }" && look && [ $stale = 0 ]; then tell; exit 0; fi\n'
        "kill -KILL $pid 2> /dev/null; n=0\n"
        "while [ -e /proc/$pid ]; do\n"
        f"  n=$((n + 1)); [ $n -lt 50 ] || exit {_UNENDED}; sleep 0.1\n"
        "done; echo over"
    )
    what = "looking whose program has the device"
    done = caller.shell.run(script, Deadline(caller.board.limits.command, what))
    if done.status == _UNENDED:
        raise ResetNeededError(
            f"process {pid} on the board, which is nobody's, cannot be ended; "
            "the board must be reset"
        )
    require_lease(done, what)
    if done.status:
        raise InfrastructureError(f"{what} failed on the board: {done.last_error()}")
    if done.output.strip() == "over":
        return True, None
    return False, parse_holder(done.output) if done.output.strip() else None
