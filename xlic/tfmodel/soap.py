"""SOAP: Adam in the slowly rotating eigenbasis of Shampoo's preconditioner.

Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", 2024, arXiv 2409.11321. A
variable is seen as a tensor of two or three modes; each mode has a running covariance of the
gradient and an eigenbasis of it, refreshed by one step of power iteration with QR.

A kernel ``(K, K, Cin, Cout)`` has the modes K², Cin and Cout, so that its spatial taps are
decorrelated as well as its channels.
"""

from __future__ import annotations

import math
from typing import Any

from xlic.tfmodel.backend import backend
from xlic.tfmodel.variables import Kernels

REFRESH_STEPS = 10
"""Updates between two refreshes of the eigenbases, the paper's choice."""

_DECAY = 0.95
_EPSILON = 1e-8


class Soap:
    """SOAP of one variable.

    Attributes:
        state: ``first`` and ``second`` moment in the eigenbasis, shaped like the modes; for each
            mode i of size d, ``covariance_i`` and ``basis_i`` (columns are eigenvectors), (d, d).
    """

    def __init__(self, variable: Any, kernels: Kernels) -> None:
        """Start with zero moments and no rotation."""
        tf = backend().tf
        self._variable = variable
        self._modes = modes_of(tuple(variable.shape), kernels)
        self.state = {
            name: tf.Variable(tf.zeros(self._modes), trainable=False)
            for name in ("first", "second")
        }
        for i, size in enumerate(self._modes):
            zeros = tf.zeros((size, size))
            self.state[f"covariance_{i}"] = tf.Variable(zeros, trainable=False)
            self.state[f"basis_{i}"] = tf.Variable(tf.eye(size), trainable=False)

    def start(self, gradient: Any) -> None:
        """Take the eigenbases of one gradient, largest eigenvalue first."""
        tf = backend().tf
        for i, outer in enumerate(self._outer_products(self._seen(gradient))):
            self.state[f"covariance_{i}"].assign(outer)
            _, vectors = tf.linalg.eigh(outer)
            self.state[f"basis_{i}"].assign(tf.reverse(vectors, [1]))

    def apply(self, gradient: Any, rate: Any, count: Any) -> None:
        """Update the variable; ``count`` is the number of this update, from 1."""
        tf = backend().tf
        seen = self._seen(gradient)
        rotated = self._rotate(seen)
        first, second = self.state["first"], self.state["second"]
        first.assign_add((rotated - first) * (1 - _DECAY))
        second.assign_add((tf.square(rotated) - second) * (1 - _DECAY))
        correction = 1 - _DECAY**count
        step = (first / correction) / (tf.sqrt(second / correction) + _EPSILON)
        self._variable.assign_sub(
            rate * tf.reshape(self._rotate(step, back=True), self._variable.shape)
        )
        for i, outer in enumerate(self._outer_products(seen)):
            covariance = self.state[f"covariance_{i}"]
            covariance.assign_add((outer - covariance) * (1 - _DECAY))

    def refresh(self) -> None:
        """One step of power iteration per mode; the first moment moves to the new basis."""
        tf = backend().tf
        plain = self._rotate(self.state["first"], back=True)
        for i in range(len(self._modes)):
            basis = self.state[f"basis_{i}"]
            orthogonal, _ = tf.linalg.qr(tf.matmul(self.state[f"covariance_{i}"], basis))
            basis.assign(orthogonal)
        self.state["first"].assign(self._rotate(plain))

    def _seen(self, gradient: Any) -> Any:
        return backend().tf.reshape(gradient, self._modes)

    def _rotate(self, tensor: Any, *, back: bool = False) -> Any:
        tf = backend().tf
        # Contracting the leading axis puts the new one last: after all modes, order is restored.
        for i in range(len(self._modes)):
            tensor = tf.tensordot(tensor, self.state[f"basis_{i}"], [[0], [1 if back else 0]])
        return tensor

    def _outer_products(self, tensor: Any) -> list[Any]:
        tf = backend().tf
        products = []
        for i, size in enumerate(self._modes):
            order = [i] + [j for j in range(len(self._modes)) if j != i]
            flat = tf.reshape(tf.transpose(tensor, order), (size, -1))
            products.append(tf.matmul(flat, flat, transpose_b=True))
        return products


def modes_of(shape: tuple[int, ...], kernels: Kernels) -> tuple[int, ...]:
    """The modes of a variable: the two spatial axes of a kernel count as one.

    They are the first two of a direct kernel ``(K, K, Cin, Cout)``, the last two of its transform
    ``(Cin, Cout, K, K//2+1)``.
    """
    if len(shape) != 4:
        return shape
    if kernels == "direct":
        return (math.prod(shape[:2]), *shape[2:])
    return (*shape[:2], math.prod(shape[2:]))
