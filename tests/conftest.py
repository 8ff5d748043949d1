"""Property-based tests draw the same examples everywhere, so that a failure is one for everybody."""

from hypothesis import settings

settings.register_profile("xlic", derandomize=True)
settings.load_profile("xlic")
