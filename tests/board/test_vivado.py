"""What Vivado and the device tree are told agrees with the accelerator's own definition."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from xlic.accelerator import isa
from xlic.accelerator.design import Design
from xlic.accelerator.sources import RTL_DIR
from xlic.board import vivado
from xlic.board.vivado import AddressMap, overlay, parameters_tcl

pytestmark = pytest.mark.board


def test_the_files_are_as_they_would_be_written(capsys):
    assert vivado.outdated() == []
    assert vivado.main(["--check"]) == 0
    assert vivado.main(["--bogus"]) == 2


def test_the_parameters_are_those_of_the_rtl():
    names = re.findall(r"^    (\w+) \d+ \\$", parameters_tcl(), re.M)
    ports = set(re.findall(r"parameter int\s+(\w+)", (RTL_DIR / "xlic_accel.sv").read_text()))
    assert set(names) == ports == {name.upper() for name in vars(Design())}


def test_address_and_interrupt_are_the_same_in_both(tmp_path):
    where = AddressMap(registers=0xB000_0000, interrupt=122)
    assert "set xlic_register_address {0xb0000000}" in parameters_tcl(where)
    text = overlay(where)
    assert "reg = <0x0 0xb0000000 0x0 0x1000>" in text
    assert "interrupts = <0 90 4>" in text
    with pytest.raises(ValueError, match="do not fit"):
        AddressMap(register_bytes=isa.Register.COUNTERS)


@pytest.mark.skipif(shutil.which("dtc") is None, reason="needs dtc: apt-get install dtc")
def test_the_overlay_compiles(tmp_path):
    command = ["dtc", "-@", "-I", "dts", "-O", "dtb", "-o", tmp_path / "x.dtbo"]
    done = subprocess.run(
        [*command, vivado.VIVADO_DIR / "xlic.dtso"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("tclsh") is None, reason="needs tclsh: apt-get install tcl")
def test_the_scripts_are_whole_tcl():
    for path in vivado.VIVADO_DIR.glob("*.tcl"):
        done = subprocess.run(
            ["tclsh"], capture_output=True, text=True, check=False,
            input=f"set f [open {{{path}}}]; puts [info complete [read $f]]",
        )  # fmt: skip
        assert done.stdout == "1\n"
