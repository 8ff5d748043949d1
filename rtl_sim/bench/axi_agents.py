"""Memory behind the AXI channels of a single block, as agents of a bench.

For the whole accelerator there is cocotbext-axi; a block has only the channels that it uses, under
names of its own. Both agents check what an AXI master may do, and keep what it did.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from common import Bench, bit, number

BEAT = 16


@dataclass
class Burst:
    """An accepted burst, and for a write the data that came for it."""

    address: int
    beats: int
    due: int
    data: list[tuple[int, int]] = field(default_factory=list)  # value, strobes


class _AddressChannel:
    """Accepts addresses; checks that they are held until accepted."""

    def __init__(self, bench: Bench, prefix: str, dut: Any, stall: float) -> None:
        self.bench, self.stall, self.prefix = bench, stall, prefix
        self.valid, self.ready = getattr(dut, f"{prefix}valid_o"), getattr(dut, f"{prefix}ready_i")
        self.addr, self.len = getattr(dut, f"{prefix}addr_o"), getattr(dut, f"{prefix}len_o")
        self._ready = False
        self._waiting: tuple[int, int] | None = None
        self.ready.value = 0

    def sample(self) -> tuple[int, int] | None:
        """Address and beats of a burst that this edge accepts."""
        if not bit(self.valid):
            assert self._waiting is None, f"{self.prefix}valid withdrawn before ready"
            return None
        offered = number(self.addr), number(self.len) + 1
        assert self._waiting in (None, offered), f"{self.prefix} changed before ready"
        self._waiting = None if self._ready else offered
        if not self._ready:
            return None
        address, beats = offered
        assert address % BEAT == 0, f"{address:#x} is not aligned"
        last = address + beats * BEAT - 1
        assert address // 4096 == last // 4096, f"{beats} beats at {address:#x} cross 4 KB"
        return offered

    def drive(self, room: bool) -> None:
        self._ready = room and not self.bench.chance(self.stall)
        self.ready.value = int(self._ready)

    def clear(self) -> None:
        self._ready, self._waiting = False, None
        self.ready.value = 0


class ReadMemory:
    """Answers reads in order.

    Args:
        bench: whose random numbers it uses.
        dut: with pins ``arvalid_o``, ``rdata_i`` and so on.
        content: the beat at an address.
        latency: cycles from an accepted address to its first beat, at least.
        stall: probability of holding up the address, and of withholding data, in a cycle.
    """

    def __init__(
        self,
        bench: Bench,
        dut: Any,
        content: Callable[[int], int],
        latency: int = 1,
        stall: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.bench, self.dut, self.content, self.latency = bench, dut, content, latency
        self.addresses = _AddressChannel(bench, "ar", dut, stall[0])
        self.stall = stall[1]
        self.bursts: deque[Burst] = deque()
        self.history: list[tuple[int, int]] = []
        self.most = 0
        self.bad_responses: set[int] = set()  # addresses answered with SLVERR
        self._beat = 0
        self._offered = False
        dut.rvalid_i.value = 0

    def sample(self) -> None:
        accepted = self.addresses.sample()
        if accepted:
            self.history.append(accepted)
            self.bursts.append(Burst(*accepted, self.bench.cycle + self.latency - 1))
            self.most = max(self.most, len(self.bursts))
        if self._offered and bit(self.dut.rready_o):
            self._offered = False
            self._beat += 1
            if self._beat == self.bursts[0].beats:
                self.bursts.popleft()
                self._beat = 0

    def drive(self) -> None:
        dut, rng = self.dut, self.bench.random
        self.addresses.drive(room=len(self.bursts) < 64)
        if not self._offered:
            due = bool(self.bursts) and self.bursts[0].due <= self.bench.cycle
            if due and not self.bench.chance(self.stall):
                burst = self.bursts[0]
                address = burst.address + self._beat * BEAT
                self._offered = True
                dut.rdata_i.value = self.content(address)
                dut.rlast_i.value = int(self._beat == burst.beats - 1)
                dut.rresp_i.value = 2 if address in self.bad_responses else 0
            else:
                dut.rdata_i.value = rng.getrandbits(128)
                dut.rlast_i.value = rng.getrandbits(1)
                dut.rresp_i.value = rng.getrandbits(2)
        dut.rvalid_i.value = int(self._offered)

    def clear(self) -> None:
        self.addresses.clear()
        self.bursts.clear()
        self._beat, self._offered = 0, False
        self.dut.rvalid_i.value = 0


class WriteMemory:
    """Takes writes and answers them in order; what was answered is in :attr:`content`."""

    def __init__(
        self,
        bench: Bench,
        dut: Any,
        latency: int = 1,
        stall: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> None:
        self.bench, self.dut, self.latency = bench, dut, latency
        self.addresses = _AddressChannel(bench, "aw", dut, stall[0])
        self.stall_data, self.stall_answer = stall[1:]
        self.bursts: deque[Burst] = deque()
        self.content: dict[int, int] = {}
        self.history: list[tuple[int, int]] = []
        self.most = 0
        self.bad_responses: set[int] = set()
        self._ready = self._answering = False
        self._waiting: tuple[int, int, bool] | None = None
        dut.wready_i.value = dut.bvalid_i.value = 0

    def sample(self) -> None:
        accepted = self.addresses.sample()
        if accepted:
            self.history.append(accepted)
            self.bursts.append(Burst(*accepted, 0))
            self.most = max(self.most, len(self.bursts))
        self._sample_data()
        if self._answering and bit(self.dut.bready_o):
            self._answering = False
            self._commit(self.bursts.popleft())

    def _sample_data(self) -> None:
        dut = self.dut
        if not bit(dut.wvalid_o):
            assert self._waiting is None, "wvalid withdrawn before ready"
            return
        offered = number(dut.wdata_o), number(dut.wstrb_o), bit(dut.wlast_o)
        assert self._waiting in (None, offered), "write data changed before ready"
        self._waiting = None if self._ready else offered
        if not self._ready:
            return
        burst = next((b for b in self.bursts if len(b.data) < b.beats), None)
        assert burst is not None, "write data without an address"
        burst.data.append(offered[:2])
        full = len(burst.data) == burst.beats
        assert offered[2] == full, f"wlast {offered[2]} at beat {len(burst.data)} of {burst.beats}"
        if full:
            burst.due = self.bench.cycle + self.latency - 1

    def _commit(self, burst: Burst) -> None:
        for index, (value, strobes) in enumerate(burst.data):
            assert strobes in (0, 0xFFFF), f"strobes {strobes:#x}"
            if strobes:
                self.content[burst.address + index * BEAT] = value

    def drive(self) -> None:
        dut = self.dut
        self.addresses.drive(room=len(self.bursts) < 64)
        self._ready = not self.bench.chance(self.stall_data)
        dut.wready_i.value = int(self._ready)
        if not self._answering:
            first = self.bursts[0] if self.bursts else None
            complete = first is not None and len(first.data) == first.beats
            if (
                first is not None
                and complete
                and first.due <= self.bench.cycle
                and not self.bench.chance(self.stall_answer)
            ):
                self._answering = True
                dut.bresp_i.value = 2 if first.address in self.bad_responses else 0
            else:
                dut.bresp_i.value = self.bench.random.getrandbits(2)
        dut.bvalid_i.value = int(self._answering)

    def clear(self) -> None:
        self.addresses.clear()
        self.bursts.clear()
        self._ready = self._answering = False
        self._waiting = None
        self.dut.wready_i.value = self.dut.bvalid_i.value = 0
