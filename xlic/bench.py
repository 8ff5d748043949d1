"""How fast the INT16 simulation is, against the bare matrix products under it.

The yardstick is the same number of multiply-accumulates done as plain float64 matrix products by
the BLAS in the same process, with its default threads: per layer one product of the shape that
lowering the convolution to a matrix gives (:func:`products`), in row blocks that bound the memory.
Nothing else is in it: no patch gathering, no rounding, no GDN division, no stores of feature maps.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from threadpoolctl import threadpool_info

from xlic.architecture import all_layers, analysis_layers, macs_of, symbol_size, synthesis_layers
from xlic.entropy.codec import compress, decompress
from xlic.evaluation.stream import timed, warm_up_range_coder
from xlic.files import Progress
from xlic.images import UInt8Image
from xlic.quantization.model import QuantizedModel
from xlic.rungs.int16 import Int16Rung

RATIO_BOUND = 1.8
MEMORY_BOUND_MB = 2000.0
RANGE_CODER_BOUND_S = 0.3
RANGE_CODER_BOUND_PIXELS = 768 * 512
"""The range coder's bound is for images of this size."""

_BLOCK_ROWS = 4096


@dataclass(frozen=True)
class Timing:
    """Seconds of several repeats."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Timing:
        """Summary of at least one measurement."""
        return cls(statistics.median(seconds), min(seconds), max(seconds))


@dataclass(frozen=True)
class BenchResult:
    """One image size.

    Attributes:
        width: pixels.
        height: pixels.
        macs: of encoder and decoder together.
        repeats: how often each was timed.
        encode: INT16 encoder, transform only.
        decode: INT16 decoder, transform only.
        both: encoder plus decoder.
        blas: the matrix products of both.
        ratio: median of ``both`` over median of ``blas``.
        range_encode: range coder, symbols to ``.tfci``; None without entropy tables.
        range_decode: the way back.
        peak_memory_mb: largest resident size of the process so far, in 10⁶ bytes, before the
            matrix products.
    """

    width: int
    height: int
    macs: int
    repeats: int
    encode: Timing
    decode: Timing
    both: Timing
    blas: Timing
    ratio: float
    range_encode: Timing | None
    range_decode: Timing | None
    peak_memory_mb: float

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def products(filters: int, height: int, width: int) -> list[tuple[int, int, int]]:
    """``(M, K, N)`` of the matrix products that hold all MACs of encoder and decoder.

    A down layer is output pixels × taps·Cin × Cout, a GDN pixels × C × C. An up layer has its MACs
    at input pixels × Cin × taps·Cout: one dense product, where a product per output phase would be
    thinner and slower. The sum of M·K·N is exactly that of :func:`xlic.architecture.macs_of`.
    """
    shapes = []
    for layer in all_layers(filters):
        out_height, out_width = layer.output_size(height, width)
        taps = layer.kernel**2
        if layer.direction == "down":
            shapes.append((out_height * out_width, taps * layer.cin, layer.cout))
        else:
            shapes.append((height * width, layer.cin, taps * layer.cout))
        if layer.activation is not None:
            shapes.append((out_height * out_width, layer.cout, layer.cout))
        height, width = out_height, out_width
    return shapes


def time_products(shapes: Sequence[tuple[int, int, int]]) -> float:
    """Seconds that BLAS needs for float64 products of these shapes, memory already touched."""
    generator = np.random.default_rng(0)
    seconds = 0.0
    for m, k, n in shapes:
        rows = min(m, _BLOCK_ROWS)
        left = generator.standard_normal((rows, k))
        right = generator.standard_normal((k, n))
        out = np.zeros((rows, n))
        start = time.perf_counter()
        for first in range(0, m, rows):
            count = min(rows, m - first)
            np.matmul(left[:count], right, out=out[:count])
        seconds += time.perf_counter() - start
    return seconds


def bench_size(
    model: QuantizedModel, pixels: UInt8Image, repeats: int, progress: Progress
) -> BenchResult:
    """Time the transforms, the matrix products in turn with them, and the range coder.

    Args:
        model: the quantized model.
        pixels: a photograph of the size to measure.
        repeats: measurements of each; they alternate, so that a disturbance meets both.
        progress: called before each.
    """
    height, width = pixels.shape[:2]
    what = f"{width}×{height}"
    rung = Int16Rung(model)
    progress(f"{what}: warming up", 0, repeats + 1)
    warm_up = pixels[:64, :64]
    rung.synthesize(rung.analyze(warm_up).output, (warm_up.shape[0], warm_up.shape[1]))
    shapes = products(model.filters, height, width)
    time_products([(64, k, n) for _, k, n in shapes])

    encode: list[float] = []
    decode: list[float] = []
    blas: list[float] = []
    peak = 0.0
    symbols = np.zeros((*symbol_size(height, width), model.filters), np.int32)
    for index in range(repeats):
        progress(f"{what}: INT16, run {index + 1} of {repeats}", index, repeats + 1)
        start = time.perf_counter()
        symbols = rung.analyze(pixels).output
        middle = time.perf_counter()
        rung.synthesize(symbols, (height, width))
        encode.append(middle - start)
        decode.append(time.perf_counter() - middle)
        peak = peak or peak_memory_mb()
        progress(f"{what}: matrix products, run {index + 1} of {repeats}", index, repeats + 1)
        blas.append(time_products(shapes))
    progress(f"{what}: range coder", repeats, repeats + 1)
    range_encode, range_decode = _range_coder(model, symbols, (height, width), repeats)
    both = [a + b for a, b in zip(encode, decode, strict=True)]
    macs = sum(macs_of(analysis_layers(model.filters), height, width).values())
    coded = symbol_size(height, width)
    macs += sum(macs_of(synthesis_layers(model.filters), *coded).values())
    return BenchResult(
        width,
        height,
        macs,
        repeats,
        Timing.of(encode),
        Timing.of(decode),
        Timing.of(both),
        Timing.of(blas),
        statistics.median(both) / statistics.median(blas),
        range_encode,
        range_decode,
        peak,
    )


def photograph_of_size(photo: UInt8Image, width: int, height: int) -> UInt8Image:
    """A photograph scaled to ``width`` × ``height``: natural symbols for the range coder."""
    image = PillowImage.fromarray(photo)
    return np.asarray(image.resize((width, height), PillowImage.Resampling.LANCZOS))


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in 10⁶ bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    blas = [pool for pool in threadpool_info() if pool.get("user_api") == "blas"]
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "cores_usable": len(affinity(0)) if affinity else os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "blas": sorted(
            {
                f"{pool['internal_api']} {pool['version']} ({pool.get('architecture', '?')}), "
                f"{pool['num_threads']} threads"
                for pool in blas
            }
        ),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def _range_coder(
    model: QuantizedModel, symbols: np.ndarray[Any, Any], size: tuple[int, int], repeats: int
) -> tuple[Timing | None, Timing | None]:
    tables = model.tables
    if tables is None:
        return None, None
    warm_up_range_coder(tables)
    data = compress(symbols, size, tables)
    return (
        Timing.of([timed(lambda: compress(symbols, size, tables))[1] for _ in range(repeats)]),
        Timing.of([timed(lambda: decompress(data, tables))[1] for _ in range(repeats)]),
    )


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
