"""What tests of the RTL share: the libraries of the harness's own device."""

from __future__ import annotations

import pytest

from tests.rtl import copier
from xlic.accelerator.verilated_library import build_library
from xlic.errors import MissingToolError


@pytest.fixture(scope="session")
def library(verilator):
    """The copier, verilated."""
    return build_library(copier.rtl())


@pytest.fixture(scope="session")
def traced_library(verilator):
    """The copier, verilated with waveforms."""
    try:
        return build_library(copier.rtl(), traced=True)
    except MissingToolError as error:
        pytest.skip(str(error))
