"""weight_store: what was streamed in comes out, as soon as it is said to be there."""

from __future__ import annotations

from typing import Any

import cocotb
from common import Bench, Pipeline, number, pack, parameter

LATENCY = 4


class _Weights:
    """A store with its model: a stream of beats in, random reads of words that have come."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.lanes = parameter("POF")
        self.words = parameter("WEIGHT_WORDS")
        self.bench = Bench(dut)
        self.reads = Pipeline(
            self.bench,
            dut.re_i,
            {"addr": dut.addr_i},
            {"word": dut.word_o},
            LATENCY,
            lambda given: {"word": self.content[given["addr"]]},
        )
        self.content: list[int] = []
        self.stall, self.last_loaded = 0.0, 0
        self.beats: list[int] = []
        dut.we_i.value = 0
        self.bench.agents = [self.reads, self]

    def clear(self) -> None:
        self.beats, self.last_loaded = [], 0
        self.dut.we_i.value = 0

    def fill(self) -> None:
        rng = self.bench.random
        values = [rng.getrandbits(16) for _ in range(self.words * self.lanes)]
        self.content = [
            pack(values[at : at + self.lanes], 16) for at in range(0, len(values), self.lanes)
        ]
        values += [0] * (-len(values) % 8)
        self.beats = [pack(values[at : at + 8], 16) for at in range(0, len(values), 8)]

    def sample(self) -> None:
        loaded = number(self.dut.loaded_o)
        assert self.last_loaded <= loaded, "words that were there are gone"
        self.last_loaded = loaded

    def drive(self) -> None:
        go = bool(self.beats) and not self.bench.chance(self.stall)
        self.dut.we_i.value = int(go)
        self.dut.beat_i.value = self.beats.pop(0) if go else self.bench.random.getrandbits(128)
        rng, loaded = self.bench.random, min(self.last_loaded, self.words)
        if loaded and not self.reads.queue and rng.random() < 0.8:
            # The newest word most of all: it must be there.
            address = loaded - 1 if rng.random() < 0.5 else rng.randrange(loaded)
            self.reads.queue.append({"addr": address})


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.3, 0.9])
async def gives_what_it_was_given(dut: Any, stall: float) -> None:
    store = _Weights(dut)
    await store.bench.reset()
    store.stall = stall
    store.fill()
    await store.bench.until(lambda: store.last_loaded >= store.words, 40 * store.words + 200)
    await store.bench.step(300)
    assert store.reads.checked > 100


@cocotb.test()
async def begins_anew_after_a_reset(dut: Any) -> None:
    store = _Weights(dut)
    await store.bench.reset()
    for _ in range(12):
        store.fill()
        await store.bench.step(store.bench.random.randrange(5, 60))
        await store.bench.reset(1)
        await store.bench.step(3)
        assert store.last_loaded == 0
    store.fill()
    await store.bench.until(lambda: store.last_loaded >= store.words, 40 * store.words + 200)
    await store.bench.step(100)
