"""Programs with one fault each, of the kinds that are refused, and how they must be."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tests.accelerator.damage import ODD, Case, judged
from tests.sim.models import random_model
from xlic.accelerator.compiler import Compiled, compile_transform
from xlic.accelerator.isa import BEAT_BYTES, ErrorCode
from xlic.accelerator.program import Program
from xlic.accelerator.records import PassRecord

SIZE = (19, 26)
Edit = Callable[[Program], Program]


@dataclass(frozen=True)
class Fault:
    """What is done to the program of a transform, and what must come of it."""

    transform: str
    edit: Edit
    code: ErrorCode
    layer: int


def in_layer(index: int, **fields: int) -> Edit:
    def edit(program: Program) -> Program:
        layers = list(program.layers)
        layers[index] = replace(layers[index], **fields)
        return replace(program, layers=tuple(layers))

    return edit


def in_passes(index: int, change: Callable[[list[PassRecord]], list[PassRecord]]) -> Edit:
    """Change the passes of a layer: those of the table's end, of the layer's own number."""

    def edit(program: Program) -> Program:
        layer = program.layers[index]
        own = change([program.passes[number] for number in layer.pass_range])
        moved = in_layer(index, pass_first=len(program.passes), pass_count=len(own))(program)
        return replace(moved, passes=(*program.passes, *own))

    return edit


def in_pass(index: int, number: int, **fields: int) -> Edit:
    def change(passes: list[PassRecord]) -> list[PassRecord]:
        passes[number] = replace(passes[number], **fields)
        return passes

    return in_passes(index, change)


def in_params(of_layer: int, number: int, **fields: int) -> Edit:
    """Change the parameter of the first lane of a pass, of the symbols where ``number`` is -1."""

    def edit(program: Program) -> Program:
        layer, params = program.layers[of_layer], list(program.params)
        entry = program.passes[layer.pass_first + number]
        at = layer.in_params if number < 0 else entry.param_base
        params[at] = replace(params[at], **fields)
        return replace(program, params=tuple(params))

    return edit


def plain_behind_gdn(passes: list[PassRecord]) -> list[PassRecord]:
    """Results as they are, directly behind normalized ones."""
    conv = next(entry for entry in passes if not entry.gamma)
    last = max(number for number, entry in enumerate(passes) if not entry.gamma)
    passes[last] = replace(passes[last], tile_end=0)
    more = {"destination": 1, "phase_begin": 0, "emit_begin": 1, "emit_end": 1, "tile_end": 1}
    return [*passes, replace(conv, **more)]


def without_gamma(passes: list[PassRecord]) -> list[PassRecord]:
    return [entry for entry in passes if not entry.gamma]


def gamma_first(passes: list[PassRecord]) -> list[PassRecord]:
    return [*(entry for entry in passes if entry.gamma), *without_gamma(passes)]


def over(what: str) -> Edit:
    """The last layer's output over its input, or over the program."""

    def edit(program: Program) -> Program:
        layer = program.layers[-1]
        at = layer.in_offset if what == "input" else compiled("encode").memory.program + 5
        return in_layer(len(program.layers) - 1, out_offset=at)(program)

    return edit


