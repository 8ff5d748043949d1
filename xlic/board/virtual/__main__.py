"""``python -m xlic.board.virtual FOLDER reset|power-cycle``: a board's button and switch."""

from __future__ import annotations

import sys
from pathlib import Path

from xlic.board.virtual.machine import VirtualBoard
from xlic.entry_point import run
from xlic.exit_status import ExitStatus


def main(arguments: list[str]) -> int:
    """Press the button or the switch."""
    if len(arguments) != 2 or arguments[1] not in ("reset", "power-cycle"):
        print("usage: python -m xlic.board.virtual FOLDER reset|power-cycle", file=sys.stderr)
        return ExitStatus.INPUT
    board = VirtualBoard(Path(arguments[0]))
    board.reset() if arguments[1] == "reset" else board.power_cycle()
    return ExitStatus.DONE


if __name__ == "__main__":
    sys.exit(run(main, sys.argv[1:]))
