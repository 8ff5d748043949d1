"""The quantized model: every integer that any rung needs, in one file.

docs/int16.md is the contract; the names here are its names. All integer rungs (simulation, HLS,
RTL, board) start from this object and from nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.architecture import ConvLayer, all_layers
from xlic.entropy.tables import EntropyTables
from xlic.errors import FormatError
from xlic.files import Array, ArrayMap, arrays_identity, load_container, require, save_container

KIND = "quantized"
VERSION = 1
_REMEDY = "make it with `xlic quantize`"

INT16_MIN, INT16_MAX = -(1 << 15), (1 << 15) - 1
ACCUMULATOR_BITS = 48
NORM_BITS = 24
MAX_SHIFT = ACCUMULATOR_BITS - 1
"""Right shifts of an accumulator are 1 … 47."""
MAX_DIVIDEND_SHIFT = 36
"""The GDN's dividend ``|x| · 2**k`` stays below 2**52: k is 0 … 36."""
MAX_SCALE = 127
"""Fraction bits of a feature map are −127 … 127; no datapath sees them but that of the latents."""
DECODER_INPUT = "latents"
"""Name of the decoder's first feature map, made from the symbols."""

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class ConvIntegers:
    """Integers of a convolution.

    Attributes:
        kernel: int16 ``(Kh, Kw, Cin, Cout)``, ready to correlate.
        bias: int64 ``(Cout,)``, added to the accumulator.
        shift: int64 ``(Cout,)``, 1 … 47: the rounding right shift behind the accumulator.
    """

    kernel: NDArray[np.int16]
    bias: Int64
    shift: Int64


@dataclass(frozen=True)
class GdnIntegers:
    """Integers of a GDN or inverse GDN.

    Attributes:
        gamma: int16 ``(Cin, Cout)``.
        beta: int64 ``(C,)``, added to the accumulator of γ·|x|.
        norm_shift: int64 ``(C,)``, 1 … 47: accumulator to normalizer n.
        out_shift: int64 ``(C,)``: of GDN the left shift k of the dividend, 0 … 36; of IGDN the
            rounding right shift of x·n, 1 … 47.
    """

    gamma: NDArray[np.int16]
    beta: Int64
    norm_shift: Int64
    out_shift: Int64


@dataclass(frozen=True)
class QuantizedModel:
    """All integers of a model.

    Attributes:
        convs: by layer name.
        gdns: by activation name.
        fraction_bits: of every int16 feature map, by name (``latents`` is the decoder's input),
            int64 ``(C,)``: real value = q · 2**−f.
        latent_offset: int64 ``(N,)``: the decoder's input is ``(symbol << f) + latent_offset``.
        tables: entropy tables, or None.
        lmbda: λ of the float model, or None.
        weights_identity: identity of the float weights that it was made from.
        provenance: calibration and its findings, free-form; not part of the identity.

    Raises:
        FormatError: integers outside the contract's ranges, or that could overflow.
    """

    convs: Mapping[str, ConvIntegers]
    gdns: Mapping[str, GdnIntegers]
    fraction_bits: Mapping[str, Int64]
    latent_offset: Int64
    tables: EntropyTables | None
    lmbda: float | None
    weights_identity: str
    provenance: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for layer in all_layers(self.filters):
            conv = self.convs[layer.name]
            _check_range(conv.shift, 1, MAX_SHIFT, f"{layer.name}.shift")
            _check_accumulator(conv.kernel.reshape(-1, layer.cout), conv.bias, layer.name)
            if layer.activation is not None:
                gdn, name = self.gdns[layer.activation], layer.activation
                low, high = (1, MAX_SHIFT) if layer.inverse else (0, MAX_DIVIDEND_SHIFT)
                _check_range(gdn.norm_shift, 1, MAX_SHIFT, f"{name}.norm_shift")
                _check_range(gdn.out_shift, low, high, f"{name}.out_shift")
                _check_accumulator(gdn.gamma, gdn.beta, name)
        for name, bits in self.fraction_bits.items():
            low, high = (0, 15) if name == DECODER_INPUT else (-MAX_SCALE, MAX_SCALE)
            _check_range(bits, low, high, f"{name}.fraction_bits")
        _check_range(self.latent_offset, INT16_MIN, INT16_MAX, "latents.offset")

    @property
    def filters(self) -> int:
        """N, the number of channels."""
        return int(self.latent_offset.shape[0])

    @cached_property
    def identity(self) -> str:
        """SHA-256 of all integers and tables."""
        return arrays_identity(self.arrays())

    def arrays(self) -> dict[str, Array]:
        """All integers as named arrays."""
        arrays: dict[str, Array] = {"latents.offset": self.latent_offset}
        for name, conv in self.convs.items():
            arrays |= {f"{name}.{key}": value for key, value in vars(conv).items()}
        for name, gdn in self.gdns.items():
            arrays |= {f"{name}.{key}": value for key, value in vars(gdn).items()}
        arrays |= {f"{name}.fraction_bits": bits for name, bits in self.fraction_bits.items()}
        if self.tables is not None:
            arrays |= self.tables.arrays()
        return arrays


