"""What ships inside the package: trained weights, quantized models, photographs.

Their origin and licences are in ``xlic/data/README.md``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from xlic.errors import InputError

if TYPE_CHECKING:
    from xlic.weights import Weights

LAMBDAS = ("0.125", "0.01")
"""λ of the shipped models, as they appear in file names; the first is the reference."""

PHOTOS = ("coffee.png", "chelsea.png")
"""The shipped photographs; the first is the demo's."""


def data_folder() -> Path:
    """The folder of shipped files (xlic is always installed unpacked)."""
    return Path(str(resources.files("xlic.data")))


def weights_path(lmbda: str = LAMBDAS[0]) -> Path:
    """Float weights trained with this λ.

    Raises:
        InputError: no such weights ship.
    """
    remedy = f"give your own with --weights, or choose λ of {', '.join(LAMBDAS)}"
    return _existing(f"bls2017_lambda{lmbda}.safetensors", remedy)


def model_path(lmbda: str = LAMBDAS[0]) -> Path:
    """The quantized model made from :func:`weights_path` of the same λ.

    Raises:
        InputError: no such model ships.
    """
    remedy = "make one with `xlic quantize` and give it with --model"
    return _existing(f"bls2017_lambda{lmbda}_int16.safetensors", remedy)


def photo_path(name: str = PHOTOS[0]) -> Path:
    """A photograph, by name with or without ``.png``.

    Raises:
        InputError: no such photograph ships.
    """
    file = name if name.endswith(".png") else f"{name}.png"
    return _existing(file, f"choose one of {', '.join(PHOTOS)}")


def weights_of_identity(identity: str) -> Path | None:
    """The shipped weights with this identity, or None."""
    return next((p for p in _present("") if file_metadata(p).get("identity") == identity), None)


def model_of_weights(weights: Weights) -> Path | None:
    """The shipped quantized model that was made from ``weights``, or None."""
    return next(
        (
            p
            for p in _present("_int16")
            if file_metadata(p).get("weights_identity") == weights.identity
        ),
        None,
    )


def file_metadata(path: str | os.PathLike[str]) -> dict[str, object]:
    """Metadata of a weights or model file of xlic (``kind``, ``identity``, …), not its arrays.

    Nothing is checked: what cannot be read gives an empty answer, and the loader says why.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = json.loads((file.metadata() or {}).get("xlic", "null"))
    except (OSError, SafetensorError, ValueError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def _present(suffix: str) -> Iterator[Path]:
    for lmbda in LAMBDAS:
        path = data_folder() / f"bls2017_lambda{lmbda}{suffix}.safetensors"
        if path.exists():
            yield path


def _existing(name: str, remedy: str) -> Path:
    path = data_folder() / name
    if not path.is_file():
        raise InputError(f"this installation of xlic has no {name}; {remedy}")
    return path
