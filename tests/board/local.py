"""A :class:`~xlic.board.shell.Shell` whose board is this machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import IO

from xlic.board.deadline import Deadline
from xlic.board.errors import InfrastructureError
from xlic.board.shell import OUTPUT_LIMIT, Completed


class LocalShell:
    def __init__(self) -> None:
        self.uploads = 0
        self.scripts: list[str] = []
        self.damage = False
        self.down = False

    def run(self, script: str, deadline: Deadline, *, limit: int = OUTPUT_LIMIT) -> Completed:
        if self.down:
            raise InfrastructureError("the link is down")
        self.scripts.append(script)
        try:
            done = subprocess.run(
                ["sh", "-c", script], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                timeout=deadline.left,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise deadline.error() from error
        return Completed(done.returncode, done.stdout.decode(), done.stderr.decode())

    def upload(self, source: IO[bytes], size: int, target: str, deadline: Deadline) -> None:
        self.uploads += 1
        with Path(target).open("wb") as file:
            shutil.copyfileobj(source, file)
            if self.damage:
                file.write(b"!")

    def download(self, source: str, target: IO[bytes], size: int, deadline: Deadline) -> None:
        with Path(source).open("rb") as file:
            target.write(file.read(size))


def limit(seconds: float = 10.0) -> Deadline:
    return Deadline(seconds, "test")
