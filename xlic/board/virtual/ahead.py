"""What plays the virtual board's accelerator is built while the board itself is built and starts.

Both take long the first time. ``python -m xlic.board.virtual.ahead rtl|hls`` is the process that
builds; what it leaves is the entry in the cache, which whoever needs it next finds. Its errors are
theirs too: they run into the same.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from xlic.accelerator.design import Design
from xlic.board.virtual.bitstream import KINDS, Kind, VirtualBitstream, build_player, current_hash
from xlic.board.virtual.tools import RUN_TOOLS, require_tools
from xlic.entry_point import run
from xlic.exit_status import ExitStatus

USUALLY = {"rtl": "its RTL, verilated: one to four minutes", "hls": "its HLS C++: half a minute"}
_LOOK = 0.05
_STOP = 10.0


@contextmanager
def player_built_beside(kind: Kind, say: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Build what plays the default design in a process that ends with the context, if not before.

    Args:
        kind: what it is made from.
        say: told what is waited for.

    Yields:
        Function that waits for the end of the build, whatever it was.

    Raises:
        MissingToolError: a tool of the virtual board is absent.
    """
    require_tools(RUN_TOOLS)
    command = ["setpriv", "--pdeathsig", "TERM", "--", sys.executable, "-m", __name__, kind]
    null = subprocess.DEVNULL
    # Ctrl-C is for us, who end it then with all that it started.
    process = subprocess.Popen(
        command, stdin=null, stdout=null, stderr=null, start_new_session=True
    )

    def wait() -> None:
        if process.poll() is None:
            say(
                f"the virtual board is up; what plays its accelerator is still being built "
                f"({USUALLY[kind]}, once per design)"
            )
        while process.poll() is None:
            time.sleep(_LOOK)

    try:
        yield wait
    finally:
        if process.poll() is None:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP)
            return


def main(arguments: list[str]) -> int:
    """Build."""
    if len(arguments) != 1 or arguments[0] not in KINDS:
        print(f"usage: python -m xlic.board.virtual.ahead {'|'.join(KINDS)}", file=sys.stderr)
        return ExitStatus.INPUT
    kind = arguments[0]
    build_player(VirtualBitstream(Design(), current_hash(kind), kind))
    return ExitStatus.DONE


if __name__ == "__main__":
    sys.exit(run(main, sys.argv[1:]))
