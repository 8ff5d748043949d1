"""Tests of the whole RTL run on the verilated library."""

from __future__ import annotations

import pytest

from xlic.accelerator.verilator import find_verilator
from xlic.errors import MissingToolError


@pytest.fixture(scope="session")
def verilator():
    """Verilator, or the test is skipped with what to install."""
    try:
        return find_verilator()
    except MissingToolError as error:
        pytest.skip(str(error))
