"""Adam, and the grouping of a network's variables under the optimizers that train them.

The state of every optimizer is in the open, by name, so that a run can be stored and continued
exactly.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

from xlic.tfmodel.backend import backend
from xlic.tfmodel.network import Network
from xlic.tfmodel.soap import Soap
from xlic.tfmodel.variables import PRIOR_PREFIX

OptimizerName = Literal["adam", "soap"]

_FIRST_DECAY = 0.9
_SECOND_DECAY = 0.999
_EPSILON = 1e-7


class VariableOptimizer(Protocol):
    """Optimizer of one variable."""

    state: dict[str, Any]

    def apply(self, gradient: Any, rate: Any, count: Any) -> None:
        """Update the variable; ``count`` is the number of this update, from 1."""
        ...


class Adam:
    """Adam (Kingma and Ba 2015, arXiv 1412.6980) of one variable, with Keras' constants.

    Attributes:
        state: ``first`` and ``second`` moment, shaped like the variable.
    """

    def __init__(self, variable: Any) -> None:
        """Start with zero moments."""
        tf = backend().tf
        self._variable = variable
        self.state = {
            name: tf.Variable(tf.zeros(variable.shape), trainable=False)
            for name in ("first", "second")
        }

    def apply(self, gradient: Any, rate: Any, count: Any) -> None:
        """Update the variable; ``count`` is the number of this update, from 1."""
        tf = backend().tf
        first, second = self.state["first"], self.state["second"]
        first.assign_add((gradient - first) * (1 - _FIRST_DECAY))
        second.assign_add((tf.square(gradient) - second) * (1 - _SECOND_DECAY))
        correction = tf.sqrt(1 - _SECOND_DECAY**count) / (1 - _FIRST_DECAY**count)
        self._variable.assign_sub(rate * correction * first / (tf.sqrt(second) + _EPSILON))


class NetworkOptimizer:
    """One optimizer for every variable of a network.

    Attributes:
        names: the variables in the order in which gradients are given.
        state: all state by ``<variable>:<part>``.
    """

    def __init__(self, network: Network, kind: OptimizerName, prior_rate: float) -> None:
        """Start afresh.

        Args:
            network: what is trained.
            kind: for the kernels and the γ of the transforms; the prior and all vectors get Adam.
            prior_rate: learning rate of the prior, as a multiple of the transforms'.
        """
        self.names = tuple(network.variables)
        self._prior_rate = prior_rate
        self._optimizers: dict[str, VariableOptimizer] = {}
        self._soaps: dict[str, Soap] = {}
        for name, variable in network.variables.items():
            matrix = len(variable.shape) > 1 and not name.startswith(PRIOR_PREFIX)
            if kind == "soap" and matrix:
                self._optimizers[name] = self._soaps[name] = Soap(variable, network.kernels)
            else:
                self._optimizers[name] = Adam(variable)
        self.state = {
            f"{name}:{part}": variable
            for name, optimizer in self._optimizers.items()
            for part, variable in optimizer.state.items()
        }

    @property
    def has_bases(self) -> bool:
        """Whether :meth:`start` and :meth:`refresh` are to be called."""
        return bool(self._soaps)

    def start(self, gradients: list[Any]) -> None:
        """Find the first eigenbases, before the first update."""
        for name, gradient in zip(self.names, gradients, strict=True):
            if name in self._soaps:
                self._soaps[name].start(gradient)

    def refresh(self) -> None:
        """Bring the eigenbases up to date, every :data:`xlic.tfmodel.soap.REFRESH_STEPS`."""
        for soap in self._soaps.values():
            soap.refresh()

    def apply(self, gradients: list[Any], rate: Any, count: Any) -> None:
        """Update all variables; ``count`` is the number of this update, from 1, as float32."""
        for name, gradient in zip(self.names, gradients, strict=True):
            factor = self._prior_rate if name.startswith(PRIOR_PREFIX) else 1.0
            self._optimizers[name].apply(gradient, rate * factor, count)
