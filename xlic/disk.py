"""Disks: a full one is named, what was written is on it, and nothing is left behind.

A compiler or apt-get on a full disk says anything, or nothing, as its own log found no room either.
So what fails while a program writes into a folder is looked at again: is there room?
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from xlic.errors import DiskFullError, InputError, XlicError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_SAID = re.compile("|".join(re.escape(os.strerror(number)) for number in _FULL), re.IGNORECASE)
"""What programs say, too: the messages of the C library, where they are in English."""
LITTLE = 1 << 20
"""A disk with fewer bytes left counts as full: what did not fit was larger than what is left."""
_LOOK = 0.005
_PREFIX = "xlic-work-"


@contextmanager
def full_disk_told(folders: Mapping[Path, str]) -> Iterator[None]:
    """Around programs: turn their error into one that names the full disk, if there is one.

    Args:
        folders: that are written to within, and the environment variable that moves each.

    Raises:
        DiskFullError: one of them has no room.
    """
    found: set[Path] = set()
    try:
        with _watched(folders, found):
            yield
    except DiskFullError:
        raise
    except (XlicError, OSError) as error:
        full = {folder: name for folder, name in folders.items() if folder in found}
        if not full and not _is_of_a_full_disk(error):
            raise
        named = {folder: name for folder, name in folders.items() if str(folder) in str(error)}
        blamed = full or named or folders
        raise DiskFullError(
            f"no room left in {' or '.join(map(str, blamed))}; set {' or '.join(blamed.values())} "
            f"to a folder with room ({error})"
        ) from error


@contextmanager
def _watched(folders: Iterable[Path], found: set[Path]) -> Iterator[None]:
    """Note folders that are full at any time: who runs into that removes what it has written."""
    over = threading.Event()

    def look() -> None:
        found.update(folder for folder in folders if is_full(folder))

    def watch() -> None:
        while not over.wait(_LOOK):
            look()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        look()
        over.set()
        watcher.join()


def cannot_write(folder: Path, error: OSError) -> InputError:
    """What to raise where this machine cannot write into a folder of its own."""
    remedy = "choose another folder"
    if folder.resolve().is_relative_to(Path(tempfile.gettempdir()).resolve()):
        remedy = "set TMPDIR to a folder with room"
    text = f"cannot write into {folder}: {error.strerror or error}; {remedy}"
    return (DiskFullError if error.errno in _FULL else InputError)(text)


def is_full(folder: Path) -> bool:
    """Whether there is hardly any room."""
    return _left(folder) < LITTLE


def tells_of_a_full_disk(text: str) -> bool:
    """Whether a program says that there is no room."""
    return _SAID.search(text) is not None


def require_room(folder: Path, size: int, variable: str) -> None:
    """Refuse to begin what is known not to fit.

    Args:
        folder: that is written to.
        size: bytes that will be needed.
        variable: the environment variable that moves it.

    Raises:
        DiskFullError: there is less.
    """
    left = _left(folder)
    if left < size:
        raise DiskFullError(
            f"no room in {folder}: {size / 1e6:.0f} MB are needed, {left / 1e6:.1f} are left; "
            f"set {variable} to a folder with room"
        )


@contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """A folder for files under way; gone after the block.

    It is locked as long as this process lives. What a killed process left is removed when the next
    folder is made.

    Args:
        parent: where; None takes the system's folder for such, ``$TMPDIR``.

    Raises:
        DiskFullError: what is written within the block finds no room.
    """
    root = Path(tempfile.gettempdir() if parent is None else parent)
    try:
        _sweep(root)
        folder, lock = _locked_folder(root)
    except OSError as error:
        raise cannot_write(root, error) from error
    try:
        yield folder
    except OSError as error:
        # It may tell of another disk; so may one of xlic's own, which passes anyway.
        if error.errno in _FULL and is_full(root):
            raise cannot_write(root, error) from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sync(path: Path, *, inner: bool = True) -> None:
    """Have a file, or a folder and all in it, on the disk before going on.

    Args:
        path: file or folder.
        inner: whether what is in a folder follows, not its names alone.
    """
    if inner and path.is_dir():
        for entry in path.iterdir():
            if not entry.is_symlink():
                sync(entry)
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:
        # Some network file systems cannot do this with a folder.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(number)


def _locked_folder(root: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Another process may have taken it for one left over, before it was locked.
        if folder.is_dir():
            return folder, lock
        os.close(lock)


def _sweep(root: Path) -> None:
    for left in root.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(lock).st_uid == os.getuid():
                    shutil.rmtree(left)
            finally:
                os.close(lock)


def _left(folder: Path) -> int:
    """Bytes that we may still write there; all there could be where that is not known."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 1 << 62
    if found.f_files and not found.f_favail:
        return 0
    return found.f_bavail * found.f_frsize if found.f_blocks else 1 << 62


def _is_of_a_full_disk(error: BaseException) -> bool:
    number = error.errno if isinstance(error, OSError) else None
    return number in _FULL or tells_of_a_full_disk(str(error))
