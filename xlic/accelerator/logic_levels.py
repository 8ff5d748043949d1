"""How much logic lies between the registers of a netlist that Yosys mapped to Xilinx cells.

No timing analysis: placement and routing decide, and no vendor tool is at hand. It is counted in
LUT levels, one being a LUT and the wire to it, about 0.55 ns in a XCZU9EG of speed grade -2; what
is not a LUT counts as so many levels as it takes time. 5 ns are about 8 of them.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from xlic.errors import FormatError

_LUT = 1.0
_WIDE_MUX = 0.3
"""MUXF7 and MUXF8, beside their LUTs."""
_CARRY_ENTRY = 0.4
_CARRY = 0.1
_BRAM_OUTPUT = 2.0
"""Clock to output without the output register."""
_DSP_INPUT = {"multiply": 4.0, "add": 2.0, "register": 0.5}
"""What an input meets in the DSP ahead of the first register."""
_DSP_OUTPUT = {"multiply": 5.0, "add": 2.0, "register": 0.5}
"""What the output has behind the last register."""
_DSP_THROUGH = {"multiply": 6.0, "add": 2.5}
"""From an input to the output where there is no register between."""

_REGISTER = re.compile(r"FD[A-Z]*$")
_DSP = re.compile(r"DSP48E\d?$")
_BRAM = re.compile(r"RAMB\d+")
_LUT_MEMORY = re.compile(r"RAM\d+(M|X)")
_SHIFT = re.compile(r"SRL")
_COMBINATIONAL = re.compile(r"LUT\d|MUXF\d|CARRY|INV$|BUF")
# Pins through which a memory in LUTs is read at once; all others wait for the clock.
_READ_ADDRESS = re.compile(r"ADDR[A-H]$|DPRA\d*$|A\d*$")


@dataclass(frozen=True)
class Path:
    """The longest way between two registers, or a register and a port.

    Attributes:
        levels: LUT levels.
        start: signal that it begins at.
        end: signal or cell's pin that it ends at.
        cells: kinds of the cells on it, and how many of each.
    """

    levels: float
    start: str
    end: str
    cells: dict[str, int]

    def __str__(self) -> str:
        cells = " ".join(f"{count}×{kind}" for kind, count in sorted(self.cells.items()))
        return f"{self.levels:.1f} levels {self.start} → {self.end} ({cells or 'wire'})"


@dataclass(frozen=True)
class Fanout:
    """A signal and the number of cells that it drives."""

    signal: str
    cells: int


@dataclass(frozen=True)
class Levels:
    """What the netlist of one block shows.

    Attributes:
        longest: the deepest paths, at most one to each signal, deepest first.
        fanouts: the signals with the most cells, clock excluded.
    """

    longest: tuple[Path, ...]
    fanouts: tuple[Fanout, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Levels:
        """What :meth:`as_dict` made."""
        return cls(
            tuple(Path(**path) for path in value["longest"]),
            tuple(Fanout(**fanout) for fanout in value["fanouts"]),
        )


def analyse(
    netlist: Mapping[str, Any], top: str, steady: Collection[str] = (), most: int = 5
) -> Levels:
    """Find the deepest paths and the largest fan-outs.

    Args:
        netlist: as Yosys' ``write_json`` writes it, flat and mapped.
        top: the module's name.
        steady: ports and registers that change so rarely that what they feed has time; paths from
            them are left out.
        most: how many of each.

    Raises:
        FormatError: it holds no such module, or logic that feeds itself.
    """
    module = netlist.get("modules", {}).get(top)
    if not isinstance(module, dict):
        raise FormatError(f"Yosys' netlist holds no module {top}")
    graph = _Graph(module, steady)
    graph.settle()
    return Levels(tuple(graph.longest(most)), tuple(graph.fanouts(most)))


@dataclass(frozen=True)
class _Arc:
    """From an input pin's net to an output net of the same cell."""

    target: int
    cost: float
    kind: str


