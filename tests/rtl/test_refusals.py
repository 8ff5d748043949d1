"""Whatever is wrong, the RTL ends with the right code, disturbs nothing, and runs again."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tests.accelerator.damage import MEMORY_BYTES, ODD, differences, random_case, with_fields
from tests.accelerator.faults import FAULTS, UNUSUAL, fault_case
from tests.sim.models import random_model
from xlic.accelerator.compiler import compile_transform
from xlic.accelerator.driver import Driver
from xlic.accelerator.isa import BEAT_BYTES, Control, ErrorCode, Info, Register
from xlic.accelerator.sources import rtl_sources
from xlic.accelerator.timing import MemoryTiming
from xlic.accelerator.verilated import MemoryFault, VerilatedDevice, open_verilated
from xlic.accelerator.verilated_library import Rtl, build_library
from xlic.rungs.int16 import Int16Rung

pytestmark = [pytest.mark.rtl, pytest.mark.usefixtures("verilator")]

MODEL = random_model(seed=7, filters=5)
SIZE = (35, 50)
LIMIT = 3_000_000
CASES = 100
"""Seconds."""


class Bench:
    """A device that holds the encoder's program, to be spoilt and run, and then to run soundly."""

    def __init__(self):
        self.compiled = compile_transform(MODEL, "encode", SIZE, ODD)
        memory = self.compiled.memory
        # Memory goes on behind the window: what leaves the window would find it.
        self.device = open_verilated(ODD, memory.bytes + (1 << 16), timing=MemoryTiming(stall=4))
        self.device.allow("gmem0", read=(0, memory.bytes), write=(0, memory.bytes))
        self.device.allow("gmem1", read=(0, memory.bytes), write=(0, 0))
        self.pixels = np.random.default_rng(3).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
        self.driver = Driver(self.device)
        self.load()

    def load(self, data=None):
        self.device.memory[:] = 0xA5
        self.compiled.write_program(self.device.memory)
        self.compiled.write_input(self.device.memory, self.pixels)
        if data is not None:
            self.bytes[: len(data)] = np.frombuffer(data, np.uint8)

    @property
    def bytes(self):
        return self.device.memory[self.compiled.memory.program * BEAT_BYTES :]

    def run(self, window=None, program=None):
        """The error code, the layer, and whether memory is as it was."""
        memory, before = self.compiled.memory, self.device.memory.copy()
        self.driver._prepare(
            memory.program if program is None else program,
            memory.beats if window is None else window,
        )
        self.device.write(Register.CONTROL, 1 << Control.START)
        assert self.device.wait(LIMIT), "it hangs"
        assert self.device.read(Register.CONTROL) & 1 << Control.IDLE
        self.device.step(2000)
        assert not any(self.device.open_transactions(port) for port in ("gmem0", "gmem1"))
        info = {word: self.device.read(Register.INFO + 4 * word) for word in Info}
        untouched = np.array_equal(before, self.device.memory)
        return ErrorCode(info[Info.ERROR]), info[Info.ERROR_LAYER], untouched

    def runs_soundly(self):
        execution = self.driver.execute(self.compiled, self.pixels)
        expected = Int16Rung(MODEL).analyze(self.pixels).output
        found = self.compiled.read(self.device.memory, self.compiled.output)
        return np.array_equal(found, expected) and len(execution.layers) == 3


@pytest.fixture(scope="module")
def shared(verilator):
    bench = Bench()
    yield bench
    bench.device.check()
    bench.device.close()


@pytest.fixture
def bench(shared):
    shared.load()
    return shared


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("magic", 0x434C4959, ErrorCode.MAGIC),
        ("version", 2, ErrorCode.VERSION),
        ("array", ODD.array + 1, ErrorCode.DESIGN),
        ("array", ODD.array | 1 << 24, ErrorCode.DESIGN),
        ("layers", 0, ErrorCode.CAPACITY),
        ("layers", 9, ErrorCode.CAPACITY),
        ("passes", 0, ErrorCode.CAPACITY),
        ("passes", ODD.pass_words + 1, ErrorCode.CAPACITY),
        ("taps", 0, ErrorCode.CAPACITY),
        ("taps", 0xFFFFFFFF, ErrorCode.CAPACITY),
        ("params", 0, ErrorCode.CAPACITY),
        ("params", ODD.param_words + 1, ErrorCode.CAPACITY),
        ("weight_words", 0, ErrorCode.CAPACITY),
        ("weight_words", ODD.weight_words + 1, ErrorCode.CAPACITY),
        ("tables_crc", 1, ErrorCode.TABLES_CRC),
    ],
)
def test_headers_that_do_not_fit(bench, field, value, code):
    bench.load(with_fields(bench.compiled.program, "header", 0, **{field: value}))
    assert bench.run() == (code, 0, True)
    assert bench.runs_soundly()


