"""The RTL passes Verilator's lint with every warning an error but the waived ones."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import asdict

import pytest

from tests.rtl.devices import DESIGNS
from xlic.accelerator.design import Design
from xlic.accelerator.sources import rtl_sources
from xlic.sources import RTL_DIR, RTL_TOP

pytestmark = pytest.mark.rtl

WAIVERS = RTL_DIR.parent / "lint.vlt"
LINTED = DESIGNS | {
    "4x4x16": Design(pof=4, poy=4, pox=16, channels=100),
    "8x2x16": Design(pof=8, poy=2, pox=16, param_words=2000, tap_words=301),
}


def lint(verilator, sources, design=None, waivers=WAIVERS):
    """What Verilator says of the sources, nothing if all is well."""
    parameters = [f"-G{key.upper()}={value}" for key, value in asdict(design or Design()).items()]
    command = [str(verilator.executable), "--lint-only", "-Wall", "--top-module", RTL_TOP]
    files = [str(file) for file in ([waivers] if waivers else []) + list(sources)]
    result = subprocess.run(
        [*command, *parameters, *files],
        env=verilator.environment("-O0"),
        capture_output=True,
        text=True,
        check=False,
    )
    said = "\n".join(line for line in result.stderr.splitlines() if line.startswith("%"))
    assert (result.returncode == 0) == (said == "")
    return said


@pytest.mark.parametrize("design", LINTED)
def test_every_design_is_clean(verilator, design):
    assert lint(verilator, rtl_sources(), LINTED[design]) == ""


@pytest.mark.selfcheck
@pytest.mark.parametrize(
    ("file", "old", "new", "warning"),
    [
        ("fifo.sv", "  assign valid_o = tail != head;", "  logic idle;\n", "UNDRIVEN"),
        ("fifo.sv", "localparam int AW = $clog2(DEPTH);", "localparam int AW = 2;", "WIDTH"),
        ("crc32.sv", "  logic [31:0] state;", "  logic [31:0] state;\n  logic spare;", "UNUSED"),
        ("drain.sv", "      default: begin  // RUN", "      RUN: begin", "CASEINCOMPLETE"),
    ],
)
def test_a_flaw_is_seen(verilator, tmp_path, file, old, new, warning):
    copies = [tmp_path / source.name for source in rtl_sources()]
    for source, copy in zip(rtl_sources(), copies, strict=True):
        shutil.copy(source, copy)
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new, 1))
    assert warning in lint(verilator, copies)


@pytest.mark.selfcheck
def test_every_waiver_is_needed(verilator, tmp_path):
    lines = WAIVERS.read_text().splitlines()
    rules = [index for index, line in enumerate(lines) if line.startswith("lint_off")]
    unneeded = []
    for index in rules:
        short = tmp_path / "short.vlt"
        short.write_text("\n".join(lines[:index] + lines[index + 1 :]) + "\n")
        if not any(lint(verilator, rtl_sources(), design, short) for design in LINTED.values()):
            unneeded.append(lines[index])
    assert unneeded == []
