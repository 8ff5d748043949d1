"""axi_writer: a stream of beats ends up where the requests say, whatever memory and user do."""

from __future__ import annotations

from typing import Any

import cocotb
from axi_agents import BEAT, WriteMemory
from common import Bench, Source, bit, parameter

BASE = 0x12_3456_7000
WINDOW = 3000  # beats


class _Writer:
    """The block between a user and a memory."""

    def __init__(
        self, dut: Any, latency: int = 5, stall: float = 0.0, user_stall: float = 0.0
    ) -> None:
        self.dut = dut
        self.bench = bench = Bench(dut)
        fields = {"offset": dut.req_offset_i, "beats": dut.req_beats_i}
        self.requests = Source(bench, dut.req_valid_i, dut.req_ready_o, fields, user_stall)
        self.data = Source(
            bench, dut.data_valid_i, dut.data_ready_o, {"data": dut.data_i}, user_stall
        )
        self.memory = WriteMemory(bench, dut, latency, (stall, stall, stall))
        self.window_errors = self.bus_errors = 0
        bench.agents = [self.requests, self.data, self.memory, self]
        dut.flush_i.value = 0
        dut.base_i.value = BASE
        dut.window_i.value = WINDOW

    def sample(self) -> None:
        self.window_errors += bit(self.dut.error_window_o)
        self.bus_errors += bit(self.dut.error_bus_o)
        if bit(self.dut.idle_o):
            assert not self.memory.bursts, "idle while bursts are under way"

    def drive(self) -> None:
        pass

    def clear(self) -> None:
        self.window_errors = self.bus_errors = 0

    def put(self, offset: int, beats: int) -> dict[int, int]:
        """Make a request and give its data; what must be in memory then."""
        self.requests.queue.append({"offset": offset, "beats": beats})
        if beats == 0 or offset + beats > WINDOW:
            return {}
        values = [self.bench.random.getrandbits(128) for _ in range(beats)]
        self.data.queue.extend({"data": value} for value in values)
        return {BASE + (offset + i) * BEAT: value for i, value in enumerate(values)}

    def random_request(self) -> tuple[int, int]:
        rng = self.bench.random
        beats = rng.choice([1, 2, rng.randint(1, 20), rng.randint(1, 300)])
        return rng.randint(0, WINDOW - beats), beats

    async def finish(self) -> None:
        def done() -> bool:
            return self.requests.empty and self.data.empty and bit(self.dut.idle_o)

        await self.bench.until(done, 50_000)


@cocotb.test()
@cocotb.parametrize(
    (
        ("latency", "stall", "user_stall"),
        [(1, 0.0, 0.0), (60, 0.0, 0.0), (5, 0.5, 0.0), (5, 0.0, 0.7), (20, 0.2, 0.3)],
    )
)
async def writes(dut: Any, latency: int, stall: float, user_stall: float) -> None:
    writer = _Writer(dut, latency, stall, user_stall)
    await writer.bench.reset()
    expected: dict[int, int] = {}
    for _ in range(25):
        expected |= writer.put(*writer.random_request())
    await writer.finish()
    # All must be in memory when idle_o rises, not soon after.
    assert writer.memory.content == expected
    assert (writer.window_errors, writer.bus_errors) == (0, 0)
    assert max(beats for _, beats in writer.memory.history) == parameter("MAX_BURST")
    assert writer.memory.most <= parameter("OUTSTANDING")


@cocotb.test()
async def streams_a_beat_per_cycle(dut: Any) -> None:
    # What is under way covers the latency.
    latency = min(60, parameter("MAX_BURST") * (parameter("OUTSTANDING") - 2))
    writer = _Writer(dut, latency)
    await writer.bench.reset()
    expected = writer.put(3, 1000)
    await writer.finish()
    assert writer.memory.content == expected
    assert writer.bench.cycle <= 3 + 1000 + latency + 10, "not a beat per cycle"


@cocotb.test()
async def refuses_what_leaves_the_window(dut: Any) -> None:
    writer = _Writer(dut)
    await writer.bench.reset()
    good = writer.put(WINDOW - 7, 7) | writer.put(0, 1)
    bad = [
        (WINDOW - 7, 8),
        (WINDOW, 1),
        (5, 0),
        (0xFFFF_FFFF, 2),
        (1, 0xFFFF_FFFF),
        (0, WINDOW + 1),
    ]
    for request in bad:
        assert writer.put(*request) == {}
        good |= writer.put(*writer.random_request())
    await writer.finish()
    await writer.bench.step(5)
    assert writer.memory.content == good
    assert writer.window_errors == len(bad)


@cocotb.test()
async def tells_errors_of_the_bus(dut: Any) -> None:
    writer = _Writer(dut)
    await writer.bench.reset()
    writer.memory.bad_responses = {BASE + parameter("MAX_BURST") * BEAT}
    writer.put(0, 3 * parameter("MAX_BURST"))
    await writer.finish()
    await writer.bench.step(5)
    assert writer.bus_errors == 1


@cocotb.test()
async def flushes(dut: Any) -> None:
    """Bursts that were begun are ended, without writing what the user did not give."""
    writer = _Writer(dut, 20, 0.3, 0.5)
    rng = writer.bench.random
    await writer.bench.reset()
    for _ in range(12):
        writer.memory.content.clear()
        given: set[tuple[int, int]] = set()  # requests may overlap
        for _ in range(6):
            given |= set(writer.put(*writer.random_request()).items())
        await writer.bench.step(rng.randrange(1, 400))
        dut.flush_i.value = 1
        writer.requests.clear()
        writer.data.clear()
        await writer.bench.step()
        begun = len(writer.memory.history)
        await writer.bench.until(lambda: bit(dut.idle_o), 20_000)
        await writer.bench.step(rng.randrange(1, 20))
        assert len(writer.memory.history) - begun <= 1
        assert set(writer.memory.content.items()) <= given
        dut.flush_i.value = 0
        writer.memory.content.clear()
        expected = writer.put(*writer.random_request())
        await writer.finish()
        assert writer.memory.content == expected


@cocotb.test()
async def begins_anew_after_a_reset(dut: Any) -> None:
    writer = _Writer(dut, 20, 0.3, 0.3)
    await writer.bench.reset()
    for _ in range(8):
        for _ in range(5):
            writer.put(*writer.random_request())
        await writer.bench.step(writer.bench.random.randrange(1, 200))
        await writer.bench.reset(1)
        writer.memory.content.clear()
        expected = writer.put(*writer.random_request())
        await writer.finish()
        assert writer.memory.content == expected
