"""What all benches share: clock, reset, streams with random stalls, one step per clock cycle.

A bench is a list of *agents*. Every cycle each agent first samples the design's outputs (at the
rising edge, before registers change) and then drives its inputs for the next cycle: no agent sees
what another one has only just driven, whatever their order.
"""

from __future__ import annotations

import json
import os
import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

PERIOD_NS = 4


class Agent(Protocol):
    """A participant."""

    def sample(self) -> None:
        """Look at the design's outputs."""

    def drive(self) -> None:
        """Set the design's inputs for the next cycle."""

    def clear(self) -> None:
        """Forget what is under way, and offer nothing: there is a reset."""


class Bench:
    """A design's clock, its reset and its agents.

    Attributes:
        dut: the design.
        random: draws what this test needs; the same for the same seed and test.
        cycle: clock edges so far.
    """

    def __init__(self, dut: Any, clock: str = "clk_i", reset: str | None = "rst_i") -> None:
        self.dut = dut
        self.random = random.Random(random.getrandbits(64))  # cocotb seeds the module per test
        self.cycle = 0
        self.agents: list[Agent] = []
        self._clock = getattr(dut, clock)
        self._edge = RisingEdge(self._clock)
        self._reset = getattr(dut, reset) if reset else None
        cocotb.start_soon(Clock(self._clock, PERIOD_NS, unit="ns").start())

    async def step(self, cycles: int = 1) -> None:
        """Let so many cycles pass."""
        for _ in range(cycles):
            await self._edge
            self.cycle += 1
            for agent in self.agents:
                agent.sample()
            for agent in self.agents:
                agent.drive()

    async def reset(self, cycles: int = 3) -> None:
        """Reset the design; agents forget what is under way."""
        assert self._reset is not None
        self._reset.value = 1
        for agent in self.agents:
            agent.clear()
        for _ in range(cycles):
            await self._edge
        self._reset.value = 0

    async def until(self, condition: Callable[[], bool], limit: int = 100_000) -> None:
        """Step until the condition holds.

        Raises:
            AssertionError: it does not within ``limit`` cycles.
        """
        for _ in range(limit):
            if condition():
                return
            await self.step()
        raise AssertionError(f"not done after {limit} cycles")

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return self.random.random() < probability


class Source:
    """Offers words with valid and ready; holds each until it is taken.

    Args:
        bench: whose random numbers it uses.
        valid: the handshake's pins.
        ready: the handshake's pins; None if the design takes every word.
        fields: pins by name; a word is a dict of their values.
        stall: probability that no new word is offered in a cycle.
    """

    def __init__(
        self, bench: Bench, valid: Any, ready: Any | None, fields: dict[str, Any], stall: float = 0
    ) -> None:
        self.bench, self.valid, self.ready, self.fields = bench, valid, ready, fields
        self.stall = stall
        self.queue: deque[dict[str, int]] = deque()
        self.sent: list[dict[str, int]] = []
        self._offered: dict[str, int] | None = None
        valid.value = 0

    def clear(self) -> None:
        self.queue.clear()
        self._offered = None
        self.valid.value = 0

    @property
    def empty(self) -> bool:
        """Whether all words were taken."""
        return not self.queue and self._offered is None

    def sample(self) -> None:
        if self._offered is not None and (self.ready is None or bit(self.ready)):
            self.sent.append(self._offered)
            self._offered = None

    def drive(self) -> None:
        if self._offered is None:
            if self.queue and not self.bench.chance(self.stall):
                self._offered = self.queue.popleft()
                for name, value in self._offered.items():
                    self.fields[name].value = value
            else:
                # What is not valid may be anything: a design that looks at it gives itself away.
                for pin in self.fields.values():
                    pin.value = self.bench.random.getrandbits(len(pin))
        self.valid.value = int(self._offered is not None)


