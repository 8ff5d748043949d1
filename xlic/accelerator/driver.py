"""The host's side of the accelerator: identity, one run, its errors and counters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from xlic.accelerator.compiler import Compiled
from xlic.accelerator.design import Design
from xlic.accelerator.device import Device
from xlic.accelerator.isa import (
    COUNTER_WORDS,
    INTERFACE_VERSION,
    MAGIC,
    WATCHDOG_CYCLES,
    Control,
    Counter,
    ErrorCode,
    Info,
    Register,
)
from xlic.accelerator.program import Program
from xlic.errors import AcceleratorError, DesignMismatchError, InputError

CYCLE_LIMIT_FACTOR = 64
"""A run may take that many times the cycles in which the array multiplies: memory that slow is
broken."""
CYCLE_LIMIT_FLOOR = 1 << 24
_LOOKS = 16
"""At an accelerator that comes to rest, in the time of its watchdog."""

_REMEDIES = {
    ErrorCode.MAGIC: "load the program before the start; is the window's address right?",
    ErrorCode.VERSION: "compile it with the xlic that the accelerator was built with",
    ErrorCode.DESIGN: "compile it for the design that the identity registers name",
    ErrorCode.CAPACITY: "compile it for the design that the identity registers name",
    ErrorCode.TABLES_CRC: "the program was damaged in memory: load it again",
    ErrorCode.WEIGHTS_CRC: "the program was damaged in memory: load it again",
    ErrorCode.WINDOW: "give a window as long as the program's memory map",
    ErrorCode.READ: "check the window's address, and that memory answers there",
    ErrorCode.WRITE: "check the window's address, and that memory can be written there",
    ErrorCode.LAYER: "compile the program again with `xlic compile`",
    ErrorCode.PASS: "compile the program again with `xlic compile`",
    ErrorCode.STALL: "is the memory's clock running?",
}
_BEFORE_LAYERS = (
    *(ErrorCode.MAGIC, ErrorCode.VERSION, ErrorCode.DESIGN),
    *(ErrorCode.CAPACITY, ErrorCode.TABLES_CRC),
)
"""Errors that concern the whole program."""

_CAPACITIES = {
    "input_words": Info.INPUT_WORDS,
    "weight_words": Info.WEIGHT_WORDS,
    "param_words": Info.PARAM_WORDS,
    "pass_words": Info.PASS_WORDS,
    "tap_words": Info.TAP_WORDS,
    "channels": Info.CHANNELS,
}


@dataclass(frozen=True)
class Identity:
    """What an accelerator says of itself.

    Attributes:
        version: of the interface.
        design: its array and buffers.
        source_hash: first 64 bits of the SHA-256 of its sources.
        layers: most layers of a program.
    """

    version: int
    design: Design
    source_hash: int
    layers: int


@dataclass(frozen=True)
class LayerCounters:
    """Counters of one layer of a program, see :class:`~xlic.accelerator.isa.Counter`."""

    cycles: int
    active: int
    load_wait: int
    weight_wait: int
    store_wait: int
    conv_saturations: int
    activation_saturations: int
    input_saturations: int


@dataclass(frozen=True)
class Execution:
    """A run that ended well.

    Attributes:
        cycles: from start to done.
        layers: counters of each layer.
    """

    cycles: int
    layers: tuple[LayerCounters, ...]


class Driver:
    """Drives one accelerator.

    Raises:
        DesignMismatchError: there is none behind these registers, or of another version.
    """

    def __init__(self, device: Device) -> None:
        """Read the identity of ``device``."""
        self.device = device
        self.identity = self._identity()

    def require(self, design: Design) -> None:
        """Refuse an accelerator that cannot run programs compiled for ``design``.

        Raises:
            DesignMismatchError: another array, or smaller buffers.
        """
        found = self.identity.design
        if found.array != design.array:
            raise DesignMismatchError(
                f"the accelerator has an array of {_array(found)}, expected {_array(design)}; "
                "load the other bitstream or compile for this design"
            )
        for name in _CAPACITIES:
            if getattr(found, name) < getattr(design, name):
                raise DesignMismatchError(
                    f"the accelerator has {name} {getattr(found, name)}, expected "
                    f"{getattr(design, name)} or more; compile for this design"
                )

    def execute(
        self, compiled: Compiled, values: NDArray[Any], cycle_limit: int | None = None
    ) -> Execution:
        """Load program and input, overwrite all outputs with 0xA5, run, check.

        Tensors are then in the window: ``compiled.read(driver.device.memory, name)``.

        Args:
            compiled: for this accelerator's design.
            values: the input ``(H, W, C)``.
            cycle_limit: clock cycles to wait; None takes many times what the array needs.

        Raises:
            InputError: the input does not fit the program, or the window the device's memory.
            DesignMismatchError: compiled for another design.
            AcceleratorError: it stopped with an error, or did not end.
        """
        self.require(compiled.design)
        window, size = self.device.memory, compiled.memory.bytes
        if len(window) < size:
            raise InputError(
                f"the program needs a window of {size} bytes, the device has {len(window)}; "
                "give it more memory or use a smaller picture"
            )
        self._wait_for_rest()  # until then it may write to the window
        compiled.write_program(window)
        compiled.write_input(window, values)
        compiled.poison(window)
        if cycle_limit is None:
            cycle_limit = CYCLE_LIMIT_FLOOR + CYCLE_LIMIT_FACTOR * array_cycles(compiled.program)
        names = [layer.output for layer in compiled.layers]
        execution = self._run(
            compiled.memory.program, compiled.memory.beats, len(names), cycle_limit, names
        )
        ran = self._info(Info.PROGRAM_HIGH) << 32 | self._info(Info.PROGRAM_LOW)
        if ran != int(compiled.program.identity, 16):
            raise AcceleratorError(
                f"the accelerator ran the program {ran:016x}, not {compiled.program.identity}; "
                "does the host's memory reach it (caches, window address)?"
            )
        return execution

    def run(
        self,
        program: int,
        window_beats: int,
        layers: int,
        *,
        cycle_limit: int,
        names: Sequence[str] = (),
    ) -> Execution:
        """Run what lies in the window.

        Args:
            program: first beat of the program.
            window_beats: length of the window that the accelerator may touch.
            layers: how many the program has.
            cycle_limit: clock cycles to wait.
            names: of the layers, for messages.

        Raises:
            AcceleratorError: it is busy, stopped with an error, or did not end.
        """
        self._wait_for_rest()
        return self._run(program, window_beats, layers, cycle_limit, names)

    def _run(
        self, program: int, window_beats: int, layers: int, cycle_limit: int, names: Sequence[str]
    ) -> Execution:
        self._prepare(program, window_beats)
        self.device.write(Register.CONTROL, 1 << Control.START)
        came = self.device.wait(cycle_limit)
        if not came or not self.device.read(Register.CONTROL) & 1 << Control.DONE:
            raise AcceleratorError(self._unfinished(cycle_limit, layers, names))
        self._acknowledge()
        error = self._info(Info.ERROR)
        if error != ErrorCode.NONE:
            raise AcceleratorError(self._failure(error, names))
        done = self._info(Info.LAYERS_DONE)
        if done != layers:
            raise AcceleratorError(
                f"the accelerator ran {done} layers of {layers}; is the right program loaded?"
            )
        counters = tuple(self.counters(layer) for layer in range(layers))
        return Execution(self._info(Info.CYCLES), counters)

    def counters(self, layer: int) -> LayerCounters:
        """Counters of a layer of the last run."""
        first = Register.COUNTERS + 4 * COUNTER_WORDS * layer
        return LayerCounters(*(self.device.read(first + 4 * counter) for counter in Counter))

    def _info(self, word: Info) -> int:
        return self.device.read(Register.INFO + 4 * word)

    def _identity(self) -> Identity:
        magic, version = self._info(Info.MAGIC), self._info(Info.VERSION)
        if magic != MAGIC:
            raise DesignMismatchError(
                f"no accelerator answers: its magic number reads {magic:#010x}, not "
                f"{MAGIC:#010x}; is the bitstream loaded, the register address right?"
            )
        if version != INTERFACE_VERSION:
            raise DesignMismatchError(
                f"the accelerator has interface version {version}, this xlic speaks "
                f"{INTERFACE_VERSION}; build it again from these sources"
            )
        array = self._info(Info.ARRAY)
        sizes = {name: self._info(word) for name, word in _CAPACITIES.items()}
        try:
            design = Design(array & 0xFF, array >> 8 & 0xFF, array >> 16, **sizes)
        except InputError as error:
            raise DesignMismatchError(f"the accelerator's identity is damaged: {error}") from error
        hash_ = self._info(Info.HASH_HIGH) << 32 | self._info(Info.HASH_LOW)
        return Identity(version, design, hash_, self._info(Info.LAYERS))

    @property
    def _idle(self) -> bool:
        return bool(self.device.read(Register.CONTROL) & 1 << Control.IDLE)

    def _wait_for_rest(self) -> None:
        """See to it that the next start is taken.

        Raises:
            AcceleratorError: it runs, or memory still owes it answers from a run that failed.
        """
        if self._idle:
            return
        if self._info(Info.ERROR) == ErrorCode.NONE:
            raise AcceleratorError(
                "the accelerator is still running; wait for it to end, or reset it"
            )
        self._acknowledge()
        for _ in range(_LOOKS):
            self.device.wait(WATCHDOG_CYCLES // _LOOKS)
            if self._idle:
                return
        raise AcceleratorError(
            "the accelerator cannot start: memory still has not answered what a run that failed "
            "asked of it; reset it, and leave that run's window alone until then"
        )

    def _acknowledge(self) -> None:
        # Writing ones clears.
        self.device.write(Register.INTERRUPT_STATUS, self.device.read(Register.INTERRUPT_STATUS))

    def _prepare(self, program: int, window_beats: int) -> None:
        address = self.device.window_address
        self._acknowledge()  # what an aborted run may have left
        for register, value in {
            Register.GMEM0_LOW: address & 0xFFFF_FFFF,
            Register.GMEM0_HIGH: address >> 32,
            Register.GMEM1_LOW: address & 0xFFFF_FFFF,
            Register.GMEM1_HIGH: address >> 32,
            Register.WINDOW_BEATS: window_beats,
            Register.PROGRAM: program,
            Register.INTERRUPT_ENABLE: 1,
            Register.GLOBAL_INTERRUPT_ENABLE: 1,
        }.items():
            self.device.write(register, value)

    def _unfinished(self, cycle_limit: int, layers: int, names: Sequence[str]) -> str:
        known = [f"{_layer(index, names)}: {self.counters(index)}" for index in range(layers)]
        return (
            f"the accelerator did not end within {cycle_limit} cycles, "
            f"{self._info(Info.LAYERS_DONE)} layers of {layers} done ({'; '.join(known)}); "
            "reset it, or allow more cycles"
        )

    def _failure(self, error: int, names: Sequence[str]) -> str:
        if error not in tuple(ErrorCode):
            return f"the accelerator stopped with error {error}, which does not exist; reset it"
        code = ErrorCode(error)
        where = (
            "" if code in _BEFORE_LAYERS else f" in {_layer(self._info(Info.ERROR_LAYER), names)}"
        )
        owed = "" if self._idle else "; memory still owes it answers: until then only a reset helps"
        return f"the accelerator stopped with {code.name}{where}; {_REMEDIES[code]}{owed}"


def array_cycles(program: Program) -> int:
    """Cycles in which the array multiplies when the program runs."""
    return sum(
        layer.tiles_y
        * layer.tiles_x
        * sum(program.passes[index].cycles for index in layer.pass_range)
        for layer in program.layers
    )


def _layer(index: int, names: Sequence[str]) -> str:
    """A layer as messages call it: its place, and its name where that is known."""
    return f"layer {index} ({names[index]})" if index < len(names) else f"layer {index}"


def _array(design: Design) -> str:
    return f"POF {design.pof}, POY {design.poy}, POX {design.pox}"
