"""TensorFlow and tensorflow-compression, imported when first asked for.

They are an extra, need seconds to import, and run on Python 3.11 at most: whatever does not need
them must not notice whether they are there.
"""

from __future__ import annotations

import functools
import importlib
import os
from importlib import metadata
from typing import Any, NamedTuple

from xlic.errors import MissingToolError
from xlic.remedies import install


class Backend(NamedTuple):
    """The two modules."""

    tf: Any
    tfc: Any


@functools.cache
def backend() -> Backend:
    """Import TensorFlow and tensorflow-compression.

    Raises:
        MissingToolError: one of them is absent, or the two do not work together.
    """
    # Its start-up chatter (CPU features, absent GPUs) would hide our own messages.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        tf = importlib.import_module("tensorflow")
        tfc = importlib.import_module("tensorflow_compression")
    # Versions that do not belong together fail at import with errors of many types.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise MissingToolError(
            f"this needs TensorFlow and tensorflow-compression ({reason}); "
            f"{install('model')} (Python 3.11)"
        ) from error
    return Backend(tf, tfc)


def versions() -> dict[str, str]:
    """Installed versions of what a model's numbers depend on, by distribution name."""
    found: dict[str, str] = {}
    # tensorflow_compression has no __version__; the distributions' metadata always do.
    for name in ("tensorflow", "tensorflow-cpu", "tensorflow-compression"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
