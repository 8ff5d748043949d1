"""What a board is and who has it, without touching anything."""

from __future__ import annotations

from typing import Any

from xlic.board.config import Board
from xlic.board.deadline import Deadline
from xlic.board.lease import read_holder
from xlic.board.shell import Shell, checked, plain, quoted
from xlic.board.ssh import Link
from xlic.errors import InputError

MACHINE = "aarch64"
TOOLS = (
    "setsid",
    "sha256sum",
    "cut",
    "grep",
    "head",
    "ln",
    "ls",
    "mv",
    "sed",
    "tail",
    "touch",
    "tr",
    "wc",
)
"""What scripts on the board need, beside a POSIX shell, of what busybox may be built without."""
_TEXT = 200


def read_status(board: Board, accept_new_host_key: bool = False) -> dict[str, Any]:
    """Facts about a board by name, None where there are none.

    Raises:
        InfrastructureError: it does not answer.
        HostKeyError: its host key is not the known one.
    """
    with Link(board, accept_new_host_key=accept_new_host_key) as link:
        return shell_status(link, board)


def check_system(shell: Shell, host: str, deadline: Deadline) -> str:
    """Make sure that a board can run what is sent to it; returns the id of its boot.

    Raises:
        InputError: it is no board, or its Linux lacks something.
        InfrastructureError: it does not answer.
    """
    script = (
        "uname -m; cat /proc/sys/kernel/random/boot_id\n"
        f"for tool in {quoted(*TOOLS)}; do command -v $tool > /dev/null || echo $tool; done\n"
        "sleep 0.01 2> /dev/null || echo 'sleep for fractions of seconds'"
    )
    what = "looking at the board"
    machine, boot, *lacks = checked(shell, script, deadline, what).splitlines() + [""] * 2
    if machine != MACHINE:
        raise InputError(f"{host} is a {plain(machine, 20)!r}, no {MACHINE} board")
    missing = [plain(tool) for tool in lacks if tool]
    if missing:
        raise InputError(
            f"the Linux of {host} lacks {', '.join(missing)}; install coreutils and util-linux "
            "there, or a busybox that has them"
        )
    return boot


def shell_status(shell: Shell, board: Board) -> dict[str, Any]:
    """The same by a connection that stands."""
    limit = Deadline(board.limits.command, "looking at the board")
    manager = f"/sys/class/fpga_manager/{board.fpga_manager}"
    buffer = f"/sys/class/u-dma-buf/{board.udmabuf}"
    commands = {
        "machine": "uname -m",
        "kernel": "uname -r",
        "uptime": "cut -d. -f1 /proc/uptime",
        "fpga": f"cat {quoted(f'{manager}/state')}",
        "bitstream": f"cut -c1-64 {quoted(f'{board.folder}/bitstream')}",
        "registers": f"ls {quoted(board.uio if board.mem is None else board.mem)}",
        "buffer_address": f"cat {quoted(f'{buffer}/phys_addr')}",
        "buffer_bytes": f"cat {quoted(f'{buffer}/size')}",
    }
    found: dict[str, Any] = {"host": board.host}
    for name, command in commands.items():
        done = shell.run(f"{command} 2> /dev/null", limit)
        text = "".join(char for char in done.output.strip()[:_TEXT] if char.isprintable())
        found[name] = text if done.status == 0 and text else None
    holder = read_holder(shell, board.lease.folder)
    found["held by"] = None if holder is None else str(holder)
    return found
