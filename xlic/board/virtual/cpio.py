"""Writing archives as the kernel unpacks them into its first file system (cpio, ``newc``).

Everything in them belongs to root, whoever builds them, and the same files give the same bytes.
"""

from __future__ import annotations

import stat
from pathlib import Path, PurePosixPath

_FOLDER, _FILE, _LINK, _NODE = 0o040755, 0o100000, 0o120777, 0o020600
_TRAILER = "TRAILER!!!"


class Archive:
    """An archive in memory; folders that a name needs are made."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._names: set[str] = set()

    def add_file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """Add a file."""
        self._add(name, _FILE | mode, content)

    def add_folder(self, name: str) -> None:
        """Add a folder, unless it is there."""
        if name not in self._names:
            self._add(name, _FOLDER, b"")

    def add_link(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        self._add(name, _LINK, target.encode())

    def add_character_device(self, name: str, major: int, minor: int) -> None:
        """Add a device node; no privilege is needed for that."""
        self._add(name, _NODE, b"", (major, minor))

    def add_tree(self, folder: Path, below: str = "") -> None:
        """Add all files of a folder, executable where they are."""
        for file in sorted(folder.rglob("*")):
            name = (PurePosixPath(below) / file.relative_to(folder).as_posix()).as_posix()
            if file.is_symlink():
                self.add_link(name, str(file.readlink()))
            elif file.is_dir():
                self.add_folder(name)
            else:
                executable = file.stat().st_mode & stat.S_IXUSR
                self.add_file(name, file.read_bytes(), 0o755 if executable else 0o644)

    def finish(self) -> bytes:
        """The archive; another one may follow it."""
        self._entry(_TRAILER, 0, b"", (0, 0))
        self._pad(512)
        return bytes(self._data)

    def _add(self, name: str, mode: int, content: bytes, device: tuple[int, int] = (0, 0)) -> None:
        parent = PurePosixPath(name).parent.as_posix()
        if parent != ".":
            self.add_folder(parent)
        self._names.add(name)
        self._entry(name, mode, content, device)

    def _entry(self, name: str, mode: int, content: bytes, device: tuple[int, int]) -> None:
        label = name.encode() + b"\0"
        number = len(self._names)
        fields = (
            *(number, mode, 0, 0, 1, 0, len(content)),
            *(0, 0, *device, len(label), 0),
        )
        self._data += b"070701" + b"".join(b"%08X" % field for field in fields) + label
        self._pad(4)
        self._data += content
        self._pad(4)

    def _pad(self, multiple: int) -> None:
        self._data += bytes(-len(self._data) % multiple)
