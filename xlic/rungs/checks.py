"""What every rung checks before it starts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from numpy.typing import NDArray

from xlic.architecture import symbol_size
from xlic.errors import InputError
from xlic.images import check_size


def check_names(keep: Collection[str], known: tuple[str, ...]) -> None:
    """Refuse tensor names that the transform does not have.

    Raises:
        InputError: so.
    """
    unknown = sorted(set(keep) - set(known))
    if unknown:
        raise InputError(f"no tensor {unknown[0]!r} here; there are {', '.join(known)}")


def check_symbols(symbols: NDArray[Any], size: tuple[int, int], filters: int) -> None:
    """Refuse symbols that do not belong to an image of ``size`` and a model of ``filters``.

    Raises:
        InputError: so.
    """
    check_size(*size, "picture")
    expected = (*symbol_size(*size), filters)
    if symbols.dtype.kind not in "iu" or symbols.shape != expected:
        raise InputError(
            f"symbols are {symbols.dtype}{list(symbols.shape)}, a {size[1]}×{size[0]} picture of "
            f"this model needs integers {list(expected)}"
        )
    # Compared as Python integers: negating or widening could wrap in the array's own type.
    if symbols.size and not -(1 << 31) <= int(symbols.min()) <= int(symbols.max()) < 1 << 31:
        raise InputError(
            f"symbols span {symbols.min()} … {symbols.max()}, must fit 32 bits as in a stream"
        )
