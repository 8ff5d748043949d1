"""From files that a user names to something that can be evaluated.

A *weights* file can run as ``float`` and ``model``, and as ``sim`` once it is quantized; a
*quantized* file runs as ``sim``, and is compared with float where its float weights can be found.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from xlic import shipped
from xlic.entropy.tables import EntropyTables
from xlic.errors import InputError
from xlic.files import Progress
from xlic.images import UInt8Image
from xlic.quantization.calibrate import calibrate
from xlic.quantization.model import QuantizedModel, load_quantized
from xlic.quantization.quantize import quantize
from xlic.quantization.report import calibration_note
from xlic.rungs.interface import Rung
from xlic.rungs.registry import REAL_RUNGS, open_rung
from xlic.weights import Weights, load_weights

NamedImages = Callable[[], Iterable[tuple[str, UInt8Image]]]
"""Yields name and pixels of images, anew at each call."""


@dataclass(frozen=True)
class Candidate:
    """A model on a rung, ready to be evaluated.

    Attributes:
        label: name of the rate–distortion curve that it is a point of.
        source: the file that it came from.
        rung: what runs.
        identity: identity of the weights or quantized model that runs.
        tables: entropy tables, or None.
        lmbda: λ, or None.
        reference: the float64 codec of the same weights, or None.
        notes: what a reader of the results must know, e.g. why there is no reference.
    """

    label: str
    source: str
    rung: Rung
    identity: str
    tables: EntropyTables | None
    lmbda: float | None
    reference: Rung | None
    notes: tuple[str, ...] = ()


def load_any(path: str | os.PathLike[str]) -> Weights | QuantizedModel:
    """Load float weights (file or folder) or a quantized model, whichever is there.

    Raises:
        InputError: nothing usable is there.
    """
    if shipped.file_metadata(path).get("kind") == "quantized":
        return load_quantized(path)
    return load_weights(path)


def float_weights_of(
    model: QuantizedModel, given: Sequence[str | os.PathLike[str]] = ()
) -> Weights | None:
    """The float weights that ``model`` was made from: of those given, else shipped ones, else None.

    Raises:
        InputError: all weights given are others.
    """
    for path in given:
        weights = load_weights(path)
        if weights.identity == model.weights_identity:
            return weights
    if given:
        raise InputError(
            f"{', '.join(map(str, given))}: not what the model was quantized from (it names the "
            f"identity {model.weights_identity[:12]}); give those weights, or quantize these"
        )
    found = shipped.weights_of_identity(model.weights_identity)
    return None if found is None else load_weights(found)


def quantized_of(
    weights: Weights, images: NamedImages | None, progress: Progress | None = None
) -> tuple[QuantizedModel, str]:
    """A quantized model of ``weights``, and a sentence on where it came from.

    Calibrated on ``images`` where there are any, else the shipped one of the same weights.

    Raises:
        InputError: there are no images and none ships.
    """
    if images is not None:
        model = quantize(weights, calibrate(weights, images(), progress))
        return model, calibration_note(model)
    path = shipped.model_of_weights(weights)
    if path is None:
        raise InputError(
            "these are float weights, and the INT16 simulation needs calibration: "
            "add --calibrate 'GLOB', or choose --rung float"
        )
    return load_quantized(path), f"quantized model: the shipped {path.name}"


def candidate(
    source: str | os.PathLike[str],
    rung: str,
    *,
    label: str = "xlic",
    float_weights: Sequence[str | os.PathLike[str]] = (),
    calibration: NamedImages | None = None,
    progress: Progress | None = None,
) -> Candidate:
    """Load ``source`` and prepare it for ``rung``.

    Args:
        source: float weights (file or folder) or a quantized model.
        rung: one of :data:`xlic.rungs.registry.RUNG_NAMES`.
        label: name of its curve.
        float_weights: where quantized models' float weights may be.
        calibration: images to quantize float weights with.
        progress: of the calibration, and of what the rung has to build.

    Raises:
        InputError: the rung needs what is not there.
        MissingToolError: TensorFlow is needed and absent.
    """
    loaded = load_any(source)
    notes: list[str] = []
    weights: Weights | None
    model: QuantizedModel | None = None
    if isinstance(loaded, QuantizedModel):
        model = loaded
        if calibration is not None:
            notes.append("this model is quantized already; --calibrate was not used on it")
        weights = float_weights_of(model, float_weights)
        if weights is None:
            notes.append(
                "float_psnr and symbol_mismatch are unknown: the float weights "
                f"{model.weights_identity[:12]} are not at hand; give them with --float-weights"
            )
    else:
        weights = loaded
        if rung not in REAL_RUNGS:
            model, note = quantized_of(weights, calibration, progress)
            notes.append(note)
    runs = weights if rung in REAL_RUNGS else model
    if runs is None:
        raise InputError(
            f"{source} is a quantized model and --rung {rung} needs its float weights; "
            "give them with --float-weights"
        )
    return Candidate(
        label=label,
        source=str(Path(source)),
        rung=open_rung(rung, weights, model, progress),
        identity=runs.identity,
        tables=loaded.tables,
        lmbda=loaded.lmbda,
        reference=None if weights is None else open_rung("float", weights, model),
        notes=tuple(notes),
    )
