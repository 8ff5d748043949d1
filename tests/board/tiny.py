"""A tiny model on the tiny board."""

from __future__ import annotations

import numpy as np

from tests.hls.programs import SIZE, model
from xlic.board.comparison import BoardComparison
from xlic.board.connect import open_session
from xlic.rungs.board import BoardRung

IMAGE = np.random.default_rng(5).integers(0, 256, (*SIZE, 3)).astype(np.uint8)


# In the store it has the name of its hash. The brackets keep grep from finding itself.
PROGRAMS = "grep -ls '[/]xlic/store/' /proc/[0-9]*/cmdline"
"""Shell that lists the board's programs that run on the virtual board."""


def running(virtual_board) -> str:
    """What of the board's program runs on the virtual board; empty if nothing does."""
    return virtual_board.service(f"{PROGRAMS}; true")


def wake(board) -> None:
    """Have the logic loaded and its identity told: where no run ends, an HLS export tells none."""
    with open_session(board, logic="hls"):
        pass


def compare(session, repeat: int = 1, transforms=("encode", "decode")):
    """Both transforms of a small picture against the simulation."""
    rung = BoardRung(model(), session, repeat)
    return BoardComparison(rung, model(), reruns=2).run(IMAGE, transforms)
