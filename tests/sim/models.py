"""Random models for tests: few channels, integers from their full range, or plausible floats."""

from __future__ import annotations

import numpy as np

from xlic.architecture import all_layers
from xlic.quantization.model import ConvIntegers, GdnIntegers, QuantizedModel
from xlic.weights import Weights, tensor_shapes


def random_model(seed: int, filters: int, extreme: bool = False) -> QuantizedModel:
    """All integers drawn from their whole range; shifts such that some results clip, not all.

    Args:
        seed: of the generator.
        filters: channels.
        extreme: draw kernels and γ from {−32768, 32767} only.
    """
    rng = np.random.default_rng(seed)

    def matrix(shape):
        if extreme:
            return rng.choice(np.array([-32768, 32767], np.int16), shape)
        # A product of two draws has many small values, and the ends of the range.
        return (rng.integers(-32768, 32768, shape) * rng.integers(0, 32769, shape) // 32768).astype(
            np.int16
        )

    convs, gdns, bits = {}, {}, {"latents": rng.integers(0, 8, filters)}
    for layer in all_layers(filters):
        terms = layer.kernel**2 * layer.cin
        top = 15 + int(np.log2(terms))
        low, high = (top - 6, top + 2)
        if layer.name == "ana_0":  # from bytes, not int16
            low, high = low - 6, high - 8
        if layer.name == "syn_2":  # to bytes
            low, high = low + 7, high + 7
        convs[layer.name] = ConvIntegers(
            matrix(layer.kernel_shape),
            rng.integers(-(2**40), 2**40, layer.cout) >> rng.integers(0, 40, layer.cout),
            rng.integers(max(1, low), high + 1, layer.cout),
        )
        if layer.activation is not None:
            inverse = layer.inverse
            gdns[layer.activation] = GdnIntegers(
                matrix((filters, filters)),
                rng.integers(-(2**33), 2**35, filters),
                rng.integers(6, 14, filters),
                rng.integers(18, 28, filters) if inverse else rng.integers(8, 37, filters),
            )
            for name in layer.names:
                bits[name] = rng.integers(0, 12, filters)
    return QuantizedModel(convs, gdns, bits, rng.integers(-200, 200, filters), None, None, "random")


def random_weights(seed: int, filters: int) -> Weights:
    """Small float weights of plausible size, without entropy tables."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, shape in tensor_shapes(filters).items():
        if name.endswith("gamma"):
            values = 0.1 * np.eye(filters) + 0.01 * rng.random(shape)
        elif name.endswith("beta"):
            values = 1 + rng.random(shape)
        else:
            fan_in = np.prod(shape[:3]) if len(shape) == 4 else 1
            gain = {"ana_2.kernel": 20.0, "syn_0.kernel": 0.05}.get(name, 1.0)
            values = gain * rng.normal(0, 1 / np.sqrt(fan_in), shape)
        tensors[name] = values.astype(np.float32)
    return Weights(tensors, lmbda=0.5, provenance={"source": f"random_weights({seed}, {filters})"})
