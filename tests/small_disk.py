"""A disk that is full, or soon will be: a tmpfs that one process and its children alone see."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

_UNSHARE = (
    ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--mount", "--map-root-user")
)


@cache
def _works() -> bool:
    try:
        mount = ["sh", "-c", "mount -t tmpfs tmpfs /mnt"]
        return subprocess.run([*_UNSHARE, *mount], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def run_beside_small_disk(
    code: str, folder: Path, size: str, environment: dict[str, str], used: str = "0"
) -> subprocess.CompletedProcess[str]:
    """Run Python code while ``folder`` is a disk of ``size``, ``used`` of which is taken.

    Skips the test where that needs rights that we do not have.
    """
    if not _works():
        pytest.skip("needs the right to mount: root, or user namespaces")
    folder.mkdir(parents=True, exist_ok=True)
    script = (
        'mount -t tmpfs -o "size=$1" tmpfs "$2" || exit 99; '
        '[ "$3" = 0 ] || head -c "$3" /dev/zero > "$2/ballast"; exec "$4" -c "$5"'
    )
    done = subprocess.run(
        [*_UNSHARE, "sh", "-c", script, "sh", size, str(folder), used, sys.executable, code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode != 99, done.stderr
    return done
