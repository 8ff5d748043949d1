"""A trained model on disk: what ``compress``, ``decompress`` and ``extract`` start from.

``--model-path`` names a folder with one file, ``model.safetensors``: all trainable variables, the
integer entropy tables, and how it was trained. Two foreign forms are read as well: the SavedModel
folder of the public script (:mod:`xlic.tfmodel.savedmodel`) and a plain ``.npz`` of the variables.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xlic.entropy.tables import EntropyTables
from xlic.errors import FormatError, InputError
from xlic.files import Array, load_container, save_container
from xlic.tfmodel.variables import (
    Kernels,
    Variables,
    check_variables,
    tensors_from_variables,
)
from xlic.weights import Weights

KIND = "tfmodel"
VERSION = 1
FILE = "model.safetensors"
_REMEDY = "train it with `xlic train`"


@dataclass(frozen=True)
class TrainedModel:
    """A model as training leaves it.

    Attributes:
        variables: see :mod:`xlic.tfmodel.variables`.
        filters: N.
        kernels: how kernels are stored.
        tables: the entropy tables, fixed at the end of training.
        lmbda: λ, or None if unknown.
        provenance: how it was made, free-form facts.
    """

    variables: Variables
    filters: int
    kernels: Kernels
    tables: EntropyTables
    lmbda: float | None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def weights(self) -> Weights:
        """The plain tensors, tables and facts."""
        tensors = tensors_from_variables(self.variables, self.filters)
        return Weights(tensors, self.tables, self.lmbda, self.provenance)


def save_model(model: TrainedModel, folder: str | os.PathLike[str]) -> None:
    """Write the model into ``folder``, which is made if need be.

    Raises:
        InputError: it cannot be written.
    """
    target = Path(folder)
    make_folder(target)
    save_container(
        target / FILE,
        kind=KIND,
        version=VERSION,
        arrays=dict(model.variables) | model.tables.arrays(),
        metadata={
            "filters": model.filters,
            "kernels": model.kernels,
            "lambda": model.lmbda,
            "provenance": dict(model.provenance),
        },
    )


def load_model(path: str | os.PathLike[str], lmbda: float | None = None) -> TrainedModel:
    """Read a model in any of the three forms.

    Args:
        path: a folder, or an ``.npz`` file.
        lmbda: λ, where the file does not say.

    Raises:
        InputError: nothing is there.
        FormatError: it is damaged, incomplete, or something else.
        MissingToolError: it is a form that TensorFlow must read, and that is absent.
    """
    source = Path(path)
    if source.suffix == ".npz" and source.is_file():
        return _load_npz(source, lmbda)
    if (source / FILE).is_file():
        return _load_own(source / FILE, lmbda)
    if (source / "saved_model.pb").is_file():
        from xlic.tfmodel.savedmodel import load_savedmodel

        return load_savedmodel(source, lmbda)
    raise InputError(f"no model at {source}; {_REMEDY} or give another --model-path")


def make_folder(folder: Path) -> None:
    """Make ``folder`` and its parents.

    Raises:
        InputError: that is impossible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}") from error


def _load_own(path: Path, lmbda: float | None) -> TrainedModel:
    arrays, metadata = load_container(path, kind=KIND, version=VERSION, remedy=_REMEDY)
    variables, filters, kernels = check_variables(arrays, str(path))
    tables = EntropyTables.from_arrays(arrays, filters, str(path))
    if tables is None:
        raise FormatError(f"{path} holds no entropy tables; {_REMEDY}")
    known = metadata.get("lambda")
    return TrainedModel(
        variables,
        filters,
        kernels,
        tables,
        lmbda if known is None else known,
        metadata.get("provenance") or {},
    )


def _load_npz(path: Path, lmbda: float | None) -> TrainedModel:
    from xlic.tfmodel.network import Network

    arrays = read_npz(path)
    variables, filters, kernels = check_variables(arrays, str(path))
    network = Network(filters, kernels)
    network.assign(variables)
    provenance: dict[str, Any] = {"source": path.name}
    if (step := arrays.get("step")) is not None:
        if step.shape != () or step.dtype.kind not in "iu":
            raise FormatError(f"{path}: step is {step.dtype}{list(step.shape)}, must be an integer")
        provenance["steps"] = int(step)
    return TrainedModel(variables, filters, kernels, network.build_tables(), lmbda, provenance)


def read_npz(path: Path) -> dict[str, Array]:
    """All arrays of an ``.npz`` file.

    Raises:
        InputError: it cannot be read.
        FormatError: it is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise FormatError(f"{path} is no .npz file or is damaged ({error})") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
