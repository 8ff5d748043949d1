"""One layer: from its integers to passes, taps, parameters, weights, and the record over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator.assembler import Assembler
from xlic.accelerator.geometry import (
    Geometry,
    Phase,
    Place,
    VirtualOutput,
    geometry_of,
    group_outputs,
    places_of,
)
from xlic.accelerator.isa import CHANNEL_BLOCK, SKIP_LANE, Destination, InFormat
from xlic.accelerator.memory import PIXEL_BYTES, Layout, Tensor
from xlic.accelerator.records import LayerRecord, ParamRecord, PassRecord, TapRecord
from xlic.accelerator.specs import LayerSpec, SymbolIntegers
from xlic.errors import InputError

_IN_FORMATS = {
    Layout.MAP: InFormat.I16,
    Layout.PICTURE: InFormat.U8,
    Layout.SYMBOLS: InFormat.S32,
}
_SKIPPED = ParamRecord(0, 1, SKIP_LANE)
_NOWHERE = (Place(0, 0, 0),)
"""Where outputs that see no input take operands from, times zero: a pass has at least one tap."""

MAX_TILES = (1 << 16) - 1


def output_tensor(spec: LayerSpec, height: int, width: int, offset: int = 0) -> Tensor:
    """The layer's output, ``height`` × ``width``, as it will lie in memory."""
    layer, name = spec.layer, spec.layer.names[-1]
    if not spec.picture:
        return Tensor(name, Layout.MAP, height, width, layer.cout, offset)
    geometry = geometry_of(layer)
    s = geometry.upsampling
    # Four pixels are a beat: at this stride, each row of a position's outputs is one.
    if s == 4 and geometry.lead == 0:
        return Tensor(name, Layout.PICTURE, height, width, layer.cout, offset)
    return Tensor(name, Layout.BLOCKS, height, width, layer.cout, offset, s, geometry.lead)


def lower(
    assembler: Assembler,
    spec: LayerSpec,
    source: Tensor,
    target: Tensor,
    symbols: SymbolIntegers | None = None,
) -> None:
    """Append a layer to the program.

    Args:
        assembler: of the program.
        spec: the layer; without ``gdn``, it ends behind the convolution.
        source: its input.
        target: its output.
        symbols: what turns the input into int16, if it is SYMBOLS.

    Raises:
        InputError: a shape that the accelerator or this design cannot take.
        FormatError: integers that its fields cannot hold.
    """
    _Lowering(assembler, spec, source, target, symbols).run()


