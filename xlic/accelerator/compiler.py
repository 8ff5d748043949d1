"""From integers to a program and the memory that it runs in."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator.assembler import Assembler
from xlic.accelerator.design import Design
from xlic.accelerator.isa import InFormat
from xlic.accelerator.lowering import lower, output_tensor
from xlic.accelerator.memory import (
    Allocator,
    Layout,
    MemoryMap,
    Tensor,
    memory_map,
    place,
)
from xlic.accelerator.program import Program
from xlic.accelerator.specs import INPUT_NAMES, LayerSpec, SymbolIntegers, check_chain
from xlic.architecture import (
    IMAGE_CHANNELS,
    ConvLayer,
    analysis_layers,
    symbol_size,
    synthesis_layers,
)
from xlic.errors import InputError
from xlic.images import check_size
from xlic.quantization.model import DECODER_INPUT, QuantizedModel
from xlic.rungs.checks import check_names

Transform = Literal["encode", "decode"]
TRANSFORMS: tuple[Transform, ...] = ("encode", "decode")

_LAYOUTS = {
    InFormat.I16: Layout.MAP,
    InFormat.U8: Layout.PICTURE,
    InFormat.S32: Layout.SYMBOLS,
}


@dataclass(frozen=True)
class CompiledLayer:
    """A layer of the program.

    Attributes:
        layer: whose it is.
        output: name of the tensor that it stores.
        extra: whether it runs only because the tensor ahead of its normalization was asked for;
            the whole layer follows, and counts the same saturations again.
        macs: the architecture's multiply-accumulates of its convolution and normalization.
    """

    layer: ConvLayer
    output: str
    extra: bool
    macs: int

    @property
    def names(self) -> tuple[str, ...]:
        """Tensors whose saturations it counts: of the convolution, of the normalization."""
        return self.layer.names[:1] if self.extra else self.layer.names


@dataclass(frozen=True)
class Compiled:
    """A program with its memory.

    Attributes:
        design: what it was compiled for.
        program: the program.
        memory: where it, its input and all tensors lie.
        layers: what each layer of the program is.
    """

    design: Design
    program: Program
    memory: MemoryMap
    layers: tuple[CompiledLayer, ...]

    def new_window(self, fill: int = 0) -> NDArray[np.uint8]:
        """A window of the right size, every byte ``fill``, with the program in it."""
        window = np.full(self.memory.bytes, fill, np.uint8)
        self.write_program(window)
        return window

    def write_program(self, window: NDArray[np.uint8]) -> None:
        """Put the program into a window.

        Raises:
            InputError: the window is too short.
        """
        beats = self.memory.program_beats
        target = place(window, self.memory.program, beats, "the program")
        target[:] = np.frombuffer(self.program.to_bytes(), np.uint8)

    def write_input(self, window: NDArray[np.uint8], values: NDArray[Any]) -> None:
        """Put the input ``(H, W, C)`` into a window.

        Raises:
            InputError: another shape, values beyond the format, or too short a window.
        """
        self.memory.input.write(window, values)

    def poison(self, window: NDArray[np.uint8], fill: int = 0xA5) -> None:
        """Overwrite everything that the accelerator is to write."""
        for tensor in self.memory.tensors.values():
            tensor.place(window)[:] = fill

    def read(self, window: NDArray[np.uint8], name: str) -> NDArray[Any]:
        """A tensor ``(H, W, C)`` by name: int16, or uint8 of a picture.

        Raises:
            InputError: it is not in memory, or the window is too short.
        """
        return self.memory.tensor(name).read(window)

    @property
    def output(self) -> str:
        """Name of the last tensor."""
        return self.layers[-1].output


def compile_transform(
    model: QuantizedModel,
    transform: Transform,
    size: tuple[int, int],
    design: Design,
    keep: Collection[str] = (),
) -> Compiled:
    """Compile the encoder's or the decoder's layers for pictures of one size.

    The input is ``image``, uint8 ``(H, W, 3)``, or ``symbols``, integers of 32 bits ``(h, w, N)``;
    the output ``ana_2``, int16, or ``syn_2``, uint8 ``(H, W, 3)``.

    Args:
        model: the integers.
        transform: which of the two.
        size: height and width of the picture.
        design: what to compile for.
        keep: names of tensors that must be in memory after the run; those that end a layer are
            anyway.

    Raises:
        InputError: a size or design that does not fit, with what would; an unknown name.
    """
    if transform not in TRANSFORMS:
        raise InputError(f"no transform {transform!r}; there are {', '.join(TRANSFORMS)}")
    check_size(*size, "picture")
    if transform == "encode":
        return compile_layers(
            [_spec(layer, model) for layer in analysis_layers(model.filters)],
            (*size, IMAGE_CHANNELS),
            design,
            keep,
            input_format=InFormat.U8,
        )
    symbols = SymbolIntegers(model.fraction_bits[DECODER_INPUT], model.latent_offset)
    specs = [_spec(layer, model) for layer in synthesis_layers(model.filters)]
    specs[-1] = replace(specs[-1], picture=True)
    return compile_layers(
        specs,
        (*symbol_size(*size), model.filters),
        design,
        keep,
        input_format=InFormat.S32,
        symbols=symbols,
        crop=size,
    )


def compile_layers(
    specs: Sequence[LayerSpec],
    input_shape: tuple[int, int, int],
    design: Design,
    keep: Collection[str] = (),
    *,
    input_format: InFormat = InFormat.I16,
    symbols: SymbolIntegers | None = None,
    crop: tuple[int, int] | None = None,
) -> Compiled:
    """Compile a chain of layers.

    Args:
        specs: the layers in order; only the last may yield a picture.
        input_shape: ``(H, W, C)``.
        design: what to compile for.
        keep: names of tensors ahead of a normalization that must be in memory too.
        input_format: how the input lies in memory; it is called ``input``, ``image`` (U8) or
            ``symbols`` (S32).
        symbols: what turns symbols into int16; with S32 and with nothing else.
        crop: height and width of the last output, if not all of it is wanted.

    Raises:
        InputError: a shape that the accelerator cannot take, or that this design cannot: then with
            the parameter that would have to be larger. An unknown name in ``keep``.
        FormatError: integers outside the contract, sizes that no field can hold.
    """
    check_chain(specs, input_shape, input_format, symbols)
    check_names(keep, tuple(name for spec in specs for name in spec.layer.names))
    allocator, assembler = Allocator(), Assembler(design)
    source = _allocated(
        Tensor(INPUT_NAMES[input_format], _LAYOUTS[input_format], *input_shape), allocator
    )
    first = source
    tensors: dict[str, Tensor] = {}
    compiled: list[CompiledLayer] = []
    for index, spec in enumerate(specs):
        layer = spec.layer
        size = layer.output_size(source.height, source.width)
        if crop is not None and index == len(specs) - 1:
            size = _cropped(layer, size, crop)
        macs = layer.macs(source.height, source.width)
        variants = [spec]
        if spec.gdn is not None and layer.name in keep:
            bare = replace(spec, layer=replace(layer, activation=None), gdn=None)
            variants.insert(0, bare)
        for variant in variants:
            target = _allocated(output_tensor(variant, *size), allocator)
            lower(assembler, variant, source, target, symbols if index == 0 else None)
            tensors[target.name] = target
            counted = sum(macs[name] for name in variant.layer.names)
            compiled.append(CompiledLayer(layer, target.name, variant is not spec, counted))
        source = target
    program = assembler.program()
    memory = memory_map(first, tensors, allocator, program.beats)
    return Compiled(design, program, memory, tuple(compiled))


def _spec(layer: ConvLayer, model: QuantizedModel) -> LayerSpec:
    gdn = None if layer.activation is None else model.gdns[layer.activation]
    return LayerSpec(layer, model.convs[layer.name], gdn)


def _allocated(tensor: Tensor, allocator: Allocator) -> Tensor:
    return replace(tensor, offset=allocator.take(tensor.beats, tensor.name))


def _cropped(layer: ConvLayer, size: tuple[int, int], crop: tuple[int, int]) -> tuple[int, int]:
    if not (1 <= crop[0] <= size[0] and 1 <= crop[1] <= size[1]):
        raise InputError(
            f"{layer.name} yields {size[1]}×{size[0]}, which cannot be cropped to "
            f"{crop[1]}×{crop[0]}; crop to that or less"
        )
    return crop