_L, _W, _P = ErrorCode.LAYER, ErrorCode.WINDOW, ErrorCode.PASS
_TOUCHING = {"out_px_pitch": 4096}
_WIDE = {"phase_words": 8, "slot_words": 8, "rows": 2, "cols": 8, "stride": 1}
FAULTS = {
    "more channels stored than there are": Fault(
        "encode", in_layer(2, out_run=11, out_merge=0), _L, 2
    ),
    "runs that overflow when merged": Fault(
        "encode", in_layer(2, out_run=4096, **_TOUCHING), _L, 2
    ),
    "more subrows than there are channels": Fault("encode", in_layer(2, subrows=12), _L, 2),
    "merged pixels that do not touch": Fault("encode", in_layer(2, out_px_pitch=2), _L, 2),
    "blocks that overflow": Fault("encode", in_layer(1, in_blocks=8193, **_WIDE), _L, 1),
    "blocks that overflow to zero": Fault("encode", in_layer(1, in_blocks=8192, **_WIDE), _L, 1),
    "a slot of a part of a block": Fault("encode", in_layer(1, slot_words=36), _L, 1),
    "rows beyond coordinates": Fault("encode", in_layer(0, row_step=60000, tiles_y=60), _L, 0),
    "columns beyond coordinates": Fault("encode", in_layer(0, col_step=60000, tiles_x=60), _L, 0),
    "output beyond coordinates": Fault("decode", in_layer(1, row_mul=255, tiles_y=9000), _L, 1),
    "output over the input": Fault("encode", over("input"), _W, 2),
    "output over the program": Fault("encode", over("program"), _W, 2),
    "plain results behind GDN": Fault("encode", in_passes(0, plain_behind_gdn), _P, 0),
    "plain results behind IGDN": Fault("decode", in_passes(1, plain_behind_gdn), _P, 1),
    "a byte beyond the channels": Fault("decode", in_params(2, 0, aux=ODD.channels), _P, 2),
    "a shift of nothing": Fault("encode", in_params(0, 0, shift=0), _P, 0),
    "a shift beyond the sum": Fault("encode", in_params(1, 0, shift=48), _P, 1),
    "a shift of GDN beyond the divider": Fault("encode", in_params(0, 2, aux=37), _P, 0),
    "a shift of IGDN of nothing": Fault("decode", in_params(0, 2, aux=0), _P, 0),
    "a shift of symbols": Fault("decode", in_params(0, -1, shift=16), _P, 0),
    "an offset of symbols": Fault("decode", in_params(0, -1, bias=1 << 15), _P, 0),
    "a phase that is not begun": Fault("encode", in_pass(0, 0, phase_begin=0), _P, 0),
    "channels held in vain": Fault("encode", in_passes(0, without_gamma), _P, 0),
    "channels used before they are held": Fault("encode", in_passes(0, gamma_first), _P, 0),
    "not all held channels used": Fault("encode", in_pass(0, 2, count=4), _P, 0),
    "more channels used than held": Fault("encode", in_pass(0, 2, count=6), _P, 0),
    "a held channel left out": Fault("encode", in_pass(0, 1, channel_base=5), _P, 0),
    "a channel normalized that is not held": Fault("encode", in_pass(0, 2, channel_base=3), _P, 0),
    "a tile that is never given back": Fault("encode", in_pass(0, 1, tile_end=0), _P, 0),
    "a tile given back twice": Fault("encode", in_pass(0, 0, tile_end=1), _P, 0),
    "a tile given back by a γ pass": Fault("encode", in_pass(0, 3, tile_end=1), _P, 0),
    "an emission within another": Fault("encode", in_pass(0, 3, emit_begin=1), _P, 0),
    "an emission that is not begun": Fault("encode", in_pass(0, 2, emit_begin=0), _P, 0),
    "an emission that does not end": Fault("encode", in_pass(0, 3, emit_end=0), _P, 0),
    "an emission that a held pass ends": Fault("encode", in_pass(0, 1, emit_end=1), _P, 0),
    "a lane skipped between others": Fault("encode", in_params(0, 0, aux=1 << 9), _P, 0),
}


def two_ends(taps: int, count: int) -> Edit:
    """Two emissions of a pass each: the first ends with a lane that is skipped, the second has
    ``taps · count`` steps.
    """

    def change(passes: list[PassRecord]) -> list[PassRecord]:
        whole, rest = passes
        return [
            replace(rest, phase_begin=1, emit_begin=1, emit_end=1, tile_end=0),
            replace(whole, emit_begin=1, emit_end=1, tile_end=1, tap_count=taps, count=count),
        ]

    return in_passes(2, change)


UNUSUAL = {
    f"ends of emissions {taps * count} steps apart": Fault(
        "encode", two_ends(taps, count), ErrorCode.NONE, 0
    )
    for taps, count in (
        *((13, 2), (9, 3), (7, 4), (10, 3), (8, 4), (11, 3), (17, 2), (7, 5), (9, 4)),
        *((19, 2), (13, 3), (10, 4)),
    )
}
"""What no compiler would write, and is run all the same."""


@functools.cache
def compiled(transform: str) -> Compiled:
    return compile_transform(random_model(seed=7, filters=5), transform, SIZE, ODD)


def damaged(name: str) -> Program:
    fault = {**FAULTS, **UNUSUAL}[name]
    return fault.edit(compiled(fault.transform).program)


@functools.cache
def fault_case(name: str) -> Case:
    """The fault in a window, judged by the machine: as :data:`FAULTS` says."""
    fault = {**FAULTS, **UNUSUAL}[name]
    built = compiled(fault.transform)
    rng = np.random.default_rng(3)
    values = rng.integers(0, 250, built.memory.input.shape)
    window = np.full(built.memory.bytes + (1 << 16), 0xA5, np.uint8)
    built.write_input(window, values.astype(built.memory.input.layout.dtype))
    data = np.frombuffer(damaged(name).to_bytes(), np.uint8)
    at = built.memory.program * BEAT_BYTES
    window[at : at + len(data)] = data
    case = judged(window, built.memory.program, ODD, name)
    assert case is not None
    assert (case.code, case.layer) == (fault.code, fault.layer), name
    return case
