"""A tiny model on the tiny board."""

from __future__ import annotations

import numpy as np

from tests.hls.programs import SIZE, model
from xlic.board.comparison import BoardComparison
from xlic.rungs.board import BoardRung

IMAGE = np.random.default_rng(5).integers(0, 256, (*SIZE, 3)).astype(np.uint8)


def compare(session, repeat: int = 1, transforms=("encode", "decode")):
    """Both transforms of a small picture against the simulation."""
    rung = BoardRung(model(), session, repeat)
    return BoardComparison(rung, model(), reruns=2).run(IMAGE, transforms)
