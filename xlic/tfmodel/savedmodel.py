"""Models that the public script ``bls2017.py`` saved: TensorFlow's SavedModel folders.

Only the variables are read, by their place in the stored object graph. None of the stored code
runs, so a folder from anywhere is safe to open.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from xlic.architecture import all_layers
from xlic.entropy.tables import tables_from_tfc
from xlic.errors import FormatError
from xlic.files import Array
from xlic.tfmodel.backend import backend
from xlic.tfmodel.model_file import TrainedModel
from xlic.tfmodel.variables import PRIOR_PREFIX, check_variables, layer_prefix

_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
_TRANSFORMS = {"down": "analysis_transform", "up": "synthesis_transform"}
_PRIOR_PARTS = {"matrix": "_matrices", "bias": "_biases", "factor": "_factors"}


def load_savedmodel(folder: Path, lmbda: float | None) -> TrainedModel:
    """Read variables and entropy tables of a SavedModel folder.

    Args:
        folder: has ``saved_model.pb`` and ``variables/``.
        lmbda: λ; the script does not store it.

    Raises:
        FormatError: damaged, or no bls2017 model with entropy tables.
        MissingToolError: TensorFlow is absent.
    """
    checkpoint = _Checkpoint(folder)
    arrays: dict[str, Array] = {}
    for layer in all_layers():
        prefix = layer_prefix(layer)
        place = f"{_TRANSFORMS[layer.direction]}/layer_with_weights-{layer.name[-1]}"
        direct = checkpoint.read(f"{place}/_kernel_parameter", required=False)
        if direct is not None:
            arrays[f"{prefix}kernel"] = direct
        else:
            for part in ("real", "imag"):
                value = checkpoint.get(f"{place}/_kernel_parameter/{part}")
                arrays[f"{prefix}kernel_{part}"] = value
        if layer.bias:
            arrays[f"{prefix}bias"] = checkpoint.get(f"{place}/_bias_parameter")
        if layer.activation is not None:
            for part in ("beta", "gamma"):
                value = checkpoint.get(f"{place}/_activation/_{part}_parameter/variable")
                arrays[f"{prefix}{layer.activation}/reparam_{part}"] = value
    for part, place in _PRIOR_PARTS.items():
        for i in range(2 if part == "factor" else 3):
            arrays[f"{PRIOR_PREFIX}{part}_{i}"] = checkpoint.get(f"prior/_base/{place}/{i}")
    variables, filters, kernels = check_variables(arrays, str(folder))
    tables = tables_from_tfc(
        checkpoint.get("entropy_model/_cdf"),
        checkpoint.get("entropy_model/_cdf_offset"),
        # Absent where the prior's offset is zero in all channels.
        checkpoint.read("entropy_model/_quantization_offset", required=False),
    )
    if tables.channels != filters:
        raise FormatError(
            f"{folder} has tables of {tables.channels} channels and {filters} filters"
        )
    return TrainedModel(
        variables, filters, kernels, tables, lmbda, {"source": "SavedModel of bls2017.py"}
    )


class _Checkpoint:
    """A checkpoint's tensors by their place in the object graph."""

    def __init__(self, folder: Path) -> None:
        tf = backend().tf
        from tensorflow.core.protobuf import trackable_object_graph_pb2

        self._folder = folder
        self._graph = trackable_object_graph_pb2.TrackableObjectGraph()
        try:
            self._reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
            self._graph.ParseFromString(self._reader.get_tensor(_GRAPH_KEY))
        # TensorFlow raises errors of its own, protobuf others, and ValueError where files lack.
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise FormatError(
                f"{folder} holds no readable variables ({reason}); save the model again"
            ) from error

    def get(self, place: str) -> Array:
        """The tensor at ``place``, names separated by ``/``.

        Raises:
            FormatError: there is none, or it cannot be read.
        """
        value = self.read(place, required=True)
        assert value is not None
        return value

    def read(self, place: str, *, required: bool) -> Array | None:
        """The tensor at ``place``; None if it may be and is absent."""
        node: Any = self._graph.nodes[0] if self._graph.nodes else None
        for name in place.split("/"):
            node = self._child(node, name)
        if node is None or not node.attributes:
            if not required:
                return None
            raise FormatError(
                f"{self._folder} lacks {place}; is it a model of bls2017.py, trained?"
            )
        try:
            return np.asarray(self._reader.get_tensor(node.attributes[0].checkpoint_key))
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise FormatError(f"{self._folder}: {place} cannot be read ({reason})") from error

    def _child(self, node: Any, name: str) -> Any:
        children: Iterable[Any] = () if node is None else node.children
        for child in children:
            if child.local_name == name and 0 <= child.node_id < len(self._graph.nodes):
                return self._graph.nodes[child.node_id]
        return None
