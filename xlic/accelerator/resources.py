"""What of an FPGA a circuit takes, counted in the cells of a netlist that Yosys mapped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

_LUT_MEMORY = {
    "RAM16X1D": 2,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32X1S": 1,
    "RAM64X1S": 1,
    "RAM32M16": 8,
    "RAM64M8": 8,
    "RAM256X1D": 8,
    "SRL16E": 1,
    "SRLC32E": 1,
}
"""LUTs that a memory or shift register in LUTs takes."""
_BRAM36 = {"RAMB36": 1.0, "RAMB18": 0.5}
_REGISTERS = ("FDRE", "FDSE", "FDCE", "FDPE", "LDCE", "LDPE")


@dataclass(frozen=True)
class Resources:
    """An amount of each kind.

    Attributes:
        dsp: DSP48.
        bram36: block RAM of 36 Kbit; half a one is 0.5.
        lut: LUTs, those that are memory included, one for each that the netlist has: no two
            small ones are put into one.
        lut_memory: of these, memory and shift registers.
        ff: registers.
    """

    dsp: float = 0.0
    bram36: float = 0.0
    lut: float = 0.0
    lut_memory: float = 0.0
    ff: float = 0.0

    def __add__(self, other: Resources) -> Resources:
        return Resources(*(a + b for a, b in zip(self.values(), other.values(), strict=True)))

    def __mul__(self, factor: float) -> Resources:
        return Resources(*(factor * value for value in self.values()))

    def values(self) -> tuple[float, ...]:
        """The amounts, in the order of the fields."""
        return tuple(getattr(self, entry.name) for entry in fields(self))

    def as_dict(self) -> dict[str, float]:
        """The amounts by name, for JSON."""
        return {name: round(value, 1) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Device:
    """What an FPGA has, and how much of it the accelerator may take."""

    name: str
    has: Resources
    bound: Resources


XCZU9EG = Device(
    "XCZU9EG",
    Resources(dsp=2520, bram36=912, lut=274_080, lut_memory=144_000, ff=548_160),
    # The rest is for what else is on the board, and for placement and routing to succeed.
    Resources(dsp=1400, bram36=800, lut=0.6 * 274_080, lut_memory=144_000, ff=548_160),
)


def count_cells(cells: Mapping[str, int]) -> Resources:
    """Resources of a netlist, by the number of its cells of each kind."""
    memory = float(sum(_LUT_MEMORY.get(kind, 0) * count for kind, count in cells.items()))
    logic = sum(count for kind, count in cells.items() if kind.startswith("LUT"))
    return Resources(
        dsp=sum(count for kind, count in cells.items() if kind.startswith("DSP48")),
        bram36=sum(_BRAM36.get(kind[:6], 0.0) * count for kind, count in cells.items()),
        lut=logic + memory,
        lut_memory=memory,
        ff=sum(cells.get(kind, 0) for kind in _REGISTERS),
    )


def cells_of(statistics: Mapping[str, Any]) -> dict[str, int]:
    """The cells that Yosys' ``stat -json`` counted."""
    counted: dict[str, int] = statistics["design"]["num_cells_by_type"]
    return counted


def fitted(sizes: list[float], amounts: list[Resources], size: float) -> Resources:
    """Resources at ``size``: the straight line through those at two sizes or more.

    Where there is one size only, it is taken as it is.
    """
    if len(sizes) == 1:
        return amounts[0]
    mean = sum(sizes) / len(sizes)
    spread = sum((x - mean) ** 2 for x in sizes)
    found = []
    for values in zip(*(amount.values() for amount in amounts), strict=True):
        centre = sum(values) / len(values)
        slope = sum((x - mean) * (y - centre) for x, y in zip(sizes, values, strict=True)) / spread
        found.append(max(0.0, centre + slope * (size - mean)))
    return Resources(*found)
