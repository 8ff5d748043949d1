"""Functions compiled by numba, kept in xlic's cache.

numba loads what it finds in its own cache as it is, damaged machine code too.
"""

from __future__ import annotations

import logging
import os
import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xlic.accelerator.builds import cached_build, digest_of
from xlic.errors import InputError

_log = logging.getLogger(__name__)
_one = threading.Lock()


def compiled(kernel: Callable[..., Any], signature: Any, **options: Any) -> Callable[..., Any]:
    """A function as machine code; compiled unless that was done before.

    Args:
        kernel: the function.
        signature: its types, numba's.
        options: of ``numba.njit``.
    """
    import numba

    def make(folder: Path) -> None:
        load(folder)

    def load(folder: Path) -> Callable[..., Any]:
        with _cache_in(folder):
            found: Callable[..., Any] = numba.njit(signature, cache=True, **options)(kernel)
            return found

    name = f"kernel-{kernel.__name__.strip('_')}"
    try:
        return load(cached_build(name, _digest(kernel, signature, options), make))
    except (InputError, RuntimeError) as error:  # numba's where it cannot write
        _log.warning("xlic: compiled at every start, which takes seconds: %s", error)
        plain: Callable[..., Any] = numba.njit(signature, **options)(kernel)
        return plain


def _digest(kernel: Callable[..., Any], signature: Any, options: dict[str, Any]) -> str:
    """Of all that numba looks at, as it would otherwise write into a folder that is finished."""
    import llvmlite
    import llvmlite.binding as llvm
    import numba

    source = Path(kernel.__code__.co_filename)
    facts = [
        *(numba.__version__, llvmlite.__version__, platform.python_version()),
        *(llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()),
        *(f"{name}={value}" for name, value in sorted(os.environ.items()) if "NUMBA_" in name),
        *(kernel.__qualname__, str(signature), str(sorted(options.items()))),
        *(str(source), str(source.stat().st_mtime_ns)),
    ]
    return digest_of([source], facts)


@contextmanager
def _cache_in(folder: Path) -> Iterator[None]:
    from numba import config

    with _one:
        before = config.CACHE_DIR
        config.CACHE_DIR = str(folder)
        try:
            yield
        finally:
            config.CACHE_DIR = before
