"""Long commands on the board: detached from the connection, polled, ended when nobody waits.

A job is a folder there with ``pid``, ``output``, ``errors`` and, at the end, ``status``. The link
may go down meanwhile; the job goes on, and another connection can find it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from xlic.board.deadline import Deadline
from xlic.board.errors import InfrastructureError
from xlic.board.shell import Completed, Shell, checked, quoted

OUTPUT_BYTES = 64 * 1024
"""As much of the end of a job's output is read."""
_EVERY = (0.02, 1.0)
_GRACE = 2.0
_CANCEL = 10.0


@dataclass(frozen=True)
class Job:
    """A command that runs on the board.

    Attributes:
        folder: of its files, on the board.
        what: it is, for messages.
    """

    folder: str
    what: str


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
    body = f"echo $$ > pid; ( {command} ) > output 2> errors < /dev/null; "
    body += "echo $? > status.part; mv status.part status"
    # setsid gives the job a process group, by which all of it can be ended.
    script = (
        f"set -e; umask 077; mkdir -p {quoted(folder)}; cd {quoted(folder)}; "
        f"mkdir job; cd job; {guard}\n"
        f"setsid sh -c {quoted(body)} > /dev/null 2>&1 < /dev/null &\n"
        "n=0; while [ ! -s pid ] && [ $n -lt 250 ]; do sleep 0.02; n=$((n + 1)); done; [ -s pid ]"
    )
    checked(shell, script, deadline, f"starting {deadline.what}")
    return Job(f"{folder}/job", deadline.what)


def wait_job(shell: Shell, job: Job, deadline: Deadline) -> Completed:
    """Wait for a job; ends it if the deadline passes or the wait is interrupted.

    Raises:
        DeadlineError: it did not end in time.
        InfrastructureError: it is gone without a status, or the link failed.
    """
    pause = _EVERY[0]
    try:
        while (status := _status(shell, job, deadline)) is None:
            deadline.wait(pause)
            pause = min(2 * pause, _EVERY[1])
    except BaseException:
        cancel_job(shell, job)
        raise
    script = (
        f"cd {quoted(job.folder)} && tail -c {OUTPUT_BYTES} output && "
        f"tail -c {OUTPUT_BYTES} errors >&2"
    )
    done = shell.run(script, deadline)
    if done.status:
        raise InfrastructureError(f"what {job.what} said cannot be read: {done.last_error()}")
    return Completed(status, done.output, done.errors)


def cancel_job(shell: Shell, job: Job) -> bool:
    """End a job and all that it started; whether that is certain. Never raises."""
    # A number alone could be another process by now: one without the status file is the job's.
    script = (
        f"cd {quoted(job.folder)} && [ ! -e status ] && pid=$(cat pid) && "
        '[ "$pid" -gt 1 ] || exit 0\n'
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
        Whether there were any.

    Raises:
        InfrastructureError: one cannot be ended.
    """
    script = (
        f"{guard}\n"
        f"cd {quoted(folder)} 2> /dev/null || exit 0\n"
        "for job in */job; do\n"
        '  [ -s "$job/pid" ] && [ ! -e "$job/status" ] || continue\n'
        '  read -r pid < "$job/pid"; case $pid in *[!0-9]*|0|1) continue;; esac\n'
        # After a restart of the board the number would be anybody's.
        '  grep -qs "$job\\|xlic-board\\|/store/" "/proc/$pid/cmdline" || continue\n'
        '  echo ended; kill -KILL -"$pid" 2> /dev/null; n=0\n'
        '  while kill -0 -"$pid" 2> /dev/null; do\n'
        "    n=$((n + 1)); [ $n -lt 50 ] || exit 7; sleep 0.1\n"
        "  done\n"
        "done\n"
        "rm -rf ./*"
    )
    done = shell.run(script, deadline)
    if done.status == 7:
        raise InfrastructureError("a run of before cannot be ended; the board must be reset")
    if done.status:
        checked(shell, f"{guard}\n:", deadline, "ending runs of before")
    return "ended" in done.output


def _status(shell: Shell, job: Job, deadline: Deadline) -> int | None:
    script = (
        f"cd {quoted(job.folder)} || exit 3\n"
        "[ -e status ] && exec cat status\n"
        'kill -0 "$(cat pid)" 2> /dev/null && exit 0\n'
        # It may have ended between the two looks.
        "[ -e status ] && exec cat status; exit 4"
    )
    done = shell.run(script, deadline)
    if done.status:
        raise InfrastructureError(
            f"{job.what} is gone from the board without a status; did the board restart?"
        )
    text = done.output.strip()
    if not text:
        return None
    if not re.fullmatch(r"\d{1,3}", text):
        raise InfrastructureError(f"{job.what} left the status {text[:20]!r}")
    return int(text)