class _Graph:
    def __init__(self, module: Mapping[str, Any], steady: Collection[str]) -> None:
        self.names = _names(module)
        self.steady = steady
        self.arcs: dict[int, list[_Arc]] = defaultdict(list)
        self.waiting: Counter[int] = Counter()
        self.arrival: dict[int, float] = {}
        self.before: dict[int, tuple[int, str]] = {}
        self.first: dict[int, tuple[str, str]] = {}
        self.ends: list[tuple[int, float, str, str]] = []
        self.sinks: Counter[int] = Counter()
        self.clocks: set[int] = set()
        for name, port in module.get("ports", {}).items():
            for bit in _bits(port["bits"]):
                if port["direction"] == "input":
                    self._start(bit, 0.0, f"input {name}", "")
                else:
                    self.ends.append((bit, 0.0, f"output {name}", ""))
        for name, cell in module["cells"].items():
            self._add(name, cell)

    def _start(self, bit: int, cost: float, signal: str, kind: str) -> None:
        word = signal.removeprefix("input ").partition("[")[0]
        self.arrival[bit] = -math.inf if word in self.steady else cost
        self.first[bit] = (signal, kind)

    def _add(self, name: str, cell: Mapping[str, Any]) -> None:
        kind = str(cell["type"])
        pins = {pin: list(_bits(bits)) for pin, bits in cell["connections"].items()}
        directions = cell.get("port_directions", {})
        inputs = {pin: bits for pin, bits in pins.items() if directions.get(pin) == "input"}
        outputs = {pin: bits for pin, bits in pins.items() if directions.get(pin) == "output"}
        for bit in {bit for bits in inputs.values() for bit in bits}:
            self.sinks[bit] += 1
        for pin in ("C", "CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK"):
            self.clocks.update(inputs.get(pin, ()))
        if _DSP.match(kind):
            self._dsp(name, cell, inputs, outputs)
        elif _LUT_MEMORY.match(kind) or _SHIFT.match(kind):
            read = {pin: bits for pin, bits in inputs.items() if _READ_ADDRESS.match(pin)}
            self._through(kind, read, outputs, dict.fromkeys(read, _LUT))
            self._clocked(name, kind, inputs, outputs, _LUT)
        elif _COMBINATIONAL.match(kind):
            self._through(kind, inputs, outputs, _costs(kind, inputs))
        else:  # registers, block RAM, blocks that are measured elsewhere
            self._clocked(name, kind, inputs, outputs, _BRAM_OUTPUT if _BRAM.match(kind) else 0.0)

    def _through(
        self,
        kind: str,
        inputs: Mapping[str, list[int]],
        outputs: Mapping[str, list[int]],
        costs: Mapping[str, float],
    ) -> None:
        for target in {bit for bits in outputs.values() for bit in bits}:
            for pin, bits in inputs.items():
                for bit in bits:
                    self.arcs[bit].append(_Arc(target, costs[pin], kind))
                    self.waiting[target] += 1

    def _clocked(
        self,
        name: str,
        kind: str,
        inputs: Mapping[str, list[int]],
        outputs: Mapping[str, list[int]],
        cost: float,
    ) -> None:
        shown = "" if _REGISTER.match(kind) else _short(kind)
        driven = [bit for bits in outputs.values() for bit in bits]
        signal = self.names.get(driven[0], name) if driven else name
        for bit in driven:
            self._start(bit, cost, self.names.get(bit, signal), shown)
        for pin, bits in inputs.items():
            for bit in bits:
                end = f"{signal}.{pin}" if shown or pin != "D" else signal
                self.ends.append((bit, 0.0, end, shown))

    def _dsp(
        self,
        name: str,
        cell: Mapping[str, Any],
        inputs: Mapping[str, list[int]],
        outputs: Mapping[str, list[int]],
    ) -> None:
        registers = {pin: _number(cell["parameters"].get(f"{pin}REG", "1")) > 0 for pin in "ABCDMP"}
        product, result = registers["M"], registers["P"]
        signal = self.names.get(outputs["P"][0], name) if outputs.get("P") else name
        behind = "register" if result else "add" if product else "multiply"
        through: dict[str, list[int]] = {}
        for pin, bits in inputs.items():
            # The cascade's input is an operand of the adder, as C is.
            registered = not pin.startswith("PCIN") and registers.get(pin, True)
            if registered:
                way = "register"
            elif product and pin in "ABD":
                way = "multiply"
            elif result:
                way = "multiply" if pin in "ABD" else "add"
            else:
                through[pin] = bits
                continue
            self.ends += [(bit, _DSP_INPUT[way], f"{signal}.{pin}", "DSP") for bit in bits]
        for bits in outputs.values():
            for bit in bits:
                self._start(bit, _DSP_OUTPUT[behind], self.names.get(bit, signal), "DSP")
        costs = {pin: _DSP_THROUGH["multiply" if pin in "ABD" else "add"] for pin in through}
        self._through("DSP", through, outputs, costs)

    def settle(self) -> None:
        """Arrival at every net, in the order in which they are known."""
        for bit in list(self.arcs):
            if bit not in self.arrival and not self.waiting[bit]:
                self._start(bit, 0.0, self.names.get(bit, "?"), "")
        waiting = Counter(self.waiting)
        ready = deque(bit for bit in self.arrival if not waiting[bit])
        while ready:
            bit = ready.popleft()
            for arc in self.arcs[bit]:
                at = self.arrival[bit] + arc.cost
                if arc.target not in self.arrival or at > self.arrival[arc.target]:
                    self.arrival[arc.target] = at
                    self.before[arc.target] = (bit, arc.kind)
                waiting[arc.target] -= 1
                if not waiting[arc.target]:
                    ready.append(arc.target)
        if stuck := [bit for bit, count in waiting.items() if count > 0]:
            raise FormatError(
                f"logic that feeds itself, at {self.names.get(stuck[0], stuck[0])} "
                f"and {len(stuck) - 1} more"
            )

    def longest(self, most: int) -> Iterator[Path]:
        seen: set[str] = set()
        for bit, extra, end, kind in sorted(
            self.ends, key=lambda end: -(self.arrival.get(end[0], 0.0) + end[1])
        ):
            signal = re.sub(r"\[\d+\]|\d+", "", end)
            if signal in seen:
                continue
            seen.add(signal)
            yield self._path(bit, extra, end, kind)
            if len(seen) == most:
                return

    def _path(self, bit: int, extra: float, end: str, kind: str) -> Path:
        levels = self.arrival.get(bit, 0.0) + extra
        cells: Counter[str] = Counter([kind] if kind else [])
        while bit in self.before:
            bit, passed = self.before[bit]
            cells[_short(passed)] += 1
        start, first = self.first.get(bit, ("constant", ""))
        if first:
            cells[first] += 1
        return Path(levels, start, end, dict(cells))

    def fanouts(self, most: int) -> Iterator[Fanout]:
        largest = self.sinks.most_common(most + len(self.clocks))
        data = [(bit, count) for bit, count in largest if bit not in self.clocks]
        for bit, count in data[:most]:
            yield Fanout(self.names.get(bit, "?"), count)


