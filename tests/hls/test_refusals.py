"""Damaged programs: each error code, nothing written after it, never a hang, never a stray access.

Random damage must end as on the reference machine (``tests/accelerator/machine.py``).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.accelerator.damage import MEMORY_BYTES, ODD, differences, random_case
from tests.accelerator.faults import FAULTS, UNUSUAL, fault_case
from tests.hls.programs import TINY, Bench
from xlic.accelerator import isa
from xlic.accelerator.isa import BEAT_BYTES, ErrorCode
from xlic.accelerator.native import NativeDevice

pytestmark = pytest.mark.hls

CASES = 150
"""Seconds."""


@pytest.fixture
def bench():
    return Bench("encode")


def spoil(bench, record, field, value):
    """Overwrite a field of the header in the window."""
    place = record.fields[field]
    bench.program_bytes.view("<u4")[place.word] = value


def untouched(outcome):
    return np.array_equal(outcome.before, outcome.after)


def test_a_sound_program_runs(bench):
    outcome = bench.run()
    assert (outcome.error, outcome.layers_done) == (ErrorCode.NONE, 3)
    assert not untouched(outcome)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("magic", 0x434C4959, ErrorCode.MAGIC),
        ("version", 2, ErrorCode.VERSION),
        ("array", TINY.array + 1, ErrorCode.DESIGN),
        ("array", TINY.array | 1 << 24, ErrorCode.DESIGN),
        ("layers", 0, ErrorCode.CAPACITY),
        ("layers", isa.MAX_LAYERS + 1, ErrorCode.CAPACITY),
        ("passes", 0, ErrorCode.CAPACITY),
        ("passes", TINY.pass_words + 1, ErrorCode.CAPACITY),
        ("taps", 0, ErrorCode.CAPACITY),
        ("taps", 0xFFFFFFFF, ErrorCode.CAPACITY),
        ("params", 0, ErrorCode.CAPACITY),
        ("params", TINY.param_words + 1, ErrorCode.CAPACITY),
        ("weight_words", 0, ErrorCode.CAPACITY),
        ("weight_words", TINY.weight_words + 1, ErrorCode.CAPACITY),
        ("weight_words", TINY.weight_words, ErrorCode.WINDOW),
        ("identity_low", 1, ErrorCode.TABLES_CRC),
        ("tables_crc", 1, ErrorCode.TABLES_CRC),
        ("weights_crc", 1, ErrorCode.WEIGHTS_CRC),
    ],
)
def test_headers(bench, field, value, code):
    spoil(bench, isa.HEADER, field, value)
    outcome = bench.run()
    assert outcome.error == code
    assert outcome.layers_done == 0
    assert untouched(outcome)


@pytest.mark.parametrize("section", ["layers", "passes", "taps", "params"])
def test_one_bit_of_each_table(bench, section):
    names = ("layers", "passes", "taps", "params")
    beats = bench.compiled.program.sections.tables[names.index(section)]
    bench.program_bytes[beats.start * BEAT_BYTES + 3] ^= 0x10
    outcome = bench.run()
    assert outcome.error == ErrorCode.TABLES_CRC
    assert untouched(outcome)


@pytest.mark.selfcheck
@pytest.mark.parametrize("where", [0, 0.5, 1])
def test_one_bit_of_the_weights(bench, where):
    beats = bench.compiled.program.sections.weights
    first, last = beats.start * BEAT_BYTES, beats.stop * BEAT_BYTES - 1
    bench.program_bytes[first + round(where * (last - first))] ^= 1
    outcome = bench.run()
    assert outcome.error == ErrorCode.WEIGHTS_CRC
    assert untouched(outcome)


@pytest.mark.parametrize("window_beats", [0, 3, "program", "header", "short"])
def test_windows_too_short_for_the_program(bench, window_beats):
    memory = bench.compiled.memory
    beats = {
        "program": memory.program,
        "header": memory.program + 4,
        "short": memory.program + memory.program_beats - 1,
    }.get(window_beats, window_beats)
    outcome = bench.run(window_beats=beats)
    assert outcome.error == ErrorCode.WINDOW
    assert untouched(outcome)


@pytest.mark.parametrize("program", [0xFFFFFFFF, 0xFFFFFFFC, 1 << 31])
def test_programs_beyond_the_window(bench, program):
    assert bench.run(program=program).error == ErrorCode.WINDOW


def with_layer(program, index, **fields):
    layers = list(program.layers)
    layers[index] = replace(layers[index], **fields)
    return replace(program, layers=tuple(layers))


def with_pass(program, index, **fields):
    passes = list(program.passes)
    passes[index] = replace(passes[index], **fields)
    return replace(program, passes=tuple(passes))


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"in_format": 3}, ErrorCode.LAYER),
        ({"stride": 0}, ErrorCode.LAYER),
        ({"tiles_x": 0}, ErrorCode.LAYER),
        ({"rows": 1000}, ErrorCode.LAYER),
        ({"cols": 65535}, ErrorCode.LAYER),
        ({"slot_words": 65535}, ErrorCode.LAYER),
        ({"out_channels": 65}, ErrorCode.LAYER),
        ({"in_offset": 0xFFFFFFFF}, ErrorCode.WINDOW),
        ({"in_row_pitch": 0xFFFFFFFF}, ErrorCode.WINDOW),
        ({"out_offset": 0xFFFFFFFF}, ErrorCode.WINDOW),
        ({"out_row_pitch": 0xFFFFFFFF}, ErrorCode.WINDOW),
        ({"out_px_pitch": 65535, "out_merge": 0}, ErrorCode.WINDOW),
        ({"out_run": 65535}, ErrorCode.LAYER),
        ({"pass_first": 65535}, ErrorCode.PASS),
    ],
)
def test_layers(bench, layer, fields, code):
    bench.load(with_layer(bench.compiled.program, layer, **fields))
    outcome = bench.run()
    assert (outcome.error, outcome.layer, outcome.layers_done) == (code, layer, layer)
    tensors = list(bench.compiled.memory.tensors.values())
    assert all((t.place(outcome.after) == 0xA5).all() for t in tensors[layer:])


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
def test_passes(bench, fields):
    bench.load(with_pass(bench.compiled.program, 0, **fields))
    outcome = bench.run()
    assert (outcome.error, outcome.layer) == (ErrorCode.PASS, 0)
    assert untouched(outcome)


@pytest.fixture(scope="module")
def device():
    return NativeDevice(ODD, MEMORY_BYTES)


@pytest.mark.parametrize("fault", [*FAULTS, *UNUSUAL])
def test_faults_end_as_on_the_reference_machine(device, fault):
    assert differences(fault_case(fault), device) == []


def test_random_damage_ends_as_on_the_reference_machine(device):
    rng, judged = np.random.default_rng(2017), set()
    for _ in range(CASES):
        case = random_case(rng)
        assert differences(case, device) == [], case.what
        judged.add(case.code)
    assert judged >= {ErrorCode.NONE, ErrorCode.LAYER, ErrorCode.PASS, ErrorCode.WINDOW}


@pytest.mark.selfcheck
def test_a_device_that_ends_otherwise_is_noticed(device):
    rng = np.random.default_rng(1)
    cases = (random_case(rng) for _ in range(50))
    case = next(c for c in cases if c.code == 0 and c.results[0].certain and not c.unknown.any())
    assert differences(case, device) == []
    wrong = replace(case, after=case.after ^ 1)
    assert "bytes of memory differ" in differences(wrong, device)[0]
    assert "ends with NONE" in differences(replace(case, code=ErrorCode.PASS), device)[0]
    counted = replace(case.results[0], cycles=case.results[0].cycles + 1)
    wrong = replace(case, results=[counted, *case.results[1:]])
    assert "layer 0: active" in differences(wrong, device)[0]
    wrong = replace(case, unknown=~case.unknown, after=case.after ^ 1)
    assert differences(wrong, device) == []
