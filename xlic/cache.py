"""Folders in the user's cache that are there whole or not at all.

Each is made under another name, gets a list of its files with their sizes and hashes, and is then
renamed; a lock beside it lets one process make it while the others wait. The list is checked when a
folder is opened, so that a library that was damaged is made again and never loaded.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from xlic.disk import LITTLE, full_disk_told, require_room, sync
from xlic.errors import InputError

MANIFEST = "manifest.json"
"""Name → size and SHA-256 of all other files of a folder."""
_LEFT_OVER = re.compile(r"(\..+)\.[a-z0-9_]{8}")


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/xlic``, ``~/.cache/xlic`` where that is not set."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification says to ignore relative paths.
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return root / "xlic"


@contextmanager
def making(folder: Path) -> Iterator[None]:
    """Be the only one who makes this folder of the cache; remove what others left half-made.

    Raises:
        InputError: the cache cannot be written, or has no room.
    """
    root = folder.parent
    try:
        root.mkdir(parents=True, exist_ok=True)
        _sweep(root)
        with _locked(_lock_of(folder)):
            yield
    except OSError as error:
        raise InputError(
            f"cannot write {root}: {error.strerror or error}; "
            "set XDG_CACHE_HOME to a folder that is writable and has room"
        ) from error


def publish(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder, within :func:`making`; one that is there is replaced.

    Args:
        folder: in the cache.
        fill: fills the empty folder that it is given. If it raises, nothing stays behind.

    Raises:
        InputError: there is no room.
    """
    temporary = _empty_beside(folder)
    disks = {folder.parent: "XDG_CACHE_HOME", Path(tempfile.gettempdir()): "TMPDIR"}
    try:
        for disk, variable in disks.items():
            require_room(disk, LITTLE, variable)
        # Looked at while what fills the disk is still there.
        with full_disk_told(disks):
            fill(temporary)
            write_manifest(temporary)
            temporary.chmod(0o755)
            # After a power failure, the new name must not be there without what it names.
            sync(temporary)
        if folder.exists():
            # Who has it open keeps its files.
            replaced = _empty_beside(folder)
            folder.rename(replaced)
            temporary.rename(folder)
            shutil.rmtree(replaced, ignore_errors=True)
        else:
            temporary.rename(folder)
        sync(folder.parent, inner=False)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_manifest(folder: Path) -> None:
    """List what a folder holds."""
    files = {
        file.relative_to(folder).as_posix(): [file.stat().st_size, _hash_of(file)]
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    (folder / MANIFEST).write_text(json.dumps({"files": files}, indent=1) + "\n", "utf-8")


def fault_of(folder: Path) -> str | None:
    """What is wrong with a folder that :func:`publish` made; None if nothing.

    A file is hashed once in a process, and again if it changes: 33 ms for 20 MB.
    """
    try:
        text = (folder / MANIFEST).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return f"it has no {MANIFEST}"
    try:
        listed = json.loads(text)["files"].items()
        files = {str(name): (int(size), str(sha256)) for name, (size, sha256) in listed}
    except (ValueError, TypeError, KeyError, AttributeError):
        return f"its {MANIFEST} is damaged"
    for name, (size, sha256) in files.items():
        file = folder / name
        try:
            found = file.stat().st_size
            if found != size:
                return f"{name} has {found} bytes, not {size}"
            if _hash_of(file) != sha256:
                return f"{name} is damaged"
        except OSError as error:
            return f"{name}: {error.strerror or error}"
    return None


@functools.cache
def _sha256(file: Path, *_unchanged: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _hash_of(file: Path) -> str:
    found = file.stat()
    return _sha256(file, found.st_ino, found.st_mtime_ns, found.st_size)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


def _empty_beside(folder: Path) -> Path:
    # A name that _sweep knows.
    return Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))


def _sweep(root: Path) -> None:
    """Remove what those who were killed left half-made: nobody holds the lock of theirs."""
    for left in root.glob(".*"):
        match = _LEFT_OVER.fullmatch(left.name)
        if match and left.is_dir():
            with suppress(OSError), _locked(root / f"{match[1]}.lock", wait=False):
                shutil.rmtree(left)


@contextmanager
def _locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    # The file stays: removing it would let two processes lock two files of one name.
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
