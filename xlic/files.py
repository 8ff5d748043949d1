"""Files on disk: atomic writing, and the one container format for weights and quantized models.

The container is safetensors (https://github.com/huggingface/safetensors): named little-endian
arrays behind a JSON header, no code in it, safe to open from anywhere. xlic adds one metadata entry
``xlic`` with a JSON object ``{"kind", "version", "identity", ...}``. ``identity`` is the SHA-256 of
the arrays, ``checksum`` that of the other metadata; both are checked at every load, so a damaged or
edited file cannot be mistaken for the one that was measured.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as safetensors_load
from safetensors.numpy import save as safetensors_save

from xlic.disk import sync
from xlic.errors import FormatError, InputError

Array = NDArray[Any]
ArrayMap = Mapping[str, Array]

_METADATA_KEY = "xlic"

MAX_FILE_BYTES = 1 << 30
"""No weights, model or stream is larger; what is, is another file, or a device without an end."""


MAX_FILTERS = 4096
"""Channels of the largest model."""
_MAX_LAMBDA = 1e9
_PAGE = 4096
_PROBE = "xlic-probe"


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; rename it to ``path`` only if the block succeeds.

    A reader sees the old file or the whole new one, never a part, also when the disk fills up or
    the power fails. A symbolic link is followed, the permissions of an existing file are kept. What
    exists and is no regular file (``/dev/stdout``, a pipe) has no parts to protect and is yielded
    itself.

    Raises:
        InputError: the folder is absent or unwritable, or the disk is full.
    """
    try:
        # What links of /dev/fd point to is no path: it is opened by the name that was given.
        if Path(path).exists() and not Path(path).is_file():
            yield Path(path)
            return
        # Path.resolve raises RuntimeError on a loop of links, this leaves it to the open.
        target = Path(os.path.realpath(path))
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_umask()
        # A short name of its own: that of the target may already be as long as one can be.
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".xlic-", suffix=".tmp")
        os.close(descriptor)
        temporary = Path(name)
        try:
            yield temporary
            # After a power failure, the name must not be that of an empty file.
            sync(temporary)
            temporary.chmod(mode)
            temporary.replace(target)
            with suppress(OSError):
                sync(target.parent, inner=False)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; "
            "choose a folder that exists, is writable and has room"
        ) from error


def require_writable(path: str | os.PathLike[str]) -> None:
    """Try whether a file can be written there, without touching what is there.

    Raises:
        InputError: it cannot, or there is hardly any room.
    """
    with suppress(_UntouchedError), atomic_path(path) as temporary:
        if Path(path).is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if Path(path).is_file() or not Path(path).exists():
            temporary.write_bytes(bytes(_PAGE))
            sync(temporary)
        raise _UntouchedError


def require_writable_folder(folder: str | os.PathLike[str]) -> None:
    """The same for files in a folder that may not be there yet; it is not made.

    Raises:
        InputError: so.
    """
    place = Path(os.path.realpath(folder))
    while not place.exists():
        place = place.parent
    require_writable(place / _PROBE)


class _UntouchedError(Exception):
    """Leaves :func:`atomic_path` before anything is replaced."""


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to ``path`` atomically (see :func:`atomic_path`)."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | os.PathLike[str], value: object) -> None:
    """Write ``value`` to ``path`` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2, sort_keys=False) + "\n")


def read_bytes(path: str | os.PathLike[str], limit: int = MAX_FILE_BYTES) -> bytes:
    """Read ``path`` whole, devices and pipes too, but never more than ``limit`` bytes.

    Raises:
        InputError: the file cannot be read or is larger than ``limit``.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if len(data) > limit:
        raise InputError(f"{path} has more than the {limit} bytes allowed; is it the right file?")
    return data


def find_files(pattern: str, option: str) -> list[Path]:
    """The files that a glob matches (``**`` too), sorted by name.

    Args:
        pattern: the glob.
        option: where it came from, for the message.

    Raises:
        InputError: none matches.
    """
    # The name of a file as it stands may hold brackets. Path.glob takes no absolute patterns.
    exact = bool(pattern) and Path(pattern).is_file()
    names = [pattern] if exact else glob.glob(pattern, recursive=True)  # noqa: PTH207
    files = sorted(Path(name) for name in names if Path(name).is_file())
    if not files:
        hint = "check the path, quote the pattern"
        if pattern and Path(pattern).is_dir():
            hint = f"a folder is given as '{pattern.rstrip('/')}/*'"
        raise InputError(f"{option} {pattern!r} matches no file; {hint}")
    return files


