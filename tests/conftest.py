"""Property-based tests draw the same examples everywhere: a failure is one for everybody."""

from hypothesis import settings

settings.register_profile("xlic", derandomize=True)
settings.load_profile("xlic")
