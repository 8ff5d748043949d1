"""The ``xlic`` command line."""
