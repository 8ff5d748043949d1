"""An estimate, by Yosys, of what the accelerator takes of an XCZU9EG. No vendor tool runs.

Each block is mapped by itself, without the blocks inside it that are measured on their own: what
remains of the top without all of them is the last one, so that nothing is counted twice or left
out. ``rtl_sim/synth/README.md`` says how far the figures can be trusted.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xlic.accelerator import logic_levels
from xlic.accelerator.builds import cached_build, digest_of
from xlic.accelerator.design import Design
from xlic.accelerator.logic_levels import Levels, analyse
from xlic.accelerator.resources import (
    XCZU9EG,
    Device,
    Resources,
    cells_of,
    count_cells,
    fitted,
)
from xlic.accelerator.sources import needed_sources, rtl_sources
from xlic.accelerator.verilated_library import rtl_parameters
from xlic.accelerator.yosys import Module, find_yosys, read_json, run_yosys, script
from xlic.disk import scratch_folder
from xlic.errors import InputError
from xlic.files import LongPhase, Progress
from xlic.sources import RTL_DIR, RTL_TOP

TIMEOUT_S = 1800.0
NOTE = (
    "An estimate: mapped by Yosys, block by block, and neither placed nor routed; no vendor tool "
    "ran."
)

_LOGIC, _HARD = "logic.ys", "hard.ys"
_RESULT = "measure.json"
_FORMAT = "1"
"""Of what is kept of a run; raised with every change."""
_PARAMETER = re.compile(r"\bparameter\s+(?:int|logic\s*\[[^]]*\])\s+(\w+)")
_LAYER_FIELDS = ("out_height_i", "out_width_i", "row_mul_i", "col_mul_i", "out_lead_i")


@dataclass(frozen=True)
class Block:
    """A module of the RTL, and how it is measured.

    Attributes:
        name: the module's.
        count: how many of them a design has.
        scale: a parameter in which the block's size is linear, as it builds so many equal parts;
            None if it is mapped at its full size.
        sizes: values of that parameter that are mapped.
        without: modules inside that are blocks of their own.
        steady: ports that do not change while a layer runs; paths from them have time.
        more: parameters that are not the design's.
    """

    name: str
    count: Callable[[Design], int] = lambda design: 1
    scale: str | None = None
    sizes: tuple[int, ...] = ()
    without: tuple[str, ...] = ()
    steady: tuple[str, ...] = ()
    more: Callable[[Design], dict[str, int]] = field(default=lambda design: {})


def _tag_bits(design: Design) -> dict[str, int]:
    # half, channel, row, done: as drain.sv has it.
    channel, row = (design.channels - 1).bit_length(), (design.poy - 1).bit_length()
    return {"TAG_W": 1 + channel + row + 1}


BLOCKS = (
    # Columns are equal: POF × POY multipliers, their shadow and its multiplexer each.
    Block("mac_array", scale="POX", sizes=(1, 2)),
    Block("input_buffer", steady=("slot_words_i",)),
    Block("weight_store"),
    Block("hold_buffer"),
    Block("output_buffer"),
    Block("drain", without=("normalizer",), steady=(*_LAYER_FIELDS, "out_channels_i")),
    Block("normalizer", without=("divider", "multiplier"), more=_tag_bits),
    Block("divider", count=lambda design: design.pox),
    Block("multiplier", count=lambda design: design.pox),
    Block("window_loader", steady=("layer_i",)),
    Block("sequencer", steady=("layer_i",)),
    Block("pass_checker", steady=("layer_i",)),
    Block("store", steady=("layer_i",)),
    Block("program_loader"),
    Block("axi_reader", count=lambda design: 2),
    Block("axi_writer"),
    Block("axi_lite_registers"),
    Block("control_registers"),
    Block("run_control"),
    Block("layer_checker"),
)
REST = "rest of the top"


@dataclass(frozen=True)
class Measure:
    """One run of Yosys on a block.

    Attributes:
        size: value of the block's scale, 1 if it has none.
        parameters: that it was mapped with.
        resources: of one such block.
        seconds: that it took.
        levels: depth of its logic.
    """

    size: float
    parameters: dict[str, int]
    resources: Resources
    seconds: float
    levels: Levels


@dataclass(frozen=True)
class BlockEstimate:
    """A block in a design.

    Attributes:
        block: what it is.
        count: how many there are.
        each: resources of one, at the design's size.
        measures: from which that follows.
    """

    block: Block
    count: int
    each: Resources
    measures: tuple[Measure, ...]

    @property
    def total(self) -> Resources:
        """Resources of all of them."""
        return self.each * self.count

    @property
    def extrapolated(self) -> bool:
        """Whether no measure is of the full size."""
        return self.block.scale is not None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "block": self.block.name,
            "count": self.count,
            "extrapolated_in": self.block.scale,
            "each": self.each.as_dict(),
            "total": self.total.as_dict(),
            "measures": [
                {
                    "parameters": measure.parameters,
                    "resources": measure.resources.as_dict(),
                    "seconds": round(measure.seconds, 1),
                    "deepest_paths": [str(path) for path in measure.levels.longest],
                    "fanouts": {fanout.signal: fanout.cells for fanout in measure.levels.fanouts},
                }
                for measure in self.measures
            ],
        }


@dataclass(frozen=True)
class Estimate:
    """A design's blocks and what they take together."""

    design: Design
    yosys: str
    blocks: tuple[BlockEstimate, ...]
    device: Device = XCZU9EG

    @property
    def total(self) -> Resources:
        """Resources of the whole accelerator."""
        return sum((block.total for block in self.blocks), Resources())

    def exceeded(self) -> list[str]:
        """Kinds of which the design takes more than it may."""
        taken, bound = self.total.as_dict(), self.device.bound.as_dict()
        return [name for name, value in taken.items() if value > bound[name]]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "note": NOTE,
            "yosys": self.yosys,
            "design": vars(self.design),
            "device": self.device.name,
            "has": self.device.has.as_dict(),
            "bound": self.device.bound.as_dict(),
            "total": self.total.as_dict(),
            "exceeded": self.exceeded(),
            "blocks": [block.as_dict() for block in self.blocks],
        }


