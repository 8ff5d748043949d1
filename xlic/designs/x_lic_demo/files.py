"""The demo's parameter files: raw little-endian int16, int32 and float32, a set per transform.

Weights lie in the order in which its accelerator takes them: for each tile of 16 output and each
of 16 input channels ``[outputs / 8][inputs][taps][8]``. The taps of transposed convolutions are
sorted by the phase of the output that they meet. The picture's layer has 8 output channels, five
of them empty; its input scales have 8 places.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xlic.architecture import ConvLayer
from xlic.designs.x_lic_demo.layers import DemoLayer, decoder, encoder, map_sizes
from xlic.designs.x_lic_demo.parameters import FRACTION_BITS, ONE, LayerParameters, Parameters
from xlic.errors import FormatError
from xlic.files import read_bytes, write_bytes

LANES = 8
TILE = 16
SIZES_FILE = "ana_IHW_OHW_set.bin"
_KERNELS = {"ana": "ana_kernel_w_i16rc_srcb.bin", "syn": "syn_kernel_w_T_i16rc_srcb.bin"}
_ADDED = {"ana": "ana_kernel_w_i16rc_oadd.bin", "syn": "syn_kernel_w_T_i16rc_oadd.bin"}
_LIMIT = 1 << 28


def taps(layer: ConvLayer) -> list[tuple[int, int]]:
    """The order of a kernel's taps ``(row, column)`` in the file."""
    k, s = layer.kernel, layer.stride
    if layer.direction == "down":
        return list(np.ndindex(k, k))
    rows = [[j for j in range(k) if (phase + j - k // 2) % s == 0] for phase in range(s)]
    return [(y, x) for p in range(s) for q in range(s) for y in rows[p] for x in rows[q]]


def read_parameters(folder: Path, filters: int = 128) -> Parameters:
    """Read both transforms.

    Raises:
        InputError: a file is absent.
        FormatError: one has another size than the layers need.
    """
    return Parameters(
        _read(folder, "ana", encoder(filters)), _read(folder, "syn", decoder(filters))
    )


def write_parameters(folder: Path, parameters: Parameters) -> None:
    """Write both transforms into an existing folder.

    Raises:
        InputError: it cannot be written.
    """
    n = parameters.filters
    _write(folder, "ana", encoder(n), parameters.encoder)
    _write(folder, "syn", decoder(n), parameters.decoder)


def sizes_set(height: int, width: int) -> NDArray[np.int32]:
    """Contents of :data:`SIZES_FILE`, int32 ``(20,)``.

    Of the encoder's five passes: input heights, input widths, output heights, output widths.
    """
    picture, first, second, latents = map_sizes(height, width)
    inputs = (picture, first, first, second, second)
    outputs = (first, first, second, second, latents)
    return np.array([*zip(*inputs, strict=True), *zip(*outputs, strict=True)], "<i4").ravel()


def pack_kernel(kernel: NDArray[np.int16], layer: ConvLayer) -> NDArray[np.int16]:
    """A kernel ``(K, K, Cin, Cout)`` in the file's order, flat."""
    flat = np.stack([kernel[y, x] for y, x in taps(layer)])
    return np.concatenate(
        [
            _lanes(flat[:, rows, columns]).transpose(2, 1, 0, 3).ravel()
            for rows, columns in _tiles(layer)
        ]
    )


def unpack_kernel(values: NDArray[np.int16], layer: ConvLayer) -> NDArray[np.int16]:
    """The inverse of :func:`pack_kernel`."""
    k = layer.kernel
    flat = np.zeros((k * k, layer.cin, layer.cout), np.int16)
    at = 0
    for rows, columns in _tiles(layer):
        part = flat[:, rows, columns]
        blocks, inputs = -(-part.shape[2] // LANES), part.shape[1]
        size = blocks * inputs * k * k * LANES
        tile = values[at : at + size].reshape(blocks, inputs, k * k, LANES).transpose(2, 1, 0, 3)
        part[...] = tile.reshape(k * k, inputs, -1)[:, :, : part.shape[2]]
        at += size
    kernel = np.empty((k, k, layer.cin, layer.cout), np.int16)
    for index, (y, x) in enumerate(taps(layer)):
        kernel[y, x] = flat[index]
    return kernel


def _tiles(layer: ConvLayer) -> Iterator[tuple[slice, slice]]:
    for first in range(0, layer.cout, TILE):
        columns = slice(first, min(layer.cout, first + TILE))
        for row in range(0, layer.cin, TILE):
            yield slice(row, min(layer.cin, row + TILE)), columns


def _lanes(part: NDArray[np.int16]) -> NDArray[np.int16]:
    """``(taps, Cin, Cout)`` → ``(taps, Cin, ceil(Cout / 8), 8)``, zeros added."""
    padded = np.pad(part, ((0, 0), (0, 0), (0, -part.shape[2] % LANES)))
    return padded.reshape(*part.shape[:2], -1, LANES)


def _padded(channels: int) -> int:
    return -(-channels // LANES) * LANES


def _kernel_size(layer: ConvLayer) -> int:
    return layer.kernel**2 * layer.cin * _padded(layer.cout)


def _has_bias(layer: DemoLayer) -> bool:
    return layer.conv.bias


def _read(folder: Path, side: str, layers: Sequence[DemoLayer]) -> tuple[LayerParameters, ...]:
    def load(name: str, dtype: str, sizes: list[int]) -> list[NDArray[np.generic]]:
        path = folder / name
        data = read_bytes(path, _LIMIT)
        wanted = sum(sizes) * np.dtype(dtype).itemsize
        if len(data) != wanted:
            raise FormatError(
                f"{path} has {len(data)} bytes, a model of {layers[0].conv.cout} filters has "
                f"{wanted}; is it a file of the X-LIC demo?"
            )
        return np.split(np.frombuffer(data, dtype), np.cumsum(sizes)[:-1])

    cin = [_padded(layer.conv.cin) for layer in layers]
    cout = [_padded(layer.conv.cout) for layer in layers]
    ones = [1] * len(layers)
    kernels = load(_KERNELS[side], "<i2", [_kernel_size(layer.conv) for layer in layers])
    biases = load(
        f"{side}_bias_f32c.bin",
        "<f4",
        [size if _has_bias(layer) else 0 for layer, size in zip(layers, cout, strict=True)],
    )
    inputs = load(f"{side}_i16c_ifm_scale_cb.bin", "<f4", cin)
    steps = load(f"{side}_i16c_kernel_scale_cb.bin", "<f4", cout)
    factors = load(f"{side}_i16c_ofm_scale_cb.bin", "<f4", cout)
    inter_q = load(f"{side}_i16c_interQ.bin", "<i4", ones)
    input_q = load(f"{side}_i16c_ifm_sqQ.bin", "<i4", ones)
    found = []
    for i, layer in enumerate(layers):
        conv = layer.conv
        bias = biases[i][: conv.cout] if _has_bias(layer) else np.zeros(conv.cout)
        scale = inputs[i][: conv.cin].astype(np.float32)
        if layer.kind != "convolution":
            # Exact: the file has scale · 2^-14 there.
            scale = np.ldexp(scale, FRACTION_BITS)
        factor = factors[i][: conv.cout].astype(np.float32)
        found.append(
            LayerParameters(
                unpack_kernel(kernels[i].astype(np.int16), conv),
                bias.astype(np.float32),
                scale,
                steps[i][: conv.cout].astype(np.float32),
                ONE / factor,
                factor,
                int(inter_q[i][0]),
                int(input_q[i][0]),
            )
        )
    # A pass's output is the next one's input, whose scale is in the file as it is.
    scales = [layer.input_scale for layer in found[1:]]
    return tuple(
        LayerParameters(**{**vars(layer), "output_scale": scale})
        for layer, scale in zip(found, [*scales, found[-1].output_scale], strict=True)
    )


def _write(
    folder: Path, side: str, layers: Sequence[DemoLayer], parameters: Sequence[LayerParameters]
) -> None:
    def save(name: str, dtype: str, values: list[NDArray[np.generic]]) -> None:
        write_bytes(folder / name, np.concatenate(values).astype(dtype).tobytes())

    def widened(values: NDArray[np.generic], rest: float = 0) -> NDArray[np.generic]:
        return np.pad(values, (0, -len(values) % LANES), constant_values=rest)

    both = list(zip(layers, parameters, strict=True))
    save(_KERNELS[side], "<i2", [pack_kernel(p.kernel, layer.conv) for layer, p in both])
    biases = [widened(p.bias) for layer, p in both if _has_bias(layer)]
    save(f"{side}_bias_f32c.bin", "<f4", biases)
    save(
        f"{side}_i16c_ifm_scale_cb.bin",
        "<f4",
        [
            widened(
                p.input_scale
                if layer.kind == "convolution"
                else np.ldexp(p.input_scale, -FRACTION_BITS)
            )
            for layer, p in both
        ],
    )
    steps = [widened(p.accumulator_step) for p in parameters]
    save(f"{side}_i16c_kernel_scale_cb.bin", "<f4", steps)
    # Of an empty channel the demo divides by a scale of zero.
    factors = [widened(p.output_factor, np.inf) for p in parameters]
    save(f"{side}_i16c_ofm_scale_cb.bin", "<f4", factors)
    save(f"{side}_i16c_interQ.bin", "<i4", [np.array([p.inter_q]) for p in parameters])
    save(f"{side}_i16c_ifm_sqQ.bin", "<i4", [np.array([p.input_q]) for p in parameters])
    # Values that padding adds to each pass, which its program takes off again.
    weights, added = [], []
    for layer in layers:
        empty = _padded(layer.conv.cout) - layer.conv.cout
        weights.append(np.array([layer.conv.kernel**2 * layer.conv.cin * empty]))
        added.append(np.array([empty if _has_bias(layer) else 0]))
    save(_ADDED[side], "<i4", weights)
    save(f"{side}_bias_f32c_oadd.bin", "<i4", added)
