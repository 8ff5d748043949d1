"""What the compiler is given: layers with their integers, and whether these can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator.geometry import geometry_of
from xlic.accelerator.isa import InFormat
from xlic.accelerator.memory import PICTURE_CHANNELS
from xlic.architecture import ConvLayer
from xlic.errors import FormatError, InputError
from xlic.quantization.model import (
    ACCUMULATOR_BITS,
    INT16_MAX,
    INT16_MIN,
    MAX_DIVIDEND_SHIFT,
    MAX_SHIFT,
    ConvIntegers,
    GdnIntegers,
)

INPUT_NAMES = {InFormat.I16: "input", InFormat.U8: "image", InFormat.S32: "symbols"}
"""How the input of a program is called."""

_MAX_SYMBOL_SHIFT = 15


@dataclass(frozen=True)
class SymbolIntegers:
    """What turns symbols into a layer's int16 input, per channel ``(C,)``.

    Attributes:
        shift: left shift, 0 … 15: the fraction bits of the feature map.
        offset: added after it, an int16.
    """

    shift: NDArray[np.int64]
    offset: NDArray[np.int64]


@dataclass(frozen=True)
class LayerSpec:
    """A layer to be compiled.

    Attributes:
        layer: its shape.
        conv: integers of the convolution.
        gdn: integers of the normalization behind it, if the layer has one.
        picture: whether the output is a picture (uint8) rather than a feature map (int16).
    """

    layer: ConvLayer
    conv: ConvIntegers
    gdn: GdnIntegers | None = None
    picture: bool = False


def check_chain(
    specs: Sequence[LayerSpec],
    input_shape: tuple[int, int, int],
    input_format: InFormat,
    symbols: SymbolIntegers | None,
) -> None:
    """Refuse layers that do not follow from each other, and integers outside the contract.

    Raises:
        InputError: shapes, formats or names that cannot be.
        FormatError: integers outside the ranges of docs/int16.md.
    """
    if not specs:
        raise InputError("a program needs at least one layer")
    if min(input_shape) < 1:
        raise InputError(f"an input of shape {list(input_shape)} is empty; give at least 1×1×1")
    if input_format is InFormat.U8 and input_shape[2] > PICTURE_CHANNELS:
        raise InputError(
            f"a picture of {input_shape[2]} channels cannot be; there are at most "
            f"{PICTURE_CHANNELS}"
        )
    channels = input_shape[2]
    for spec in specs:
        layer = spec.layer
        if layer.cin != channels:
            raise InputError(f"{layer.name} takes {layer.cin} channels and would get {channels}")
        channels = layer.cout
        _check_shapes(spec)
        _check_ranges(spec)
        if spec.picture and spec is not specs[-1]:
            raise InputError(f"{layer.name} yields a picture, so it must be the last layer")
    names = Counter(name for spec in specs for name in spec.layer.names)
    names[INPUT_NAMES[input_format]] += 1
    for name, count in names.items():
        if count > 1:
            raise InputError(f"there would be {name!r} twice in memory; name the layers apart")
    _check_symbols(specs[0].layer, input_format, symbols)


def _check_shapes(spec: LayerSpec) -> None:
    layer, conv, gdn = spec.layer, spec.conv, spec.gdn
    # Refuses what cannot be addressed.
    geometry_of(layer)
    _shape(conv.kernel, layer.kernel_shape, f"{layer.name}.kernel")
    for key in ("bias", "shift"):
        _shape(getattr(conv, key), (layer.cout,), f"{layer.name}.{key}")
    if (gdn is None) != (layer.activation is None):
        raise InputError(f"{layer.name} needs integers of {layer.activation}, no more and no less")
    if gdn is not None:
        _shape(gdn.gamma, (layer.cout, layer.cout), f"{layer.activation}.gamma")
        for key in ("beta", "norm_shift", "out_shift"):
            _shape(getattr(gdn, key), (layer.cout,), f"{layer.activation}.{key}")
    if spec.picture and (layer.cout > PICTURE_CHANNELS or gdn is not None):
        raise InputError(
            f"{layer.name} cannot yield a picture with {layer.cout} channels and activation "
            f"{layer.activation}; pictures have at most {PICTURE_CHANNELS} channels and none"
        )


def _check_ranges(spec: LayerSpec) -> None:
    layer, conv, gdn = spec.layer, spec.conv, spec.gdn
    _range(conv.shift, 1, MAX_SHIFT, f"{layer.name}.shift")
    matrix = conv.kernel.reshape(-1, layer.cout)
    _accumulator(matrix, conv.bias, conv.shift, layer.name)
    if gdn is not None:
        low, high = (1, MAX_SHIFT) if layer.inverse else (0, MAX_DIVIDEND_SHIFT)
        _range(gdn.norm_shift, 1, MAX_SHIFT, f"{layer.activation}.norm_shift")
        _range(gdn.out_shift, low, high, f"{layer.activation}.out_shift")
        _accumulator(gdn.gamma, gdn.beta, gdn.norm_shift, str(layer.activation))


def _check_symbols(
    layer: ConvLayer, input_format: InFormat, symbols: SymbolIntegers | None
) -> None:
    if (symbols is not None) != (input_format is InFormat.S32):
        raise InputError("symbols need their shifts and offsets, and nothing else takes them")
    if symbols is None:
        return
    if symbols.shift.shape != (layer.cin,) or symbols.offset.shape != (layer.cin,):
        raise InputError(
            f"{layer.name} needs {layer.cin} shifts and offsets of symbols, there are "
            f"{list(symbols.shift.shape)} and {list(symbols.offset.shape)}"
        )
    _range(symbols.shift, 0, _MAX_SYMBOL_SHIFT, "symbols.shift")
    _range(symbols.offset, INT16_MIN, INT16_MAX, "symbols.offset")
    if layer.direction == "down" and layer.stride > 1:
        raise InputError(
            f"{layer.name} strides over symbols, whose saturations could then not be counted; "
            "only an up layer or one of stride 1 takes symbols"
        )


def _shape(array: NDArray[Any], shape: tuple[int, ...], what: str) -> None:
    if array.shape != shape or array.dtype.kind != "i":
        raise InputError(
            f"{what} is {array.dtype}{list(array.shape)}, must be integers {list(shape)}"
        )


def _range(values: NDArray[np.int64], low: int, high: int, what: str) -> None:
    if values.size and not low <= values.min() <= values.max() <= high:
        raise FormatError(
            f"{what} spans {values.min()} … {values.max()}, docs/int16.md allows {low} … {high}"
        )


def _accumulator(
    matrix: NDArray[np.int16], bias: NDArray[np.int64], shift: NDArray[np.int64], what: str
) -> None:
    """Refuse sums that could leave the accumulator, the rounding half included.

    Raises:
        FormatError: so.
    """
    worst = -INT16_MIN * np.abs(matrix.astype(np.int64)).sum(axis=0)
    for channel, (products, constant, bits) in enumerate(zip(worst, bias, shift, strict=True)):
        # In Python's integers: the sum may be too large for numpy's.
        total = int(products) + abs(int(constant)) + (1 << (int(bits) - 1))
        if total >= 1 << (ACCUMULATOR_BITS - 1):
            raise FormatError(
                f"{what} can reach {total} in channel {channel}, the accumulator has "
                f"{ACCUMULATOR_BITS} bits; quantize with smaller integers or a smaller shift"
            )