@pytest.mark.selfcheck
@pytest.mark.parametrize("section", ["layers", "passes", "taps", "params"])
def test_one_flipped_bit_of_a_table(bench, section):
    names = ("layers", "passes", "taps", "params")
    beats = bench.compiled.program.sections.tables[names.index(section)]
    bench.bytes[(beats.stop - 1) * BEAT_BYTES + 1] ^= 0x20
    assert bench.run() == (ErrorCode.TABLES_CRC, 0, True)


@pytest.mark.selfcheck
@pytest.mark.parametrize("where", [0, 0.5, 1])
def test_one_flipped_bit_of_the_weights(bench, where):
    beats = bench.compiled.program.sections.weights
    first, last = beats.start * BEAT_BYTES, beats.stop * BEAT_BYTES - 1
    bench.bytes[first + round(where * (last - first))] ^= 1
    assert bench.run()[0] == ErrorCode.WEIGHTS_CRC
    assert bench.runs_soundly()


def test_a_wrong_checksum_of_the_weights(bench):
    bench.load(with_fields(bench.compiled.program, "header", 0, weights_crc=1))
    assert bench.run()[0] == ErrorCode.WEIGHTS_CRC


@pytest.mark.parametrize("what", ["none", "header", "tables", "weights"])
def test_windows_too_short_for_the_program(bench, what):
    memory = bench.compiled.memory
    beats = {"none": 0, "header": 3, "tables": 4, "weights": memory.program_beats - 1}
    window = 0 if what == "none" else memory.program + beats[what]
    assert bench.run(window=window) == (ErrorCode.WINDOW, 0, True)


@pytest.mark.parametrize("program", [0xFFFFFFFF, 0xFFFFFFFC, 1 << 31])
def test_programs_outside_the_window(bench, program):
    assert bench.run(program=program) == (ErrorCode.WINDOW, 0, True)


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        *(
            (name, 0, ErrorCode.LAYER)
            for name in (
                *("in_height", "in_width", "row_step", "col_step", "rows", "cols", "stride"),
                *("in_blocks", "phase_words", "slot_words", "tiles_y", "tiles_x", "pass_count"),
                *("out_height", "out_width", "out_run", "row_mul", "col_mul", "subrows"),
                "out_channels",
            )
        ),
        ("in_format", 3, ErrorCode.LAYER),
        ("rows", 1000, ErrorCode.LAYER),
        ("cols", 65535, ErrorCode.LAYER),
        ("slot_words", 65535, ErrorCode.LAYER),
        ("phase_words", 65528, ErrorCode.LAYER),
        ("in_blocks", 4000, ErrorCode.LAYER),
        ("out_channels", ODD.channels + 1, ErrorCode.LAYER),
        ("pass_first", 65535, ErrorCode.PASS),
        ("in_offset", 0xFFFFFFFF, ErrorCode.WINDOW),
        ("in_row_pitch", 0xFFFFFFFF, ErrorCode.WINDOW),
        ("out_offset", 0xFFFFFFFF, ErrorCode.WINDOW),
        ("out_row_pitch", 0xFFFFFFFF, ErrorCode.WINDOW),
        ("out_run", 65535, ErrorCode.LAYER),
    ],
)
def test_layers_that_cannot_be(bench, layer, field, value, code):
    bench.load(with_fields(bench.compiled.program, "layers", layer, **{field: value}))
    assert bench.run()[:2] == (code, layer)
    tensors = list(bench.compiled.memory.tensors.values())
    if code != ErrorCode.WINDOW:
        assert all((t.place(bench.device.memory) == 0xA5).all() for t in tensors[layer:])


