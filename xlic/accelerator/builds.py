"""Compiled things in the user's cache: built once for the same sources, options and compiler.

A build is a folder named after what it is and the SHA-256 of all that went into it. It appears
whole or not at all: it is made under another name and then renamed, and a lock lets one process
build while the others wait for the result.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from xlic.errors import InputError

UNUSED_DAYS = 30
"""Builds that nothing asked for in this time are removed when another one is made."""


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/xlic``, ``~/.cache/xlic`` where that is not set."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification says to ignore relative paths.
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return root / "xlic"


def digest_of(files: Iterable[Path], facts: Iterable[str] = ()) -> str:
    """SHA-256 (hex) over names and contents of ``files`` and all ``facts``, in the given order.

    Facts are what else decides the result: options, parameters, the compiler's version.

    Raises:
        InputError: a file cannot be read.
    """
    digest = hashlib.sha256()

    def add(label: str, data: bytes) -> None:
        digest.update(f"{label}:{len(data)}\n".encode())
        digest.update(data)

    for file in files:
        try:
            add(f"file {file.name}", file.read_bytes())
        except OSError as error:
            raise InputError(f"cannot read {file}: {error.strerror or error}") from error
    for fact in facts:
        add("fact", fact.encode())
    return digest.hexdigest()


def cached_build(name: str, digest: str, build: Callable[[Path], None]) -> Path:
    """The folder of a finished build; builds it if it is not there.

    Args:
        name: what is built, e.g. ``hls``; part of the folder's name.
        digest: as :func:`digest_of` gives it.
        build: fills the empty folder that it is given. Paths in there must not be kept: the folder
            is renamed afterwards. If it raises, nothing stays behind.

    Returns:
        The folder. Nothing in it may be changed.

    Raises:
        InputError: the cache cannot be written.
    """
    root = cache_folder()
    folder = root / f"{name}-{digest[:32]}"
    if _is_there(folder):
        return folder
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _locked(root / f".{folder.name}.lock"):
            if not _is_there(folder):
                _publish(folder, build)
                _remove_unused(root, name)
    except OSError as error:
        raise InputError(
            f"cannot build into {root}: {error.strerror or error}; "
            "set XDG_CACHE_HOME to a folder that is writable and has room"
        ) from error
    return folder


def _is_there(folder: Path) -> bool:
    try:
        # Tells _remove_unused that it is in use.
        os.utime(folder)
    except FileNotFoundError:
        return False
    except OSError:
        # A cache that somebody else filled and we may only read.
        return folder.is_dir()
    return True


def _publish(folder: Path, build: Callable[[Path], None]) -> None:
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        build(temporary)
        temporary.chmod(0o755)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    # The file stays: removing it would let two processes lock two files of one name.
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_unused(root: Path, name: str) -> None:
    oldest = time.time() - UNUSED_DAYS * 24 * 3600
    for folder in root.glob(f"{name}-*"):
        with suppress(OSError):
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder)