class _Lowering:
    def __init__(
        self,
        assembler: Assembler,
        spec: LayerSpec,
        source: Tensor,
        target: Tensor,
        symbols: SymbolIntegers | None,
    ) -> None:
        self.assembler = assembler
        self.design = assembler.design
        self.spec = spec
        self.layer = spec.layer
        self.source = source
        self.target = target
        self.symbols = symbols
        self.geometry: Geometry = geometry_of(spec.layer)
        self.phase_words = _padded(spec.layer.cin)
        self.slot_words = self.geometry.stride**2 * self.phase_words

    def run(self) -> None:
        self._check()
        first = self.assembler.passes
        passes = list(self._picture() if self.spec.picture else self._map())
        last_read = max(i for i, entry in enumerate(passes) if not entry.gamma)
        passes[last_read] = replace(passes[last_read], tile_end=1)
        for entry in passes:
            self.assembler.add_pass(entry)
        self.assembler.add_layer(self._record(first, len(passes)))

    def _check(self) -> None:
        name, fit = self.target.name, self.assembler.fit
        slots = self.geometry.slots(self.design.poy)
        fit(slots * self.slot_words, "input_words", f"the window of {name}")
        channels = self._out_channels()
        if self.spec.gdn is not None:
            channels = max(channels, self.layer.cout)
        fit(channels, "channels", f"the output of {name}")
        for tiles in self._tiles():
            if tiles > MAX_TILES:
                raise InputError(
                    f"{name} takes {tiles} tiles along one side, the accelerator counts to "
                    f"{MAX_TILES}; use a smaller picture"
                )

    def _map(self) -> Iterator[PassRecord]:
        """Passes of a layer that yields a feature map: phase after phase."""
        normalized = self.spec.gdn is not None
        conv_to = Destination.HOLD if normalized else Destination.OUT_I16
        for phase in self.geometry.phases:
            convs = list(self._conv_passes(phase, conv_to))
            convs[0] = replace(convs[0], phase_begin=1)
            gammas = list(self._gamma_passes(phase))
            emitting = gammas or convs
            emitting[0] = replace(emitting[0], emit_begin=1)
            emitting[-1] = replace(emitting[-1], emit_end=1)
            yield from convs
            yield from gammas

    def _conv_passes(self, phase: Phase, destination: Destination) -> Iterator[PassRecord]:
        conv, pof = self.spec.conv, self.design.pof
        places = tuple(phase.taps) or _NOWHERE
        for base in range(0, self.layer.cout, pof):
            block = np.zeros((len(places), self.layer.cin, pof), np.int16)
            lanes = slice(base, min(base + pof, self.layer.cout))
            for index, place in enumerate(places):
                if place in phase.taps:
                    block[index, :, : lanes.stop - base] = conv.kernel[phase.taps[place]][:, lanes]
            params = [
                ParamRecord(_with_half(bias, shift), shift, 0)
                for bias, shift in _integers(conv.bias[lanes], conv.shift[lanes])
            ]
            yield self._conv_pass(
                places, block, params, destination, base, phase_y=phase.y, phase_x=phase.x
            )

    def _gamma_passes(self, phase: Phase) -> Iterator[PassRecord]:
        gdn, pof, count = self.spec.gdn, self.design.pof, self.layer.cout
        if gdn is None:
            return
        destination = Destination.OUT_IGDN if self.layer.inverse else Destination.OUT_GDN
        for base in range(0, count, pof):
            lanes = slice(base, min(base + pof, count))
            block = np.zeros((count, pof), np.int16)
            block[:, : lanes.stop - base] = gdn.gamma[:, lanes]
            values = _integers(gdn.beta[lanes], gdn.norm_shift[lanes], gdn.out_shift[lanes])
            params = [
                ParamRecord(_with_half(beta, shift), shift, out) for beta, shift, out in values
            ]
            yield PassRecord(
                weight_base=self.assembler.weights(block),
                gamma=1,
                phase_begin=0,
                tile_end=0,
                emit_begin=0,
                emit_end=0,
                destination=destination,
                tap_first=0,
                tap_count=0,
                count=count,
                channel_base=base,
                param_base=self._lane_params(params),
                phase_y=phase.y,
                phase_x=phase.x,
            )

    def _picture(self) -> Iterator[PassRecord]:
        """Passes of a layer that yields a picture: all phases at once, a lane per byte."""
        pof, conv = self.design.pof, self.spec.conv
        outputs = [
            VirtualOutput(phase, channel)
            for phase in self.geometry.phases
            for channel in range(self.layer.cout)
        ]
        groups = group_outputs(outputs, pof)
        for number, group in enumerate(groups):
            places = places_of(group) or _NOWHERE
            block = np.zeros((len(places), self.layer.cin, pof), np.int16)
            params = []
            for lane, output in enumerate(group):
                for place, tap in output.phase.taps.items():
                    block[places.index(place), :, lane] = conv.kernel[tap][:, output.channel]
                bias, shift = int(conv.bias[output.channel]), int(conv.shift[output.channel])
                params.append(ParamRecord(_with_half(bias, shift), shift, self._byte(output)))
            entry = self._conv_pass(places, block, params, Destination.OUT_U8, 0)
            yield replace(
                entry,
                phase_begin=int(number == 0),
                emit_begin=int(number == 0),
                emit_end=int(number == len(groups) - 1),
            )

    def _byte(self, output: VirtualOutput) -> int:
        """Where the output lies among the bytes of its position."""
        pixel = output.phase.y * self.geometry.upsampling + output.phase.x
        return pixel * PIXEL_BYTES + output.channel

    def _conv_pass(
        self,
        places: Sequence[Place],
        block: NDArray[np.int16],
        params: Sequence[ParamRecord],
        destination: Destination,
        base: int,
        phase_y: int = 0,
        phase_x: int = 0,
    ) -> PassRecord:
        taps = [TapRecord(place.pair * self.phase_words, place.dy, place.dx) for place in places]
        return PassRecord(
            weight_base=self.assembler.weights(block.reshape(-1, self.design.pof)),
            gamma=0,
            phase_begin=0,
            tile_end=0,
            emit_begin=0,
            emit_end=0,
            destination=destination,
            tap_first=self.assembler.taps(taps),
            tap_count=len(taps),
            count=self.layer.cin,
            channel_base=base,
            param_base=self._lane_params(params),
            phase_y=phase_y,
            phase_x=phase_x,
        )

    def _lane_params(self, params: Sequence[ParamRecord]) -> int:
        unused = self.design.pof - len(params)
        return self.assembler.params((*params, *(unused * [_SKIPPED])))

    def _symbol_params(self) -> int:
        if self.symbols is None:
            return 0
        params = [
            ParamRecord(offset, shift, 0)
            for offset, shift in _integers(self.symbols.offset, self.symbols.shift)
        ]
        # Channels that pad the last block are read too, and must become zero.
        params += (self.phase_words - len(params)) * [ParamRecord(0, 0, 0)]
        return self.assembler.params(params)

    def _tiles(self) -> tuple[int, int]:
        rows, columns = (self.geometry.grid(n) for n in (self.target.height, self.target.width))
        return -(-rows // self.design.poy), -(-columns // self.design.pox)

    def _out_channels(self) -> int:
        if self.spec.picture:
            return self.geometry.upsampling**2 * PIXEL_BYTES
        return self.layer.cout

    def _record(self, pass_first: int, pass_count: int) -> LayerRecord:
        geometry, design, source, target = self.geometry, self.design, self.source, self.target
        tiles_y, tiles_x = self._tiles()
        if target.layout is Layout.BLOCKS:
            out_height, out_width = target.rows, target.row_pitch // target.pixel_beats
        elif target.layout is Layout.PICTURE:
            out_height, out_width = target.height, target.row_pitch
        else:
            out_height, out_width = target.height, target.width
        raster = target.layout is Layout.PICTURE
        by_phase = target.layout is Layout.MAP
        row_mul = geometry.upsampling if by_phase or raster else 1
        col_mul = geometry.upsampling if by_phase else 1
        core = -geometry.origin if source.layout is Layout.SYMBOLS else 0
        return LayerRecord(
            in_format=_IN_FORMATS[source.layout],
            out_u8=int(self.spec.picture),
            out_merge=int(col_mul == 1),
            in_offset=source.offset,
            in_row_pitch=source.row_pitch,
            in_height=source.height,
            in_width=source.width,
            origin_y=geometry.origin,
            origin_x=geometry.origin,
            row_step=design.poy * geometry.stride,
            col_step=design.pox * geometry.stride,
            rows=geometry.window(design.poy),
            cols=geometry.window(design.pox),
            stride=geometry.stride,
            in_blocks=source.pixel_beats,
            phase_words=self.phase_words,
            slot_words=self.slot_words,
            tiles_y=tiles_y,
            tiles_x=tiles_x,
            pass_first=pass_first,
            pass_count=pass_count,
            out_offset=target.offset,
            out_row_pitch=target.row_pitch,
            out_height=out_height,
            out_width=out_width,
            out_px_pitch=target.pixel_beats,
            out_run=target.pixel_beats,
            row_mul=row_mul,
            col_mul=col_mul,
            subrows=geometry.upsampling if raster else 1,
            out_lead=geometry.lead if by_phase else 0,
            out_channels=self._out_channels(),
            core_y=core,
            core_x=core,
            in_params=self._symbol_params(),
        )


def _integers(*columns: NDArray[np.int64]) -> Iterator[tuple[int, ...]]:
    return (tuple(int(value) for value in row) for row in zip(*columns, strict=True))


def _with_half(bias: int, shift: int) -> int:
    """The bias as the accelerator adds it, with the half that makes the shift round."""
    return bias + (1 << (shift - 1))


def _padded(channels: int) -> int:
    return -(-channels // CHANNEL_BLOCK) * CHANNEL_BLOCK
