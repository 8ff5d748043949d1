"""mac_array: sums of products, exact in 48 bits, while the sums before are read."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb
from common import Bench, bit, interesting, number, pack, parameter, signed, unpack

LATENCY = 5  # from operands to capture


class _Array:
    """Feeds passes, keeps the sums they must give, reads and checks every one."""

    def __init__(self, dut: Any, bubbles: float) -> None:
        self.dut, self.bubbles = dut, bubbles
        self.bench = Bench(dut)
        self.lanes, self.rows, self.columns = (parameter(name) for name in ("POF", "POY", "POX"))
        self.positions = self.rows * self.columns
        self.steps: deque[tuple[bool, bool, bool, list[int], list[int]]] = deque()
        self.captures: deque[tuple[int, list[list[int]]]] = deque()
        self.sums = [[0] * self.positions for _ in range(self.lanes)]
        self.to_read: list[tuple[int, int]] = []
        self.shadow: list[list[int]] = []
        self.checked = 0
        self._weights: list[int] | None = None
        self._read: tuple[int, int] | None = None
        self._expected: tuple[int, list[int]] | None = None
        self._offered = False
        for pin in (dut.valid_i, dut.read_i):
            pin.value = 0
        self.bench.agents = [self]

    def add_pass(self, length: int) -> None:
        rng = self.bench.random
        gamma = rng.random() < 0.3
        for index in range(length):
            if gamma:
                operands = [abs(interesting(rng, 16)) for _ in range(self.positions)]
            else:
                operands = [interesting(rng, 16) for _ in range(self.positions)]
            weights = [interesting(rng, 16) for _ in range(self.lanes)]
            self.steps.append((index == 0, index == length - 1, gamma, operands, weights))

    def clear(self) -> None:
        self.steps.clear()
        self.captures.clear()
        self.to_read, self._read, self._expected = [], None, None
        self.dut.valid_i.value = self.dut.read_i.value = 0

    @property
    def done(self) -> bool:
        return not (self.steps or self.captures or self.to_read or self._read or self._expected)

    def sample(self) -> None:
        dut, now = self.dut, self.bench.cycle
        if self._expected:
            at, sums = self._expected
            if at == now:
                got = [signed(v, 48) for v in unpack(number(dut.sums_o), 48, self.columns)]
                assert got == sums
                self.checked += 1
                self._expected = None
        if self._read:
            lane, row_index = self._read
            self._expected = (
                now + 1,
                self.shadow[lane][row_index * self.columns :][: self.columns],
            )
            self._read = None
        captured = bit(dut.capture_o)
        due = bool(self.captures) and self.captures[0][0] == now
        assert captured == due, f"capture {captured}, expected {due}"
        if due:
            self.shadow = self.captures.popleft()[1]
            self.to_read = [(lane, row) for lane in range(self.lanes) for row in range(self.rows)]
            self.bench.random.shuffle(self.to_read)

    def drive(self) -> None:
        dut, rng = self.dut, self.bench.random
        dut.weight_i.value = pack(self._weights or [rng.getrandbits(16)] * self.lanes, 16)
        self._weights = None
        # The next sums may not overwrite what is still to be read.
        last_next = bool(self.steps) and self.steps[0][1]
        wait = last_next and (self.captures or self.to_read or self._read)
        go = bool(self.steps) and not wait and not self.bench.chance(self.bubbles)
        dut.valid_i.value = int(go)
        other = pack((rng.getrandbits(16) for _ in range(self.positions)), 16)
        if go:
            first, last, gamma, operands, self._weights = self.steps.popleft()
            packed = pack(operands, 16)
            dut.first_i.value, dut.last_i.value, dut.gamma_i.value = (
                int(first),
                int(last),
                int(gamma),
            )
            dut.window_i.value, dut.magnitude_i.value = (
                (other, packed) if gamma else (packed, other)
            )
            self._accumulate(first, last, operands, self._weights)
        else:
            for pin in (dut.first_i, dut.last_i, dut.gamma_i):
                pin.value = rng.getrandbits(1)
            dut.window_i.value = dut.magnitude_i.value = other
        reading = bool(self.to_read) and rng.random() < 0.9
        dut.read_i.value = int(reading)
        if reading:
            self._read = self.to_read.pop()
            dut.lane_i.value, dut.row_i.value = self._read
        else:
            dut.lane_i.value = rng.randrange(self.lanes)

    def _accumulate(self, first: bool, last: bool, operands: list[int], weights: list[int]) -> None:
        for lane, weight in enumerate(weights):
            before = [0] * self.positions if first else self.sums[lane]
            self.sums[lane] = [s + weight * x for s, x in zip(before, operands, strict=True)]
        if last:
            # Driven now, taken by the next edge.
            due = self.bench.cycle + 1 + LATENCY
            self.captures.append((due, [list(row) for row in self.sums]))


@cocotb.test()
@cocotb.parametrize(bubbles=[0.0, 0.3])
async def accumulates(dut: Any, bubbles: float) -> None:
    array = _Array(dut, bubbles)
    await array.bench.reset()
    for _ in range(20):
        array.add_pass(array.bench.random.choice([1, 2, 3, 8, 40]))
    await array.bench.until(lambda: array.done, 20_000)
    assert array.checked == 20 * array.lanes * array.rows


@cocotb.test()
async def forgets_a_pass_that_a_reset_cut_off(dut: Any) -> None:
    array = _Array(dut, 0.0)
    await array.bench.reset()
    array.add_pass(8)
    await array.bench.step(5)
    await array.bench.reset(1)
    await array.bench.step(10)
    array.add_pass(3)
    await array.bench.until(lambda: array.done, 1000)
