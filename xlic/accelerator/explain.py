"""What a compiled program does, layer by layer: tiles, passes, traffic, cycles of the array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from xlic.accelerator.compiler import Compiled, CompiledLayer
from xlic.accelerator.design import Design
from xlic.accelerator.isa import BEAT_BYTES, Destination, InFormat
from xlic.accelerator.memory import Tensor
from xlic.accelerator.program import Program
from xlic.accelerator.records import LayerRecord, TapRecord

_PICTURE_PIXELS = BEAT_BYTES // 4


@dataclass(frozen=True)
class PassGroup:
    """Passes of a layer that are alike but for their weights and lanes.

    Attributes:
        passes: how many per tile.
        taps: word offset, dy and dx of each; empty where channels that are held are combined (γ).
        channels: operands per tap.
        destination: where the results go.
        phases: row and column of the output phases, each once.
    """

    passes: int
    taps: tuple[tuple[int, int, int], ...]
    channels: int
    destination: str
    phases: tuple[tuple[int, int], ...]

    @property
    def cycles(self) -> int:
        """Of all of them, per tile."""
        return self.passes * max(1, len(self.taps)) * self.channels

    def __str__(self) -> str:
        """As in ``8 × 25 taps × 128 → HOLD``, or ``8 × γ 128 → OUT_GDN``."""
        operands = f"{len(self.taps)} taps × {self.channels}" if self.taps else f"γ {self.channels}"
        return f"{self.passes} × {operands} → {self.destination}"


@dataclass(frozen=True)
class LayerExplanation:
    """A layer of the program.

    Attributes:
        name: of the tensor that it stores.
        tensors: what it computes: of the convolution, of the normalization behind it.
        extra: whether it runs only because that tensor was asked for.
        input_shape: ``(H, W, C)``; likewise ``output_shape``.
        tiles: rows and columns of tiles.
        window: rows, columns and channels of a tile's window.
        input_words: words of each half of the input buffer that it takes.
        groups: its passes.
        weight_words: new ones, that no layer before has used.
        weight_bytes: the same in bytes.
        bytes_read: of the input, windows with their overlap.
        bytes_written: of the output.
        macs: multiply-accumulates of the architecture.
        compute_cycles: in which the array multiplies: all tiles, all passes.
        utilization: share of the array's multiplications that the architecture asks for.
        predicted_cycles: with waiting, of a model of the machine, or None.
    """

    name: str
    tensors: tuple[str, ...]
    extra: bool
    input_shape: tuple[int, int, int]
    output_shape: tuple[int, int, int]
    tiles: tuple[int, int]
    window: tuple[int, int, int]
    input_words: int
    groups: tuple[PassGroup, ...]
    weight_words: int
    weight_bytes: int
    bytes_read: int
    bytes_written: int
    macs: int
    compute_cycles: int
    utilization: float
    predicted_cycles: int | None


@dataclass(frozen=True)
class Explanation:
    """A program.

    Attributes:
        design: what it was compiled for.
        identity: of the program.
        sections: records and words of each section, and what the design holds.
        program_bytes: length of the program in memory.
        window_bytes: length of the window.
        memory: first beat and number of beats by name.
        layers: in order.
    """

    design: Design
    identity: str
    sections: dict[str, tuple[int, int]]
    program_bytes: int
    window_bytes: int
    memory: dict[str, tuple[int, int]]
    layers: tuple[LayerExplanation, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def explain(compiled: Compiled, predicted_cycles: Sequence[int] | None = None) -> Explanation:
    """Explain a compiled program.

    Args:
        compiled: the program.
        predicted_cycles: of each of its layers, if a model of the machine has been asked.
    """
    program, memory, design = compiled.program, compiled.memory, compiled.design
    known = np.zeros(len(program.weights), bool)
    predicted: Sequence[int | None] = predicted_cycles or [None] * len(program.layers)
    tensors = {memory.input.name: memory.input, **memory.tensors}
    layers = tuple(
        _explain_layer(compiled, entry, record, known, cycles)
        for entry, record, cycles in zip(compiled.layers, program.layers, predicted, strict=True)
    )
    return Explanation(
        design,
        program.identity,
        {
            "passes": (len(program.passes), design.pass_words),
            "taps": (len(program.taps), design.tap_words),
            "params": (len(program.params), design.param_words),
            "weights": (len(program.weights), design.weight_words),
        },
        program.beats * BEAT_BYTES,
        memory.bytes,
        {name: (tensor.offset, tensor.beats) for name, tensor in tensors.items()}
        | {"program": (memory.program, memory.program_beats)},
        layers,
    )


def explanation_table(explanation: Explanation) -> Table:
    """A line per layer, and their sum."""
    design = explanation.design
    predicted = all(layer.predicted_cycles is not None for layer in explanation.layers)
    table = Table(
        title=f"program {explanation.identity}: {design.pof} lanes × {design.poy}×{design.pox} "
        "positions",
        box=box.SIMPLE_HEAD,
        title_justify="left",
    )
    table.add_column("layer")
    headings = ["shape", "tiles", "MMAC", "kcycles", "use", "MB in", "MB out"]
    for heading in headings + ["predicted"] * predicted:
        table.add_column(heading, justify="right")
    for layer in explanation.layers:
        table.add_row(*_cells(layer), *_predicted([layer]) * predicted)
    cycles = sum(layer.compute_cycles for layer in explanation.layers)
    macs = sum(layer.macs for layer in explanation.layers)
    table.add_section()
    table.add_row(
        "total",
        "",
        "",
        f"{macs / 1e6:.1f}",
        f"{cycles / 1e3:.1f}",
        f"{100 * macs / (cycles * design.macs):.0f} %",
        f"{sum(layer.bytes_read for layer in explanation.layers) / 1e6:.2f}",
        f"{sum(layer.bytes_written for layer in explanation.layers) / 1e6:.2f}",
        *_predicted(explanation.layers) * predicted,
        style="bold",
    )
    return table


def explanation_lines(explanation: Explanation) -> Iterator[str]:
    """The passes of every layer, how full the buffers are, and where everything lies."""
    for layer in explanation.layers:
        note = " (asked for)" if layer.extra else ""
        yield (
            f"{layer.name}{note}: window {'×'.join(map(str, layer.window))}, "
            f"{layer.input_words} of {explanation.design.input_words} input words, "
            f"{layer.weight_words} new words of weights"
        )
        yield from (f"  {group}" for group in layer.groups)
    for section, (used, limit) in explanation.sections.items():
        yield f"{section}: {used} of {limit}"
    for name, (offset, beats) in explanation.memory.items():
        yield f"{name}: byte {offset * BEAT_BYTES:#x}, {beats * BEAT_BYTES} bytes"
    yield f"window: {explanation.window_bytes} bytes"


def _explain_layer(
    compiled: Compiled,
    entry: CompiledLayer,
    record: LayerRecord,
    known: np.ndarray[Any, np.dtype[np.bool_]],
    predicted: int | None,
) -> LayerExplanation:
    program, design = compiled.program, compiled.design
    target = compiled.memory.tensor(entry.output)
    before = int(known.sum())
    for index in record.pass_range:
        step = program.passes[index]
        known[step.weight_base : step.weight_base + step.cycles] = True
    new = int(known.sum()) - before
    per_tile = sum(program.passes[index].cycles for index in record.pass_range)
    cycles = per_tile * record.tiles_y * record.tiles_x
    slots = (record.rows - 1) // record.stride // design.poy + 1
    return LayerExplanation(
        name=entry.output,
        tensors=entry.names,
        extra=entry.extra,
        input_shape=_source_of(compiled, record).shape,
        output_shape=target.shape,
        tiles=(record.tiles_y, record.tiles_x),
        window=(record.rows, record.cols, entry.layer.cin),
        input_words=slots * record.slot_words,
        groups=tuple(_groups(program, record)),
        weight_words=new,
        weight_bytes=new * 2 * design.pof,
        bytes_read=beats_read(record) * BEAT_BYTES,
        bytes_written=target.beats * BEAT_BYTES,
        macs=entry.macs,
        compute_cycles=cycles,
        utilization=entry.macs / (cycles * design.macs),
        predicted_cycles=predicted,
    )


def _source_of(compiled: Compiled, record: LayerRecord) -> Tensor:
    memory = compiled.memory
    tensors = (memory.input, *memory.tensors.values())
    return next(tensor for tensor in tensors if tensor.offset == record.in_offset)


def beats_read(record: LayerRecord) -> int:
    """Beats that the windows of all tiles of a layer read: their overlap, not what lies outside."""
    rows = sum(
        end - begin
        for begin, end in _spans(
            record.origin_y, record.row_step, record.rows, record.tiles_y, record.in_height
        )
    )
    columns = _spans(record.origin_x, record.col_step, record.cols, record.tiles_x, record.in_width)
    if record.in_format == InFormat.U8:
        pixels = _PICTURE_PIXELS
        beats = sum(-(-end // pixels) - begin // pixels for begin, end in columns if end > begin)
    else:
        beats = sum(end - begin for begin, end in columns) * record.in_blocks
    return rows * beats


def _spans(
    origin: int, step: int, length: int, tiles: int, limit: int
) -> Iterator[tuple[int, int]]:
    """First and end of every tile's window along one axis, within 0 … limit."""
    for tile in range(tiles):
        first = origin + tile * step
        begin = min(max(first, 0), limit)
        yield begin, max(begin, min(first + length, limit))


