"""The demo's encoder and decoder: exact sums modulo 2^32, then float32, one operation at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from xlic.convolution import Block, Convolution
from xlic.designs.x_lic_demo.layers import DemoLayer, decoder, decoder_sizes, encoder
from xlic.designs.x_lic_demo.parameters import (
    ONE,
    Float32,
    LayerParameters,
    Parameters,
)
from xlic.designs.x_lic_demo.tile_buffer import edges
from xlic.files import Array
from xlic.images import check_pixels

Int16 = NDArray[np.int16]
Tiles = Mapping[str, tuple[int, int]]
"""Rows and columns of the output tiles of a transposed convolution, by name of the layer."""


class Simulation:
    """The datapath with its parameters.

    Args:
        parameters: of both transforms.
        tiles: as the demo prints them (``TR,TC``). They matter only where a map is cropped, which
            is where height or width is no multiple of 16; without them zeros are read there.
    """

    def __init__(self, parameters: Parameters, tiles: Tiles | None = None) -> None:
        self.parameters = parameters
        n = parameters.filters
        given = tiles or {}
        self._encoder = [
            Pass(layer, p, None) for layer, p in zip(encoder(n), parameters.encoder, strict=True)
        ]
        self._decoder = [
            Pass(layer, p, given.get(layer.name))
            for layer, p in zip(decoder(n), parameters.decoder, strict=True)
        ]

    def encode(
        self, image: NDArray[np.uint8], keep: Collection[str] = ()
    ) -> tuple[Float32, dict[str, Int16]]:
        """Latents of a picture, *not rounded*, float32 ``(h, w, N)``, and the maps of ``keep``.

        Args:
            image: uint8 ``(H, W, 3)``.
            keep: names of passes whose integers are returned, int16 ``(H, W, C)``.
        """
        pixels = check_pixels(image).astype(np.float32) / np.float32(255)
        x = to_int16(pixels / self.parameters.encoder[0].input_scale * ONE)
        kept = {}
        for step in self._encoder:
            x = step(x, None)
            if step.layer.name in keep:
                kept[step.layer.name] = x
        return x.astype(np.float32) / ONE * self.parameters.decoder[0].input_scale, kept

    def decode(
        self, latents: Float32, size: tuple[int, int], keep: Collection[str] = ()
    ) -> tuple[NDArray[np.uint8], dict[str, Int16]]:
        """The picture of latents, uint8 ``size + (3,)``, and the maps of ``keep``.

        Args:
            latents: float32 ``(h, w, N)``.
            size: height and width of the picture.
            keep: as in :meth:`encode`.
        """
        x = to_int16(latents / self.parameters.decoder[0].input_scale * ONE)
        kept = {}
        for step, wanted in zip(self._decoder, decoder_sizes(*size), strict=True):
            x = step(x, wanted)
            if step.layer.name in keep:
                kept[step.layer.name] = x
        factor = self.parameters.decoder[-1].output_factor
        values = x * (np.float32(1) / factor) * np.float32(255)
        return np.clip(np.floor(values + np.float32(0.5)), 0, 255).astype(np.uint8), kept


def to_int16(values: Float32) -> Int16:
    """Truncate toward zero; beyond int16 the low 16 bits remain, as on x86 and ARM."""
    return np.trunc(values).astype(np.int64).astype(np.int16)


class Pass:
    """One pass of the accelerator, ready to run."""

    def __init__(
        self, layer: DemoLayer, parameters: LayerParameters, tile: tuple[int, int] | None
    ) -> None:
        self.layer = layer
        self._parameters = parameters
        self._tile = tile
        self._convolution = Convolution(layer.conv, parameters.kernel)
        n = self._convolution.phases
        self._step = np.tile(parameters.accumulator_step, n)
        self._bias = np.tile(parameters.bias, n)
        self._factor = np.tile(parameters.output_factor, n)
        self._input_step: Float32 = parameters.input_scale / ONE

    def __call__(self, x: Int16, size: tuple[int, int] | None) -> Int16:
        """One pass, cropped to ``size`` if that is given."""
        layer = self.layer
        loaded = (np.abs(x) if layer.kind != "convolution" else x) >> self._parameters.load_shift
        out = self._computed(loaded, x)
        if size is None:
            return out
        if self._tile is not None and layer.conv.direction == "up":
            s = layer.conv.stride
            for edge in edges(loaded, layer.conv, size, self._tile):
                inner = self._computed(edge.patch, edge.patch)[s:-s, s:-s]
                rows = slice(edge.rows.start * s, edge.rows.stop * s)
                out[rows, edge.columns.start * s : edge.columns.stop * s] = inner
        return np.ascontiguousarray(out[: size[0], : size[1]])

    def _computed(self, loaded: Array, x: Int16) -> Int16:
        out = self._convolution.empty_output(loaded.shape[0], loaded.shape[1], np.int16)

        def finish(sums: NDArray[np.float64], block: Block) -> None:
            # Exact below 2^53, then modulo 2^32.
            values = sums.astype(np.int64).astype(np.int32).astype(np.float32)
            values *= self._step
            values += self._bias
            if self.layer.kind != "convolution":
                tile = block.tile
                own = x[tile.top : tile.bottom, tile.left : tile.right].reshape(values.shape)
                scaled: Float32 = own * self._input_step
                values = scaled / values if self.layer.kind == "divide" else scaled * values
            values *= self._factor
            block.store(out, to_int16(values))

        self._convolution.each_block(loaded, finish)
        return out
