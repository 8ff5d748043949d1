"""What the demo's accelerator is given: integers of the weights, scales, shifts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Int16 = NDArray[np.int16]

FRACTION_BITS = 14
"""A value is q · 2^-14 · scale of its channel; so are weights."""
ONE = np.float32(1 << FRACTION_BITS)


@dataclass(frozen=True)
class LayerParameters:
    """One pass.

    Attributes:
        kernel: int16 ``(K, K, Cin, Cout)``, ready to correlate, shifted right by what the
            activations are not.
        bias: float32 ``(Cout,)``; β of a normalization, zeros where there is none.
        input_scale: float32 ``(Cin,)``: what 2^14 of the input is worth.
        accumulator_step: float32 ``(Cout,)``: what 1 of the accumulator is worth.
        output_scale: float32 ``(Cout,)``: what 2^14 of the output is worth.
        output_factor: float32 ``(Cout,)``, 2^14 / ``output_scale`` in float32.
        inter_q: bits that a product loses before it is added: half of them, rounded down, by
            the activations at load, the rest by the weights.
        input_q: more bits that the activations lose (``ifm_sqQ``).
    """

    kernel: Int16
    bias: Float32
    input_scale: Float32
    accumulator_step: Float32
    output_scale: Float32
    output_factor: Float32
    inter_q: int
    input_q: int = 0

    @property
    def load_shift(self) -> int:
        """Bits that activations are shifted right by at load, arithmetically."""
        return self.inter_q // 2 + self.input_q


@dataclass(frozen=True)
class Parameters:
    """Both transforms, five passes each, in order."""

    encoder: tuple[LayerParameters, ...]
    decoder: tuple[LayerParameters, ...]

    @property
    def filters(self) -> int:
        """N."""
        return int(self.encoder[0].kernel.shape[3])


def accumulator_step(kernel_scale: Float32, inter_q: int, input_q: int) -> Float32:
    """``kernel_scale · 2^-(14 + (14 - ifm_sqQ) - interQ)``, float32 ``(Cout,)``; exact."""
    bits = FRACTION_BITS + (FRACTION_BITS - input_q) - inter_q
    return np.ldexp(kernel_scale, -bits).astype(np.float32)


def quantized_kernel(kernel: Float32, input_scale: Float32, inter_q: int) -> tuple[Int16, Float32]:
    """Integers of a kernel, truncated toward zero, and the scale of each output channel.

    Args:
        kernel: float32 ``(K, K, Cin, Cout)``.
        input_scale: float32 ``(Cin,)``, folded into the weights.
        inter_q: of the layer; the weights' share of it is shifted out, rounding down.
    """
    folded = kernel * input_scale[:, None]
    scale: Float32 = np.abs(folded).max(axis=(0, 1, 2))
    # A channel of zeros has no scale; any will do.
    safe = np.where(scale > 0, scale, np.float32(1))
    integers = np.trunc(folded / safe * ONE).astype(np.int32)
    return (integers >> (inter_q - inter_q // 2)).astype(np.int16), scale
