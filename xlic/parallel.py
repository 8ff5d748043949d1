"""Threads: work is split here, in pieces that do not depend on their number; BLAS gets one each.

A BLAS that splits a product among threads sums in another order with another number of them, and
changes the last bits. Wherever a float result must be the same on any machine of one kind, its
products run inside :func:`single_threaded_blas`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

Item = TypeVar("Item")


def single_threaded_blas() -> AbstractContextManager[Any]:
    """Context in which BLAS calls use one thread, in every BLAS that is loaded by now."""
    context: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return context


def in_parallel(work: Callable[[Item], None], items: list[Item]) -> None:
    """Call ``work`` on each item, on as many threads as processors, BLAS to one thread each.

    The first exception that ``work`` raises is raised again here.
    """
    threads = min(len(items), processors())
    with single_threaded_blas():
        if threads <= 1:
            for item in items:
                work(item)
            return
        with ThreadPoolExecutor(threads) as pool:
            try:
                for future in [pool.submit(work, item) for item in items]:
                    future.result()
            except BaseException:
                # An error or Ctrl-C should not wait for work that nobody will see.
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
