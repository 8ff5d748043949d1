"""The range coder once more, on exact integers of any length: slow, obvious, independent.

The interval is one pair of big integers, so that there is no carry and nothing is delayed. Besides,
what several tests need: tables and symbols.
"""

from __future__ import annotations

import numpy as np

from xlic.entropy.tables import EntropyTables


class Interval:
    """``[low, low + size)`` in units of ``2**-(32 + 16·words)``."""

    def __init__(self):
        self.low, self.size, self.words = 0, 2**32, 0

    def narrow(self, lower, upper, precision):
        start, stop = (self.size * edge // 2**precision for edge in (lower, upper))
        self.low, self.size = self.low + start, stop - start
        if self.size <= 2**16:
            self.low, self.size, self.words = self.low * 2**16, self.size * 2**16, self.words + 1

    def number_bytes(self):
        """The number that tensorflow-compression writes."""
        length = 2 * self.words + 4
        if self.low % 2**32 == 0:
            return self.low.to_bytes(length, "big")[:-4]
        for unit in (2**32, 2**24, 2**16):
            number = -(-self.low // unit) * unit
            if number < self.low + self.size:
                return number.to_bytes(length, "big").rstrip(b"\0")
        raise AssertionError("size is above 2**16")


def escape_bits(gamma, negative):
    binary = f"{gamma:b}"
    return "0" * (len(binary) - 1) + binary + ("1" if negative else "0")


def rows_of(tables):
    return [
        [int(edge) for edge in tables.cdf[c, : tables.cdf_length[c]]]
        for c in range(tables.channels)
    ]


def slow_encode(symbols, tables):
    """The stream of tensorflow-compression, and how many bytes a decoder reads of it."""
    interval = Interval()
    rows = rows_of(tables)
    for _, c, symbol in positions(symbols):
        row, value = rows[c], symbol - int(tables.cdf_offset[c])
        escape = len(row) - 2
        inside = 0 <= value < escape
        k = value if inside else escape
        interval.narrow(row[k], row[k + 1], tables.precision)
        if not inside:
            gamma = -value if value < 0 else value - escape + 1
            for bit in escape_bits(gamma, value < 0):
                interval.narrow(int(bit), int(bit) + 1, 1)
    return interval.number_bytes(), 2 * interval.words + 4


def slow_decode(data, shape, tables):
    interval = Interval()
    rows = rows_of(tables)

    def read(row, precision):
        number = int.from_bytes((data + bytes(2 * interval.words + 4))[: 2 * interval.words + 4])
        for k, upper in enumerate(row[1:]):
            if number < interval.low + interval.size * upper // 2**precision:
                interval.narrow(row[k], upper, precision)
                return k
        raise AssertionError("the number left the interval")

    out = np.empty(shape, np.int64)
    for index, c, _ in positions(out):
        escape = len(rows[c]) - 2
        value = read(rows[c], tables.precision)
        if value == escape:
            zeros = 0
            while read([0, 1, 2], 1) == 0:
                zeros += 1
            gamma = int("1" + "".join(str(read([0, 1, 2], 1)) for _ in range(zeros)), 2)
            value = -gamma if read([0, 1, 2], 1) else gamma + escape - 1
        out[index] = value + int(tables.cdf_offset[c])
    return out


def positions(symbols):
    for index in np.ndindex(symbols.shape):
        yield index, index[2], int(symbols[index])


def make_tables(rows, offsets=None, precision=12):
    lengths = [len(row) for row in rows]
    cdf = np.zeros((len(rows), max(lengths)), np.int32)
    for c, row in enumerate(rows):
        cdf[c, : len(row)] = row
    return EntropyTables(
        cdf=cdf,
        cdf_length=np.array(lengths, np.int32),
        cdf_offset=np.array(offsets if offsets is not None else [0] * len(rows), np.int32),
        quantization_offset=np.zeros(len(rows), np.float32),
        precision=precision,
    )


def random_tables(rng, channels, precision=12):
    """Rows of 2 to some 60 bins, flat ones and steep ones."""
    rows, offsets = [], []
    total = 2**precision
    for _ in range(channels):
        bins = int(rng.integers(2, min(60, total) + 1))
        weights = rng.random(bins) ** rng.integers(1, 12) + 1e-9
        edges = np.round(np.cumsum(weights) / weights.sum() * (total - bins)).astype(int)
        rows.append([0, *(edges + np.arange(1, bins + 1))])
        offsets.append(-int(rng.integers(0, bins)))
    return make_tables(rows, offsets, precision)


def likely_symbols(rng, tables, height, width):
    """Symbols as the tables expect them; a bin of escape becomes the symbol just above the bins."""
    symbols = np.empty((height, width, tables.channels), np.int32)
    for c, row in enumerate(rows_of(tables)):
        drawn = rng.integers(0, 2**tables.precision, (height, width))
        symbols[..., c] = np.searchsorted(row, drawn, side="right") - 1 + tables.cdf_offset[c]
    return symbols


def any_symbols(rng, tables, height, width, top=2**31):
    """Likely symbols, and among them escapes of every size up to ``±top``."""
    symbols = likely_symbols(rng, tables, height, width)
    far = rng.integers(-top, top, symbols.shape) >> rng.integers(0, 31, symbols.shape)
    return np.where(rng.random(symbols.shape) < 0.2, far, symbols).astype(np.int32)
