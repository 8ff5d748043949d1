"""Compiled things in the user's cache: built once for the same sources, options and compiler.

A build is a folder of :mod:`xlic.cache`, named after what it is and the SHA-256 of all that went
into it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from xlic.cache import cache_folder, fault_of, making, publish
from xlic.disk import tells_of_a_full_disk
from xlic.errors import InputError

_log = logging.getLogger(__name__)

UNUSED_DAYS = 30
"""Builds that nothing asked for in this time are removed when another one is made."""


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
    """The folder of a finished build; builds it if it is not there, or is damaged.

    Args:
        name: what is built, e.g. ``hls``; part of the folder's name.
        digest: as :func:`digest_of` gives it.
        build: fills the empty folder that it is given. Paths in there must not be kept: the folder
            is renamed afterwards. If it raises, nothing stays behind.

    Returns:
        The folder. Nothing in it may be changed.

    Raises:
        InputError: the cache cannot be written, or has no room.
    """
    folder = cache_folder() / f"{name}-{digest[:32]}"
    if _is_usable(folder):
        return folder
    with making(folder):
        if not _is_usable(folder):
            if folder.exists():
                _log.warning("xlic: %s is made again: %s", folder, fault_of(folder))
            publish(folder, build)
            _remove_unused(folder.parent, name)
    return folder


def error_lines(text: str, most: int = 3) -> list[str]:
    """The lines of what a compiler printed that say why it failed; that of a full disk first."""
    lines = [line.strip() for line in text.splitlines()]
    full = [line for line in lines if tells_of_a_full_disk(line)]
    errors = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE)]
    return ([*full[:1], *errors] or lines[-most:])[:most]


def _is_usable(folder: Path) -> bool:
    if fault_of(folder) is not None:
        return False
    # Tells _remove_unused that it is in use. A cache that somebody else filled may be read only.
    with suppress(OSError):
        os.utime(folder)
    return True


def _remove_unused(root: Path, name: str) -> None:
    oldest = time.time() - UNUSED_DAYS * 24 * 3600
    for folder in root.glob(f"{name}-*"):
        with suppress(OSError):
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder)
