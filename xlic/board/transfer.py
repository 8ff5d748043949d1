"""Files to the board and back: only what changed, and only what arrived whole.

On the board they lie in a store under the SHA-256 of what they hold, so that the same file is never
sent twice, and a damaged one is never used.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from xlic.board.deadline import Deadline
from xlic.board.errors import TransferError
from xlic.board.shell import Shell, checked, plain, quoted, require_lease
from xlic.errors import InputError

MAX_BYTES = 1 << 30
"""No file that goes either way is larger."""
STORE_FILES = 48
"""Files in the store; those not used for longest go first."""
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass
class Traffic:
    """What was moved.

    Attributes:
        sent: bytes.
        kept: bytes that were there already.
        fetched: bytes.
    """

    sent: int = 0
    kept: int = 0
    fetched: int = 0


class Store:
    """The board's files.

    Args:
        shell: the way to the board.
        folder: on the board.
        guard: shell that must succeed right before anything is changed there.
    """

    def __init__(self, shell: Shell, folder: str, guard: str = ":") -> None:
        self.traffic = Traffic()
        self._shell = shell
        self._folder = f"{folder}/store"
        self._guard = guard
        # What is called again and again without being sent again.
        self._kept: list[str] = []

    def put(self, content: bytes | Path, deadline: Deadline, *, executable: bool = False) -> str:
        """Have a file on the board; returns its path there.

        Raises:
            InputError: the file cannot be read or is too large.
            TransferError: it did not arrive as it was.
            LeaseLostError: the guard found the lease lost.
            InfrastructureError: the link failed, or the board has no room.
        """
        if isinstance(content, bytes):
            return self._put(io.BytesIO(content), len(content), deadline, executable)
        try:
            with content.open("rb") as file:
                return self._put(file, os.fstat(file.fileno()).st_size, deadline, executable)
        except OSError as error:
            raise InputError(f"cannot read {content}: {error.strerror or error}") from error

    def fetch(self, source: str, target: Path, size: int, sha256: str, deadline: Deadline) -> None:
        """Fetch a file whose length and hash are known.

        The target appears whole and right, or not at all.

        Raises:
            TransferError: another length or hash.
            InfrastructureError: the link failed.
        """
        _check_size(size, source)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".xlic-") as file:
            self._shell.download(source, file, size, deadline)
            file.flush()
            file.seek(0)
            if _digest(file) != sha256:
                raise TransferError(f"{source} was damaged on its way from the board")
            target.unlink(missing_ok=True)
            os.link(file.name, target)
        self.traffic.fetched += size

    def read(self, source: str, limit: int, deadline: Deadline) -> bytes:
        """A small file of the board.

        Raises:
            InfrastructureError: it is not there or larger than ``limit``.
        """
        text = checked(
            self._shell, f"wc -c < {quoted(source)}", deadline, f"looking at {source}"
        ).strip()
        if not text.isdigit() or int(text) > limit:
            raise TransferError(
                f"{source} on the board has {plain(text, 20)} bytes, at most {limit} are expected"
            )
        into = io.BytesIO()
        self._shell.download(source, into, int(text), deadline)
        return into.getvalue()

    def _put(self, file: IO[bytes], size: int, deadline: Deadline, executable: bool) -> str:
        _check_size(size, "a file to send")
        digest = _digest(file)
        path = f"{self._folder}/{digest}"
        mode = "700" if executable else "600"
        if executable and digest not in self._kept:
            self._kept.append(digest)
        if self._there(path, digest, mode, deadline):
            self.traffic.kept += size
            return path
        file.seek(0)
        # Two that send the same file at once do not write into each other's.
        part = f"{path}.{os.getpid()}.{id(self):x}.part"
        self._shell.upload(file, size, part, deadline)
        script = (
            f"{self._guard}\n"
            f"if [ \"$(sha256sum < {quoted(part)} | cut -d' ' -f1)\" = {digest} ]; "
            f"then chmod {mode} {quoted(part)} && mv {quoted(part, path)}; "
            f"else rm -f {quoted(part)}; exit 9; fi"
        )
        done = self._shell.run(script, deadline)
        require_lease(done, "sending a file")
        if done.status:
            raise TransferError(
                f"a file of {size} bytes did not arrive on the board as it was sent "
                f"({done.last_error()}); is there room in {self._folder}?"
            )
        self.traffic.sent += size
        return path

    def _there(self, path: str, digest: str, mode: str, deadline: Deadline) -> bool:
        folder, kept = quoted(self._folder), "|".join(self._kept) or "none"
        script = (
            f"{self._guard}\numask 077; mkdir -p {folder} && cd {folder} || exit 9\n"
            # What nobody used for longest makes room; parts of an upload under way are young.
            f"ls -1t | tail -n +{STORE_FILES + 1} | while read -r old; do "
            f'case $old in {kept}) ;; *) rm -f "$old";; esac; done\n'
            # Of an attempt that the link cut short: who has the lease is alone here.
            f"rm -f {digest}.*.part\n"
            f"[ \"$(sha256sum < {digest} 2> /dev/null | cut -d' ' -f1)\" = {digest} ] "
            f"&& touch {digest} && chmod {mode} {digest} && echo yes; exit 0"
        )
        return checked(self._shell, script, deadline, f"looking for {path}").strip() == "yes"


def local_path(folder: Path, name: str) -> Path:
    """Where a file that the board names goes: below ``folder``, whatever the name says.

    Raises:
        TransferError: the name leads elsewhere, or is none.
    """
    parts = PurePosixPath(name).parts
    bad = (
        not parts
        or name.startswith(("/", "\\"))
        or any(part in ("..", ".") or part.startswith("~") for part in parts)
        or any(ord(char) < 32 or char in "\\:\x7f" for char in name)
        or any(len(part.encode("utf-8", "replace")) > 200 for part in parts)
        or len(parts) > 8
    )
    if bad:
        raise TransferError(f"the board names a file {name[:100]!r}, which leads elsewhere")
    root = Path(os.path.realpath(folder))
    target = root.joinpath(*parts)
    # A link in the folder could lead out of it still.
    if not Path(os.path.realpath(target)).is_relative_to(root):
        raise TransferError(f"{name[:100]!r} leads out of {folder} through a link")
    return target


def is_hash(text: object) -> bool:
    """Whether this is a SHA-256 in hexadecimal."""
    return isinstance(text, str) and _HASH.fullmatch(text) is not None


def _check_size(size: int, what: str) -> None:
    if not 0 <= size <= MAX_BYTES:
        raise InputError(f"{what} has {size} bytes, at most {MAX_BYTES} are moved")


def _digest(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()
