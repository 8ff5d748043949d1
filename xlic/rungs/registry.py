"""Rungs by name: the only place that knows them all."""

from __future__ import annotations

from collections.abc import Callable

from xlic.errors import InputError
from xlic.quantization.model import QuantizedModel
from xlic.rungs.interface import Rung
from xlic.weights import Weights


def _float(weights: Weights, model: QuantizedModel) -> Rung:
    from xlic.rungs.float64 import FloatRung

    return FloatRung(weights)


def _model(weights: Weights, model: QuantizedModel) -> Rung:
    # TensorFlow takes seconds to import and need not be there.
    from xlic.rungs.tensorflow import TensorFlowRung

    return TensorFlowRung(weights)


def _sim(weights: Weights, model: QuantizedModel) -> Rung:
    from xlic.rungs.int16 import Int16Rung

    return Int16Rung(model)


_RUNGS: dict[str, Callable[[Weights, QuantizedModel], Rung]] = {
    "float": _float,
    "model": _model,
    "sim": _sim,
}
RUNG_NAMES = tuple(_RUNGS)


def open_rung(name: str, weights: Weights, model: QuantizedModel) -> Rung:
    """Make a rung.

    Args:
        name: one of :data:`RUNG_NAMES`.
        weights: float weights, for the rungs in real numbers.
        model: the quantized model, for the rungs in integers.

    Raises:
        InputError: no such rung.
        MissingToolError: the rung needs something that is not installed.
    """
    if name not in _RUNGS:
        raise InputError(f"no rung {name!r}; there are {', '.join(RUNG_NAMES)}")
    return _RUNGS[name](weights, model)
