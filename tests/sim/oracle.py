"""docs/int16.md once more, in plain int64 arithmetic: slow, obvious, independent of the package.

Nothing here comes from xlic but the description of the layers and the container of integers.
"""

from __future__ import annotations

import numpy as np

from xlic.architecture import ConvLayer, analysis_layers, synthesis_layers
from xlic.quantization.model import QuantizedModel


def rshift(acc, shift):
    assert np.abs(acc).max(initial=0) < 2**47
    return (acc + (np.int64(1) << (shift - 1))) >> shift


def sat16(values):
    clipped = np.minimum(np.maximum(values, -32768), 32767)
    return clipped, int((clipped != values).sum())


def convolve(x, kernel, layer: ConvLayer):
    """Sum over taps by the definitions of DESIGN section 3; int64 in and out."""
    x, kernel = x.astype(np.int64), kernel.astype(np.int64)
    k, s, half = layer.kernel, layer.stride, layer.kernel // 2
    height, width, _ = x.shape
    if layer.direction == "down":
        out = np.zeros((-(-height // s), -(-width // s), layer.cout), np.int64)
        for m in np.ndindex(out.shape[:2]):
            for a in np.ndindex(k, k):
                row, column = s * m[0] + a[0] - half, s * m[1] + a[1] - half
                if 0 <= row < height and 0 <= column < width:
                    out[m] += x[row, column] @ kernel[a]
        return out
    # out[n] = Σ in[m] · original[n − s·m + half]; the stored kernel is the original turned by 180°.
    original = kernel[::-1, ::-1]
    out = np.zeros((height * s, width * s, layer.cout), np.int64)
    for m in np.ndindex(height, width):
        for a in np.ndindex(k, k):
            row, column = s * m[0] + a[0] - half, s * m[1] + a[1] - half
            if 0 <= row < out.shape[0] and 0 <= column < out.shape[1]:
                out[row, column] += x[m] @ original[a]
    return out


def normalizer(x, gdn):
    acc = np.abs(x.astype(np.int64)) @ gdn.gamma.astype(np.int64) + gdn.beta
    n = rshift(acc, gdn.norm_shift)
    clipped = np.minimum(np.maximum(n, 1), 2**24 - 1)
    return clipped, int((n > 2**24 - 1).sum())


def gdn_forward(x, gdn):
    x = x.astype(np.int64)
    n, over = normalizer(x, gdn)
    quotient = ((np.abs(x) << gdn.out_shift) + (n >> 1)) // n
    y, clipped = sat16(np.sign(x) * quotient)
    return y, over + clipped


def gdn_inverse(x, gdn):
    x = x.astype(np.int64)
    n, over = normalizer(x, gdn)
    y, clipped = sat16(rshift(x * n, gdn.out_shift))
    return y, over + clipped


def run_layers(x, layers, model: QuantizedModel):
    tensors, saturations = {}, {}
    for layer in layers:
        conv = model.convs[layer.name]
        rounded = rshift(convolve(x, conv.kernel, layer) + conv.bias, conv.shift)
        if layer.name == "syn_2":
            tensors[layer.name] = np.minimum(np.maximum(rounded, 0), 255)
            break
        x, saturations[layer.name] = sat16(rounded)
        tensors[layer.name] = x
        if layer.activation is not None:
            function = gdn_inverse if layer.direction == "up" else gdn_forward
            x, saturations[layer.activation] = function(x, model.gdns[layer.activation])
            tensors[layer.activation] = x
    return tensors, saturations


def analyze(image, model: QuantizedModel):
    return run_layers(image, analysis_layers(model.filters), model)


def synthesize(symbols, size, model: QuantizedModel):
    wide = (symbols.astype(np.int64) << model.fraction_bits["latents"]) + model.latent_offset
    latents, clipped = sat16(wide)
    tensors, saturations = run_layers(latents, synthesis_layers(model.filters), model)
    tensors["syn_2"] = tensors["syn_2"][: size[0], : size[1]]
    return tensors, {"latents": clipped, **saturations}