@pytest.mark.parametrize(
    "fields",
    [
        {"count": 0},
        {"tap_count": 0},
        {"tap_first": 65535},
        {"weight_base": (1 << 24) - 1},
        {"param_base": 65535},
        {"destination": 7},
        {"destination": 3},
        {"channel_base": 65535},
        {"count": 65535},
    ],
)
def test_passes_that_cannot_be(bench, fields):
    bench.load(with_fields(bench.compiled.program, "passes", 0, **fields))
    assert bench.run() == (ErrorCode.PASS, 0, True)
    assert bench.runs_soundly()


@pytest.mark.parametrize("fields", [{"offset": 65535}, {"dy": 3}, {"dx": 3}])
def test_taps_that_cannot_be(bench, fields):
    bench.load(with_fields(bench.compiled.program, "taps", 0, **fields))
    assert bench.run() == (ErrorCode.PASS, 0, True)


@pytest.mark.parametrize(
    ("port", "tensor"), [("gmem0", "image"), ("gmem0", "gdn_0"), ("gmem1", "program")]
)
def test_reads_that_memory_refuses(bench, port, tensor):
    memory = bench.compiled.memory
    at = memory.program if tensor == "program" else None
    if at is None:
        at = (memory.input if tensor == "image" else memory.tensor(tensor)).offset
    begin = (at + 5) * BEAT_BYTES
    bench.device.set_fault(port, MemoryFault(read_error=(begin, begin + 16)))
    code, layer, _ = bench.run()
    bench.device.set_fault(port, None)
    assert (code, layer) == (ErrorCode.READ, 1 if tensor == "gdn_0" else 0)
    assert bench.runs_soundly()


@pytest.mark.parametrize("response", [2, 3])
def test_writes_that_memory_refuses(bench, response):
    begin = bench.compiled.memory.tensor("gdn_1").offset * BEAT_BYTES
    fault = MemoryFault(write_error=(begin, begin + 64), response=response)
    bench.device.set_fault("gmem0", fault)
    code, layer, _ = bench.run()
    bench.device.set_fault("gmem0", None)
    assert (code, layer) == (ErrorCode.WRITE, 1)
    assert bench.runs_soundly()


@pytest.mark.parametrize("after", [3, 40, 200, 700, 1500, 4000])
def test_a_reset_in_the_middle_leaves_a_sound_accelerator(bench, after):
    bench.driver._prepare(bench.compiled.memory.program, bench.compiled.memory.beats)
    bench.device.write(Register.CONTROL, 1 << Control.START)
    bench.device.step(after)
    bench.device.reset()
    assert bench.device.read(Register.CONTROL) & 1 << Control.IDLE
    bench.load()
    assert bench.runs_soundly()


@pytest.fixture(scope="module")
def device(verilator):
    device = open_verilated(ODD, MEMORY_BYTES, timing=MemoryTiming(stall=4))
    yield device
    device.check()
    device.close()


@pytest.mark.parametrize("fault", [*FAULTS, *UNUSUAL])
def test_faults_end_as_on_the_reference_machine(device, fault):
    assert differences(fault_case(fault), device) == []


def test_random_damage_ends_as_on_the_reference_machine(device):
    rng = np.random.default_rng(2017)
    for _ in range(CASES):
        case = random_case(rng)
        assert differences(case, device) == [], case.what


RULES = {
    "layer_checker.sv": ("groups > 25'(GROUPS)", "groups > 25'(9 * GROUPS)"),
    "pass_checker.sv": ("if (bad || record_bad || order_bad || end_bad)", "if (bad || record_bad)"),
}
"""What may be asked of a layer, and no longer is."""


@pytest.mark.selfcheck
@pytest.mark.nightly
def test_rules_that_are_missing_are_noticed(tmp_path):
    for source in rtl_sources():
        shutil.copy(source, tmp_path)
    for name, (old, new) in RULES.items():
        text = (tmp_path / name).read_text("utf-8")
        assert old in text, f"{name} has changed; adapt this test"
        (tmp_path / name).write_text(text.replace(old, new), "utf-8")
    library = build_library(Rtl.of(ODD, tmp_path))
    for fault in (
        "more channels stored than there are",
        "plain results behind GDN",
        "a tile that is never given back",
        "an emission that is not begun",
    ):
        device = VerilatedDevice(library, MEMORY_BYTES, strict=False)
        assert differences(fault_case(fault), device), fault
        device.close()


def test_the_identity_is_that_of_the_sources(bench):
    from xlic.accelerator.sources import source_hash

    assert bench.driver.identity.source_hash == source_hash(rtl_sources())
    assert bench.driver.identity.design == ODD
