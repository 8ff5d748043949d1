"""A small model, a small design, and programs for them that can be changed and run."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from tests.sim.models import random_model
from xlic.accelerator.compiler import Compiled, compile_transform
from xlic.accelerator.design import Design
from xlic.accelerator.driver import Driver
from xlic.accelerator.isa import BEAT_BYTES, Info, Register
from xlic.accelerator.native import NativeDevice
from xlic.accelerator.program import Program

TINY = Design(pof=4, poy=2, pox=8, input_words=256, weight_words=8192, param_words=256, channels=64)
FILTERS = 5
SIZE = (35, 50)


@functools.cache
def model():
    return random_model(seed=7, filters=FILTERS)


@functools.cache
def compiled(transform: str) -> Compiled:
    return compile_transform(model(), transform, SIZE, TINY)


def values(transform: str) -> np.ndarray:
    """An input of the right shape."""
    shape = compiled(transform).memory.input.shape
    rng = np.random.default_rng(3)
    if transform == "encode":
        return rng.integers(0, 256, shape).astype(np.uint8)
    return rng.integers(-50, 50, shape)


@dataclass
class Outcome:
    """What a run left behind."""

    error: int
    layer: int
    layers_done: int
    before: np.ndarray
    after: np.ndarray


class Bench:
    """A device whose window holds one transform's program, to be spoilt and run."""

    def __init__(self, transform: str) -> None:
        self.compiled = compiled(transform)
        self.device = NativeDevice(TINY, self.compiled.memory.bytes)
        self.driver = Driver(self.device)
        self.reset(transform)

    def reset(self, transform: str) -> None:
        self.device.memory[:] = 0xA5
        self.compiled.write_program(self.device.memory)
        self.compiled.write_input(self.device.memory, values(transform))

    @property
    def program_bytes(self) -> np.ndarray:
        """The program in the window, a view."""
        return self.device.memory[self.compiled.memory.program * BEAT_BYTES :]

    def load(self, program: Program) -> None:
        data = np.frombuffer(program.to_bytes(), np.uint8)
        self.program_bytes[: len(data)] = data

    def run(self, window_beats: int | None = None, program: int | None = None) -> Outcome:
        memory = self.compiled.memory
        before = self.device.memory.copy()
        device = self.device
        self.driver._prepare(
            memory.program if program is None else program,
            memory.beats if window_beats is None else window_beats,
        )
        device.write(Register.CONTROL, 1)
        assert device.wait(1 << 40)
        device.read(Register.CONTROL)
        info = [device.read(Register.INFO + 4 * word) for word in Info]
        return Outcome(
            info[Info.ERROR],
            info[Info.ERROR_LAYER],
            info[Info.LAYERS_DONE],
            before,
            device.memory.copy(),
        )
