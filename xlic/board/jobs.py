"""Long commands on the board: detached from the connection, polled, ended when nobody waits.

A job is a folder there with ``pid``, ``output``, ``errors`` and, at the end, ``status``. The link
may go down meanwhile; the job goes on, and another connection can find it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from xlic.board.deadline import Deadline
from xlic.board.errors import InfrastructureError, ResetNeededError
from xlic.board.shell import Completed, Shell, checked, quoted, require_lease

OUTPUT_BYTES = 64 * 1024
"""As much of the end of a job's output is read."""
_EVERY = (0.02, 1.0)
_GRACE = 2.0
_CANCEL = 10.0
_PATIENCE = 20.0


@dataclass(frozen=True)
class Job:
    """A command that runs on the board.

    Attributes:
        folder: of its files, on the board.
        what: it is, for messages.
        pid: of the shell that it runs in, and of its process group; 0 where only the board knows.
    """

    folder: str
    what: str
    pid: int = 0


def start_job(
    shell: Shell, command: str, folder: str, deadline: Deadline, *, guard: str = ":"
) -> Job:
    """Start a command in a session of its own.

    Args:
        shell: the way to the board.
        command: a line of shell.
        folder: for its files; must not exist.
        deadline: of the start.
        guard: shell that must succeed right before the start, else nothing is started.

    Raises:
        InfrastructureError: it cannot be started.
    """
    place = f"{folder}/job"
    # Without room for the number nobody could find the job again, and without room for the status
    # there is a part of it, which says so.
    body = f"echo $$ > pid && [ -s pid ] || exit 1; ( {command} ) > output 2> errors < /dev/null; "
    body += "echo $? > status.part && mv status.part status"
    # setsid gives the job a process group, by which all of it can be ended; the folder is on its
    # command line, by which it is known where its files are gone.
    script = (
        f"{guard}\n"
        f"set -e; umask 077; mkdir -p {quoted(folder)}; cd {quoted(folder)}; mkdir job; cd job\n"
        f"setsid sh -c {quoted(body, place)} > /dev/null 2>&1 < /dev/null &\n"
        "n=0; while [ ! -s pid ] && [ $n -lt 250 ]; do sleep 0.02; n=$((n + 1)); done; cat pid"
    )
    limit = deadline.within(_PATIENCE, deadline.what)
    try:
        said = checked(shell, script, limit, f"starting {deadline.what}").strip()
    except InfrastructureError:
        # Whoever tries again looks for what may have been started.
        raise
    except BaseException:
        # Interrupted; it may have been started all the same.
        cancel_job(shell, Job(place, deadline.what))
        raise
    if not re.fullmatch(r"[1-9]\d{0,9}", said):
        raise InfrastructureError(f"starting {deadline.what}: it left the number {said[:20]!r}")
    return Job(place, deadline.what, int(said))


def wait_job(
    shell: Shell,
    job: Job,
    deadline: Deadline,
    *,
    patience: float = _PATIENCE,
    check: Callable[[], None] = lambda: None,
) -> Completed:
    """Wait for a job; ends it if the deadline passes or the wait is interrupted.

    Args:
        shell: the way to the board.
        job: from :func:`start_job`.
        deadline: of the job.
        patience: seconds for each look at it.
        check: called before each look; what it raises ends the job.

    Raises:
        DeadlineError: it did not end in time, or the board does not say whether it did.
        InfrastructureError: it is gone without a status, or the link failed.
    """
    pause = _EVERY[0]
    try:
        while True:
            check()
            look = deadline.within(patience, f"{job.what}, asking whether it has ended")
            if (status := _status(shell, job, look)) is not None:
                break
            deadline.wait(pause)
            pause = min(2 * pause, _EVERY[1])
    except BaseException:
        cancel_job(shell, job)
        raise
    script = (
        f"cd {quoted(job.folder)} && tail -c {OUTPUT_BYTES} output && "
        f"tail -c {OUTPUT_BYTES} errors >&2"
    )
    done = shell.run(script, deadline.within(patience, deadline.what))
    if done.status:
        raise InfrastructureError(f"what {job.what} said cannot be read: {done.last_error()}")
    return Completed(status, done.output, done.errors)


