"""The copier's libraries, built once per run; skipped where Verilator is absent."""

from __future__ import annotations

import pytest

from tests.rtl import copier
from xlic.accelerator.verilated_library import build_library
from xlic.errors import MissingToolError


def _build(**options):
    try:
        return build_library(copier.rtl(), **options)
    except MissingToolError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def library():
    return _build()


@pytest.fixture(scope="session")
def traced_library():
    return _build(traced=True)
