"""Registers as Vitis HLS makes them, and the driver on top of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.hls.programs import TINY, Bench, compiled, model, values
from xlic.accelerator.design import SMALL
from xlic.accelerator.driver import Driver
from xlic.accelerator.isa import MAGIC, Control, ErrorCode, Info, Register
from xlic.accelerator.native import NativeDevice, native_devices
from xlic.errors import AcceleratorError, DesignMismatchError, InputError
from xlic.rungs.accelerator import AcceleratorRung

pytestmark = pytest.mark.hls

START, DONE, IDLE, READY = (1 << bit for bit in (Control.START, Control.DONE, 2, 3))


@pytest.fixture
def bench():
    return Bench("encode")


def finished(device):
    while not device.read(Register.CONTROL) & IDLE:
        pass


def start(bench, interrupts):
    memory = bench.compiled.memory
    bench.driver._prepare(memory.program, memory.beats)
    bench.device.write(Register.INTERRUPT_ENABLE, interrupts)
    bench.device.write(Register.CONTROL, START)


def test_done_and_ready_are_cleared_by_reading(bench):
    assert bench.device.read(Register.CONTROL) == IDLE
    start(bench, 1)
    assert bench.device.wait(1 << 40)
    assert bench.device.read(Register.CONTROL) == IDLE | DONE | READY
    assert bench.device.read(Register.CONTROL) == IDLE


def test_the_interrupt_is_toggled_away_and_only_enabled_events_raise_it(bench):
    device = bench.device
    start(bench, 1)
    assert device.wait(1 << 40)
    assert device.read(Register.INTERRUPT_STATUS) == 1
    device.write(Register.INTERRUPT_STATUS, 1)
    assert device.read(Register.INTERRUPT_STATUS) == 0
    assert not device.wait(1 << 40)
    # Writing a one where there is none sets it: it toggles.
    device.write(Register.INTERRUPT_STATUS, 2)
    assert device.read(Register.INTERRUPT_STATUS) == 2
    assert not device.wait(1 << 40)
    device.write(Register.INTERRUPT_ENABLE, 2)
    assert device.wait(1 << 40)
    device.write(Register.GLOBAL_INTERRUPT_ENABLE, 0)
    assert not device.wait(1 << 40)


def test_a_run_without_interrupts_is_seen_in_the_control_register(bench):
    start(bench, 0)
    assert not bench.device.wait(1 << 40)
    finished(bench.device)
    assert bench.device.read(Register.INTERRUPT_STATUS) == 0
    assert bench.device.read(Register.INFO + 4 * Info.LAYERS_DONE) == 3


def test_auto_restart_runs_again_until_it_is_taken_back(bench):
    device = bench.device
    bench.driver._prepare(bench.compiled.memory.program, bench.compiled.memory.beats)
    device.write(Register.CONTROL, START | 1 << Control.AUTO_RESTART)
    for _ in range(2):
        assert device.wait(1 << 40)
        device.write(Register.INTERRUPT_STATUS, 1)
    assert not device.read(Register.CONTROL) & IDLE
    device.write(Register.CONTROL, 0)
    finished(device)


def test_registers_are_read_back_and_what_is_read_only_stays(bench):
    device = bench.device
    device.write(Register.GMEM1_HIGH, 0x1_2345_6789)
    assert device.read(Register.GMEM1_HIGH) == 0x2345_6789
    device.write(Register.GLOBAL_INTERRUPT_ENABLE, 0xFF)
    assert device.read(Register.GLOBAL_INTERRUPT_ENABLE) == 1
    device.write(Register.INFO, 0)
    assert device.read(Register.INFO) == MAGIC
    assert device.read(0xFFC) == 0


def test_the_identity_is_that_of_the_design(bench):
    assert bench.driver.identity.design == TINY
    assert bench.driver.identity.source_hash != 0
    other = Driver(NativeDevice(SMALL, 1))
    assert other.identity.design == SMALL
    assert other.identity.source_hash == bench.driver.identity.source_hash


@pytest.mark.parametrize("offset", [4096, -4096, 16, 1 << 32])
def test_a_window_where_there_is_no_memory_is_a_read_error(bench, offset):
    memory = bench.compiled.memory
    bench.driver._prepare(memory.program, memory.beats)
    low = (bench.device.window_address + offset) & 0xFFFFFFFF
    high = (bench.device.window_address + offset) >> 32
    bench.device.write(Register.GMEM0_LOW, low)
    bench.device.write(Register.GMEM0_HIGH, high)
    bench.device.write(Register.CONTROL, START)
    assert bench.device.wait(1 << 40)
    assert bench.device.read(Register.INFO + 4 * Info.ERROR) == ErrorCode.READ


def test_a_run_and_its_counters(bench):
    made = compiled("encode")
    execution = bench.driver.execute(made, values("encode"))
    assert len(execution.layers) == 3
    assert sum(layer.cycles for layer in execution.layers) == execution.cycles
    assert all(layer.active == layer.cycles > 0 for layer in execution.layers)
    assert all(layer.load_wait + layer.store_wait == 0 for layer in execution.layers)


def test_two_devices_run_at_once():
    benches = [Bench("encode"), Bench("decode"), Bench("encode")]
    for bench in benches:
        start(bench, 1)
    for bench in benches:
        assert bench.device.wait(1 << 40)
        assert bench.device.read(Register.INFO + 4 * Info.ERROR) == ErrorCode.NONE
    first, _, last = (bench.device.memory for bench in benches)
    assert np.array_equal(first, last)


class Spy:
    """A device that tells lies about some registers."""

    def __init__(self, device, lies=None, deaf=False):
        self.device, self.lies, self.deaf = device, lies or {}, deaf
        self.memory, self.window_address = device.memory, device.window_address

    def read(self, address):
        return self.lies.get(address, self.device.read(address))

    def write(self, address, value):
        self.device.write(address, value)

    def wait(self, cycles):
        return self.device.wait(cycles) and not self.deaf


def info(word):
    return Register.INFO + 4 * word


@pytest.mark.parametrize(
    ("lies", "message"),
    [
        ({info(Info.MAGIC): 0}, "no accelerator answers"),
        ({info(Info.VERSION): 9}, "interface version 9"),
        ({info(Info.ARRAY): 7}, "identity is damaged"),
    ],
)
def test_strangers_are_refused(bench, lies, message):
    with pytest.raises(DesignMismatchError, match=message):
        Driver(Spy(bench.device, lies))


@pytest.mark.parametrize(
    ("design", "message"),
    [
        (replace(TINY, poy=4), "has an array of POF 4, POY 2, POX 8, expected POF 4, POY 4"),
        (replace(TINY, weight_words=9000), "has weight_words 8192, expected 9000 or more"),
        (replace(TINY, channels=65), "has channels 64"),
    ],
)
def test_programs_for_another_design_are_refused(bench, design, message):
    with pytest.raises(DesignMismatchError, match=message):
        bench.driver.require(design)
    with pytest.raises(DesignMismatchError, match=message):
        bench.driver.execute(replace(bench.compiled, design=design), values("encode"))


def test_larger_buffers_do_no_harm(bench):
    bench.driver.require(replace(TINY, weight_words=100))


def failing(bench, lies=None, deaf=False, **how):
    with pytest.raises(AcceleratorError) as caught:
        Driver(Spy(bench.device, lies, deaf)).execute(bench.compiled, values("encode"), **how)
    return str(caught.value)


@pytest.mark.parametrize("code", [code for code in ErrorCode if code])
def test_every_error_has_a_name_and_a_remedy(bench, code):
    lies = {info(Info.ERROR): code, info(Info.ERROR_LAYER): 2}
    message = failing(bench, lies)
    assert f"stopped with {code.name}" in message
    assert ("in layer 2 (ana_2)" in message) == (
        code > ErrorCode.WEIGHTS_CRC or code.name[0] == "W"
    )
    assert len(message.split("; ")[1]) > 10


def test_an_error_that_does_not_exist_is_told(bench):
    assert "error 99" in failing(bench, {info(Info.ERROR): 99})


def test_a_run_that_does_not_end_tells_where_it_stands(bench):
    message = failing(bench, deaf=True, cycle_limit=1000)
    assert "did not end within 1000 cycles, 3 layers of 3 done" in message
    assert "active=" in message


def test_a_busy_accelerator_is_not_started_again(bench):
    assert "still running" in failing(bench, {Register.CONTROL: 0})


def test_another_program_than_the_one_loaded_is_noticed(bench):
    assert "ran the program" in failing(bench, {info(Info.PROGRAM_LOW): 1})
    assert "2 layers of 3" in failing(bench, {info(Info.LAYERS_DONE): 2})


def test_too_little_memory_is_refused():
    with pytest.raises(InputError, match="needs a window of"):
        Driver(NativeDevice(TINY, 4096)).execute(compiled("encode"), values("encode"))
    with pytest.raises(InputError, match="0 bytes"):
        native_devices(TINY)(0)


def test_outputs_are_poisoned_before_a_run(bench):
    made = bench.compiled
    bench.device.memory[:] = 0
    failing(bench, {info(Info.ERROR): 12})
    # The accelerator did run here; what it does not write must not keep an older result.
    lazy = Spy(bench.device)
    lazy.write = lambda address, value: None
    with pytest.raises(AcceleratorError):
        Driver(lazy).execute(made, values("encode"))
    for tensor in made.memory.tensors.values():
        assert (tensor.place(bench.device.memory) == 0xA5).all()


def test_the_rung_takes_a_larger_device_when_it_needs_one():
    sizes = []

    def devices(size):
        sizes.append(size)
        return NativeDevice(TINY, size)

    rung = AcceleratorRung("hls", model(), devices, TINY)
    for width in (20, 400, 20, 400):
        rung.analyze(np.zeros((16, width, 3), np.uint8))
    assert len(sizes) == 2
    assert sizes[0] < sizes[1]
