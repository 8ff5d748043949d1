"""What users choose by name; importing it costs nothing, unlike what is behind the names."""

from __future__ import annotations

from typing import Literal

SIMULATORS = ("verilator", "icarus")
"""What cocotb benches run in."""
SEED = 2017
"""Of what cocotb benches draw, unless another is given."""

Logic = Literal["rtl", "hls"]
"""What the accelerator on a board was made from; on the virtual board, what plays it."""
LOGICS: tuple[Logic, ...] = ("rtl", "hls")
