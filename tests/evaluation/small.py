"""A codec of six channels with entropy tables, and pictures: everything small and quick."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from tests.sim.models import random_weights
from xlic.entropy.tables import EntropyTables
from xlic.quantization.calibrate import calibrate
from xlic.quantization.quantize import quantize

FILTERS = 6


def small_tables(channels=FILTERS, reach=40):
    """Two-sided exponential distributions over −reach … reach, and the escape."""
    weight = np.append(np.exp(-np.abs(np.arange(-reach, reach + 1)) / 8.0), 1e-3)
    bins = len(weight)
    counts = 1 + np.floor(weight / weight.sum() * (4096 - bins)).astype(np.int64)
    counts[reach] += 4096 - counts.sum()
    row = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return EntropyTables(
        cdf=np.tile(row, (channels, 1)),
        cdf_length=np.full(channels, bins + 1, np.int32),
        cdf_offset=np.full(channels, -reach, np.int32),
        quantization_offset=np.linspace(-0.4, 0.4, channels).astype(np.float32),
    )


@cache
def small_weights(seed=1, tables=True):
    """Random float weights, with or without entropy tables."""
    weights = random_weights(seed, FILTERS)
    return replace(weights, tables=small_tables()) if tables else weights


@cache
def small_model():
    """The quantized model of :func:`small_weights`, calibrated on two pictures."""
    weights = small_weights()
    pictures = [(f"{seed}", photo(48, 64, seed)) for seed in (1, 2)]
    return quantize(weights, calibrate(weights, pictures))


def photo(height, width, seed=0):
    """A smooth colour picture with some noise, uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 90 * np.sin(x / (5 + 3 * c) + seed) * np.cos(y / (9 + 2 * c)) for c in range(3)]
    noisy = np.stack(waves, axis=2) + rng.normal(0, 6, (height, width, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)