def arrays_identity(arrays: ArrayMap) -> str:
    """SHA-256 (hex) over names, dtypes, shapes and little-endian bytes, in order of the names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name}:{little.dtype.str}:{array.shape}\n".encode())
        digest.update(little.tobytes())
    return digest.hexdigest()


def save_container(
    path: str | os.PathLike[str],
    *,
    kind: str,
    version: int,
    arrays: ArrayMap,
    metadata: Mapping[str, Any],
) -> str:
    """Write ``arrays`` and ``metadata`` as one safetensors file, atomically.

    Args:
        path: where to.
        kind: what the file is, e.g. ``"weights"``; checked at load.
        version: the format's version; checked at load.
        arrays: the named arrays.
        metadata: JSON-serializable facts, stored beside the arrays but not part of the identity.

    Returns:
        The identity of the arrays.

    Raises:
        FormatError: metadata that could not be read again; nothing is written.
        InputError: the file cannot be written.
    """
    _check_metadata(metadata, f"{path}", "nothing is written")
    identity = arrays_identity(arrays)
    header = dict(metadata) | {"kind": kind, "version": version, "identity": identity}
    header["checksum"] = _checksum(header)
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    # One metadata entry only: safetensors does not fix the order of several.
    data = safetensors_save(contiguous, {_METADATA_KEY: json.dumps(header, sort_keys=True)})
    write_bytes(path, data)
    return identity


def load_container(
    path: str | os.PathLike[str], *, kind: str, version: int, remedy: str
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read a file that :func:`save_container` wrote.

    Args:
        path: the file.
        kind: the kind it must be.
        version: the version it must have.
        remedy: what to do if it is another kind or version, e.g. ``"run xlic quantize"``.

    Returns:
        The arrays and the metadata (with ``identity``).

    Raises:
        InputError: the file cannot be read.
        FormatError: it is damaged, of another kind or version, or its arrays do not match its
            identity.
    """
    data = read_bytes(path)
    try:
        arrays: dict[str, Array] = safetensors_load(data)
        header_length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + header_length])
        metadata = json.loads(header.get("__metadata__", {}).get(_METADATA_KEY, "null"))
    except (
        SafetensorError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise FormatError(
            f"{path} is no {kind} file of xlic, or is damaged ({error}); {remedy}"
        ) from error
    if not isinstance(metadata, dict) or metadata.get("kind") != kind:
        found = metadata.get("kind") if isinstance(metadata, dict) else None
        raise FormatError(f"{path} is a {found!r} file where a {kind!r} file is needed; {remedy}")
    if type(metadata.get("version")) is not int or metadata["version"] != version:
        raise FormatError(
            f"{path} has {kind} format version {metadata.get('version')}, this xlic reads "
            f"version {version}; {remedy}"
        )
    checksum = metadata.pop("checksum", None)
    if metadata.get("identity") != arrays_identity(arrays) or checksum != _checksum(metadata):
        raise FormatError(f"{path} is damaged: its contents do not match its hash; {remedy}")
    _check_metadata(metadata, f"{path}", remedy)
    if metadata.get("lambda") is not None:
        metadata["lambda"] = float(metadata["lambda"])
    return arrays, metadata


def require(arrays: ArrayMap, name: str, shape: tuple[int, ...], dtype: str, where: str) -> Array:
    """Return ``arrays[name]``, checked.

    Raises:
        FormatError: it is absent, has another shape or dtype, or holds NaN or infinity.
    """
    if name not in arrays:
        raise FormatError(f"{where} lacks the tensor {name}; is it a complete bls2017 model?")
    array = arrays[name]
    if array.shape != shape or array.dtype != np.dtype(dtype):
        raise FormatError(
            f"{where}: {name} is {array.dtype}{list(array.shape)}, "
            f"must be {np.dtype(dtype)}{list(shape)}"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise FormatError(f"{where}: {name} holds NaN or infinite values; extract it again")
    return array


def _check_metadata(metadata: Mapping[str, Any], where: str, remedy: str) -> None:
    """Refuse numbers that are none: JSON as Python reads it has NaN, Infinity and 10^400."""
    filters, lmbda = metadata.get("filters", 1), metadata.get("lambda")
    if isinstance(filters, bool) or not isinstance(filters, int) or not 1 <= filters <= MAX_FILTERS:
        raise FormatError(
            f"{where}: filters is {_shown(filters)}, must be 1 … {MAX_FILTERS}; {remedy}"
        )
    number = isinstance(lmbda, int | float) and not isinstance(lmbda, bool)
    if lmbda is not None and not (number and 0 < lmbda < _MAX_LAMBDA):
        raise FormatError(
            f"{where}: lambda is {_shown(lmbda)}, must be a number above 0, below "
            f"{_MAX_LAMBDA:g}; {remedy}"
        )
    if not isinstance(metadata.get("provenance", {}), dict):
        raise FormatError(f"{where}: provenance must be an object; {remedy}")
    if not isinstance(metadata.get("weights_identity", ""), str):
        raise FormatError(f"{where}: weights_identity must be a string; {remedy}")


def _shown(value: object) -> str:
    try:
        text = json.dumps(value)
    except ValueError:  # an integer of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= 40 else f"{text[:40]}…"


def _checksum(metadata: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(metadata, sort_keys=True).encode()).hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


Progress = Callable[[str, int, int], None]
"""Called as ``progress(what, done, total)`` by anything that may take over two seconds."""


class LongPhase(str):
    """A ``what`` of :data:`Progress` that is told where it begins, a terminal or not.

    Args:
        what: what runs.
        usually: how long that takes, in words.
    """

    __slots__ = ()

    def __new__(cls, what: str, usually: str) -> LongPhase:
        """The text of both."""
        return super().__new__(cls, f"{what} (usually {usually})")
