"""Extraction: a trained TensorFlow model becomes plain weights that any rung can start from."""

from __future__ import annotations

import os
from pathlib import Path

import xlic
from xlic.tfmodel.backend import versions
from xlic.tfmodel.model_file import TrainedModel, load_model, make_folder
from xlic.tfmodel.variables import Kernels, Variables, variables_from_tensors
from xlic.weights import Weights, save_raw_weights, save_weights

WEIGHTS_FILE = "bls2017.safetensors"


def weights_from_npz(path: str | os.PathLike[str], lmbda: float | None) -> Weights:
    """Weights and tables of an ``.npz`` of variables; the tables are made from its prior.

    Raises:
        InputError: it cannot be read.
        FormatError: it is damaged or incomplete.
        MissingToolError: TensorFlow is absent.
    """
    return load_model(path, lmbda).weights()


def extract_weights(model: TrainedModel, name: str) -> Weights:
    """Weights of ``model``, with where they came from.

    Args:
        model: the trained model.
        name: what to call its origin; a file's name, no path.
    """
    plain = model.weights()
    provenance = dict(plain.provenance) | {
        "model": name,
        "extracted_with": {"xlic": xlic.__version__} | versions(),
    }
    return Weights(plain.tensors, plain.tables, plain.lmbda, provenance)


def extract(
    model_path: str | os.PathLike[str], folder: str | os.PathLike[str], lmbda: float | None = None
) -> Weights:
    """Write ``folder/bls2017.safetensors`` and the four raw files of the model.

    Args:
        model_path: as :func:`xlic.tfmodel.model_file.load_model` takes it.
        folder: made if need be.
        lmbda: λ, where the model does not say.

    Raises:
        InputError: the model cannot be read or the folder not be written.
        FormatError: the model is damaged.
    """
    source = Path(model_path)
    weights = extract_weights(load_model(source, lmbda), source.resolve().name)
    target = Path(folder)
    make_folder(target)
    save_weights(weights, target / WEIGHTS_FILE)
    save_raw_weights(weights, target)
    return weights


def weights_to_variables(weights: Weights, kernels: Kernels = "direct") -> Variables:
    """The variables of the TensorFlow transforms that compute the same as ``weights``.

    The prior is not among them: tables cannot be turned back into it.

    Raises:
        InputError: a GDN parameter is negative.
    """
    return variables_from_tensors(weights.tensors, weights.filters, kernels)
