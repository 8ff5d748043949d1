"""axi_reader: requests come out as a stream of beats in order, whatever memory and user do."""

from __future__ import annotations

from typing import Any

import cocotb
from axi_agents import BEAT, ReadMemory
from common import Bench, Sink, Source, bit, parameter

BASE = 0x12_3456_7000
WINDOW = 3000  # beats


def _content(address: int) -> int:
    return (address * 0x9E3779B97F4A7C15F39CC0605CEDC835) % (1 << 128)


class _Reader:
    """The block between a user and a memory."""

    def __init__(
        self, dut: Any, latency: int = 5, stall: float = 0.0, user_stall: float = 0.0
    ) -> None:
        self.dut = dut
        self.bench = bench = Bench(dut)
        fields = {"offset": dut.req_offset_i, "beats": dut.req_beats_i}
        self.requests = Source(bench, dut.req_valid_i, dut.req_ready_o, fields, stall)
        self.data = Sink(
            bench, dut.data_valid_o, dut.data_ready_i, {"data": dut.data_o}, user_stall
        )
        self.memory = ReadMemory(bench, dut, _content, latency, (stall, stall))
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

    def ask(self, offset: int, beats: int) -> list[dict[str, int]]:
        """Make a request; what it must give."""
        self.requests.queue.append({"offset": offset, "beats": beats})
        if beats == 0 or offset + beats > WINDOW:
            return []
        return [{"data": _content(BASE + (offset + i) * BEAT)} for i in range(beats)]

    async def arrived(self, beats: int) -> None:
        await self.bench.until(lambda: len(self.data.received) >= beats, 50_000)

    def random_request(self) -> tuple[int, int]:
        rng = self.bench.random
        beats = rng.choice([1, 2, rng.randint(1, 20), rng.randint(1, 300)])
        return rng.randint(0, WINDOW - beats), beats


@cocotb.test()
@cocotb.parametrize(
    (
        ("latency", "stall", "user_stall"),
        [(1, 0.0, 0.0), (60, 0.0, 0.0), (5, 0.5, 0.0), (5, 0.0, 0.7), (20, 0.2, 0.3)],
    )
)
async def reads(dut: Any, latency: int, stall: float, user_stall: float) -> None:
    reader = _Reader(dut, latency, stall, user_stall)
    await reader.bench.reset()
    expected = []
    for _ in range(25):
        expected += reader.ask(*reader.random_request())
    await reader.arrived(len(expected))
    await reader.bench.step(100)
    assert reader.data.received == expected
    assert bit(dut.idle_o)
    assert (reader.window_errors, reader.bus_errors) == (0, 0)
    longest = max(beats for _, beats in reader.memory.history)
    assert longest == parameter("MAX_BURST"), "long requests are read in long bursts"
    assert reader.memory.most <= parameter("OUTSTANDING")


@cocotb.test()
async def streams_a_beat_per_cycle(dut: Any) -> None:
    # What is under way covers the latency.
    latency = min(60, parameter("MAX_BURST") * (parameter("OUTSTANDING") - 2))
    reader = _Reader(dut, latency)
    await reader.bench.reset()
    expected = reader.ask(3, 1000)
    await reader.arrived(len(expected))
    assert reader.bench.cycle <= 3 + 1000 + latency + 10, "not a beat per cycle"


@cocotb.test()
async def refuses_what_leaves_the_window(dut: Any) -> None:
    reader = _Reader(dut)
    await reader.bench.reset()
    good = reader.ask(WINDOW - 7, 7) + reader.ask(0, 1)
    bad = [
        (WINDOW - 7, 8),
        (WINDOW, 1),
        (5, 0),
        (0xFFFF_FFFF, 2),
        (1, 0xFFFF_FFFF),
        (0, WINDOW + 1),
    ]
    for request in bad:
        assert reader.ask(*request) == []
        good += reader.ask(*reader.random_request())
    good += reader.ask(0, WINDOW)
    await reader.arrived(len(good))
    await reader.bench.step(50)
    assert reader.data.received == good
    assert reader.window_errors == len(bad)
    end = BASE + WINDOW * BEAT
    assert all(a >= BASE and a + n * BEAT <= end for a, n in reader.memory.history)


@cocotb.test()
async def tells_errors_of_the_bus(dut: Any) -> None:
    reader = _Reader(dut)
    reader.memory.bad_responses = {BASE + 40 * BEAT, BASE + 140 * BEAT}
    await reader.bench.reset()
    expected = reader.ask(0, 200)
    await reader.arrived(len(expected))
    await reader.bench.step(5)
    assert reader.bus_errors == 2


@cocotb.test()
async def flushes(dut: Any) -> None:
    reader = _Reader(dut, 30, 0.2, 0.6)
    rng = reader.bench.random
    await reader.bench.reset()
    for _ in range(12):
        for _ in range(6):
            reader.ask(*reader.random_request())
        await reader.bench.step(rng.randrange(1, 300))
        dut.flush_i.value = 1
        reader.requests.clear()
        reader.data.clear()
        # An address may be offered already, nothing may follow it.
        await reader.bench.step()
        reader.data.clear()
        begun = len(reader.memory.history)
        await reader.bench.until(lambda: bit(dut.idle_o), 20_000)
        assert len(reader.memory.history) - begun <= 1
        await reader.bench.step(rng.randrange(1, 20))
        assert len(reader.memory.history) - begun <= 1
        assert not reader.data.received, "flushed data came out"
        dut.flush_i.value = 0
        expected = reader.ask(*reader.random_request())
        await reader.arrived(len(expected))
        assert reader.data.received == expected
        reader.data.received.clear()


@cocotb.test()
async def begins_anew_after_a_reset(dut: Any) -> None:
    reader = _Reader(dut, 20, 0.3, 0.3)
    await reader.bench.reset()
    for _ in range(8):
        for _ in range(5):
            reader.ask(*reader.random_request())
        await reader.bench.step(reader.bench.random.randrange(1, 200))
        await reader.bench.reset(1)
        assert not reader.data.received
        expected = reader.ask(*reader.random_request())
        await reader.arrived(len(expected))
        assert reader.data.received == expected
