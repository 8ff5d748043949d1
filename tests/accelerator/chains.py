"""Random layers with their integers, what they must yield, and running them on the machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.accelerator import machine
from tests.sim import oracle
from xlic.accelerator.compiler import Compiled, compile_layers
from xlic.accelerator.isa import InFormat
from xlic.accelerator.specs import LayerSpec, SymbolIntegers
from xlic.architecture import ConvLayer
from xlic.quantization.model import ConvIntegers, GdnIntegers


@dataclass(frozen=True)
class Shape:
    """A layer to be filled with random integers."""

    direction: str
    kernel: int
    stride: int
    cout: int
    normalized: bool = False
    picture: bool = False


def random_spec(rng, index: int, shape: Shape, cin: int, from_bytes: bool) -> LayerSpec:
    """Integers of the whole range, shifts such that some results clip and most do not."""
    inverse = shape.direction == "up"
    name = f"conv_{index}"
    activation = f"{'igdn' if inverse else 'gdn'}_{index}" if shape.normalized else None
    layer = ConvLayer(
        name, shape.direction, shape.kernel, shape.stride, cin, shape.cout, True, activation
    )
    terms = int(np.log2(shape.kernel**2 * cin))
    top = 14 + terms - (7 if from_bytes else 0) + (6 if shape.picture else 0)
    conv = ConvIntegers(
        rng.integers(-32768, 32768, layer.kernel_shape).astype(np.int16),
        rng.integers(-(2**40), 2**40, shape.cout) >> rng.integers(0, 40, shape.cout),
        rng.integers(max(1, top - 4), top + 2, shape.cout),
    )
    gdn = None
    if shape.normalized:
        n = shape.cout
        gdn = GdnIntegers(
            rng.integers(-32768, 32768, (n, n)).astype(np.int16),
            rng.integers(-(2**33), 2**35, n),
            rng.integers(6, 14, n),
            rng.integers(18, 28, n) if inverse else rng.integers(8, 37, n),
        )
    return LayerSpec(layer, conv, gdn, shape.picture)


def random_input(rng, in_format: InFormat, shape: tuple[int, int, int]) -> np.ndarray:
    if in_format is InFormat.U8:
        return rng.integers(0, 256, shape).astype(np.uint8)
    if in_format is InFormat.S32:
        return rng.integers(-3000, 3000, shape) * rng.choice([1, 1, 1, 700_000], shape)
    return rng.integers(-32768, 32768, shape).astype(np.int16)


def random_symbols(rng, channels: int) -> SymbolIntegers:
    return SymbolIntegers(rng.integers(0, 8, channels), rng.integers(-200, 200, channels))


def expected(specs, values, symbols=None, crop=None):
    """All tensors and saturations of a chain by ``tests/sim/oracle.py``."""
    tensors, counts = {}, {}
    if symbols is not None:
        wide = (values.astype(np.int64) << symbols.shift) + symbols.offset
        values, counts["symbols"] = oracle.sat16(wide)
    for spec in specs:
        layer, conv = spec.layer, spec.conv
        rounded = oracle.rshift(oracle.convolve(values, conv.kernel, layer) + conv.bias, conv.shift)
        if spec.picture:
            rounded = np.clip(rounded, 0, 255)
            tensors[layer.name] = rounded if crop is None else rounded[: crop[0], : crop[1]]
            break
        values, counts[layer.name] = oracle.sat16(rounded)
        tensors[layer.name] = values
        if spec.gdn is not None:
            function = oracle.gdn_inverse if layer.inverse else oracle.gdn_forward
            values, counts[layer.activation] = function(values, spec.gdn)
            tensors[layer.activation] = values
    return tensors, counts


def run_compiled(compiled: Compiled, values, fill: int = 0xA5):
    """Run on the machine; returns the window and the results per layer."""
    window = compiled.new_window(fill)
    compiled.write_input(window, values)
    before = window.copy()
    results = machine.run(window, compiled.memory.program, compiled.design)
    check_accesses(compiled, before, window, results)
    return window, results


def check_accesses(compiled: Compiled, before, after, results) -> None:
    """Each layer writes every beat of its output once and no other, and reads its input only."""
    tensors = [compiled.memory.input, *compiled.memory.tensors.values()]
    written = np.zeros(compiled.memory.beats, bool)
    for entry, record, result in zip(
        compiled.layers, compiled.program.layers, results, strict=True
    ):
        target = compiled.memory.tensor(entry.output)
        wanted = np.zeros(compiled.memory.beats, np.int64)
        wanted[target.offset : target.offset + target.beats] = 1
        assert np.array_equal(result.writes, wanted), entry.output
        source = next(tensor for tensor in tensors if tensor.offset == record.in_offset)
        outside = result.reads.copy()
        outside[source.offset : source.offset + source.beats] = 0
        assert not outside.any(), entry.output
        written |= result.writes > 0
    changed = (before != after).reshape(-1, 16).any(axis=1)
    assert not (changed & ~written).any()


def check_chain(specs, values, design, keep=(), *, in_format=InFormat.I16, symbols=None, crop=None):
    """Compile, run, compare every tensor in memory and every count; returns what was compiled."""
    compiled = compile_layers(
        specs,
        values.shape,
        design,
        keep,
        input_format=in_format,
        symbols=symbols,
        crop=crop,
    )
    window, results = run_compiled(compiled, values)
    tensors, counts = expected(specs, values, symbols, crop)
    compare(compiled, window, results, tensors, counts)
    return compiled


def compare(compiled: Compiled, window, results, tensors, counts, symbols="symbols") -> None:
    stored = {entry.output for entry in compiled.layers}
    assert stored == set(compiled.memory.tensors)
    for name in stored:
        found = compiled.read(window, name)
        assert found.shape == tensors[name].shape
        assert np.array_equal(found, tensors[name]), name
    for index, (entry, result) in enumerate(zip(compiled.layers, results, strict=True)):
        names = entry.names
        assert result.conv_saturations == counts.get(names[0], 0), names
        assert result.activation_saturations == (counts[names[1]] if len(names) == 2 else 0)
        first = compiled.program.layers[index].in_offset == compiled.memory.input.offset
        assert result.input_saturations == (counts.get(symbols, 0) if first else 0)


def padding_is_zero(compiled: Compiled, window, name: str) -> bool:
    """Whether all that pads a tensor in memory is zero."""
    tensor = compiled.memory.tensor(name)
    stored = tensor.place(window)
    return np.array_equal(tensor.pack(tensor.unpack(stored)), stored)