def save_quantized(model: QuantizedModel, path: str | os.PathLike[str]) -> None:
    """Write the model as one file, atomically."""
    save_container(
        path,
        kind=KIND,
        version=VERSION,
        arrays=model.arrays(),
        metadata={
            "filters": model.filters,
            "lambda": model.lmbda,
            "weights_identity": model.weights_identity,
            "provenance": dict(model.provenance),
        },
    )


def load_quantized(path: str | os.PathLike[str]) -> QuantizedModel:
    """Read a quantized model and check it against the contract's ranges.

    Raises:
        InputError: the file cannot be read.
        FormatError: damaged, another kind or version, incomplete, or outside the contract.
    """
    arrays, metadata = load_container(path, kind=KIND, version=VERSION, remedy=_REMEDY)
    where = str(path)
    filters = metadata.get("filters")
    if filters is None:
        raise FormatError(f"{where} lacks filters; {_REMEDY}")
    convs: dict[str, ConvIntegers] = {}
    gdns: dict[str, GdnIntegers] = {}
    fraction_bits = {DECODER_INPUT: _vector(arrays, DECODER_INPUT, "fraction_bits", filters, where)}
    for layer in all_layers(filters):
        convs[layer.name] = _load_conv(arrays, layer, where)
        if layer.activation is not None:
            gdns[layer.activation] = _load_gdn(arrays, layer.cout, layer.activation, where)
            for name in layer.names:
                fraction_bits[name] = _vector(arrays, name, "fraction_bits", filters, where)
    try:
        return QuantizedModel(
            convs,
            gdns,
            fraction_bits,
            _vector(arrays, DECODER_INPUT, "offset", filters, where),
            EntropyTables.from_arrays(arrays, filters, where),
            metadata.get("lambda"),
            metadata.get("weights_identity", ""),
            metadata.get("provenance") or {},
        )
    except FormatError as error:
        raise FormatError(f"{where}: {error}") from error


def _load_conv(arrays: ArrayMap, layer: ConvLayer, where: str) -> ConvIntegers:
    return ConvIntegers(
        require(arrays, f"{layer.name}.kernel", layer.kernel_shape, "int16", where),
        _vector(arrays, layer.name, "bias", layer.cout, where),
        _vector(arrays, layer.name, "shift", layer.cout, where),
    )


def _load_gdn(arrays: ArrayMap, n: int, name: str, where: str) -> GdnIntegers:
    return GdnIntegers(
        require(arrays, f"{name}.gamma", (n, n), "int16", where),
        _vector(arrays, name, "beta", n, where),
        _vector(arrays, name, "norm_shift", n, where),
        _vector(arrays, name, "out_shift", n, where),
    )


def _vector(arrays: ArrayMap, name: str, key: str, length: int, where: str) -> Int64:
    return require(arrays, f"{name}.{key}", (length,), "int64", where)


def _check_range(values: Int64, low: int, high: int, what: str) -> None:
    if values.size and (values.min() < low or values.max() > high):
        raise FormatError(
            f"{what} spans {values.min()} … {values.max()}, must be {low} … {high}; {_REMEDY}"
        )


def _check_accumulator(matrix: Array, bias: Int64, what: str) -> None:
    """Refuse integers that could overflow the accumulator for some input.

    Raises:
        FormatError: so.
    """
    limit = 1 << (ACCUMULATOR_BITS - 1)
    worst = np.abs(matrix.astype(np.float64)).sum(axis=0) * -INT16_MIN + np.abs(
        bias.astype(np.float64)
    )
    # The rounding half of the largest shift is added too.
    if worst.max() + (1 << (MAX_SHIFT - 1)) >= limit:
        raise FormatError(f"{what} can overflow the {ACCUMULATOR_BITS}-bit accumulator; {_REMEDY}")
