"""What all tests share: Verilator, and the same examples of property-based tests everywhere."""

import pytest
from hypothesis import settings

from xlic.accelerator.verilator import find_verilator
from xlic.errors import MissingToolError

# A failure is one for everybody.
settings.register_profile("xlic", derandomize=True)
settings.load_profile("xlic")


@pytest.fixture(scope="session")
def verilator():
    """Verilator, or the test is skipped with what to install."""
    try:
        return find_verilator()
    except MissingToolError as error:
        pytest.skip(str(error))
