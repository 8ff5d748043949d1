"""The layers of bls2017: the one place that knows the network's shape.

Source: Ballé, Laparra, Simoncelli, "End-to-end Optimized Image Compression", arXiv 1611.01704, in
the form of the public script ``models/bls2017.py`` of tensorflow/compression.

Feature maps are ``(H, W, C)``, kernels ``(Kh, Kw, Cin, Cout)``. All kernels in xlic are stored
*ready to correlate*: an up-sampling layer correlates its kernel with the zero-stuffed input, so it
is the TensorFlow kernel turned by 180 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

IMAGE_CHANNELS = 3
DEFAULT_FILTERS = 128

Direction = Literal["down", "up"]


@dataclass(frozen=True)
class ConvLayer:
    """A convolution and the normalization that follows it.

    Attributes:
        name: ``ana_0`` … ``syn_2``.
        direction: ``down`` strides over the input, ``up`` over the output.
        kernel: width and height of the kernel (odd).
        stride: down- or up-sampling factor per axis.
        cin: input channels.
        cout: output channels.
        bias: whether a bias is added.
        activation: name of the GDN (``gdn_*``) or inverse GDN (``igdn_*``) behind it, or None.
    """

    name: str
    direction: Direction
    kernel: int
    stride: int
    cin: int
    cout: int
    bias: bool
    activation: str | None

    @property
    def kernel_shape(self) -> tuple[int, int, int, int]:
        """``(Kh, Kw, Cin, Cout)``."""
        return (self.kernel, self.kernel, self.cin, self.cout)

    @property
    def inverse(self) -> bool:
        """Whether the activation multiplies (IGDN) rather than divides (GDN)."""
        return self.direction == "up"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tensors that the layer yields: its own and its activation's."""
        return (self.name,) if self.activation is None else (self.name, self.activation)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Size of the output for an input of this size: ``ceil(L / s)`` down, ``L · s`` up."""
        if self.direction == "down":
            return -(-height // self.stride), -(-width // self.stride)
        return height * self.stride, width * self.stride

    def macs(self, height: int, width: int) -> dict[str, int]:
        """Multiply-accumulates by name (layer, activation) for an input of this size.

        Padding taps count, zero-stuffed ones do not; a GDN has one per pair of channels.
        """
        out_height, out_width = self.output_size(height, width)
        anchor = out_height * out_width if self.direction == "down" else height * width
        counts = {self.name: anchor * self.kernel**2 * self.cin * self.cout}
        if self.activation is not None:
            counts[self.activation] = out_height * out_width * self.cout**2
        return counts


def analysis_layers(filters: int = DEFAULT_FILTERS) -> tuple[ConvLayer, ...]:
    """The encoder's layers, image to latents, for ``filters`` channels."""
    n = filters
    return (
        ConvLayer("ana_0", "down", 9, 4, IMAGE_CHANNELS, n, True, "gdn_0"),
        ConvLayer("ana_1", "down", 5, 2, n, n, True, "gdn_1"),
        ConvLayer("ana_2", "down", 5, 2, n, n, False, None),
    )


def synthesis_layers(filters: int = DEFAULT_FILTERS) -> tuple[ConvLayer, ...]:
    """The decoder's layers, latents to image, for ``filters`` channels."""
    n = filters
    return (
        ConvLayer("syn_0", "up", 5, 2, n, n, True, "igdn_0"),
        ConvLayer("syn_1", "up", 5, 2, n, n, True, "igdn_1"),
        ConvLayer("syn_2", "up", 9, 4, n, IMAGE_CHANNELS, True, None),
    )


def all_layers(filters: int = DEFAULT_FILTERS) -> tuple[ConvLayer, ...]:
    """Encoder then decoder."""
    return analysis_layers(filters) + synthesis_layers(filters)


ANALYSIS_NAMES = tuple(name for layer in analysis_layers() for name in layer.names)
SYNTHESIS_NAMES = tuple(name for layer in synthesis_layers() for name in layer.names)
LAYER_NAMES = ANALYSIS_NAMES + SYNTHESIS_NAMES
"""Names of all tensors in order of computation: the rows of the verification grid."""


def symbol_size(height: int, width: int) -> tuple[int, int]:
    """Size of the latent map of an image: every down layer rounds up in turn."""
    for layer in analysis_layers():
        height, width = layer.output_size(height, width)
    return height, width


def macs_of(layers: tuple[ConvLayer, ...], height: int, width: int) -> dict[str, int]:
    """Multiply-accumulates of a chain of layers by name, for an input of this size."""
    counts: dict[str, int] = {}
    for layer in layers:
        counts |= layer.macs(height, width)
        height, width = layer.output_size(height, width)
    return counts
