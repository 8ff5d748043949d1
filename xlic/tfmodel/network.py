"""The network in TensorFlow: both transforms and the prior, trainable.

Source: the public script ``models/bls2017.py`` of tensorflow/compression, whose layers
(``SignalConv2D``, ``GDN``, ``NoisyDeepFactorized``) these are.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from xlic.architecture import ConvLayer, analysis_layers, synthesis_layers
from xlic.entropy.tables import EntropyTables, tables_from_tfc
from xlic.tfmodel.backend import backend
from xlic.tfmodel.variables import PRIOR_PREFIX, Kernels, Variables, layer_prefix
from xlic.weights import Float32


class Network:
    """Both transforms and the prior, freshly initialized.

    Attributes:
        filters: N.
        kernels: how kernels are parametrized.
        variables: all trainable ``tf.Variable`` by the names of :mod:`xlic.tfmodel.variables`, in
            a fixed order.
        prior: the ``NoisyDeepFactorized`` distribution of the latents.
    """

    def __init__(self, filters: int, kernels: Kernels, dtype: str | None = None) -> None:
        """Create the variables with tensorflow-compression's own initialization.

        Args:
            filters: N.
            kernels: how kernels are parametrized.
            dtype: of the transforms, e.g. ``float64``; None for what Keras' policy says.

        Raises:
            MissingToolError: TensorFlow is absent.
        """
        self.filters = filters
        self.kernels = kernels
        self._analysis = [_Layer(x, kernels, dtype) for x in analysis_layers(filters)]
        self._synthesis = [_Layer(x, kernels, dtype) for x in synthesis_layers(filters)]
        self.prior = backend().tfc.NoisyDeepFactorized(batch_shape=(filters,))
        self.variables: dict[str, Any] = {}
        for part in (*self._analysis, *self._synthesis):
            self.variables |= part.variables
        self.variables |= _prior_variables(self.prior)

    @property
    def transform_variables(self) -> list[Any]:
        """The variables of both transforms."""
        return [v for name, v in self.variables.items() if not name.startswith(PRIOR_PREFIX)]

    @property
    def prior_variables(self) -> list[Any]:
        """The variables of the prior."""
        return [v for name, v in self.variables.items() if name.startswith(PRIOR_PREFIX)]

    def assign(self, values: Mapping[str, Float32]) -> None:
        """Set the variables named in ``values``."""
        for name, value in values.items():
            self.variables[name].assign(value)

    def values(self) -> Variables:
        """Copies of all variables."""
        return {name: variable.numpy() for name, variable in self.variables.items()}

    def analysis_steps(self, pixels: Any) -> Iterator[tuple[str, Any]]:
        """Yield name and tensor of each layer and activation; the last is the latents.

        Args:
            pixels: ``(B, H, W, 3)`` on 0..255, any float dtype.
        """
        return _run(self._analysis, pixels / 255.0)

    def synthesis_steps(self, latents: Any) -> Iterator[tuple[str, Any]]:
        """Yield name and tensor of each layer and activation; the last is the uncropped picture.

        Args:
            latents: ``(B, h, w, N)``. The picture is on 0..255 and not rounded.
        """
        tf = backend().tf
        for name, tensor in _run(self._synthesis, latents):
            if name != "syn_2":
                yield name, tensor
                continue
            # Halves are too coarse for a picture on 0..255.
            wide = tf.cast(tensor, tf.float32) if tensor.dtype.size < 4 else tensor
            yield name, wide * 255.0

    def analysis(self, pixels: Any) -> Any:
        """Latents ``(B, h, w, N)`` of ``pixels`` ``(B, H, W, 3)`` on 0..255."""
        return _last(self.analysis_steps(pixels))

    def synthesis(self, latents: Any) -> Any:
        """Uncropped picture on 0..255 of ``latents`` ``(B, h, w, N)``."""
        return _last(self.synthesis_steps(latents))

    def losses(self, pixels: Any, perturb: Callable[[Any], Any]) -> tuple[Any, Any]:
        """Rate in bits per pixel and mean squared error (on 0..255) of a batch.

        Args:
            pixels: ``(B, H, W, 3)`` on 0..255, any float dtype.
            perturb: what happens to the latents ``(B, h, w, N)`` before they are coded: noise in
                training (:func:`noise`), rounding in evaluation (:func:`rounding`).
        """
        tf = backend().tf
        latents = perturb(tf.cast(self.analysis(pixels), tf.float32))
        nats = -tf.reduce_sum(self.prior.log_prob(latents))
        shape = tf.shape(pixels)
        picture = self.synthesis(latents)[:, : shape[1], : shape[2]]
        count = tf.cast(shape[0] * shape[1] * shape[2], tf.float32)
        error = tf.cast(pixels, tf.float32) - picture
        return nats / (math.log(2.0) * count), tf.reduce_mean(tf.square(error))

    def quantization_offset(self) -> Float32:
        """The prior's offset o ``(N,)``, each within ±½: the fractional part of the median.

        That is tensorflow-compression's own heuristic: a bin then lies around the mode, which
        saves rate where most symbols are zero. Training needs no offset, noise being blind to it.
        """
        offset: Float32 = self._find_offset().numpy().astype(np.float32)
        return offset

    @functools.cached_property
    def _find_offset(self) -> Any:
        # In a graph: the median is found by iteration, 10 times slower op by op. The graph drops
        # the tables, which are not asked for.
        return backend().tf.function(lambda: self._coder().quantization_offset)

    def _coder(self) -> Any:
        tf, tfc = backend()
        return tfc.ContinuousBatchedEntropyModel(
            self.prior,
            coding_rank=3,
            compression=True,
            stateless=True,
            bottleneck_dtype=tf.float32,
        )

    def build_tables(self) -> EntropyTables:
        """Fix the integer tables of the trained prior, with its :meth:`quantization_offset`."""

        def build() -> tuple[Any, Any, Any]:
            coder = self._coder()
            return coder.cdf, coder.cdf_offset, coder.quantization_offset

        return tables_from_tfc(*(tensor.numpy() for tensor in backend().tf.function(build)()))


def noise(seed: Any) -> Callable[[Any], Any]:
    """Uniform noise on ±½, the differentiable stand-in for rounding; a function of ``seed`` only.

    Args:
        seed: two integers, e.g. the run's seed and the step.
    """
    tf = backend().tf
    return lambda latents: (
        latents + tf.random.stateless_uniform(tf.shape(latents), seed, minval=-0.5, maxval=0.5)
    )


def rounding(offset: Any) -> Callable[[Any], Any]:
    """Rounding around the quantization offset ``(N,)``, as in coding."""
    tf = backend().tf
    return lambda latents: tf.floor(latents - offset + 0.5) + offset


class _Layer:
    """A convolution, the activation behind it, and their variables by name."""

    def __init__(self, layer: ConvLayer, kernels: Kernels, dtype: str | None) -> None:
        tfc = backend().tfc
        down = layer.direction == "down"
        self.layer = layer
        self.convolution = tfc.SignalConv2D(
            layer.cout,
            (layer.kernel, layer.kernel),
            corr=down,
            strides_down=layer.stride if down else 1,
            strides_up=1 if down else layer.stride,
            padding="same_zeros",
            use_bias=layer.bias,
            kernel_parameter="variable" if kernels == "direct" else "rdft",
            dtype=dtype,
        )
        self.convolution.build((None, None, None, layer.cin))
        prefix = layer_prefix(layer)
        kernel = self.convolution.kernel_parameter
        if kernels == "direct":
            self.variables = {f"{prefix}kernel": kernel}
        else:
            self.variables = {
                f"{prefix}kernel_real": kernel.real,
                f"{prefix}kernel_imag": kernel.imag,
            }
        if layer.bias:
            self.variables[f"{prefix}bias"] = self.convolution.bias_parameter
        self.activation = None
        if layer.activation is not None:
            self.activation = tfc.GDN(inverse=layer.inverse, dtype=dtype)
            self.activation.build((None, None, None, layer.cout))
            gdn = f"{prefix}{layer.activation}/reparam_"
            self.variables[f"{gdn}beta"] = self.activation.beta_parameter.variable
            self.variables[f"{gdn}gamma"] = self.activation.gamma_parameter.variable

    def steps(self, x: Any) -> Iterator[tuple[str, Any]]:
        x = self.convolution(x)
        yield self.layer.name, x
        if self.activation is not None:
            yield self.layer.activation or "", self.activation(x)


def _run(layers: list[_Layer], x: Any) -> Iterator[tuple[str, Any]]:
    for layer in layers:
        for name, x in layer.steps(x):  # noqa: B020 (each step's result is the next one's input)
            yield name, x


def _last(steps: Iterator[tuple[str, Any]]) -> Any:
    return list(steps)[-1][1]


def _prior_variables(prior: Any) -> dict[str, Any]:
    by_name = {v.name.split("/")[-1].split(":")[0]: v for v in prior.trainable_variables}
    return {f"{PRIOR_PREFIX}{name}": by_name[name] for name in sorted(by_name)}
