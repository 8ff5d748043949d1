"""Parameters from float weights and one picture, as the demo's tools find them.

Scales are the largest magnitudes of each channel in a run in real numbers on that picture. The
demo adds those up in float32, in an order of its own; here they are float64's, and so differ by a
few millionths at most. From the same scales come the same integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.convolution import Convolution
from xlic.designs.x_lic_demo.layers import DemoLayer, decoder, decoder_sizes, encoder
from xlic.designs.x_lic_demo.parameters import (
    ONE,
    Float32,
    LayerParameters,
    Parameters,
    accumulator_step,
    quantized_kernel,
)
from xlic.designs.x_lic_demo.simulation import Pass, to_int16
from xlic.images import UInt8Image
from xlic.weights import Weights

MOST_INTER_Q = 6
"""Largest shift that is tried."""

Float64 = NDArray[np.float64]


def quantize(weights: Weights, image: UInt8Image) -> Parameters:
    """Quantize both transforms.

    Each pass gets the shift with the least squared error of its output against real numbers, its
    input being what the passes before compute in integers.

    Args:
        weights: float weights; their entropy tables are not used.
        image: uint8 ``(H, W, 3)``, to calibrate with.
    """
    n = weights.filters
    pixels = image / 255.0
    first, latents = _quantize(encoder(n), weights, pixels, [None] * 5)
    sizes = decoder_sizes(image.shape[0], image.shape[1])
    second, _ = _quantize(decoder(n), weights, latents, list(sizes))
    return Parameters(first, second)


def _quantize(
    layers: Sequence[DemoLayer],
    weights: Weights,
    x: Float64,
    sizes: Sequence[tuple[int, int] | None],
) -> tuple[tuple[LayerParameters, ...], Float64]:
    """The passes' parameters, and the last output in real numbers."""
    found = []
    scale = _largest(x)
    integers = to_int16(x.astype(np.float32) / scale * ONE)
    for layer, size in zip(layers, sizes, strict=True):
        kernel, bias = _values(layer, weights)
        x = _real(layer, kernel, bias, x, size)
        out_scale = _largest(x)
        tries = []
        for inter_q in range(MOST_INTER_Q + 1):
            parameters = _parameters(kernel, bias, scale, out_scale, inter_q)
            result = Pass(layer, parameters, None)(integers, size)
            error = float(np.square(result * (out_scale / ONE).astype(np.float64) - x).sum())
            tries.append((error, inter_q, parameters, result))
        _, _, parameters, integers = min(tries, key=lambda tried: tried[:2])
        found.append(parameters)
        scale = out_scale
    return tuple(found), x


def _parameters(
    kernel: Float32, bias: Float32, scale: Float32, out_scale: Float32, inter_q: int
) -> LayerParameters:
    integers, kernel_scale = quantized_kernel(kernel, scale, inter_q)
    return LayerParameters(
        integers,
        bias,
        scale,
        accumulator_step(kernel_scale, inter_q, 0),
        out_scale,
        ONE / out_scale,
        inter_q,
    )


def _largest(x: NDArray[Any]) -> Float32:
    """Largest magnitude per channel, float32; 1 where a channel is zero throughout."""
    found = np.abs(x).max(axis=(0, 1)).astype(np.float32)
    return np.where(found > 0, found, np.float32(1)).astype(np.float32)


def _values(layer: DemoLayer, weights: Weights) -> tuple[Float32, Float32]:
    """Kernel ``(K, K, Cin, Cout)`` and bias."""
    tensors = weights.tensors
    if layer.kind == "convolution":
        bias = tensors.get(f"{layer.name}.bias")
        kernel = tensors[f"{layer.name}.kernel"]
        return kernel, np.zeros(layer.conv.cout, np.float32) if bias is None else bias
    return tensors[f"{layer.name}.gamma"][None, None], tensors[f"{layer.name}.beta"]


def _real(
    layer: DemoLayer, kernel: Float32, bias: Float32, x: Float64, size: tuple[int, int] | None
) -> Float64:
    convolution = Convolution(layer.conv, kernel)
    out = convolution.empty_output(x.shape[0], x.shape[1], np.float64)
    taken = x if layer.kind == "convolution" else np.abs(x)
    convolution.each_block(taken, lambda sums, block: block.store(out, sums))
    out += bias
    if layer.kind == "divide":
        out = x / out
    elif layer.kind == "multiply":
        out = x * out
    return out if size is None else out[: size[0], : size[1]]
