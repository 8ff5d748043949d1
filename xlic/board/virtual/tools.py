"""Programs of the host that the virtual board is made with, and how they are called."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from xlic.board.virtual.errors import VirtualBoardError
from xlic.errors import MissingToolError
from xlic.remedies import install

QEMU = "qemu-system-aarch64"
COMPILER = "aarch64-linux-gnu-gcc"

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
    try:
        done = subprocess.run(
            list(command),
            cwd=folder,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=deadline,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise VirtualBoardError(
            f"{' '.join(command[:2])} did not end within {deadline:.0f} s; try again"
        ) from error
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        raise VirtualBoardError(f"{' '.join(command[:2])} failed: {'; '.join(lines[-3:])}")
    return done.stdout
