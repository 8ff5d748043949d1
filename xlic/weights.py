"""Trained float weights: the model as it leaves training, in files that any rung can start from.

Two forms are read wherever weights are taken (``--weights FILE|DIR``):

* xlic's own single file (``*.safetensors``): kernels, GDN parameters, entropy tables, identity, λ
  and provenance. See :mod:`xlic.files` for the container.
* a folder of four raw float32 files, ``ana_w.bin ana_b.bin syn_w.bin syn_b.bin``, as the X-LIC
  demo's model extraction writes them. They carry no entropy tables.

Tensor names are ``<layer>.kernel`` ``(Kh, Kw, Cin, Cout)`` ready to correlate, ``<layer>.bias``
``(Cout,)``, ``<gdn>.gamma`` ``(Cin, Cout)``: input channel first, ``<gdn>.beta`` ``(Cout,)``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.architecture import (
    DEFAULT_FILTERS,
    ConvLayer,
    all_layers,
    analysis_layers,
    synthesis_layers,
)
from xlic.entropy.tables import EntropyTables
from xlic.errors import FormatError, InputError
from xlic.files import (
    Array,
    arrays_identity,
    load_container,
    read_bytes,
    require,
    save_container,
    write_bytes,
)

KIND = "weights"
VERSION = 1
_REMEDY = "make it with `xlic extract`"

RAW_FILES = ("ana_w.bin", "ana_b.bin", "syn_w.bin", "syn_b.bin")
"""The raw form: weights and vectors of analysis and synthesis."""

Float32 = NDArray[np.float32]


def tensor_shapes(filters: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all weight tensors, in order of computation."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in all_layers(filters):
        shapes |= _layer_shapes(layer)
    return shapes


def _layer_shapes(layer: ConvLayer) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {f"{layer.name}.kernel": layer.kernel_shape}
    if layer.bias:
        shapes[f"{layer.name}.bias"] = (layer.cout,)
    if layer.activation is not None:
        shapes[f"{layer.activation}.gamma"] = (layer.cout, layer.cout)
        shapes[f"{layer.activation}.beta"] = (layer.cout,)
    return shapes


@dataclass(frozen=True)
class Weights:
    """A trained model in float32.

    Attributes:
        tensors: by name, see the module's text; shapes as :func:`tensor_shapes`.
        tables: the entropy tables, or None where the model came without.
        lmbda: λ of the training loss ``bpp + λ·mse`` (mse on 0..255), or None if unknown.
        provenance: how it was made, free-form facts; not part of the identity.
    """

    tensors: Mapping[str, Float32]
    tables: EntropyTables | None = None
    lmbda: float | None = None
    provenance: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def filters(self) -> int:
        """N, the number of channels."""
        return int(self.tensors["ana_0.kernel"].shape[3])

    @cached_property
    def identity(self) -> str:
        """SHA-256 of weights and tables, the same however they were stored."""
        return arrays_identity(self._arrays())

    @property
    def quantization_offset(self) -> Float32:
        """The o ``(N,)`` of ``symbol = round(y − o)``; zeros where there is no prior."""
        if self.tables is None:
            return np.zeros(self.filters, np.float32)
        return self.tables.quantization_offset

    def _arrays(self) -> dict[str, Array]:
        arrays: dict[str, Array] = dict(self.tensors)
        if self.tables is not None:
            arrays |= self.tables.arrays()
        return arrays


def save_weights(weights: Weights, path: str | os.PathLike[str]) -> None:
    """Write xlic's single-file format, atomically."""
    save_container(
        path,
        kind=KIND,
        version=VERSION,
        arrays=weights._arrays(),
        metadata={
            "filters": weights.filters,
            "lambda": weights.lmbda,
            "provenance": dict(weights.provenance),
        },
    )


def load_weights(path: str | os.PathLike[str]) -> Weights:
    """Read weights from xlic's file or from a folder of the four raw files.

    Raises:
        InputError: nothing can be read there.
        FormatError: wrong size, NaN, damaged or another version.
    """
    source = Path(path)
    if source.is_dir():
        return load_raw_weights(source)
    if not source.exists():
        raise InputError(
            f"no weights at {source}; give a .safetensors file or a folder with ana_w.bin, "
            "ana_b.bin, syn_w.bin and syn_b.bin"
        )
    arrays, metadata = load_container(source, kind=KIND, version=VERSION, remedy=_REMEDY)
    filters = metadata.get("filters")
    if filters is None:
        raise FormatError(f"{source} lacks filters; {_REMEDY}")
    where = str(source)
    tensors = {
        name: require(arrays, name, shape, "float32", where)
        for name, shape in tensor_shapes(filters).items()
    }
    tables = EntropyTables.from_arrays(arrays, filters, where)
    return Weights(tensors, tables, metadata.get("lambda"), metadata.get("provenance") or {})


def _raw_files(filters: int) -> dict[str, dict[str, tuple[int, ...]]]:
    """File name → its tensors in order: kernels and γ in ``*_w``, vectors in ``*_b``."""
    files: dict[str, dict[str, tuple[int, ...]]] = {}
    for prefix, layers in (("ana", analysis_layers(filters)), ("syn", synthesis_layers(filters))):
        shapes = {k: v for layer in layers for k, v in _layer_shapes(layer).items()}
        files[f"{prefix}_w.bin"] = {k: v for k, v in shapes.items() if len(v) > 1}
        files[f"{prefix}_b.bin"] = {k: v for k, v in shapes.items() if len(v) == 1}
    return files


def load_raw_weights(folder: str | os.PathLike[str]) -> Weights:
    """Read ``ana_w.bin ana_b.bin syn_w.bin syn_b.bin`` (float32, little-endian, concatenated).

    The number of filters follows from the size of ``ana_b.bin``, which holds four vectors.

    Raises:
        InputError: a file is absent.
        FormatError: a file has another size than that many filters need, or holds NaN.
    """
    absent = [name for name in RAW_FILES if not (Path(folder) / name).is_file()]
    if absent:
        raise InputError(
            f"{folder} has no {absent[0]}; give a folder with {' '.join(RAW_FILES)} or a "
            ".safetensors file"
        )
    filters = len(read_bytes(Path(folder) / "ana_b.bin")) // 16 or DEFAULT_FILTERS
    tensors: dict[str, Float32] = {}
    for name, shapes in _raw_files(filters).items():
        path = Path(folder) / name
        data = read_bytes(path)
        expected = 4 * sum(int(np.prod(shape)) for shape in shapes.values())
        if len(data) != expected:
            raise FormatError(
                f"{path} has {len(data)} bytes, a model of {filters} filters needs {expected}"
            )
        values = np.frombuffer(data, "<f4").astype(np.float32)
        start = 0
        for tensor, shape in shapes.items():
            stop = start + int(np.prod(shape))
            tensors[tensor] = values[start:stop].reshape(shape)
            start = stop
    checked = {
        name: require(tensors, name, shape, "float32", str(folder))
        for name, shape in tensor_shapes(filters).items()
    }
    return Weights(checked, provenance={"source": f"raw files in {Path(folder).name}"})


def save_raw_weights(weights: Weights, folder: str | os.PathLike[str]) -> None:
    """Write the four raw files of :func:`load_raw_weights`; entropy tables are not part of them."""
    for name, shapes in _raw_files(weights.filters).items():
        data = b"".join(weights.tensors[tensor].astype("<f4").tobytes() for tensor in shapes)
        write_bytes(Path(folder) / name, data)