class Sink:
    """Takes words with valid and ready, and checks that an offered word is held until taken."""

    def __init__(
        self, bench: Bench, valid: Any, ready: Any | None, fields: dict[str, Any], stall: float = 0
    ) -> None:
        self.bench, self.valid, self.ready, self.fields = bench, valid, ready, fields
        self.stall = stall
        self.received: list[dict[str, int]] = []
        self._ready = False
        self._waiting: dict[str, int] | None = None
        if ready is not None:
            ready.value = 0

    def clear(self) -> None:
        self._waiting = None
        self.received.clear()

    def sample(self) -> None:
        taken = self._ready or self.ready is None
        if bit(self.valid):
            word = {name: number(pin) for name, pin in self.fields.items()}
            assert self._waiting in (None, word), f"{self._waiting} became {word} before ready"
            self._waiting = None if taken else word
            if taken:
                self.received.append(word)
        else:
            assert self._waiting is None, f"{self._waiting} was withdrawn before ready"

    def drive(self) -> None:
        self._ready = not self.bench.chance(self.stall)
        if self.ready is not None:
            self.ready.value = int(self._ready)


class Pipeline:
    """Feeds a block that has no handshake and checks what comes out a fixed time later.

    Args:
        bench: whose random numbers it uses.
        valid: pin that says that the inputs are meant; None if they always are.
        inputs: pins by name.
        outputs: pins by name.
        latency: clock edges from the one that takes the inputs to the one that sees the outputs.
        model: the expected outputs of some inputs; an output that it does not name is not checked.
        bubbles: probability of a cycle without inputs.
    """

    def __init__(
        self,
        bench: Bench,
        valid: Any | None,
        inputs: dict[str, Any],
        outputs: dict[str, Any],
        latency: int,
        model: Callable[[dict[str, int]], dict[str, int]],
        bubbles: float = 0,
    ) -> None:
        self.bench, self.valid, self.inputs, self.outputs = bench, valid, inputs, outputs
        self.latency, self.model, self.bubbles = latency, model, bubbles
        self.queue: deque[dict[str, int]] = deque()
        self.checked = 0
        self._offered: dict[str, int] | None = None
        self._due: deque[tuple[int, dict[str, int], dict[str, int]]] = deque()
        if valid is not None:
            valid.value = 0

    @property
    def empty(self) -> bool:
        """Whether everything was fed and checked."""
        return not self.queue and self._offered is None and not self._due

    def clear(self) -> None:
        self.queue.clear()
        self._offered = None
        self._due.clear()
        if self.valid is not None:
            self.valid.value = 0

    def sample(self) -> None:
        if self._offered is not None:
            expected = self.model(self._offered)
            self._due.append((self.bench.cycle + self.latency, self._offered, expected))
            self._offered = None
        if self._due and self._due[0][0] == self.bench.cycle:
            _, given, expected = self._due.popleft()
            got = {name: number(self.outputs[name]) for name in expected}
            assert got == expected, f"{given} gave {got}, expected {expected}"
            self.checked += 1

    def drive(self) -> None:
        if self.queue and not self.bench.chance(self.bubbles):
            self._offered = self.queue.popleft()
            for name, value in self._offered.items():
                self.inputs[name].value = value
        else:
            for pin in self.inputs.values():
                pin.value = self.bench.random.getrandbits(len(pin))
        if self.valid is not None:
            self.valid.value = int(self._offered is not None)


def parameter(name: str) -> int:
    """A parameter that the design was built with."""
    return int(json.loads(os.environ["XLIC_PARAMETERS"])[name])


def bit(pin: Any) -> bool:
    """A pin of one bit; X is a failure."""
    value = pin.value
    assert value.is_resolvable, f"{pin._name} is {value}"
    return bool(value)


def number(pin: Any) -> int:
    """An unsigned value; X is a failure."""
    value = pin.value
    assert value.is_resolvable, f"{pin._name} is {value}"
    return int(value)


def signed(value: int, bits: int) -> int:
    """Two's complement."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def pack(values: Iterable[int], bits: int) -> int:
    """Many values in one vector, the first lowest."""
    mask = (1 << bits) - 1
    return sum((value & mask) << (index * bits) for index, value in enumerate(values))


def unpack(vector: int, bits: int, count: int) -> list[int]:
    """The other way, unsigned."""
    mask = (1 << bits) - 1
    return [(vector >> (index * bits)) & mask for index in range(count)]


def interesting(rng: random.Random, bits: int) -> int:
    """A signed number, often at an edge of its range or small."""
    top = (1 << (bits - 1)) - 1
    kind = rng.randrange(8)
    if kind == 0:
        return rng.choice([0, 1, -1, top, -top, -top - 1])
    if kind == 1:
        return rng.randint(-16, 15)
    return signed(rng.getrandbits(bits) >> (rng.randrange(bits) if kind < 5 else 0), bits)
