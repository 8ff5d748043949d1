"""The demo's layers: GDN is a layer of its own, a 1×1 convolution of magnitudes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xlic.architecture import ConvLayer, analysis_layers, synthesis_layers

Kind = Literal["convolution", "divide", "multiply"]


@dataclass(frozen=True)
class DemoLayer:
    """A pass of the demo's accelerator.

    Attributes:
        name: ``ana_0``, ``gdn_0``, …
        conv: shape and direction; of a normalization 1×1.
        kind: what follows the sums: nothing, x / sums (GDN), x · sums (IGDN).
    """

    name: str
    conv: ConvLayer
    kind: Kind


def _passes(layers: tuple[ConvLayer, ...]) -> tuple[DemoLayer, ...]:
    found = []
    for layer in layers:
        found.append(DemoLayer(layer.name, layer, "convolution"))
        if layer.activation is not None:
            n = layer.cout
            pointwise = ConvLayer(layer.activation, "down", 1, 1, n, n, True, None)
            kind: Kind = "multiply" if layer.inverse else "divide"
            found.append(DemoLayer(layer.activation, pointwise, kind))
    return tuple(found)


def encoder(filters: int) -> tuple[DemoLayer, ...]:
    """``ana_0 gdn_0 ana_1 gdn_1 ana_2``."""
    return _passes(analysis_layers(filters))


def decoder(filters: int) -> tuple[DemoLayer, ...]:
    """``syn_0 igdn_0 syn_1 igdn_1 syn_2``."""
    return _passes(synthesis_layers(filters))


def map_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Sizes of the maps of a picture from the picture itself to the latents: four.

    The demo's decoder crops each of its maps to the encoder's.
    """
    sizes = [(height, width)]
    for layer in analysis_layers():
        sizes.append(layer.output_size(*sizes[-1]))
    return sizes


def decoder_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Size of the output of each of the decoder's five passes."""
    _, first, second, _ = map_sizes(height, width)
    return [second, second, first, first, (height, width)]
