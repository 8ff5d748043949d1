"""What the proofs assume stands in rtl_sim/README.md, with what sees to it."""

from __future__ import annotations

import re

import pytest

from xlic.sources import RTL_DIR

pytestmark = pytest.mark.rtl

README = RTL_DIR.parent / "README.md"
FORMAL_DIR = RTL_DIR.parent / "formal"


def assumptions(text):
    """The conditions of all ``assume`` in SystemVerilog, white space made one."""
    text, found = re.sub(r"//[^\n]*", "", text), []
    for match in re.finditer(r"\bassume\s*\(", text):
        depth, end = 1, match.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        found.append(" ".join(text[match.end() : end - 1].split()))
    return found


def table():
    """Proof → assumptions, as the README lists them."""
    section = README.read_text("utf-8").split("## What the proofs assume")[1].split("\n## ")[0]
    listed, proof = {}, ""
    for line in section.splitlines():
        if line.startswith("| ") and "`" in line:
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            proof = cells[0] or proof
            codes = re.findall(r"`([^`]*)`", cells[1].replace("\\|", "|"))
            listed.setdefault(proof, set()).update(codes)
            assert cells[2], line
    return listed


def assumed():
    """Proof → assumptions, as they are made; those of reset are everyone's."""
    resets = {"rst_i == !started", "rst_i"}
    found = {"all": resets}
    for file in sorted(FORMAL_DIR.glob("*_check.sv")):
        rest = set(assumptions(file.read_text("utf-8"))) - resets
        if rest:
            found[file.stem.removesuffix("_check")] = rest
    return found


def test_every_assumption_is_listed_and_no_other():
    assert table() == assumed()


@pytest.mark.selfcheck
def test_an_assumption_of_several_lines_is_found():
    text = "assume (a == (b\n   ? c : d)); // assume (no)\nif (x) assume(y);"
    assert assumptions(text) == ["a == (b ? c : d)", "y"]
