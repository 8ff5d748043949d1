"""Block-KLT initialization: the network starts as a good linear transform coder.

The Karhunen–Loève transform of 16×16 blocks is built in three stages, each the principal components
of the blocks of the stage before: 4×4×3 → 48 channels, 2×2×48 → 128, 2×2×128 → 128. Placed in the
analysis kernels, transposed in the synthesis kernels, and with GDNs that do little yet, they code
photographs from the first step on. Random initialization needs thousands of steps to get there.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from xlic.architecture import ConvLayer, analysis_layers, synthesis_layers
from xlic.tfmodel.variables import Variables, layer_prefix, variable_from_gdn

Float64 = NDArray[np.float64]

BLOCK = 16
"""Side of the blocks that the transform is found from: what one latent position stands for."""

BLOCKS = 18_000
"""Blocks enough for covariances of 512 components."""

_SELF_GAMMA = 5e-3
_CROSS_GAMMA = 1e-4
# Channels that carry no component start small but not dead.
_NOISE = {"ana_0": 0.01, "ana_1": 0.001, "syn_1": 0.001, "syn_2": 0.002}


def klt_variables(blocks: Float64, filters: int, lmbda: float, seed: int) -> Variables:
    """Variables of both transforms, kernels direct; biases zero.

    Args:
        blocks: ``(n, 16, 16, 3)`` on 0..1, of training photographs.
        filters: N; each stage keeps at most that many components.
        lmbda: λ, which sets the size of the quantization step.
        seed: of the unused channels' noise.
    """
    stages = _stages(blocks, filters)
    gain = latent_gain(lmbda)
    generator = np.random.default_rng(seed)
    variables: Variables = {}
    analysis, synthesis = analysis_layers(filters), synthesis_layers(filters)
    for stage, basis in enumerate(stages):
        down, up = analysis[stage], synthesis[2 - stage]
        scale = gain if stage == 2 else 1.0
        # basis (components, s, s, cin): rows of an orthogonal matrix.
        _place(variables, down, basis.transpose(1, 2, 3, 0) * scale, generator)
        _place(variables, up, basis.transpose(1, 2, 0, 3) / scale, generator)
    for layer in analysis + synthesis:
        prefix = layer_prefix(layer)
        if layer.bias:
            variables[f"{prefix}bias"] = np.zeros(layer.cout, np.float32)
        if layer.activation is not None:
            gamma = _SELF_GAMMA * np.eye(layer.cout) + _CROSS_GAMMA
            gdn = f"{prefix}{layer.activation}/reparam_"
            variables[f"{gdn}beta"] = variable_from_gdn(np.ones(layer.cout, np.float32))
            variables[f"{gdn}gamma"] = variable_from_gdn(gamma.astype(np.float32))
    return variables


def latent_gain(lmbda: float) -> float:
    """Size of the latents, in quantization steps per unit of the picture's 0..1.

    At high rate, d(bpp)/d(mse) = −λ asks for step²/12 = 3 / (2·ln 2·λ) on 0..255: each pixel has
    three values, and a bit more of each divides the error by four.
    """
    return 255.0 / math.sqrt(12.0 * 3.0 / (2.0 * math.log(2.0) * lmbda))


def _stages(blocks: Float64, filters: int) -> list[Float64]:
    """The three bases, ``(components, s, s, cin)``, orthonormal rows, largest first."""
    bases = []
    x = blocks
    for layer in analysis_layers(filters):
        vectors = _cut(x, layer.stride)
        flat = vectors.reshape(-1, vectors.shape[3])
        # Not centred: the mean is a component like any other, and the layers have no offsets.
        values, components = np.linalg.eigh(flat.T @ flat / len(flat))
        chosen = components[:, np.argsort(-values)[:filters]]
        bases.append(chosen.T.reshape(-1, layer.stride, layer.stride, x.shape[3]))
        x = vectors @ chosen
    return bases


def _cut(x: Float64, side: int) -> Float64:
    """Maps ``(n, h, w, c)`` → ``(n, h/side, w/side, side·side·c)``."""
    n, h, w, c = x.shape
    parts = x.reshape(n, h // side, side, w // side, side, c).transpose(0, 1, 3, 2, 4, 5)
    return parts.reshape(n, h // side, w // side, side * side * c)


def _place(
    variables: Variables, layer: ConvLayer, taps: Float64, generator: np.random.Generator
) -> None:
    """Store a kernel that has ``taps`` ``(s, s, cin', cout')`` at the taps of its own block."""
    kernel = generator.normal(0.0, _NOISE.get(layer.name, 0.0), layer.kernel_shape)
    size, stride = layer.kernel, layer.stride
    cin, cout = taps.shape[2:]
    # Between channels in use nothing but a block's own taps counts; they start at the middle.
    kernel[:, :, :cin, :cout] = 0.0
    block = slice(size // 2, size // 2 + stride)
    kernel[block, block, :cin, :cout] = taps
    variables[f"{layer_prefix(layer)}kernel"] = kernel.astype(np.float32)
