"""The compiled range coder in the cache."""

from __future__ import annotations

import subprocess
import sys

from tests.small_disk import run_beside_small_disk

CODE = """
import logging, time
from xlic.entropy import rangecoder
assert rangecoder._compiled(rangecoder._encode_kernel)._can_compile is False
"""


def run(cache):
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env={"XDG_CACHE_HOME": str(cache), "PATH": "/usr/bin:/bin", "HOME": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_damaged_machine_code_is_never_loaded_but_compiled_again(tmp_path):
    assert run(tmp_path) == ""
    (code,) = (tmp_path / "xlic").rglob("*.nbc")
    made = code.stat().st_ino
    assert run(tmp_path) == ""
    assert code.stat().st_ino == made, "it is compiled once"
    data = bytearray(code.read_bytes())
    data[len(data) // 2] ^= 0x10
    code.write_bytes(data)
    (index,) = (tmp_path / "xlic").rglob("*.nbi")
    assert f"{code.name} is damaged" in run(tmp_path)
    assert code.read_bytes() != data
    index.write_bytes(index.read_bytes()[:50])
    assert f"{index.name} has 50 bytes" in run(tmp_path)
    assert run(tmp_path) == ""


def test_without_room_in_the_cache_it_compiles_all_the_same_and_says_why(tmp_path):
    disk = tmp_path / "disk"
    done = run_beside_small_disk(CODE, disk, "64k", {"XDG_CACHE_HOME": str(disk)})
    assert done.returncode == 0, done.stderr
    assert "compiled at every start" in done.stderr
    assert f"no room in {disk}/xlic" in done.stderr
