"""Programs of the host that the virtual board is made with, and how they are called."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from xlic.board.virtual.errors import VirtualBoardError
from xlic.disk import is_full
from xlic.errors import MissingToolError
from xlic.remedies import install

QEMU = "qemu-system-aarch64"
COMPILER = "aarch64-linux-gnu-gcc"
_LOOK = 1.0

PACKAGES = {
    QEMU: "qemu-system-arm",
    COMPILER: "g++-aarch64-linux-gnu",
    "dtc": "device-tree-compiler",
    "make": "make",
    "apt-get": "apt",
    "apt-cache": "apt",
    "dpkg": "dpkg",
    "dpkg-deb": "dpkg",
    "setpriv": "util-linux",
}
"""Program → the Debian package that brings it."""

RUN_TOOLS = (QEMU, "setpriv")
BUILD_TOOLS = (COMPILER, "dtc", "make", "dpkg", "dpkg-deb")
FETCH_TOOLS = ("apt-get", "apt-cache", "dpkg")


def absent(tools: Iterable[str] = tuple(PACKAGES)) -> list[str]:
    """Those of ``tools`` that are not installed."""
    return [tool for tool in tools if shutil.which(tool) is None]


def require_tools(tools: Iterable[str] = tuple(PACKAGES)) -> None:
    """Refuse to go on without ``tools``.

    Raises:
        MissingToolError: some are not there; names the command that installs them.
    """
    lacking = absent(tools)
    if lacking:
        packages = sorted({PACKAGES[tool] for tool in lacking})
        raise MissingToolError(
            f"the virtual board needs {', '.join(lacking)}: "
            f"apt-get install --no-install-recommends {' '.join(packages)}"
        )


def missing() -> str | None:
    """What this machine lacks to build and run the virtual board, with the remedy."""
    try:
        require_tools()
        require_modules()
    except MissingToolError as error:
        return str(error)
    return None


def require_modules() -> None:
    """Refuse to go on without the Python packages that keys are made with.

    Raises:
        MissingToolError: so.
    """
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise MissingToolError(
            f"the virtual board needs cryptography: {install('board')}"
        ) from error


def call(
    command: Sequence[str],
    *,
    deadline: float,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program and return what it printed.

    Args:
        command: program and arguments.
        deadline: seconds it may take.
        folder: where it runs.
        environment: all of its environment; None is ours.

    Raises:
        VirtualBoardError: it failed or took too long; holds the last lines it printed.
    """
    process = subprocess.Popen(
        list(command),
        cwd=folder,
        env=None if environment is None else dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    name = " ".join(command[:2])
    try:
        output, errors = _await(process, name, deadline, folder)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    if process.returncode:
        lines = (errors.strip() or output.strip() or "no message").splitlines()
        raise VirtualBoardError(f"{name} failed: {'; '.join(lines[-3:])}")
    return output


def _await(
    process: subprocess.Popen[str], name: str, deadline: float, folder: Path | None
) -> tuple[str, str]:
    """What the program prints until it ends."""
    end = time.monotonic() + deadline
    while True:
        try:
            return process.communicate(timeout=max(0.0, min(_LOOK, end - time.monotonic())))
        except subprocess.TimeoutExpired as error:
            if time.monotonic() >= end:
                raise VirtualBoardError(
                    f"{name} did not end within {deadline:.0f} s; try again"
                ) from error
        # apt-get on a full disk says nothing and tries again for ten minutes.
        if folder is not None and is_full(folder):
            raise VirtualBoardError(f"{name}: {os.strerror(errno.ENOSPC)} in {folder}")
