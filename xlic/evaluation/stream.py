"""Symbols through the range coder and back: what every measured rate has gone through."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from xlic.entropy.codec import compress, decompress
from xlic.entropy.tables import EntropyTables
from xlic.errors import XlicError
from xlic.files import read_bytes, write_bytes
from xlic.rungs.interface import Tensor

_T = TypeVar("_T")


@dataclass(frozen=True)
class Transmission:
    """One stream.

    Attributes:
        data: the whole ``.tfci`` file.
        symbols: as read back from it.
        encode_s: seconds of the range encoder.
        decode_s: seconds of the range decoder.
    """

    data: bytes
    symbols: Tensor
    encode_s: float
    decode_s: float


def transmit(
    symbols: Tensor, size: tuple[int, int], tables: EntropyTables, file: Path | None = None
) -> Transmission:
    """Encode symbols to a stream, decode it, and check that they came back.

    Args:
        symbols: integers ``(h, w, N)``.
        size: height and width of the picture.
        tables: entropy tables of the model.
        file: if given, the stream is written there and read back from there.

    Raises:
        InputError: the file cannot be written.
        XlicError: the stream does not give symbols and size back.
    """
    data, encode_s = timed(lambda: compress(symbols, size, tables))
    if file is not None:
        write_bytes(file, data)
        data = read_bytes(file)
    (received, received_size), decode_s = timed(lambda: decompress(data, tables))
    if received_size != size or not np.array_equal(received, symbols):
        raise XlicError(
            "the stream does not give back the symbols that were encoded; this is a defect of "
            "xlic's range coder, please report it with the image and the model"
        )
    return Transmission(data, received, encode_s, decode_s)


def warm_up_range_coder(tables: EntropyTables) -> None:
    """Code one position, so that what is timed later holds no compilation."""
    transmit(np.zeros((1, 1, tables.channels), np.int32), (1, 1), tables)


def timed(work: Callable[[], _T]) -> tuple[_T, float]:
    """What ``work`` returns, and the seconds that it took."""
    start = time.perf_counter()
    done = work()
    return done, time.perf_counter() - start
