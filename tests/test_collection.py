"""What it takes to select one test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = ("scipy", "matplotlib", "numba", "tensorflow", "paramiko", "cocotb")
CODE = f"""
import sys, pytest
status = pytest.main(["--collect-only", "-q", "tests/test_collection.py::{{test}}"])
print(*(set({HEAVY}) & set(sys.modules)), file=sys.stderr)
sys.exit(status)
"""


def test_collecting_one_test_imports_nothing_heavy():
    code = CODE.format(test="test_collecting_one_test_imports_nothing_heavy")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 test collected" in done.stdout
    assert done.stderr.split() == []
