"""fifo: words come out as they went in, none lost, none twice, however both sides stall."""

from __future__ import annotations

from typing import Any

import cocotb
from common import Bench, Sink, Source, parameter


def _set_up(dut: Any, stall_in: float, stall_out: float) -> tuple[Bench, Source, Sink]:
    bench = Bench(dut)
    source = Source(bench, dut.valid_i, dut.ready_o, {"data": dut.data_i}, stall_in)
    sink = Sink(bench, dut.valid_o, dut.ready_i, {"data": dut.data_o}, stall_out)
    bench.agents = [source, sink]
    return bench, source, sink


def _words(bench: Bench, dut: Any, count: int) -> list[dict[str, int]]:
    return [{"data": bench.random.getrandbits(len(dut.data_i))} for _ in range(count)]


@cocotb.test()
@cocotb.parametrize(stalls=[(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.3, 0.3), (0.05, 0.9)])
async def keeps_order(dut: Any, stalls: tuple[float, float]) -> None:
    bench, source, sink = _set_up(dut, *stalls)
    await bench.reset()
    words = _words(bench, dut, 200)
    source.queue.extend(words)
    await bench.until(lambda: len(sink.received) == len(words), 5000)
    await bench.step(20)
    assert sink.received == words


@cocotb.test()
async def holds_exactly_its_depth(dut: Any) -> None:
    bench, source, sink = _set_up(dut, 0.0, 1.0)
    await bench.reset()
    source.queue.extend(_words(bench, dut, 100))
    await bench.step(90)
    assert len(source.sent) == parameter("DEPTH")
    # As soon as one is taken there is room for one.
    sink.stall = 0.0
    await bench.until(lambda: source.empty, 500)


@cocotb.test()
async def passes_a_word_per_cycle_after_one(dut: Any) -> None:
    bench, source, sink = _set_up(dut, 0.0, 0.0)
    await bench.reset()
    await bench.step(2)
    words = _words(bench, dut, 50)
    source.queue.extend(words)
    # One step to offer, one in the queue, then one word per cycle.
    await bench.step(len(words) + 2)
    assert sink.received == words


@cocotb.test()
async def is_empty_after_a_reset_in_the_middle(dut: Any) -> None:
    bench, source, sink = _set_up(dut, 0.2, 0.8)
    await bench.reset()
    for _ in range(5):
        source.queue.extend(_words(bench, dut, 40))
        await bench.step(bench.random.randrange(20, 60))
        await bench.reset(1)
        await bench.step()
        assert not sink.received
        words = _words(bench, dut, 5)
        source.queue.extend(words)
        await bench.until(lambda words=words: len(sink.received) == len(words), 500)
        assert sink.received == words
