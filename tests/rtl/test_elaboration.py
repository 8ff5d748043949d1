"""The RTL is read by slang and Yosys, and compiled by Icarus: no latch, no loop, every wire driven
once. Each check is shown to find what it is there for.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import asdict

import pytest

from xlic.accelerator.cocotb_runner import require_simulator
from xlic.accelerator.design import SMALL, Design
from xlic.accelerator.isa import DESIGN_CHOICES, DESIGN_RANGES
from xlic.accelerator.sources import needed_sources, rtl_sources
from xlic.accelerator.yosys import Module, SynthesisError, check_elaboration, find_yosys
from xlic.errors import InputError, MissingToolError
from xlic.sources import RTL_DIR, RTL_TOP
from xlic.tools import find_tool

pytestmark = pytest.mark.rtl

DESIGNS = {
    "small": SMALL,
    "default": Design(),
    "4x8x8": Design(pof=4, poy=8, pox=8, weight_words=4096, tap_words=301),
    "8x2x16": Design(pof=8, poy=2, pox=16, weight_words=5000, param_words=100, channels=100),
}
WITHOUT_ARRAY = ("mac_array",)
"""Of more than a few lanes the array takes minutes: it is read by itself, each night. How it is
connected, the small design shows."""


@pytest.fixture(scope="module")
def yosys():
    try:
        return find_yosys()
    except MissingToolError as error:
        pytest.skip(str(error))


@pytest.fixture
def mutate(tmp_path):
    """Copies the RTL and changes one place of it."""

    def changed(file, old, new):
        folder = tmp_path / "mutated"
        shutil.copytree(RTL_DIR, folder)
        text = (folder / file).read_text("utf-8")
        assert text.count(old) == 1, f"{file} has changed; adapt this test"
        (folder / file).write_text(text.replace(old, new), "utf-8")
        return rtl_sources(folder)

    return changed


def parameters(design):
    return {name.upper(): value for name, value in asdict(design).items()}


def elaborate(folder, design, sources=None, without=(), top=RTL_TOP):
    """Raises SynthesisError with what is wrong."""
    values = design if isinstance(design, dict) else parameters(design)
    module = Module(sources or rtl_sources(), top, values, without)
    check_elaboration(module, folder / "yosys")


@pytest.mark.parametrize("design", DESIGNS)
def test_a_design_elaborates(yosys, tmp_path, design):
    without = () if design == "small" else WITHOUT_ARRAY
    elaborate(tmp_path, DESIGNS[design], without=without)


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("design", sorted(DESIGNS.keys() - {"small"}))
def test_an_array_elaborates(yosys, tmp_path, design):
    shape = DESIGNS[design]
    lanes = {"POF": shape.pof, "POY": shape.poy, "POX": shape.pox}
    elaborate(tmp_path, lanes, needed_sources(rtl_sources(), "mac_array"), top="mac_array")


FAULTS = {
    "latch": (
        "fifo.sv",
        "  assign data_o  = mem[head[AW-1:0]];",
        "  always_latch if (valid_o) data_o = mem[head[AW-1:0]];",
        r"selection is not empty: .*dlatch",
    ),
    "case that is not complete": (
        "layer_checker.sv",
        "      default: block_words = 19'd8;\n",
        "      default: ;\n",
        r"logic loop",
    ),
    "loop": (
        "burst_splitter.sv",
        "assign burst_len_o    = 8'(size - 1'b1);",
        "assign burst_len_o    = 8'(size - 1'b1) ^ burst_len_o;",
        r"logic loop",
    ),
    "wire with two drivers": (
        "xlic_accel.sv",
        "  assign m_axi_gmem0_AWID = 1'b0;\n",
        "  wire twice = ap_clk;\n  assign twice = ap_rst_n;\n  assign m_axi_gmem0_AWID = twice;\n",
        r"multiple conflicting drivers",
    ),
    "variable with two drivers": (
        "store.sv",
        "  assign half_o    = half;\n",
        "  assign half_o    = half;\n  assign half_o    = !half;\n",
        r"multiple conflicting drivers for .*half_o",
    ),
    "wire without a driver": (
        "axi_reader.sv",
        "  assign idle_o = pending == 0 && !burst_valid;\n",
        "  wire rest;\n  assign idle_o = pending == 0 && rest;\n",
        r"no driver",
    ),
    "unknown name": (
        "store.sv",
        "assign half_o    = half;",
        "assign half_o    = halves;",
        r"halves",
    ),
    "use before declaration": (
        "xlic_accel.sv",
        "  logic clk, rst;\n  assign clk = ap_clk;\n",
        "  assign clk = ap_clk;\n  logic clk, rst;\n",
        r"before its declaration",
    ),
    "missing module": (
        "drain.sv",
        "  axis_mask #(.COUNT(POY)) u_rows",
        "  axes_mask #(.COUNT(POY)) u_rows",
        r"axes_mask",
    ),
}


@pytest.mark.selfcheck
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_by_yosys(yosys, mutate, tmp_path, fault):
    file, old, new, said = FAULTS[fault]
    with pytest.raises(SynthesisError, match=said):
        elaborate(tmp_path, SMALL, mutate(file, old, new))


@pytest.fixture(scope="module")
def icarus():
    try:
        require_simulator("icarus")
    except MissingToolError as error:
        pytest.skip(str(error))
    return find_tool("iverilog")


def compile_by_icarus(icarus, design, sources):
    values = design if isinstance(design, dict) else parameters(design)
    options = [f"-P{RTL_TOP}.{name}={value}" for name, value in values.items()]
    return subprocess.run(
        [icarus, "-g2012", "-t", "null", "-s", RTL_TOP, *options, *map(str, sources)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("design", DESIGNS)
def test_icarus_compiles_a_design(icarus, design):
    done = compile_by_icarus(icarus, DESIGNS[design], rtl_sources())
    assert done.returncode == 0, done.stderr
    # "sorry" tells of sensitivity lists that are larger than they need be.
    told = [line for line in done.stderr.splitlines() if ": sorry: constant selects" not in line]
    assert told == []


@pytest.mark.selfcheck
@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("axis_mask.sv", "      logic [21:0] at;", "      automatic logic [21:0] at;", "lifetime"),
        ("mac_array.sv", "`ifdef __ICARUS__", "`ifdef __ANOTHER__", "Cannot assign to array"),
        ("store.sv", "assign half_o    = half;", "assign half_o    = halves;", "halves"),
    ],
)
def test_what_icarus_cannot_read_is_found(icarus, mutate, file, old, new, said):
    done = compile_by_icarus(icarus, SMALL, mutate(file, old, new))
    assert done.returncode != 0
    assert said in done.stderr


REFUSED = {
    **{name: max(choices) + 1 for name, choices in DESIGN_CHOICES.items()},
    **{f"{name} ": most + 1 for name, (_, most) in DESIGN_RANGES.items()},
    **{name: least - 1 for name, (least, _) in DESIGN_RANGES.items()},
}
"""Parameter and a value that it cannot have; a blank tells the upper limit from the lower."""


def with_value(name):
    return parameters(SMALL) | {name.strip(): REFUSED[name]}


@pytest.mark.parametrize("name", REFUSED)
def test_parameters_that_no_design_can_have_are_refused_by_all(
    verilator, yosys, icarus, tmp_path, name
):
    values, parameter = with_value(name), name.strip()
    with pytest.raises(InputError, match=parameter.lower()):
        Design(**{key.lower(): value for key, value in values.items()})
    done = compile_by_icarus(icarus, values, rtl_sources())
    assert f"{parameter}_out_of_range" in done.stderr
    assert done.returncode != 0
    said = rf"{parameter} of {values[parameter]} cannot be built"
    options = [f"-G{key}={value}" for key, value in values.items()]
    files = map(str, rtl_sources())
    result = subprocess.run(
        [str(verilator.executable), "--lint-only", "--top-module", RTL_TOP, *options, *files],
        env=verilator.environment("-O0"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert re.search(said, result.stderr), result.stderr[:2000]
    if parameter in ("POF", "CHANNELS"):  # the same text; a reader's start takes long
        with pytest.raises(SynthesisError, match=said):
            elaborate(tmp_path, values)
