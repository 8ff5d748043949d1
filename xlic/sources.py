"""Where the sources lie that are no Python: the RTL, the HLS C++, what runs on a board.

In a checkout they are beside the package, in an installed wheel inside it (``pyproject.toml`` puts
them there), as the same tree: scripts refer to each other by relative paths.
"""

from __future__ import annotations

from pathlib import Path

from xlic.errors import InputError

_PACKAGE = Path(__file__).resolve().parent
_IN_WHEEL = _PACKAGE / "_sources"
IN_CHECKOUT = not _IN_WHEEL.is_dir()
"""Whether xlic runs from a checkout, where what is generated from Python may be written."""
ROOT = _PACKAGE.parent if IN_CHECKOUT else _IN_WHEEL
"""The folder that holds ``hls``, ``rtl_sim`` and ``board``; only read, except by generators."""

RTL_TOP = "xlic_accel"
"""The RTL's top module."""
RTL_DIR = ROOT / "rtl_sim" / "rtl"
SIM_DIR = ROOT / "rtl_sim" / "sim"
"""C++ around the verilated model."""
BENCH_DIR = ROOT / "rtl_sim" / "bench"
"""cocotb benches."""
FORMAL_DIR = ROOT / "rtl_sim" / "formal"
"""Proofs."""
SYNTH_DIR = ROOT / "rtl_sim" / "synth"
"""Scripts for Yosys."""
HLS_DIR = ROOT / "hls"
PROGRAM_DIR = ROOT / "board" / "program"
"""The program that runs on a board."""
VIRTUAL_DIR = ROOT / "board" / "virtual"
"""What the virtual board is made of."""
VIVADO_DIR = ROOT / "board" / "vivado"

REINSTALL = f"install xlic again, the installation in {_PACKAGE} is not whole"
"""What to do where sources are absent."""


def require_checkout(what: str) -> None:
    """Refuse to write into an installed package.

    Args:
        what: that is to be done, for the message.

    Raises:
        InputError: xlic does not run from a checkout.
    """
    if not IN_CHECKOUT:
        raise InputError(
            f"{what} needs a checkout of the project, and xlic is installed in {_PACKAGE}; "
            "run it in a clone"
        )
