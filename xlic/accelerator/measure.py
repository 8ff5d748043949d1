"""One transform of one picture on RTL or HLS C++: cycles, utilization, equality with ``sim``.

The prediction of :mod:`xlic.accelerator.cycles` comes in the same form, so that one table and one
JSON serve both.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator.compiler import Compiled, Transform, compile_transform
from xlic.accelerator.cycles import predict
from xlic.accelerator.design import Design
from xlic.accelerator.device import Device
from xlic.accelerator.driver import Driver
from xlic.accelerator.native import NativeDevice
from xlic.accelerator.timing import CLOCK_HZ, MemoryTiming
from xlic.accelerator.verilated import open_verilated
from xlic.files import LongPhase, Progress
from xlic.limits.observe import LimitObserver, Reached
from xlic.quantization.model import DECODER_INPUT, QuantizedModel
from xlic.rungs.accelerator import saturations
from xlic.rungs.differences import Difference, differences
from xlic.rungs.int16 import Int16Rung
from xlic.rungs.interface import Run

Kind = Literal["rtl", "hls", "model"]

_CHUNK = 200_000
"""Cycles between two signs of progress."""
_CYCLES_PER_SECOND = {"rtl": 300_000, "hls": 8_000_000}
"""Of the simulators, for the default design on an ordinary machine: what is foretold."""


@dataclass(frozen=True)
class LayerMeasure:
    """A layer with the normalization behind it.

    Attributes:
        name: of the tensor that it stores and that is compared: ``gdn_0`` is ``ana_0`` with its
            normalization.
        tensors: what it computes.
        cycles: from the end of the layer before (of the start) to its own; in HLS C++, of the
            array.
        macs: the architecture's multiply-accumulates, taps on padding counted.
        utilization: ``macs`` / (``cycles`` × multipliers).
        load_wait: cycles that the array waited for input; None in HLS C++, as the next two.
        weight_wait: for weights.
        store_wait: for results before to be drained or stored.
        equal: whether its result equals the simulation's, element by element, and as much was
            clipped; None in a prediction.
        saturations: by tensor, how many elements it clipped; None in a prediction.
    """

    name: str
    tensors: tuple[str, ...]
    cycles: int
    macs: int
    utilization: float
    load_wait: int | None
    weight_wait: int | None
    store_wait: int | None
    equal: bool | None
    saturations: dict[str, int] | None


@dataclass(frozen=True)
class Measure:
    """A transform.

    Attributes:
        kind: ``rtl``, ``hls``, or ``model``: predicted.
        transform: ``encode`` or ``decode``.
        size: height and width of the picture.
        design: what it ran on.
        memory: how fast memory answered; None in HLS C++, which has no time.
        layers: in order.
        cycles: from start to done.
        differences: from the simulation.
        reached: limits of the contract that the picture's operands reached; None in a prediction.
    """

    kind: Kind
    transform: Transform
    size: tuple[int, int]
    design: Design
    memory: MemoryTiming | None
    layers: tuple[LayerMeasure, ...]
    cycles: int
    differences: tuple[Difference, ...] = ()
    reached: Reached | None = None

    @property
    def macs(self) -> int:
        """Of all layers."""
        return sum(layer.macs for layer in self.layers)

    @property
    def utilization(self) -> float:
        """Share of the multipliers' cycles, everything from start to done counted."""
        return self.macs / (self.cycles * self.design.macs)

    @property
    def milliseconds(self) -> float | None:
        """At :data:`~xlic.accelerator.timing.CLOCK_HZ`; None in HLS C++."""
        return None if self.memory is None else self.cycles / CLOCK_HZ * 1e3

    def total(self, wait: str) -> int | None:
        """Sum of ``load_wait``, ``weight_wait`` or ``store_wait``; None in HLS C++."""
        waits = [getattr(layer, wait) for layer in self.layers]
        return None if None in waits else sum(waits)

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
            "memory": None if self.memory is None else asdict(self.memory),
            "layers": [asdict(layer) for layer in self.layers],
            "total": {
                "cycles": self.cycles,
                "macs": self.macs,
                "utilization": self.utilization,
                "milliseconds_at_200_mhz": self.milliseconds,
                **{wait: self.total(wait) for wait in ("load_wait", "weight_wait", "store_wait")},
                "equal": self.equal,
            },
            "differences": [each.as_dict() for each in self.differences],
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

    def opened(size: int) -> AbstractContextManager[Device]:
        return open_verilated(design, size, timing=memory, progress=progress)

    return _measure("rtl", model, image, transform, design, memory, opened, progress)


