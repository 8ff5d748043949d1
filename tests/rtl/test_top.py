"""The whole accelerator under cocotb: ports, control, whole runs. The same body serves an export.

``--rtl-dir DIR --rtl-top NAME`` run it on an HLS export: the design is asked what it is, programs
are compiled for that.
"""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest

from tests.sim.models import random_model
from xlic.accelerator.compiler import compile_transform
from xlic.accelerator.design import Design
from xlic.accelerator.sources import source_hash
from xlic.accelerator.verilated_library import Rtl, rtl_parameters
from xlic.architecture import ANALYSIS_NAMES, SYNTHESIS_NAMES
from xlic.rungs.int16 import Int16Rung

pytestmark = pytest.mark.rtl

TINY = Design(pof=4, poy=2, pox=8, input_words=256, weight_words=8192, param_words=256, channels=64)
SIZE = (18, 35)
WHOLE = {"encode": ANALYSIS_NAMES, "decode": SYNTHESIS_NAMES}


@functools.cache
def tensors(transform):
    """Input and all tensors of a transform of random pixels, by the simulation."""
    rung = Int16Rung(random_model(seed=7, filters=5))
    pixels = np.random.default_rng(5).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    encoded = rung.analyze(pixels, keep=ANALYSIS_NAMES)
    if transform == "encode":
        return pixels, encoded.tensors
    decoded = rung.synthesize(encoded.output, SIZE, keep=SYNTHESIS_NAMES)
    return encoded.output, decoded.tensors


def write_case(file, transform, design):
    """A window before and after the run, for the bench."""
    values, expected = tensors(transform)
    model = random_model(seed=7, filters=5)
    compiled = compile_transform(model, transform, SIZE, design, WHOLE[transform])
    window = compiled.new_window(0xA5)
    compiled.write_input(window, values)
    before, matters = window.copy(), np.ones(len(window), bool)
    for name, tensor in compiled.memory.tensors.items():
        tensor.write(window, expected[name])
        if tensor.layout.dtype == np.uint8:
            # Beside a picture may be anything.
            low, high = (tensor.pack(np.full(tensor.shape, value)) for value in (0, 255))
            tensor.place(matters.view(np.uint8))[:] = low != high
    program, layers = compiled.memory.program, len(compiled.layers)
    np.savez(file, before=before, after=window, matters=matters, program=program, layers=layers)


def top(bench):
    """The design under test: the project's, small, or whatever ``--rtl-dir`` holds."""
    sources = bench.sources()
    if bench.session.rtl_dir is None:
        return Rtl.of(TINY)
    own = bench.session.rtl_top == Rtl(sources).top
    parameters = rtl_parameters(TINY, source_hash(sources)) if own else {}
    return Rtl(sources, bench.session.rtl_top, parameters)


def identity(bench, rtl, folder):
    file = folder / "identity.json"
    bench.run("bench_top", rtl, {"XLIC_IDENTITY": str(file)}, tests=("tells_its_identity",))
    return json.loads(file.read_text())


def design_of(words):
    array = words["ARRAY"]
    names = ("INPUT_WORDS", "WEIGHT_WORDS", "PARAM_WORDS", "PASS_WORDS", "TAP_WORDS", "CHANNELS")
    sizes = {name.lower(): words[name] for name in names}
    return Design(array & 0xFF, array >> 8 & 0xFF, array >> 16, **sizes)


def test_identity(bench, tmp_path):
    rtl = top(bench)
    words = identity(bench, rtl, tmp_path)
    design = design_of(words)
    if rtl.parameters:
        assert design == TINY
        assert words["HASH_HIGH"] << 32 | words["HASH_LOW"] == source_hash(rtl.sources)


@pytest.mark.parametrize("transform", ["encode", "decode"])
def test_whole_runs_and_control(bench, tmp_path, transform):
    rtl = top(bench)
    design = design_of(identity(bench, rtl, tmp_path)) if not rtl.parameters else TINY
    case = tmp_path / "case.npz"
    write_case(case, transform, design)
    bench.run("bench_top", rtl, {"XLIC_CASE": str(case)})
