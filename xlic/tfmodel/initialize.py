"""What a network starts training from: chance, a block KLT, or an earlier model."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xlic.errors import InputError
from xlic.tfmodel import klt
from xlic.tfmodel.backend import backend
from xlic.tfmodel.data import Patches
from xlic.tfmodel.model_file import FILE, load_model, read_npz
from xlic.tfmodel.network import Network
from xlic.tfmodel.variables import (
    PRIOR_PREFIX,
    Variables,
    check_variables,
    convert_kernels,
    variables_from_tensors,
)
from xlic.weights import Float32, load_weights

Float64 = NDArray[np.float64]

_FIT_BATCHES = 4
# The freshly initialized prior is about logistic with scale 10: its standard deviation is this.
_FRESH_DEVIATION = 10.0 * math.pi / math.sqrt(3.0)
_LEAST_DEVIATION = 0.5


def initialize(
    network: Network,
    how: str,
    *,
    lmbda: float,
    patches: Patches,
    batch: int,
    seed: int,
    init_lmbda: float | None = None,
) -> str:
    """Set the network's variables.

    Args:
        network: freshly made.
        how: ``random``, ``klt``, or a path: xlic weights (file or folder), a trained model
            (folder), or an ``.npz`` of variables.
        lmbda: λ of the training to come.
        patches: the training data.
        batch: patches per batch.
        seed: of what is random.
        init_lmbda: λ that the file was trained with, where it does not say.

    Returns:
        A sentence on what was done.

    Raises:
        InputError: the file cannot be read or has another number of filters.
        FormatError: it is damaged.
    """
    if how == "random":
        network.assign(random_variables(network, seed))
        return "initialized at random"
    network.assign({k: v for k, v in random_variables(network, seed).items() if is_prior(k)})
    if how == "klt":
        blocks = patches.blocks(klt.BLOCKS, klt.BLOCK)
        variables = klt.klt_variables(blocks, network.filters, lmbda, seed)
        network.assign(convert_kernels(variables, network.kernels))
        fit_prior(network, patches, batch)
        return "initialized as a block KLT of the training images"
    variables, trained_with = _earlier(Path(how), network.filters)
    trained_with = trained_with or init_lmbda
    note = f"initialized from {Path(how).name}"
    if trained_with is not None and trained_with != lmbda:
        variables = change_rate(variables, math.sqrt(lmbda / trained_with))
        note += f", scaled from λ = {trained_with:g} to {lmbda:g}"
    network.assign(convert_kernels(variables, network.kernels))
    if not any(is_prior(name) for name in variables):
        fit_prior(network, patches, batch)
        note += "; it holds no prior, so that was fitted to its latents"
    return note


def is_prior(name: str) -> bool:
    """Whether a variable is the prior's."""
    return name.startswith(PRIOR_PREFIX)


def random_variables(network: Network, seed: int) -> Variables:
    """tensorflow-compression's own initialization, as a function of ``seed``.

    Kernels are normal with a variance of 1/(K²·Cin), cut off at two standard deviations; the
    prior's biases uniform on ±½; all else has fixed values.
    """
    generator = np.random.default_rng(seed)
    values: Variables = {}
    for name, value in convert_kernels(network.values(), "direct").items():
        if name.endswith("/kernel"):
            fan_in = math.prod(value.shape[:3])
            values[name] = _cut_normal(generator, value.shape) * np.float32(fan_in**-0.5)
        elif is_prior(name) and "bias" in name:
            values[name] = generator.uniform(-0.5, 0.5, value.shape).astype(np.float32)
        else:
            values[name] = value
    return convert_kernels(values, network.kernels)


def change_rate(variables: Variables, factor: float) -> Variables:
    """The same codec with latents ``factor`` times as large, and so finer quantization.

    ana_2 is multiplied, syn_0 divided, and the prior stretched. The optimal step goes with 1/√λ.
    """
    changed = dict(variables)
    for name, value in variables.items():
        if name.startswith("analysis/layer_2/kernel"):
            changed[name] = (value * factor).astype(np.float32)
        elif name.startswith("synthesis/layer_0/kernel"):
            changed[name] = (value / factor).astype(np.float32)
        elif name == f"{PRIOR_PREFIX}matrix_0":
            changed[name] = _inverse_softplus(_softplus(value) / factor)
    return changed


def fit_prior(network: Network, patches: Patches, batch: int) -> None:
    """Centre and stretch a fresh prior to mean and deviation of the latents, channel by channel."""
    tf = backend().tf
    latents = np.concatenate(
        [
            network.analysis(tf.constant(pixels)).numpy().reshape(-1, network.filters)
            for pixels in patches.validation(_FIT_BATCHES, batch)
        ]
    ).astype(np.float64)
    deviation = np.maximum(latents.std(axis=0), _LEAST_DEVIATION)[:, None, None]
    mean = latents.mean(axis=0)[:, None, None]
    matrix = network.variables[f"{PRIOR_PREFIX}matrix_0"]
    bias = network.variables[f"{PRIOR_PREFIX}bias_0"]
    slope = _softplus(matrix.numpy()) * _FRESH_DEVIATION / deviation
    matrix.assign(_inverse_softplus(slope))
    bias.assign((bias.numpy() - slope * mean).astype(np.float32))


def _earlier(path: Path, filters: int) -> tuple[Variables, float | None]:
    """Variables of an earlier model, without the prior where it has none, and its λ."""
    if path.suffix == ".npz":
        variables, found, _ = check_variables(read_npz(path), str(path))
        lmbda = None
    elif (path / FILE).is_file() or (path / "saved_model.pb").is_file():
        model = load_model(path)
        variables, found, lmbda = model.variables, model.filters, model.lmbda
    else:
        weights = load_weights(path)
        found, lmbda = weights.filters, weights.lmbda
        variables = variables_from_tensors(weights.tensors, found, "direct")
    if found != filters:
        raise InputError(f"{path} has {found} filters; give --num-filters {found}")
    return variables, lmbda


def _softplus(x: Float32) -> Float64:
    positive: Float64 = np.logaddexp(0.0, x.astype(np.float64))
    return positive


def _inverse_softplus(y: Float64) -> Float32:
    # log(e^y − 1), without overflow for large y.
    return (y + np.log(-np.expm1(-y))).astype(np.float32)


def _cut_normal(generator: np.random.Generator, shape: tuple[int, ...]) -> Float32:
    """Standard normal, values beyond ±2 drawn anew, then scaled back to a variance of 1."""
    x = generator.standard_normal(shape)
    while (outside := np.abs(x) > 2.0).any():
        x[outside] = generator.standard_normal(int(outside.sum()))
    return (x / 0.87962566103423978).astype(np.float32)