def cancel_job(shell: Shell, job: Job) -> bool:
    """End a job and all that it started; whether that is certain. Never raises."""
    # A number alone could be another process by now. The job's files may have been removed.
    file = quoted(f"{job.folder}/pid")
    wait = f"n=0; while [ ! -s {file} ] && [ $n -lt 20 ]; do sleep 0.1; n=$((n + 1)); done\n"
    known = f"pid={job.pid}" if job.pid else f"{wait}pid=$(cat {file} 2> /dev/null)"
    script = (
        f"{known}; [ ! -e {quoted(f'{job.folder}/status')} ] && "
        f'grep -qs {quoted(job.folder)} "/proc/$pid/cmdline" || exit 0\n'
        'kill -TERM -"$pid" 2> /dev/null; n=0\n'
        f'while kill -0 -"$pid" 2> /dev/null && [ $n -lt {int(10 * _GRACE)} ]; '
        "do sleep 0.1; n=$((n + 1)); done\n"
        'kill -KILL -"$pid" 2> /dev/null; exit 0'
    )
    try:
        limit = Deadline(_CANCEL, f"ending {job.what}")
        return shell.run(script, limit).status == 0
    except InfrastructureError:
        return False


def end_jobs(shell: Shell, folder: str, deadline: Deadline, guard: str = ":") -> bool:
    """End all jobs below ``folder``, whoever started them; removes what they left.

    Args:
        shell: the way to the board.
        folder: that holds the folders of jobs.
        deadline: until when.
        guard: shell that must succeed right before.

    Returns:
        Whether there were any, running or not: nobody has seen their end.

    Raises:
        ResetNeededError: one cannot be ended.
        InfrastructureError: the link failed.
    """
    script = (
        f"{guard}\n"
        f"cd {quoted(folder)} 2> /dev/null || exit 0\n"
        "for job in */job; do\n"
        '  [ -e "$job" ] && echo left\n'
        '  [ -s "$job/pid" ] && [ ! -e "$job/status" ] || continue\n'
        '  read -r pid < "$job/pid"; case $pid in *[!0-9]*|0|1) continue;; esac\n'
        # After a restart of the board the number would be anybody's.
        '  grep -qs "$job\\|xlic-board\\|/store/" "/proc/$pid/cmdline" || continue\n'
        '  kill -KILL -"$pid" 2> /dev/null; n=0\n'
        '  while kill -0 -"$pid" 2> /dev/null; do\n'
        "    n=$((n + 1)); [ $n -lt 50 ] || exit 7; sleep 0.1\n"
        "  done\n"
        "done\n"
        "rm -rf ./*"
    )
    done = shell.run(script, deadline)
    if done.status == 7:
        raise ResetNeededError("a run of before cannot be ended; the board must be reset")
    require_lease(done, "ending runs of before")
    return "left" in done.output


def _status(shell: Shell, job: Job, deadline: Deadline) -> int | None:
    script = (
        f"cd {quoted(job.folder)} || exit 3\n"
        "[ -s status ] && exec cat status\n"
        'kill -0 "$(cat pid)" 2> /dev/null && exec echo running\n'
        # It may have ended between the two looks.
        "[ -s status ] && exec cat status\n"
        "[ -e status.part ] && exit 5; exit 4"
    )
    done = shell.run(script, deadline)
    if done.status == 5:
        raise InfrastructureError(
            f"{job.what} ended, but could not leave its status: is there room in {job.folder}?"
        )
    if done.status:
        raise InfrastructureError(
            f"{job.what} is gone from the board without a status; did the board restart?"
        )
    text = done.output.strip()
    if text == "running":
        return None
    if not re.fullmatch(r"\d{1,3}", text):
        raise InfrastructureError(f"{job.what} left the status {text[:20]!r}")
    return int(text)
