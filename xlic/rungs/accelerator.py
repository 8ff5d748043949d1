"""A rung over any accelerator: compiled programs on HLS C++, on RTL, on a board.

The accelerator counts saturations per tensor, not per channel, so
:attr:`~xlic.rungs.interface.Run.channel_saturations` stays empty.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator.compiler import Compiled, Transform, compile_transform
from xlic.accelerator.design import Design
from xlic.accelerator.device import Device
from xlic.accelerator.driver import Driver, Execution
from xlic.accelerator.memory import Layout
from xlic.architecture import ANALYSIS_NAMES, SYNTHESIS_NAMES
from xlic.files import Progress
from xlic.images import check_pixels
from xlic.quantization.model import DECODER_INPUT, QuantizedModel
from xlic.rungs.checks import check_names, check_symbols
from xlic.rungs.interface import Run

DeviceFactory = Callable[[int], Device]
"""Makes a device with at least so many bytes of memory."""

_PROGRAMS = 8
"""Compiled programs to keep: an image's two transforms, with and without tensors kept."""

_Key = tuple[Transform, tuple[int, int], frozenset[str]]


class AcceleratorRung:
    """The codec on an accelerator; see :class:`xlic.rungs.interface.Run` for its tensors.

    Args:
        name: of the rung.
        model: the integers.
        devices: makes the device, at the first run and whenever one needs more memory.
        design: what to compile for.
        clock_hz: of the accelerator; where it is given, a layer's cycles become seconds.
    """

    def __init__(
        self,
        name: str,
        model: QuantizedModel,
        devices: DeviceFactory,
        design: Design,
        clock_hz: float | None = None,
    ) -> None:
        self.model = model
        self.design = design
        self.execution: Execution | None = None
        """Counters of the last run."""
        self._name = name
        self._devices = devices
        self._clock_hz = clock_hz
        self._driver: Driver | None = None
        self._programs: OrderedDict[_Key, Compiled] = OrderedDict()

    @property
    def name(self) -> str:
        """Name of the rung."""
        return self._name

    def analyze(
        self,
        image: NDArray[np.uint8],
        *,
        keep: Collection[str] = (),
        progress: Progress | None = None,
    ) -> Run:
        """Encode, see :meth:`xlic.rungs.interface.Rung.analyze`.

        Raises:
            AcceleratorError: the accelerator failed.
        """
        check_names(keep, ANALYSIS_NAMES)
        pixels = check_pixels(image)
        size = (pixels.shape[0], pixels.shape[1])
        return self._run("encode", size, pixels, keep, progress, np.int32)

    def synthesize(
        self,
        symbols: NDArray[Any],
        size: tuple[int, int],
        *,
        keep: Collection[str] = (),
        progress: Progress | None = None,
    ) -> Run:
        """Decode, see :meth:`xlic.rungs.interface.Rung.synthesize`.

        Raises:
            AcceleratorError: the accelerator failed.
        """
        check_names(keep, SYNTHESIS_NAMES)
        check_symbols(symbols, size, self.model.filters)
        return self._run("decode", size, symbols, keep, progress, np.uint8)

    def _run(
        self,
        transform: Transform,
        size: tuple[int, int],
        values: NDArray[Any],
        keep: Collection[str],
        progress: Progress | None,
        dtype: type[np.generic],
    ) -> Run:
        if progress is not None:
            progress(f"{self._name} {transform}", 0, 1)
        compiled = self._compiled(transform, size, keep)
        driver = self._driver_for(compiled)
        self.execution = execution = driver.execute(compiled, values)
        memory = driver.device.memory
        tensors = {name: compiled.read(memory, name) for name in keep}
        output = compiled.read(memory, compiled.output).astype(dtype)
        if progress is not None:
            progress("done", 1, 1)
        return Run(
            output,
            tensors,
            saturations(compiled, execution),
            self._seconds(compiled, execution),
        )

    def _compiled(
        self, transform: Transform, size: tuple[int, int], keep: Collection[str]
    ) -> Compiled:
        key = transform, size, frozenset(keep)
        if key in self._programs:
            self._programs.move_to_end(key)
            return self._programs[key]
        compiled = compile_transform(self.model, transform, size, self.design, keep)
        self._programs[key] = compiled
        if len(self._programs) > _PROGRAMS:
            self._programs.popitem(last=False)
        return compiled

    def _driver_for(self, compiled: Compiled) -> Driver:
        if self._driver is None or len(self._driver.device.memory) < compiled.memory.bytes:
            # The old device's memory goes first: both together may be too much.
            self._driver = None
            self._driver = Driver(self._devices(compiled.memory.bytes))
        return self._driver

    def _seconds(self, compiled: Compiled, execution: Execution) -> dict[str, float]:
        seconds: dict[str, float] = {}
        if self._clock_hz is None:
            return seconds
        for layer, counters in zip(compiled.layers, execution.layers, strict=True):
            # The last of a layer that runs twice is the one that the codec consists of.
            seconds[layer.layer.name] = counters.cycles / self._clock_hz
        return seconds


def saturations(compiled: Compiled, execution: Execution) -> dict[str, int]:
    """What the accelerator counted, by tensor, as :attr:`~xlic.rungs.interface.Run.saturations`."""
    found: dict[str, int] = {}
    if compiled.memory.input.layout is Layout.SYMBOLS:
        found[DECODER_INPUT] = execution.layers[0].input_saturations
    for layer, counters in zip(compiled.layers, execution.layers, strict=True):
        counted = (counters.conv_saturations, counters.activation_saturations)
        # A clipped pixel of the picture is no saturation.
        names = [name for name in layer.names if name != SYNTHESIS_NAMES[-1]]
        found |= dict(zip(names, counted, strict=False))
    return found