def _groups(program: Program, record: LayerRecord) -> Iterator[PassGroup]:
    alike: dict[tuple[tuple[TapRecord, ...], int, int], list[int]] = {}
    for index in record.pass_range:
        step = program.passes[index]
        taps = program.taps[step.tap_first : step.tap_first + step.tap_count]
        alike.setdefault((taps, step.count, step.destination), []).append(index)
    for (taps, count, destination), indices in alike.items():
        places = [(program.passes[i].phase_y, program.passes[i].phase_x) for i in indices]
        yield PassGroup(
            len(indices),
            tuple((tap.offset, tap.dy, tap.dx) for tap in taps),
            count,
            Destination(destination).name,
            tuple(dict.fromkeys(places)),
        )


def _cells(layer: LayerExplanation) -> tuple[str, ...]:
    return (
        layer.name + (" *" if layer.extra else ""),
        "×".join(map(str, layer.output_shape)),
        "×".join(map(str, layer.tiles)),
        f"{layer.macs / 1e6:.1f}",
        f"{layer.compute_cycles / 1e3:.1f}",
        f"{100 * layer.utilization:.0f} %",
        f"{layer.bytes_read / 1e6:.2f}",
        f"{layer.bytes_written / 1e6:.2f}",
    )


def _predicted(layers: Sequence[LayerExplanation]) -> list[str]:
    return [f"{sum(layer.predicted_cycles or 0 for layer in layers) / 1e3:.1f}"]