def estimate(design: Design, folder: Path = RTL_DIR, progress: Progress | None = None) -> Estimate:
    """Estimate a design.

    Args:
        design: its parameters.
        folder: of the RTL.
        progress: told of every run of Yosys.

    Raises:
        MissingToolError: Yosys is absent.
        SynthesisError: it refuses a block.
        InputError: the RTL lacks a block.
    """
    version = find_yosys()
    sources = rtl_sources(folder)
    rest = Block(RTL_TOP, without=tuple(block.name for block in BLOCKS))
    blocks = (*BLOCKS, rest)
    runs = sum(max(1, len(block.sizes)) for block in blocks)
    done = 0
    found = []
    for block in blocks:
        measures = []
        for size in block.sizes or (1,):
            if progress is not None:
                progress(f"mapping {block.name}", done, runs)
            measures.append(measure(block, design, size, sources, progress))
            done += 1
        found.append(_estimated(block, design, measures))
    return Estimate(design, version, tuple(found))


def _estimated(block: Block, design: Design, measures: list[Measure]) -> BlockEstimate:
    full = _design_parameters(design)[block.scale] if block.scale else 1
    each = fitted([m.size for m in measures], [m.resources for m in measures], full)
    return BlockEstimate(block, block.count(design), each, tuple(measures))


def measure(
    block: Block,
    design: Design,
    size: int,
    sources: tuple[Path, ...] | None = None,
    progress: Progress | None = None,
) -> Measure:
    """Map a block, unless that was done before with the same sources.

    Args:
        block: what to map.
        design: its parameters.
        size: value of the block's scale, if it has one; the design's if that is mapped in full.
        sources: the RTL.
        progress: told when it is mapped.
    """
    files = rtl_sources() if sources is None else sources
    if block.name not in {file.stem for file in files}:
        raise InputError(f"the RTL has no module {block.name}; estimate.py must name its blocks")
    needed = needed_sources(files, block.name)
    parameters = _parameters(block, design, needed, size)
    module = Module(needed, block.name, parameters, block.without)
    scripts = [script(_LOGIC), script(_HARD)]
    facts = [_FORMAT, find_yosys(), *module.commands(), *block.steady]

    def build(folder: Path) -> None:
        if progress is not None:
            what = f"mapping {block.name} with Yosys"
            progress(LongPhase(what, "seconds to two minutes, once per design"), 0, 0)
        result = _map(module, block.steady, scripts)
        (folder / _RESULT).write_text(json.dumps(result), "utf-8")

    code = Path(logic_levels.__file__)
    folder = cached_build("estimate", digest_of([*needed, *scripts, code], facts), build)
    result = read_json(folder / _RESULT)
    logic, hard = count_cells(result["logic"]), count_cells(result["hard"])
    return Measure(
        float(size) if block.scale else 1.0,
        parameters,
        Resources(hard.dsp, hard.bram36, logic.lut, logic.lut_memory, logic.ff),
        result["seconds"],
        Levels.from_dict(result["levels"]),
    )


def _map(module: Module, steady: tuple[str, ...], scripts: list[Path]) -> dict[str, Any]:
    began = time.monotonic()
    cells = {}
    levels = {}
    for path in scripts:
        with scratch_folder() as folder:
            run_yosys(module, folder, [path], TIMEOUT_S)
            cells[path.stem] = cells_of(read_json(folder / "stat.json"))
            if path.name == _LOGIC:
                netlist = read_json(folder / "netlist.json")
                levels = analyse(netlist, module.top, steady).as_dict()
    return {**cells, "levels": levels, "seconds": time.monotonic() - began}


def _parameters(
    block: Block, design: Design, sources: tuple[Path, ...], size: int
) -> dict[str, int]:
    """Those of the design that the module has."""
    text = next(file for file in sources if file.stem == block.name).read_text("utf-8")
    values = {**_design_parameters(design), **block.more(design)}
    if block.scale is not None:
        values[block.scale] = size
    return {name: values[name] for name in _PARAMETER.findall(text) if name in values}


def _design_parameters(design: Design) -> Mapping[str, int]:
    values = rtl_parameters(design, 0)
    del values["SOURCE_HASH"]
    return values
