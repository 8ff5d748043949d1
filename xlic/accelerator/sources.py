"""The RTL's source files: their order, their hash.

The hash is built into the design (``SOURCE_HASH``) and read back from its identity registers: a
driver can tell that the hardware it talks to was made from these very files.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from xlic.errors import InputError
from xlic.sources import RTL_DIR

_SUFFIXES = (".sv", ".v")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_PACKAGE = re.compile(r"^\s*package\s", re.MULTILINE)


def rtl_sources(folder: Path = RTL_DIR) -> tuple[Path, ...]:
    """All (System)Verilog files of a folder: packages first, otherwise by name.

    Raises:
        InputError: there are none.
    """
    files = sorted(file for file in folder.glob("*") if file.suffix in _SUFFIXES)
    if not files:
        raise InputError(
            f"no SystemVerilog or Verilog files in {folder}; name a folder that holds some"
        )
    packages = [file for file in files if _PACKAGE.search(file.read_text("utf-8", "replace"))]
    return (*packages, *(file for file in files if file not in packages))


def needed_sources(files: Sequence[Path], top: str) -> tuple[Path, ...]:
    """The files that module ``top`` needs, in the order of ``files``; packages are kept.

    Each file must hold the one module that it is named after.
    """
    texts = {file.stem: _COMMENT.sub("", file.read_text("utf-8", "replace")) for file in files}
    needed = {stem for stem, text in texts.items() if _PACKAGE.search(text)}
    waiting = [top]
    while waiting:
        stem = waiting.pop()
        if stem in texts and stem not in needed:
            needed.add(stem)
            waiting += set(re.findall(r"\w+", texts[stem])) & texts.keys()
    return tuple(file for file in files if file.stem in needed)


def source_hash(files: Iterable[Path]) -> int:
    """First 64 bits of the SHA-256 over names and contents, in order of the names."""
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda path: path.name):
        data = file.read_bytes()
        digest.update(f"{file.name}\n{len(data)}\n".encode())
        digest.update(data)
    return int.from_bytes(digest.digest()[:8], "big")
