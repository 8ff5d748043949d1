from __future__ import annotations

import numpy as np
import pytest

from tests.entropy.reference import make_tables
from xlic.entropy import rangecoder


@pytest.fixture(scope="session", autouse=True)
def compiled():
    """Compile once, so that no test's deadline counts it."""
    tables = make_tables([[0, 1, 4096]])
    data = rangecoder.encode(np.zeros((1, 1, 1), np.int32), tables)
    rangecoder.decode(data, (1, 1, 1), tables)
