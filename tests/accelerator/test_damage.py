"""What is refused: by ``xlic.accelerator.checks`` as by the reference machine, and rightly so."""

from __future__ import annotations

import numpy as np
import pytest

from tests.accelerator.damage import ODD, random_case
from tests.accelerator.faults import FAULTS, compiled, fault_case
from xlic.accelerator.checks import ProgramError
from xlic.accelerator.isa import BEAT_BYTES, ErrorCode
from xlic.accelerator.program import Program

pytestmark = pytest.mark.sim

CASES = 100
"""Seconds."""


def verdict(case):
    """Of the host: the code and the layer."""
    data = case.before[case.program * BEAT_BYTES :].tobytes()
    try:
        Program.from_bytes(data, ODD, len(case.before) // BEAT_BYTES, case.program)
    except ProgramError as error:
        return error.code, error.layer or 0
    return ErrorCode.NONE, 0


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_refused_alike(fault):
    case = fault_case(fault)
    assert verdict(case) == (case.code, case.layer) == (FAULTS[fault].code, FAULTS[fault].layer)


def test_random_damage_is_judged_alike():
    rng, judged = np.random.default_rng(2017), set()
    for _ in range(CASES):
        case = random_case(rng)
        assert verdict(case) == (case.code, case.layer), case.what
        judged.add(case.code)
    assert judged >= {ErrorCode.NONE, ErrorCode.LAYER, ErrorCode.PASS, ErrorCode.WINDOW}


@pytest.mark.parametrize("transform", ["encode", "decode"])
def test_compiled_programs_are_accepted_where_they_lie(transform):
    memory = compiled(transform).memory
    data = compiled(transform).program.to_bytes()
    Program.from_bytes(data, ODD, memory.beats, memory.program)