def _bits(bits: list[Any]) -> Iterator[int]:
    # Constants are strings.
    return (bit for bit in bits if isinstance(bit, int))


def _costs(kind: str, inputs: Mapping[str, Any]) -> dict[str, float]:
    if kind.startswith("CARRY"):
        return {pin: _CARRY if pin in ("CI", "CYINIT") else _CARRY_ENTRY for pin in inputs}
    if kind.startswith("MUXF"):
        return dict.fromkeys(inputs, _WIDE_MUX)
    # Inverters and buffers go into the cells around them.
    return dict.fromkeys(inputs, _LUT if kind.startswith("LUT") else 0.0)


def _short(kind: str) -> str:
    for prefix, name in {"LUT": "LUT", "CARRY": "CARRY", "MUXF": "MUXF", "RAMB": "BRAM"}.items():
        if kind.startswith(prefix):
            return name
    return "DSP" if _DSP.match(kind) else "LUTRAM" if _LUT_MEMORY.match(kind) else kind


def _names(module: Mapping[str, Any]) -> dict[int, str]:
    """A readable name of each net: of those it has, a short one that the sources give it."""
    names: dict[int, tuple[bool, int, str]] = {}
    for name, net in module.get("netnames", {}).items():
        for index, bit in enumerate(net["bits"]):
            # Those with $ come from Yosys.
            rank = ("$" in name, len(name))
            if isinstance(bit, int) and (bit not in names or rank < names[bit][:2]):
                shown = f"{name}[{index}]" if len(net["bits"]) > 1 else name
                names[bit] = (*rank, shown)
    return {bit: name for bit, (_, _, name) in names.items()}


def _number(value: Any) -> int:
    text = str(value)
    return int(text, 2) if set(text) <= {"0", "1"} and len(text) > 1 else int(text)
