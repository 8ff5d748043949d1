"""One transform of one picture on the simulated RTL: cycles, utilization, equality with ``sim``.

The prediction of :mod:`xlic.accelerator.cycles` comes in the same form, so that one table and one
JSON serve both.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator.compiler import Compiled, Transform, compile_transform
from xlic.accelerator.cycles import predict
from xlic.accelerator.design import Design
from xlic.accelerator.device import Device
from xlic.accelerator.driver import Driver
from xlic.accelerator.timing import CLOCK_HZ, MemoryTiming
from xlic.accelerator.verilated import open_verilated
from xlic.files import Progress
from xlic.quantization.model import QuantizedModel
from xlic.rungs.int16 import Int16Rung

_CHUNK = 200_000
"""Cycles between two signs of progress."""


@dataclass(frozen=True)
class LayerMeasure:
    """A layer with the normalization behind it.

    Attributes:
        name: of its convolution.
        tensors: what it computes.
        cycles: from the end of the layer before (of the start) to its own.
        macs: the architecture's multiply-accumulates, taps on padding counted.
        utilization: ``macs`` / (``cycles`` × multipliers).
        load_wait: cycles that the array waited for input.
        weight_wait: for weights.
        store_wait: for results before to be drained or stored.
        equal: whether its result equals the simulation's, element by element; None in a prediction.
    """

    name: str
    tensors: tuple[str, ...]
    cycles: int
    macs: int
    utilization: float
    load_wait: int
    weight_wait: int
    store_wait: int
    equal: bool | None


@dataclass(frozen=True)
class Measure:
    """A transform.

    Attributes:
        kind: ``rtl`` or ``model``.
        transform: ``encode`` or ``decode``.
        size: height and width of the picture.
        design: what it ran on.
        memory: how fast memory answered.
        layers: in order.
        cycles: from start to done.
    """

    kind: str
    transform: str
    size: tuple[int, int]
    design: Design
    memory: MemoryTiming
    layers: tuple[LayerMeasure, ...]
    cycles: int

    @property
    def macs(self) -> int:
        """Of all layers."""
        return sum(layer.macs for layer in self.layers)

    @property
    def utilization(self) -> float:
        """Share of the multipliers' cycles, everything from start to done counted."""
        return self.macs / (self.cycles * self.design.macs)

    @property
    def milliseconds(self) -> float:
        """At :data:`~xlic.accelerator.timing.CLOCK_HZ`."""
        return self.cycles / CLOCK_HZ * 1e3

    @property
    def equal(self) -> bool | None:
        """Whether every layer equals the simulation; None in a prediction."""
        verdicts = [layer.equal for layer in self.layers]
        return None if None in verdicts else all(verdicts)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "kind": self.kind,
            "transform": self.transform,
            "size": {"height": self.size[0], "width": self.size[1]},
            "design": asdict(self.design) | {"macs": self.design.macs},
            "memory": asdict(self.memory),
            "layers": [asdict(layer) for layer in self.layers],
            "total": {
                "cycles": self.cycles,
                "macs": self.macs,
                "utilization": self.utilization,
                "milliseconds_at_200_mhz": self.milliseconds,
                "load_wait": sum(layer.load_wait for layer in self.layers),
                "weight_wait": sum(layer.weight_wait for layer in self.layers),
                "store_wait": sum(layer.store_wait for layer in self.layers),
                "equal": self.equal,
            },
        }


def measure_rtl(
    model: QuantizedModel,
    image: NDArray[np.uint8],
    transform: Transform,
    design: Design,
    memory: MemoryTiming,
    progress: Progress | None = None,
) -> Measure:
    """Run the verilated RTL and compare every layer's result with the simulation.

    Args:
        model: the integers.
        image: uint8 ``(H, W, 3)``; ``decode`` decodes its symbols.
        transform: ``encode`` or ``decode``.
        design: array and buffers.
        memory: how fast memory answers.
        progress: called while the RTL is built and while it runs.

    Raises:
        MissingToolError: Verilator is absent.
        InputError: picture or model do not fit the design.
        AcceleratorError: the RTL stopped with an error or did not end.
    """
    size = (image.shape[0], image.shape[1])
    compiled = compile_transform(model, transform, size, design)
    stored = [layer.output for layer in compiled.layers]
    sim = Int16Rung(model)
    if transform == "encode":
        values: NDArray[Any] = image
        reference = sim.analyze(image, keep=stored).tensors
    else:
        values = sim.analyze(image).output
        reference = sim.synthesize(values, size, keep=stored).tensors
    expected = sum(layer.cycles for layer in predict(compiled, memory))
    with open_verilated(design, compiled.memory.bytes, timing=memory, progress=progress) as device:
        watched = device if progress is None else _Watched(device, progress, transform, expected)
        execution = Driver(watched).execute(compiled, values)
        layers = tuple(
            _layer(
                compiled,
                index,
                counters,
                np.array_equal(compiled.read(device.memory, name), reference[name]),
            )
            for index, (name, counters) in enumerate(zip(stored, execution.layers, strict=True))
        )
    return Measure("rtl", transform, size, design, memory, layers, execution.cycles)


def predict_measure(
    model: QuantizedModel,
    size: tuple[int, int],
    transform: Transform,
    design: Design,
    memory: MemoryTiming,
) -> Measure:
    """What :func:`measure_rtl` would measure, from the cycle model."""
    compiled = compile_transform(model, transform, size, design)
    predicted = predict(compiled, memory)
    layers = tuple(_layer(compiled, index, x, None) for index, x in enumerate(predicted))
    cycles = sum(layer.cycles for layer in layers)
    return Measure("model", transform, size, design, memory, layers, cycles)


def _layer(compiled: Compiled, index: int, counters: Any, equal: bool | None) -> LayerMeasure:
    layer = compiled.layers[index]
    return LayerMeasure(
        layer.layer.name,
        layer.names,
        counters.cycles,
        layer.macs,
        layer.macs / (counters.cycles * compiled.design.macs),
        counters.load_wait,
        counters.weight_wait,
        counters.store_wait,
        equal,
    )


class _Watched:
    """A device that tells how far it is."""

    def __init__(self, device: Device, progress: Progress, title: str, expected: int) -> None:
        self._device = device
        self._progress = progress
        self._title = title
        self._expected = expected

    @property
    def memory(self) -> NDArray[np.uint8]:
        return self._device.memory

    @property
    def window_address(self) -> int:
        return self._device.window_address

    def read(self, address: int) -> int:
        return self._device.read(address)

    def write(self, address: int, value: int) -> None:
        self._device.write(address, value)

    def wait(self, cycles: int) -> bool:
        for done in range(0, cycles, _CHUNK):
            self._progress(self._title, min(done, self._expected), self._expected)
            if self._device.wait(min(_CHUNK, cycles - done)):
                return True
        return False