def measure_hls(
    model: QuantizedModel,
    image: NDArray[np.uint8],
    transform: Transform,
    design: Design,
    progress: Progress | None = None,
) -> Measure:
    """Run the compiled HLS C++ and compare every layer's result with the simulation.

    Its cycles are those in which the array multiplies: it knows nothing of waiting.

    Args:
        model: the integers.
        image: uint8 ``(H, W, 3)``; ``decode`` decodes its symbols.
        transform: ``encode`` or ``decode``.
        design: array and buffers.
        progress: called while it is compiled and while it runs.

    Raises:
        MissingToolError: there is no compiler.
        InputError: picture or model do not fit the design.
        AcceleratorError: it stopped with an error or did not end.
    """

    def opened(size: int) -> AbstractContextManager[Device]:
        return nullcontext(NativeDevice(design, size, progress=progress))

    return _measure("hls", model, image, transform, design, None, opened, progress)


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
    layers = tuple(_layer(compiled, index, x, "model") for index, x in enumerate(predicted))
    cycles = sum(layer.cycles for layer in layers)
    return Measure("model", transform, size, design, memory, layers, cycles)


def _measure(
    kind: Kind,
    model: QuantizedModel,
    image: NDArray[np.uint8],
    transform: Transform,
    design: Design,
    memory: MemoryTiming | None,
    opened: Callable[[int], AbstractContextManager[Device]],
    progress: Progress | None,
) -> Measure:
    size = (image.shape[0], image.shape[1])
    compiled = compile_transform(model, transform, size, design)
    stored = [layer.output for layer in compiled.layers]
    observer = LimitObserver(model)
    sim = Int16Rung(model, observer)
    if transform == "encode":
        values: NDArray[Any] = image
        expected = sim.analyze(image, keep=stored)
    else:
        values = Int16Rung(model).analyze(image).output
        expected = sim.synthesize(values, size, keep=stored)
    cycles = sum(layer.cycles for layer in predict(compiled, memory or MemoryTiming()))
    seconds = max(1, round(cycles / _CYCLES_PER_SECOND[kind]))
    phase = f"{transform} in {kind}, {cycles:,} cycles"
    if seconds > 2:
        phase = LongPhase(phase, f"{seconds} s")
    with opened(compiled.memory.bytes) as device:
        watched = device if progress is None else _Watched(device, progress, phase, cycles)
        execution = Driver(watched).execute(compiled, values)
        tensors = {name: compiled.read(device.memory, name) for name in stored}
    found = Run(tensors[compiled.output], tensors, saturations(compiled, execution))
    wrong = differences(found, expected)
    layers = tuple(
        _layer(compiled, index, counters, kind, found, wrong)
        for index, counters in enumerate(execution.layers)
    )
    return Measure(
        *(kind, transform, size, design, memory, layers, execution.cycles, wrong),
        reached=observer.reached,
    )


def _layer(
    compiled: Compiled,
    index: int,
    counters: Any,
    kind: Kind,
    found: Run | None = None,
    wrong: tuple[Difference, ...] = (),
) -> LayerMeasure:
    layer = compiled.layers[index]
    timed = kind != "hls"
    names = layer.names if index else (DECODER_INPUT, *layer.names)
    equal = counted = None
    if found is not None:
        equal = not any(each.tensor in names for each in wrong)
        counted = {name: found.saturations[name] for name in names if name in found.saturations}
    return LayerMeasure(
        layer.output,
        layer.names,
        counters.cycles,
        layer.macs,
        layer.macs / (counters.cycles * compiled.design.macs),
        counters.load_wait if timed else None,
        counters.weight_wait if timed else None,
        counters.store_wait if timed else None,
        equal,
        counted,
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
