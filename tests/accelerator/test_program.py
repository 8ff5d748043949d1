"""Programs as bytes: there and back, and everything that the accelerator refuses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.accelerator.damage import with_fields
from tests.sim.models import random_model
from xlic.accelerator import isa
from xlic.accelerator.checks import ProgramError
from xlic.accelerator.compiler import compile_transform
from xlic.accelerator.design import SMALL, Design
from xlic.accelerator.isa import ErrorCode
from xlic.accelerator.program import Program, read_program, write_program
from xlic.accelerator.records import (
    LayerRecord,
    ParamRecord,
    PassRecord,
    TapRecord,
    decode_record,
    encode_record,
)
from xlic.errors import FormatError, InputError

pytestmark = pytest.mark.sim

RECORD_TYPES = (LayerRecord, PassRecord, TapRecord, ParamRecord)


@pytest.fixture(scope="module")
def compiled():
    return compile_transform(random_model(1, 6), "decode", (20, 36), SMALL, keep=["syn_0"])


@pytest.fixture(scope="module")
def program(compiled):
    return compiled.program


def refusal(data, design=SMALL, window_beats=None):
    with pytest.raises(ProgramError) as caught:
        Program.from_bytes(data, design, window_beats)
    assert "xlic compile" in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


class TestRecords:
    @pytest.mark.parametrize("kind", RECORD_TYPES)
    def test_have_the_fields_of_the_interface(self, kind):
        assert [field.name for field in dataclasses.fields(kind)] == list(kind.record.fields)

    @pytest.mark.parametrize("kind", RECORD_TYPES)
    @given(data=st.data())
    def test_survive_encoding(self, kind, data):
        values = {
            name: data.draw(st.integers(*field.range)) for name, field in kind.record.fields.items()
        }
        record = kind(**values)
        words = encode_record(record)
        assert words.shape == (kind.record.words,)
        assert decode_record(kind, words) == record

    def test_do_not_overlap(self):
        for record in isa.RECORDS:
            bits = [
                32 * field.word + field.low + bit
                for field in record.fields.values()
                for bit in range(field.bits)
            ]
            assert len(bits) == len(set(bits))
            assert max(bits) < 32 * record.words

    def test_name_the_field_that_does_not_hold_a_value(self):
        with pytest.raises(FormatError, match=r"tap\.dy would be 4, the accelerator takes 0 … 3"):
            encode_record(TapRecord(0, 4, 0))
        with pytest.raises(FormatError, match=r"param\.bias would be"):
            encode_record(ParamRecord(1 << 47, 1, 0))


class TestBytes:
    def test_there_and_back_are_the_same(self, program):
        data = program.to_bytes()
        read = Program.from_bytes(data, SMALL)
        assert read.to_bytes() == data
        for name in ("array", "layers", "passes", "taps", "params", "identity", "beats"):
            assert getattr(read, name) == getattr(program, name)
        assert np.array_equal(read.weights, program.weights)
        assert len(data) == 16 * program.beats

    @pytest.mark.parametrize("pof", [4, 8, 16])
    def test_pack_weights_lane_after_lane(self, pof):
        design = Design(pof=pof)
        program = compile_transform(random_model(1, 5), "encode", (9, 9), design).program
        data = program.to_bytes()
        assert len(data) % 16 == 0
        start = 16 * program.sections.weights.start
        stored = np.frombuffer(data[start:], "<i2")
        assert np.array_equal(stored[: program.weights.size], program.weights.ravel())
        assert not stored[program.weights.size :].any()
        assert Program.from_bytes(data, design).to_bytes() == data

    def test_may_be_followed_by_others_in_memory(self, program):
        assert Program.from_bytes(program.to_bytes() + b"more", SMALL).beats == program.beats

    def test_carry_the_identity(self, program):
        header = isa.HEADER.decode(np.frombuffer(program.to_bytes(), "<u4", 16))
        wide = header["identity_high"] << 32 | header["identity_low"]
        assert f"{wide:016x}" == program.identity
        other = dataclasses.replace(program, weights=program.weights ^ 1)
        assert other.identity != program.identity


class TestFiles:
    def test_hold_the_program_as_it_lies_in_memory(self, program, tmp_path):
        path = tmp_path / "p.xprog"
        write_program(program, path)
        assert path.read_bytes() == program.to_bytes()
        assert read_program(path, SMALL).identity == program.identity

    def test_with_something_behind_are_refused_by_name(self, program, tmp_path):
        path = tmp_path / "p.xprog"
        path.write_bytes(program.to_bytes() + b"1234")
        with pytest.raises(FormatError, match=r"p\.xprog: 4 bytes follow the program"):
            read_program(path, SMALL)

    def test_that_are_damaged_are_refused_by_name(self, program, tmp_path):
        path = tmp_path / "p.xprog"
        path.write_bytes(b"\x89PNG" + bytes(100))
        with pytest.raises(FormatError, match=r"p\.xprog: this is no program"):
            read_program(path, SMALL)
        with pytest.raises(InputError, match="cannot read"):
            read_program(tmp_path / "absent", SMALL)


class TestHeader:
    @pytest.mark.parametrize(
        ("field", "value", "code", "message"),
        [
            ("magic", 1, ErrorCode.MAGIC, "begins with 0x00000001, not 0x434c4958"),
            ("version", 7, ErrorCode.VERSION, "interface version 7, the accelerator 1"),
            ("array", 0x100210, ErrorCode.DESIGN, "array of POF 16, POY 2, POX 16"),
            ("layers", 0, ErrorCode.CAPACITY, "0 layers, the accelerator takes 1 … 8"),
            ("layers", 9, ErrorCode.CAPACITY, "9 layers"),
            ("passes", 513, ErrorCode.CAPACITY, "513 passes, the accelerator takes 1 … 512"),
            ("taps", 0, ErrorCode.CAPACITY, "0 taps"),
            ("params", 1 << 31, ErrorCode.CAPACITY, "2147483648 params"),
            ("weight_words", 16385, ErrorCode.CAPACITY, "16385 weight_words"),
            ("tables_crc", 1, ErrorCode.TABLES_CRC, "tables are damaged"),
            ("weights_crc", 1, ErrorCode.WEIGHTS_CRC, "weights are damaged"),
        ],
    )
    def test_faults_are_refused(self, program, field, value, code, message):
        error = refusal(with_fields(program, "header", 0, **{field: value}))
        assert error.code is code
        assert message in str(error)

    def test_of_another_design_is_refused(self, program):
        assert refusal(program.to_bytes(), Design()).code is ErrorCode.DESIGN

    @given(st.data())
    def test_truncation_is_refused(self, program, data):
        whole = program.to_bytes()
        length = data.draw(st.integers(0, len(whole) - 1))
        assert refusal(whole[:length]).code is ErrorCode.WINDOW

    @given(st.data())
    def test_every_flipped_bit_is_refused(self, program, data):
        damaged = bytearray(program.to_bytes())
        bit = data.draw(st.integers(0, 8 * len(damaged) - 1))
        # The last two words of the header are covered by no checksum and mean nothing.
        if 8 * 56 <= bit < 8 * 64:
            bit = 0
        damaged[bit // 8] ^= 1 << bit % 8
        refusal(bytes(damaged))


COUNTS = [
    *("in_height", "in_width", "row_step", "col_step", "rows", "cols", "stride", "in_blocks"),
    *("phase_words", "slot_words", "tiles_y", "tiles_x", "pass_count", "out_height", "out_width"),
    *("out_run", "row_mul", "col_mul", "subrows", "out_channels"),
]
"""Fields of a layer that must not be 0."""

# Section, record, field, value, error, part of the message; layer 0 is the extra syn_0.
FAULTS = [
    *[
        ("layers", 1, name, 0, ErrorCode.LAYER, f"layer 1 of the program: {name} is 0")
        for name in COUNTS
    ],
    ("layers", 0, "in_format", 3, ErrorCode.LAYER, "in_format 3 does not exist"),
    ("layers", 0, "rows", 5, ErrorCode.LAYER, "4 steps of rows are needed, there are 3"),
    ("layers", 0, "cols", 11, ErrorCode.LAYER, "10 steps of columns are needed, there are 9"),
    ("layers", 0, "slot_words", 513, ErrorCode.LAYER, "1026 words of the input buffer"),
    ("layers", 0, "stride", 2, ErrorCode.LAYER, "32 words of a slot are needed, there are 8"),
    ("layers", 0, "in_blocks", 3, ErrorCode.LAYER, "12 words of a phase are needed, there are 8"),
    ("layers", 0, "phase_words", 7, ErrorCode.LAYER, "phase_words is 7, must be a multiple of 8"),
    ("layers", 0, "out_channels", 257, ErrorCode.LAYER, "257 output channels"),
    ("layers", 0, "pass_first", 60000, ErrorCode.PASS, "passes are needed"),
    ("layers", 0, "pass_count", 60000, ErrorCode.PASS, "passes are needed"),
    ("layers", 0, "in_params", 60000, ErrorCode.PASS, "60008 parameters of symbols"),
    ("layers", 0, "in_offset", (1 << 32) - 1, ErrorCode.WINDOW, "beats of window to read"),
    ("layers", 0, "in_row_pitch", (1 << 32) - 1, ErrorCode.WINDOW, "beats of window to read"),
    ("layers", 0, "in_height", (1 << 20) - 1, ErrorCode.WINDOW, "beats of window to read"),
    ("layers", 0, "out_offset", (1 << 32) - 1, ErrorCode.WINDOW, "beats of window to write"),
    ("layers", 3, "out_row_pitch", (1 << 32) - 1, ErrorCode.WINDOW, "beats of window to write"),
    ("layers", 3, "out_run", 60000, ErrorCode.LAYER, "blocks of stored channels"),
    ("passes", 0, "count", 0, ErrorCode.PASS, "a pass counts 0 channels"),
    ("passes", 0, "count", 9, ErrorCode.PASS, "9 words of a slot are needed, there are 8"),
    ("passes", 0, "tap_count", 0, ErrorCode.PASS, "a convolution pass has 0 taps"),
    ("passes", 0, "tap_first", 60000, ErrorCode.PASS, "taps are needed"),
    ("passes", 0, "weight_base", (1 << 24) - 1, ErrorCode.PASS, "weight words are needed"),
    ("passes", 0, "param_base", 60000, ErrorCode.PASS, "60004 parameters are needed"),
    ("passes", 0, "channel_base", 255, ErrorCode.PASS, "257 channels are needed, there are 256"),
    ("passes", 0, "destination", 5, ErrorCode.PASS, "destination 5 does not exist"),
    ("passes", 0, "destination", 4, ErrorCode.PASS, "does not fit gamma 0"),
    ("passes", 0, "gamma", 1, ErrorCode.PASS, "does not fit gamma 1"),
    ("taps", 0, "dy", 3, ErrorCode.PASS, "3 steps of a tap are needed, there are 2"),
    ("taps", 0, "dx", 3, ErrorCode.PASS, "3 steps of a tap"),
    ("taps", 0, "offset", 3, ErrorCode.PASS, "9 words of a slot are needed, there are 8"),
]


class TestDescriptors:
    @pytest.mark.parametrize(
        ("section", "index", "field", "value", "code", "message"),
        FAULTS,
        ids=[f"{fault[0]}-{fault[2]}-{fault[3]}" for fault in FAULTS],
    )
    def test_faults_are_refused(self, compiled, section, index, field, value, code, message):
        data = with_fields(compiled.program, section, index, **{field: value})
        error = refusal(data, window_beats=compiled.memory.beats)
        assert message in str(error)
        assert error.code is code
        assert error.layer is not None

    def test_of_gamma_passes_hold_no_more_channels_than_the_design(self, compiled):
        index = next(i for i, entry in enumerate(compiled.program.passes) if entry.gamma)
        data = with_fields(compiled.program, "passes", index, count=257)
        assert "a γ pass takes 257 channels, 6 are held" in str(refusal(data))

    def test_of_pictures_have_one_block(self):
        program = compile_transform(random_model(1, 5), "encode", (9, 9), SMALL).program
        data = with_fields(program, "layers", 0, in_blocks=2, phase_words=16, slot_words=256)
        assert "2 blocks of a picture's pixel" in str(refusal(data))

    def test_need_the_whole_window(self, compiled):
        data = compiled.program.to_bytes()
        ends = [layer.out_end for layer in compiled.program.layers]
        Program.from_bytes(data, SMALL, max(ends))
        assert refusal(data, window_beats=max(ends) - 1).code is ErrorCode.WINDOW

    def test_of_compiled_programs_are_accepted_whatever_the_window_is(self, compiled):
        Program.from_bytes(compiled.program.to_bytes(), SMALL, None)
