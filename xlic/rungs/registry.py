"""Rungs by name: the only place that knows them all."""

from __future__ import annotations

from collections.abc import Callable

from xlic.accelerator.timing import CLOCK_HZ
from xlic.errors import InputError
from xlic.files import Progress
from xlic.quantization.model import QuantizedModel
from xlic.rungs.interface import Rung
from xlic.weights import Weights


def _float(weights: Weights) -> Rung:
    from xlic.rungs.float64 import FloatRung

    return FloatRung(weights)


def _model(weights: Weights) -> Rung:
    # TensorFlow takes seconds to import and need not be there.
    from xlic.rungs.tensorflow import TensorFlowRung

    return TensorFlowRung(weights)


def _sim(model: QuantizedModel, progress: Progress | None) -> Rung:
    from xlic.rungs.int16 import Int16Rung

    return Int16Rung(model)


def _hls(model: QuantizedModel, progress: Progress | None) -> Rung:
    # Compiles the design where that was not done before.
    from xlic.accelerator.design import Design
    from xlic.accelerator.native import native_devices
    from xlic.rungs.accelerator import AcceleratorRung

    design = Design()
    return AcceleratorRung("hls", model, native_devices(design, progress), design)


def _rtl(model: QuantizedModel, progress: Progress | None) -> Rung:
    # Builds the design where that was not done before.
    from xlic.accelerator.design import Design
    from xlic.accelerator.verilated import verilated_devices
    from xlic.accelerator.verilator import find_verilator
    from xlic.rungs.accelerator import AcceleratorRung

    find_verilator()
    design = Design()
    return AcceleratorRung(
        "rtl", model, verilated_devices(design, progress=progress), design, CLOCK_HZ
    )


_REAL: dict[str, Callable[[Weights], Rung]] = {"float": _float, "model": _model}
_INTEGER: dict[str, Callable[[QuantizedModel, Progress | None], Rung]] = {
    "sim": _sim,
    "hls": _hls,
    "rtl": _rtl,
}

REAL_RUNGS = tuple(_REAL)
"""Rungs in real numbers; they run float weights, the others a quantized model."""
RUNG_NAMES = (*_REAL, *_INTEGER)


def open_rung(
    name: str,
    weights: Weights | None,
    model: QuantizedModel | None,
    progress: Progress | None = None,
) -> Rung:
    """Make a rung.

    Args:
        name: one of :data:`RUNG_NAMES`.
        weights: float weights; needed by :data:`REAL_RUNGS` only.
        model: the quantized model; needed by the others only.
        progress: told when something is built, at the latest when the rung runs first.

    Raises:
        InputError: no such rung, or what it runs is not given.
        MissingToolError: the rung needs something that is not installed.
    """
    if name in _REAL:
        if weights is None:
            raise InputError(f"the rung {name} runs float weights; give them with --weights")
        return _REAL[name](weights)
    if name in _INTEGER:
        if model is None:
            raise InputError(f"the rung {name} runs a quantized model; make it: xlic quantize")
        return _INTEGER[name](model, progress)
    raise InputError(f"no rung {name!r}; there are {', '.join(RUNG_NAMES)}")
