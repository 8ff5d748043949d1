"""The RTL elaborates in Yosys: no latch, no loop of logic, no signal driven twice or never."""

from __future__ import annotations

import shutil

import pytest

from tests.rtl.devices import DESIGNS
from xlic.accelerator.sources import RTL_TOP, rtl_sources, source_hash
from xlic.accelerator.verilated_library import rtl_parameters
from xlic.accelerator.yosys import Module, SynthesisError, find_yosys, run_yosys, script
from xlic.errors import MissingToolError

pytestmark = pytest.mark.rtl


@pytest.fixture(scope="module", autouse=True)
def yosys():
    try:
        return find_yosys()
    except MissingToolError as error:
        pytest.skip(str(error))


def elaborate(sources, design, folder):
    sizes = dict(rtl_parameters(design, source_hash(sources)))
    sizes.pop("SOURCE_HASH", None)
    module = Module(tuple(sources), RTL_TOP, {k: v for k, v in sizes.items() if isinstance(v, int)})
    return run_yosys(module, folder, [script("elaborate.ys")])


@pytest.mark.parametrize(
    "design",
    ["4x2x8", *(pytest.param(name, marks=pytest.mark.nightly) for name in ("8x8x8", "16x4x16"))],
)
def test_the_design_elaborates(tmp_path, design):
    elaborate(rtl_sources(), DESIGNS[design], tmp_path)


@pytest.mark.selfcheck
@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("program_loader.sv", "default:        req_beats_o = weight_beats;", ""),
        ("fifo.sv", "assign valid_o = tail != head;", "assign valid_o = ready_o && !valid_o;"),
        ("fifo.sv", "assign valid_o = tail != head;", "wire logic open; assign valid_o = open;"),
    ],
    ids=["latch", "loop", "undriven"],
)
def test_a_flaw_is_refused(tmp_path, file, old, new):
    copies = tmp_path / "copies"
    copies.mkdir()
    for source in rtl_sources():
        shutil.copy(source, copies)
    text = (copies / file).read_text()
    assert old in text
    (copies / file).write_text(text.replace(old, new, 1))
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(SynthesisError):
        elaborate(rtl_sources(copies), DESIGNS["4x2x8"], work)
