"""The whole accelerator in a bench: its ports as Vitis HLS names them, memory, host.

Works on the project's RTL and on any export with the same ports: nothing inside the design is
touched, and its parameters are read from its identity registers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, First, RisingEdge, Timer
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiSlave
from cocotbext.axi.axi_channels import AxiARBus, AxiAWBus, AxiBBus, AxiRBus, AxiWBus
from common import PERIOD_NS, bit, number

from xlic.accelerator.isa import Control, Info, Register

BASES = {"gmem0": 0x4_8765_4000, "gmem1": 0x1_0FED_C000}
"""Addresses of the window on the two ports: unlike, above 32 bit, no two halves alike."""
LIMIT = 400_000  # cycles of any run here


class _AWBus(AxiAWBus):
    # Vitis HLS has two bits of AWLOCK and ARLOCK, as AXI3 had, which cocotbext-axi refuses.
    _optional_signals = [name for name in AxiAWBus._optional_signals if name != "awlock"]  # noqa: RUF012


class _ARBus(AxiARBus):
    _optional_signals = [name for name in AxiARBus._optional_signals if name != "arlock"]  # noqa: RUF012


def _port(dut: Any, prefix: str) -> AxiBus:
    channels = (_AWBus, AxiWBus, AxiBBus, _ARBus, AxiRBus)
    return AxiBus.from_channels(*(channel.from_prefix(dut, prefix) for channel in channels))


class Window:
    """The memory behind one port; answers with an error, and remembers it, outside the window."""

    def __init__(self, port: str, memory: bytearray) -> None:
        self.port, self.memory = port, memory
        self.writable = port == "gmem0"
        self.strays: list[str] = []
        self.beats = 0

    def _offset(self, address: int, length: int, what: str) -> int:
        offset = address - BASES[self.port]
        if not 0 <= offset <= len(self.memory) - length:
            self.strays.append(f"{self.port}: {what} at {address:#x}")
            raise IndexError(self.strays[-1])
        self.beats += 1
        return offset

    async def read(self, address: int, length: int) -> bytes:
        """What cocotbext-axi asks for."""
        offset = self._offset(address, length, "read")
        return bytes(self.memory[offset : offset + length])

    async def write(self, address: int, data: bytes) -> None:
        """What cocotbext-axi asks for."""
        offset = self._offset(address, len(data), "write")
        if not self.writable:
            self.strays.append(f"{self.port}: write at {address:#x}")
        self.memory[offset : offset + len(data)] = data


class Monitor:
    """Watches a channel every cycle: nothing unknown, and what is offered is held until taken."""

    def __init__(self, dut: Any, prefix: str, payload: tuple[str, ...]) -> None:
        self.name = prefix
        self.valid, self.ready = getattr(dut, f"{prefix}VALID"), getattr(dut, f"{prefix}READY")
        self.payload = [getattr(dut, prefix + name) for name in payload]
        self._waiting: list[int] | None = None

    def clear(self) -> None:
        self._waiting = None

    def sample(self) -> None:
        if not bit(self.valid):
            assert self._waiting is None, f"{self.name}VALID withdrawn before READY"
            return
        offered = [number(pin) for pin in self.payload]
        assert self._waiting in (None, offered), f"{self.name} changed before READY"
        self._waiting = None if bit(self.ready) else offered


def monitors(dut: Any) -> list[Monitor]:
    """One for each channel that the accelerator drives."""
    address = ("ADDR", "LEN", "SIZE", "BURST", "ID")
    channels = {"s_axi_control_R": ("DATA", "RESP"), "s_axi_control_B": ("RESP",)}
    for port in BASES:
        channels |= {f"m_axi_{port}_AR": address, f"m_axi_{port}_AW": address}
        channels[f"m_axi_{port}_W"] = ("DATA", "STRB", "LAST")
    return [Monitor(dut, prefix, payload) for prefix, payload in channels.items()]


class Accelerator:
    """A design under test with its surroundings.

    Attributes:
        memory: the window, shared by both ports.
        windows: by port.
        log: every change of the interrupt pin, as cycle counts.
    """

    def __init__(self, dut: Any, memory: bytes = bytes(4096), stall: float = 0.0) -> None:
        self.dut = dut
        self.random = random.Random(random.getrandbits(64))
        self.memory = bytearray(memory)
        self.windows = {port: Window(port, self.memory) for port in BASES}
        self.edge = RisingEdge(dut.ap_clk)
        self._monitors = monitors(dut)
        self._stall = stall
        self._watching = False
        dut.ap_rst_n.value = 0
        cocotb.start_soon(Clock(dut.ap_clk, PERIOD_NS, unit="ns").start())

    async def start_up(self) -> None:
        """First reset. The models are made within it: an unknown ready or valid confuses them."""
        await ClockCycles(self.dut.ap_clk, 4)
        dut, clock, reset = self.dut, self.dut.ap_clk, self.dut.ap_rst_n
        bus = AxiLiteBus.from_prefix(dut, "s_axi_control")
        self.host = AxiLiteMaster(bus, clock, reset, reset_active_level=False)
        self.slaves = {
            port: AxiSlave(_port(dut, f"m_axi_{port}"), clock, reset, window, False)
            for port, window in self.windows.items()
        }
        if self._stall:
            for channel in self._channels():
                channel.set_pause_generator(self._pauses())
        await ClockCycles(dut.ap_clk, 2)
        cocotb.start_soon(self._watch())
        await self._release()

    async def reset(self, cycles: int = 3) -> None:
        """A reset in the middle of whatever is going on."""
        self._watching = False
        self.dut.ap_rst_n.value = 0
        await ClockCycles(self.dut.ap_clk, cycles)
        await self._release()

    async def _release(self) -> None:
        for monitor in self._monitors:
            monitor.clear()
        self.dut.ap_rst_n.value = 1
        self._watching = True
        await ClockCycles(self.dut.ap_clk, 2)

    async def _watch(self) -> None:
        while True:
            await self.edge
            if self._watching:
                for monitor in self._monitors:
                    monitor.sample()
                bit(self.dut.interrupt)

    def hold_back(self, port: str, *, held: bool) -> None:
        """Let the memory behind a port answer no reads, or answer them again."""
        self.slaves[port].read_if.r_channel.pause = held

    def _channels(self) -> Iterator[Any]:
        host = self.host
        yield from (host.write_if.aw_channel, host.write_if.w_channel, host.write_if.b_channel)
        yield from (host.read_if.ar_channel, host.read_if.r_channel)
        for slave in self.slaves.values():
            yield from (slave.write_if.aw_channel, slave.write_if.w_channel)
            yield from (slave.write_if.b_channel, slave.read_if.ar_channel)
            yield slave.read_if.r_channel

    def _pauses(self) -> Iterator[bool]:
        own = random.Random(self.random.getrandbits(64))
        while True:
            yield own.random() < self._stall

    # --- registers ---

    async def read(self, register: int) -> int:
        """A register."""
        return int(await self.host.read_dword(register))

    async def write(self, register: int, value: int) -> None:
        """Set a register."""
        await self.host.write_dword(register, value)

    async def info(self, word: Info) -> int:
        """A word of identity and status."""
        return await self.read(Register.INFO + 4 * word)

    async def control(self) -> set[Control]:
        """The bits of the control register that are set; reading clears some."""
        value = await self.read(Register.CONTROL)
        return {bit_ for bit_ in Control if value >> bit_ & 1}

    # --- runs ---

    async def prepare(self, program: int, window_beats: int | None = None) -> None:
        """Set the arguments, enable the interrupt."""
        beats = len(self.memory) // 16 if window_beats is None else window_beats
        await self.write(Register.GMEM0_LOW, BASES["gmem0"] & 0xFFFF_FFFF)
        await self.write(Register.GMEM0_HIGH, BASES["gmem0"] >> 32)
        await self.write(Register.GMEM1_LOW, BASES["gmem1"] & 0xFFFF_FFFF)
        await self.write(Register.GMEM1_HIGH, BASES["gmem1"] >> 32)
        await self.write(Register.WINDOW_BEATS, beats)
        await self.write(Register.PROGRAM, program)
        await self.write(Register.INTERRUPT_ENABLE, 1)
        await self.write(Register.GLOBAL_INTERRUPT_ENABLE, 1)

    async def start(self) -> None:
        """Set ap_start."""
        await self.write(Register.CONTROL, 1 << Control.START)

    async def finish(self) -> int:
        """Wait for the interrupt, clear it; the error code."""
        if not bit(self.dut.interrupt):
            late = Timer(LIMIT * PERIOD_NS, "ns")
            await First(RisingEdge(self.dut.interrupt), late)
            assert bit(self.dut.interrupt), f"no interrupt after {LIMIT} cycles"
        assert Control.DONE in await self.control()
        await self.write(Register.INTERRUPT_STATUS, await self.read(Register.INTERRUPT_STATUS))
        await self.edge
        assert not bit(self.dut.interrupt)
        return await self.info(Info.ERROR)

    async def run(self, program: int, window_beats: int | None = None) -> int:
        """One run; the error code."""
        await self.prepare(program, window_beats)
        await self.start()
        return await self.finish()

    def check_strays(self) -> None:
        """No access went where it may not."""
        strays = [stray for window in self.windows.values() for stray in window.strays]
        assert not strays, f"{len(strays)} accesses outside the window, the first a {strays[0]}"
