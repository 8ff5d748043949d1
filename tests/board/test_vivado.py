"""What Vivado and the device tree are told agrees with the accelerator's own definition."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from xlic.accelerator import isa
from xlic.accelerator.design import Design
from xlic.accelerator.generate import cpp_header, system_verilog
from xlic.accelerator.sources import rtl_sources, source_hash
from xlic.accelerator.timing import CLOCK_HZ
from xlic.board import vivado
from xlic.board.connect import expected_sources
from xlic.board.virtual import layout
from xlic.board.vivado import Platform, overlay, parameters_tcl, rtl_ports, wrapper
from xlic.exit_status import ExitStatus
from xlic.sources import ROOT, RTL_DIR, RTL_TOP, VIVADO_DIR

pytestmark = pytest.mark.board

needs_dtc = pytest.mark.skipif(
    shutil.which("dtc") is None, reason="needs dtc: apt-get install device-tree-compiler"
)


class TestGeneratedFiles:
    def test_are_as_they_would_be_written(self, capsys):
        assert vivado.outdated() == []
        assert vivado.main(["--check"]) == 0
        assert vivado.main(["--bogus"]) == 2
        assert "usage" in capsys.readouterr().err

    @pytest.mark.selfcheck
    def test_a_changed_one_is_named_and_written_again(self, tmp_path, monkeypatch, capsys):
        file = tmp_path / "a.tcl"
        monkeypatch.setattr(vivado, "FILES", {file: parameters_tcl})
        file.write_text(parameters_tcl().replace("0xa0000000", "0xa0001000"))
        assert vivado.main(["--check"]) == ExitStatus.INPUT
        assert capsys.readouterr().out.startswith("a.tcl is not what")
        assert vivado.main([]) == 0
        assert file.read_text() == parameters_tcl()

    def test_the_hash_is_that_of_the_sources(self, capsys):
        assert vivado.main(["--hash"]) == 0
        assert int(capsys.readouterr().out, 16) == source_hash(rtl_sources())
        assert vivado.main(["--hash", "hls"]) == 0
        assert int(capsys.readouterr().out, 16) == expected_sources("hls")

    def test_the_parameters_are_those_of_the_rtl(self):
        names = re.findall(
            r"^    (\w+) \d+ \\$", parameters_tcl().partition("xlic_design")[2], re.M
        )
        top = (RTL_DIR / f"{RTL_TOP}.sv").read_text()
        assert names == re.findall(r"parameter int\s+(\w+)", top)
        assert set(names) == {name.upper() for name in vars(Design())}

    def test_the_platform_is_that_of_the_virtual_board(self):
        where = Platform()
        assert where.interrupt == layout.INTERRUPT
        assert where.buffer_bytes == layout.BUFFER.bytes
        assert where.register_bytes == layout.REGISTERS.bytes

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"register_bytes": int(isa.Register.COUNTERS)}, "do not fit"),
            ({"register_bytes": 0x1800}, "do not fit"),
            ({"registers": 0x9000_0000}, "does not reach"),
            ({"registers": 0xAFFF_F000, "register_bytes": 0x2000}, "does not reach"),
            ({"memory_ports": {"m_axi_gmem0": 1, "m_axi_gmem1": 1}}, "different"),
            ({"memory_ports": {"m_axi_gmem0": 4}}, "different"),
        ],
    )
    def test_a_platform_that_cannot_be_is_refused(self, changes, reason):
        with pytest.raises(ValueError, match=reason):
            Platform(**changes)


class TestRegisters:
    """One definition: whoever reads or writes a register takes the address from it."""

    def test_rtl_header_and_page_have_the_offsets_of_isa(self):
        page = (ROOT / "docs" / "accelerator.md").read_text()
        assert "registers in `isa.Register`" in page
        for register in isa.Register:
            assert f"REG_{register.name} = 12'h{register:x};" in system_verilog()
            assert f"REG_{register.name} = 0x{register:x}u," in cpp_header()

    def test_hls_puts_its_arguments_where_isa_says(self):
        source = (ROOT / "hls" / "xlic_accel.cpp").read_text()
        found = re.findall(r"s_axilite port = (\w+) bundle = control offset = (\w+)", source)
        names = {"gmem0": "GMEM0_LOW", "gmem1": "GMEM1_LOW"}
        assert {names.get(port, port.upper()): int(offset, 16) for port, offset in found} == {
            name: isa.Register[name]
            for name in ("GMEM0_LOW", "GMEM1_LOW", "WINDOW_BEATS", "PROGRAM", "INFO", "COUNTERS")
        }

    @pytest.mark.parametrize("folder", ["board/program", "rtl_sim/rtl"])
    def test_nobody_writes_an_offset_by_hand(self, folder):
        for path in (ROOT / folder).glob("*.[chs][pv]*"):
            if path.stem != "xlic_isa_pkg":
                assert offsets_by_hand(path.read_text()) == [], path

    @pytest.mark.selfcheck
    @pytest.mark.parametrize(
        "text", ["device.write(0x28, 1);", "device.read(16)", "12'h010: x = 1"]
    )
    def test_an_offset_by_hand_is_seen(self, text):
        assert offsets_by_hand(text)


def offsets_by_hand(text):
    return re.findall(r"(?:device\.(?:read|write)\((?:0x)?\d\w*|12'h\w+\s*:)", text)


# ---- Verilog around the RTL


def wrapper_problems(text):
    """What is wrong with the Verilog that is packaged."""
    problems = []
    attributes = re.findall(
        r'X_INTERFACE_INFO = "xilinx\.com:(\S+):1\.0 (\w+) (\w+)" \*\)\n'
        r"  (input|output) wire (\[\d+:0\])? ?(\w+)",
        text,
    )
    found = {name: (direction, width) for *_, direction, width, name in attributes}
    if found != {port.name: (port.direction, port.width) for port in rtl_ports()}:
        problems.append("the ports are not those of the RTL")
    for kind, interface, logical, *_, name in attributes:
        bus = kind == "interface:aximm"
        if name != (f"{interface}_{logical}" if bus else interface):
            problems.append(f"{name} is {logical} of {interface}")
    core = text.partition(") core (")[2]
    if dict(re.findall(r"\.(\w+)\((\w+)\)", core)) != {
        port.name: port.name for port in rtl_ports()
    }:
        problems.append("not every port is connected to its like")
    clock = re.search(r"ASSOCIATED_BUSIF (\S+), ASSOCIATED_RESET (\w+)", text)
    if clock is None or clock.groups() != ("s_axi_control:m_axi_gmem0:m_axi_gmem1", "ap_rst_n"):
        problems.append("the clock is not that of all interfaces")
    return problems


class TestWrapper:
    def test_has_the_ports_of_the_rtl(self):
        assert wrapper_problems(wrapper()) == []
        assert wrapper().count("ACTIVE_LOW") == wrapper().count("LEVEL_HIGH") == 1

    @pytest.mark.selfcheck
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("input wire [31:0] s_axi_control_WDATA", "input wire [63:0] s_axi_control_WDATA"),
            ("output wire m_axi_gmem0_RREADY", "input wire m_axi_gmem0_RREADY"),
            ("m_axi_gmem1 RDATA", "m_axi_gmem0 RDATA"),
            (".m_axi_gmem0_RDATA(m_axi_gmem0_RDATA)", ".m_axi_gmem0_RDATA(m_axi_gmem1_RDATA)"),
            ("s_axi_control:m_axi_gmem0:", "s_axi_control:"),
        ],
    )
    def test_a_fault_is_seen(self, old, new):
        assert old in wrapper()
        assert wrapper_problems(wrapper().replace(old, new))

    @pytest.mark.selfcheck
    def test_a_port_that_cannot_be_read_is_refused(self):
        with pytest.raises(ValueError, match="one to a line"):
            rtl_ports("module xlic_accel (\n  input  wire logic a,\n  input  wire logic b, c\n);")

    def test_passes_verilators_lint(self, verilator):
        problems = self.lint(verilator, VIVADO_DIR / "xlic_accel_ip.v")
        assert problems == ""

    @pytest.mark.selfcheck
    def test_lint_sees_a_fault(self, verilator, tmp_path):
        file = tmp_path / "xlic_accel_ip.v"
        file.write_text(wrapper().replace("input wire [31:0] s_axi_control_WDATA", "input wire x"))
        assert "s_axi_control_WDATA" in self.lint(verilator, file)

    def lint(self, verilator, file):
        waivers = RTL_DIR.parent / "lint.vlt"
        # `interrupt` is what HLS calls it too.
        options = ["--lint-only", "-Wall", "-Wno-SYMRSVDWORD", "--top-module", "xlic_accel_ip"]
        done = subprocess.run(
            [verilator.executable, *options, waivers, *rtl_sources(), file],
            env=verilator.environment("-O0"), capture_output=True, text=True, check=False,
        )  # fmt: skip
        return "\n".join(line for line in done.stderr.splitlines() if line.startswith("%"))


# ---- device tree


def compiled(text, folder):
    """The overlay, compiled and written out again; and what the compiler said."""
    blob = folder / "xlic.dtbo"
    done = subprocess.run(
        ["dtc", "-@", "-I", "dts", "-O", "dtb", "-o", blob, "-"],
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        return "", done.stderr
    back = subprocess.run(
        ["dtc", "-q", "-I", "dtb", "-O", "dts", blob], capture_output=True, text=True, check=True
    )
    return back.stdout, done.stderr


@needs_dtc
class TestOverlay:
    def test_compiles_without_a_warning(self, tmp_path):
        tree, said = compiled((VIVADO_DIR / "xlic.dtso").read_text(), tmp_path)
        assert said == ""
        fixups = re.search(r"__fixups__ \{(.*?)\};", tree, re.S)[1]
        labels = set(re.findall(r"(\w+) = ", fixups))
        assert labels == {"fpga_full", "gic", "zynqmp_clk", "zynqmp_reset"}

    @pytest.mark.selfcheck
    def test_a_fault_does_not(self, tmp_path):
        assert compiled(overlay().replace("accelerator@a0000000", "accelerator"), tmp_path)[1]
        assert compiled(overlay().replace("sync-mode = <2>;", "sync-mode = <2>"), tmp_path)[1]

    @pytest.mark.parametrize(
        "where",
        [
            Platform(),
            Platform(
                registers=0xA123_0000, register_bytes=0x2000, interrupt=90, buffer_bytes=1 << 27
            ),
        ],
        ids=["as_built", "another"],
    )
    def test_has_the_addresses_of_the_platform(self, tmp_path, where):
        tree, _ = compiled(overlay(where), tmp_path)
        nodes = {
            name: re.sub(r"\s+", " ", body)
            for name, body in re.findall(r"(\S+) \{([^{}]*)\};", tree)
        }
        accelerator = nodes[f"accelerator@{where.registers:x}"]
        assert f"reg = <0x00 0x{where.registers:x} 0x00 0x{where.register_bytes:x}>" in accelerator
        assert f"interrupts = <0x00 0x{where.interrupt:x} 0x04>" in accelerator
        assert 'compatible = "generic-uio"' in accelerator
        assert f"size = <0x{where.buffer_bytes:x}>" in nodes["udmabuf0"]
        assert "dma-coherent" not in nodes["udmabuf0"]
        assert f"assigned-clock-rates = <0x{int(CLOCK_HZ):x}>" in nodes["xlic-clock"]

    def test_sets_the_width_of_each_port_that_is_used(self):
        where = Platform(memory_ports={"m_axi_gmem0": 3, "m_axi_gmem1": 0})
        # HP0 is AFIFM2: registers 4 (read) and 5 (write); 14 holds the control ports' widths.
        assert "<4 0x0>, <5 0x0>, <10 0x0>, <11 0x0>, <14 0xa00>;" in overlay(where)

    def test_loads_a_file_that_loading_over_ssh_does_not_remove(self):
        source = (ROOT / "xlic" / "board" / "bitstream.py").read_text()
        assert "xlic-*.bin" in source
        assert not Path(vivado.FIRMWARE).match("xlic-*.bin")
        assert f'firmware-name = "{vivado.FIRMWARE}"' in overlay()
