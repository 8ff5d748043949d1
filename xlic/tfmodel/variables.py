"""The trainable variables of the TensorFlow model, by name, and what they mean.

TensorFlow stores a kernel as such (``direct``) or as its real-input Fourier transform (``rdft``,
what the public script trains), and the parameters of a GDN as square roots. This module converts
both ways between those variables and the plain tensors of :class:`xlic.weights.Weights`, with
NumPy alone.

Names and shapes (N filters, all float32)::

    analysis/layer_0/kernel              (9, 9, 3, N)       kernels = direct
    analysis/layer_0/kernel_real, _imag  (3, N, 9, 5)       kernels = rdft
    analysis/layer_0/bias                (N,)
    analysis/layer_0/gdn_0/reparam_beta  (N,)
    analysis/layer_0/gdn_0/reparam_gamma (N, N)             input channel first
    …  synthesis/layer_2/bias            (3,)
    prior/DeepFactorized/matrix_0        (N, 3, 1)          and so on

Formulas: ``RDFTParameter`` and ``GDNParameter`` of tensorflow-compression 2.13 and 2.14.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xlic.architecture import ConvLayer, all_layers
from xlic.errors import FormatError, InputError
from xlic.files import ArrayMap, require
from xlic.weights import Float32

Kernels = Literal["rdft", "direct"]
Variables = dict[str, Float32]

PEDESTAL = np.float32(2.0**-36)
_BETA_BOUND = np.float32((1e-6 + 2.0**-36) ** 0.5)
_GAMMA_BOUND = np.float32(2.0**-18)

PRIOR_PREFIX = "prior/DeepFactorized/"
_PRIOR_WIDTHS = (1, 3, 3, 1)


def kernel_from_rdft(real: Float32, imag: Float32) -> Float32:
    """Kernel ``(K, K, Cin, Cout)`` of its transform, both parts ``(Cin, Cout, K, K//2+1)``."""
    size = real.shape[2]
    spectrum = (real.astype(np.float64) + 1j * imag.astype(np.float64)) * size
    kernel: NDArray[np.float64] = np.fft.irfft2(spectrum, s=(size, size))
    return np.ascontiguousarray(kernel.transpose(2, 3, 0, 1), np.float32)


def rdft_from_kernel(kernel: Float32) -> tuple[Float32, Float32]:
    """The inverse of :func:`kernel_from_rdft`, exact but for rounding to float32."""
    spectrum = np.fft.rfft2(kernel.astype(np.float64).transpose(2, 3, 0, 1)) / kernel.shape[0]
    return spectrum.real.astype(np.float32), spectrum.imag.astype(np.float32)


def beta_from_variable(variable: Float32) -> Float32:
    """GDN's β of its stored variable, in the float32 operations that TensorFlow does."""
    return np.square(np.maximum(variable, _BETA_BOUND)) - PEDESTAL


def gamma_from_variable(variable: Float32) -> Float32:
    """GDN's γ of its stored variable, in the float32 operations that TensorFlow does."""
    return np.square(np.maximum(variable, _GAMMA_BOUND)) - PEDESTAL


def variable_from_gdn(value: Float32) -> Float32:
    """The stored variable of a β or γ."""
    return np.sqrt(np.maximum(value, 0) + PEDESTAL).astype(np.float32)


def layer_prefix(layer: ConvLayer) -> str:
    """``analysis/layer_0/`` for ``ana_0`` and so on."""
    part = "analysis" if layer.direction == "down" else "synthesis"
    return f"{part}/layer_{layer.name[-1]}/"


def variable_shapes(filters: int, kernels: Kernels) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all trainable variables: layers in order of computation, prior last."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in all_layers(filters):
        prefix = layer_prefix(layer)
        if kernels == "direct":
            shapes[f"{prefix}kernel"] = layer.kernel_shape
        else:
            half = (layer.cin, layer.cout, layer.kernel, layer.kernel // 2 + 1)
            shapes[f"{prefix}kernel_real"] = shapes[f"{prefix}kernel_imag"] = half
        if layer.bias:
            shapes[f"{prefix}bias"] = (layer.cout,)
        if layer.activation is not None:
            shapes[f"{prefix}{layer.activation}/reparam_beta"] = (layer.cout,)
            shapes[f"{prefix}{layer.activation}/reparam_gamma"] = (layer.cout, layer.cout)
    return shapes | prior_shapes(filters)


def prior_shapes(filters: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the factorized prior's variables."""
    shapes: dict[str, tuple[int, ...]] = {}
    last = len(_PRIOR_WIDTHS) - 2
    for i, (before, after) in enumerate(itertools.pairwise(_PRIOR_WIDTHS)):
        shapes[f"{PRIOR_PREFIX}matrix_{i}"] = (filters, after, before)
        shapes[f"{PRIOR_PREFIX}bias_{i}"] = (filters, after, 1)
        if i < last:
            shapes[f"{PRIOR_PREFIX}factor_{i}"] = (filters, after, 1)
    return shapes


def check_variables(arrays: ArrayMap, where: str) -> tuple[Variables, int, Kernels]:
    """Pick the model's variables out of ``arrays``.

    Returns:
        The variables, the number of filters, and how kernels are stored.

    Raises:
        FormatError: a variable is absent, of another shape or dtype, or not finite.
    """
    bias = arrays.get("analysis/layer_0/bias")
    if bias is None or bias.ndim != 1 or not 1 <= bias.shape[0] <= 4096:
        raise FormatError(f"{where} holds no bls2017 model; train one with `xlic train`")
    filters = int(bias.shape[0])
    kernels: Kernels = "direct" if "analysis/layer_0/kernel" in arrays else "rdft"
    variables = {
        name: require(arrays, name, shape, "float32", where)
        for name, shape in variable_shapes(filters, kernels).items()
    }
    return variables, filters, kernels


def convert_kernels(variables: Mapping[str, Float32], kernels: Kernels) -> Variables:
    """The same model with its kernels stored as ``kernels``."""
    converted: Variables = {}
    for name, value in variables.items():
        if kernels == "direct" and name.endswith("kernel_real"):
            stem = name.removesuffix("_real")
            converted[stem] = kernel_from_rdft(value, variables[f"{stem}_imag"])
        elif kernels == "direct" and name.endswith("kernel_imag"):
            continue
        elif kernels == "rdft" and name.endswith("/kernel"):
            converted[f"{name}_real"], converted[f"{name}_imag"] = rdft_from_kernel(value)
        else:
            converted[name] = value
    return converted


def tensors_from_variables(variables: Mapping[str, Float32], filters: int) -> Variables:
    """Plain tensors, as :attr:`xlic.weights.Weights.tensors`, of the transforms' variables."""
    direct = convert_kernels(variables, "direct")
    tensors: Variables = {}
    for layer in all_layers(filters):
        prefix = layer_prefix(layer)
        kernel = direct[f"{prefix}kernel"]
        tensors[f"{layer.name}.kernel"] = _turned(kernel) if layer.inverse else kernel
        if layer.bias:
            tensors[f"{layer.name}.bias"] = direct[f"{prefix}bias"]
        if layer.activation is not None:
            gdn = f"{prefix}{layer.activation}/reparam_"
            tensors[f"{layer.activation}.gamma"] = gamma_from_variable(direct[f"{gdn}gamma"])
            tensors[f"{layer.activation}.beta"] = beta_from_variable(direct[f"{gdn}beta"])
    return tensors


def variables_from_tensors(
    tensors: Mapping[str, Float32], filters: int, kernels: Kernels
) -> Variables:
    """The inverse of :func:`tensors_from_variables`; the prior has no part in it.

    A β below 1e-6, as in the published weights, acts as 1e-6 in TensorFlow.

    Raises:
        InputError: a β or γ is negative.
    """
    variables: Variables = {}
    for layer in all_layers(filters):
        prefix = layer_prefix(layer)
        kernel = tensors[f"{layer.name}.kernel"]
        variables[f"{prefix}kernel"] = _turned(kernel) if layer.inverse else kernel
        if layer.bias:
            variables[f"{prefix}bias"] = tensors[f"{layer.name}.bias"]
        if layer.activation is not None:
            for part in ("beta", "gamma"):
                value = tensors[f"{layer.activation}.{part}"]
                if value.min() < 0:
                    raise InputError(
                        f"{layer.activation}.{part} reaches {value.min():g}, and a trained GDN has "
                        "no negative ones; extract the weights again"
                    )
                name = f"{prefix}{layer.activation}/reparam_{part}"
                variables[name] = variable_from_gdn(value)
    return convert_kernels(variables, kernels)


def _turned(kernel: Float32) -> Float32:
    """The kernel turned by 180 degrees: TensorFlow's up-sampling layers convolve."""
    return np.ascontiguousarray(kernel[::-1, ::-1])
