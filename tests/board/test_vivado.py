"""What Vivado and the device tree are told agrees with the accelerator; what the scripts do.

The scripts run in a plain Tcl with Vivado's commands recorded instead of carried out: that shows
their logic and what they ask for, not that a Vivado takes it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from tests.sim.models import random_model
from xlic.accelerator import isa
from xlic.accelerator.design import SMALL, Design
from xlic.accelerator.generate import cpp_header, system_verilog
from xlic.accelerator.sources import ROOT, RTL_DIR, RTL_TOP, rtl_sources, source_hash
from xlic.accelerator.timing import CLOCK_HZ
from xlic.accelerator.verilated import ProtocolError, SimulationError, VerilatedDevice
from xlic.accelerator.verilated_library import Rtl, build_library
from xlic.accelerator.verilator import find_verilator
from xlic.board import vivado
from xlic.board.virtual import layout
from xlic.board.vivado import VIVADO_DIR, Platform, overlay, parameters_tcl, rtl_ports, wrapper
from xlic.errors import AcceleratorError, MissingToolError
from xlic.rungs.accelerator import AcceleratorRung
from xlic.rungs.int16 import Int16Rung

pytestmark = pytest.mark.board

needs_tcl = pytest.mark.skipif(
    shutil.which("tclsh") is None, reason="needs tclsh: apt-get install tcl"
)
needs_dtc = pytest.mark.skipif(
    shutil.which("dtc") is None, reason="needs dtc: apt-get install device-tree-compiler"
)
HASH = "0123456789abcdef"


@pytest.fixture(scope="module")
def verilator():
    try:
        return find_verilator()
    except MissingToolError as error:
        pytest.skip(str(error))


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
        assert vivado.main(["--check"]) == 1
        assert capsys.readouterr().out.startswith("a.tcl is not what")
        assert vivado.main([]) == 0
        assert file.read_text() == parameters_tcl()

    def test_the_hash_is_that_of_the_sources(self, capsys):
        assert vivado.main(["--hash"]) == 0
        assert int(capsys.readouterr().out, 16) == source_hash(rtl_sources())

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


# ---- scripts

# Vivado's commands: printed with their arguments; the answer is what a pattern in `answers` says,
# or else the last argument, so that objects are known by their names.
RECORDER = r"""
proc unknown args {
    puts [join $args \x1f]
    foreach {pattern answer} $::answers {
        if {[string match $pattern [join $args { }]]} { return $answer }
    }
    return [lindex $args end]
}
set argv [lassign $argv answers script]
source $script
"""
ANSWERS = {
    "get_board_parts *": "xilinx.com:zcu102:part0:3.3 xilinx.com:zcu102:part0:3.4",
    "get_property CONFIG.FREQ_HZ ps/pl_clk0": "199998001",
    "get_property PROGRESS *": "100%",
    "get_property SLACK *": "0.021",
    "get_timing_paths -setup *": "setup",
    "get_timing_paths -hold *": "hold",
    "ipx::current_core": "core",
    **{
        f"get_bd_addr_segs ps/SAXIGP{port + 2}/[*]": " ".join(
            f"ps/SAXIGP{port + 2}/HP{port}_{name}"
            for name in ("DDR_HIGH", "DDR_LOW", "LPS_OCM", "QSPI")
        )
        for port in range(4)
    },
}


class Record:
    """What a script asked of Vivado."""

    def __init__(self, output):
        self.calls = [line.split("\x1f") for line in output.splitlines() if line]

    def of(self, command):
        return [call[1:] for call in self.calls if call[0] == command]

    def properties(self, target):
        """By name, of an object."""
        out = {}
        for name, *rest in self.of("set_property"):
            if rest[-1] == target:
                words = rest[0].split() if name == "-dict" else [name, rest[0]]
                out |= dict(zip(words[::2], words[1::2], strict=True))
        return out

    @property
    def nets(self):
        """Drivers of a pin or an interface."""
        out = defaultdict(list)
        for source, sink in self.of("connect_bd_net") + self.of("connect_bd_intf_net"):
            out[sink].append(source)
        return dict(out)


def run_script(script, *arguments, **answers):
    # The first pattern that fits counts: the caller's come first.
    words = [f"{{{key}}} {{{value}}}" for key, value in (answers | ANSWERS | answers).items()]
    command = ["tclsh", "/dev/stdin", " ".join(words), str(script), *map(str, arguments)]
    return subprocess.run(command, input=RECORDER, capture_output=True, text=True, check=False)


def recorded(script, *arguments, **answers):
    done = run_script(script, *arguments, **answers)
    assert done.returncode == 0, done.stderr
    return Record(done.stdout)


def copy_scripts(tmp_path, name="", old="", new="", platform=None):
    """The scripts in a folder as they are in the repository, one of them changed."""
    folder = tmp_path / "board" / "vivado"
    folder.mkdir(parents=True)
    for path in VIVADO_DIR.iterdir():
        shutil.copy(path, folder)
    if platform is not None:
        (folder / "parameters.tcl").write_text(parameters_tcl(platform))
    if name:
        text = (folder / name).read_text()
        assert old in text, f"{name} has changed: choose another fault"
        (folder / name).write_text(text.replace(old, new))
    (tmp_path / "rtl_sim").symlink_to(ROOT / "rtl_sim")
    return folder


def design_problems(record, where=None):
    """What is wrong with the block design that a script asked for."""
    where = where or Platform()
    problems = []
    names = {port.name for port in rtl_ports()}
    buses = {port.bus[0] for port in rtl_ports()}
    for [pin] in record.of("get_bd_pins"):
        if pin.startswith("accelerator/") and pin.partition("/")[2] not in names:
            problems.append(f"no port {pin}")
    for [pin] in record.of("get_bd_intf_pins"):
        if pin.startswith("accelerator/") and pin.partition("/")[2] not in buses:
            problems.append(f"no interface {pin}")

    hps = where.memory_ports.items()
    expected = {
        "ps/maxihpm0_fpd_aclk": "ps/pl_clk0",
        "accelerator/ap_clk": "ps/pl_clk0",
        "reset/slowest_sync_clk": "ps/pl_clk0",
        "control/aclk": "ps/pl_clk0",
        "reset/ext_reset_in": "ps/pl_resetn0",
        "accelerator/ap_rst_n": "reset/peripheral_aresetn",
        "control/aresetn": "reset/peripheral_aresetn",
        "ps/pl_ps_irq0": "accelerator/interrupt",
        "control/S00_AXI": "ps/M_AXI_HPM0_FPD",
        "accelerator/s_axi_control": "control/M00_AXI",
    }
    for port, hp in hps:
        expected |= {
            f"memory{hp}/S00_AXI": f"accelerator/{port}",
            f"ps/S_AXI_HP{hp}_FPD": f"memory{hp}/M00_AXI",
            f"ps/saxihp{hp}_fpd_aclk": "ps/pl_clk0",
            f"memory{hp}/aclk": "ps/pl_clk0",
            f"memory{hp}/aresetn": "reset/peripheral_aresetn",
        }
    if record.nets != {sink: [source] for sink, source in expected.items()}:
        problems.append("the nets are others")

    settings = {
        "CONFIG.PSU__USE__M_AXI_GP0": "1",
        "CONFIG.PSU__USE__M_AXI_GP1": "0",
        "CONFIG.PSU__USE__M_AXI_GP2": "0",
        "CONFIG.PSU__MAXIGP0__DATA_WIDTH": "128",
        "CONFIG.PSU__USE__IRQ0": "1",
        "CONFIG.PSU__USE__FABRIC__RST": "1",
        "CONFIG.PSU__FPGA_PL0_ENABLE": "1",
        "CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ": f"{CLOCK_HZ / 1e6:g}",
    }
    for _, hp in hps:
        settings[f"CONFIG.PSU__USE__S_AXI_GP{hp + 2}"] = "1"
        settings[f"CONFIG.PSU__SAXIGP{hp + 2}__DATA_WIDTH"] = str(8 * isa.BEAT_BYTES)
    if record.properties("ps") != settings:
        problems.append("the processor is set up otherwise")
    sizes = {f"CONFIG.{name.upper()}": str(value) for name, value in vars(Design()).items()}
    if record.properties("accelerator") != sizes:
        problems.append("the accelerator is another design")

    registers = ["-offset", f"0x{where.registers:08x}", "-range", f"0x{where.register_bytes:x}"]
    registers += ["-target_address_space", "ps/Data", "accelerator/s_axi_control"]
    memory = [
        ["-target_address_space", f"accelerator/{port}", f"ps/SAXIGP{hp + 2}/HP{hp}_DDR_LOW"]
        for port, hp in hps
    ]
    if record.of("assign_bd_address") != [registers, *memory]:
        problems.append("the addresses are others")
    if len(record.of("exclude_bd_addr_seg")) != 3 * len(memory):
        problems.append("a memory port reaches more than memory")
    order = [call[0] for call in record.calls]
    if "write_bitstream" not in order or order.index("write_bitstream") < max(
        index for index, name in enumerate(order) if name == "get_timing_paths"
    ):
        problems.append("no bitstream, or one before the timing is known")
    return problems


@needs_tcl
class TestBlockDesign:
    SCRIPT = VIVADO_DIR / "block_design.tcl"

    def test_asks_for_what_the_platform_says(self, tmp_path):
        (tmp_path / "xlic.bit").write_text("of an earlier build")
        record = recorded(self.SCRIPT, tmp_path)
        assert not (tmp_path / "xlic.bit").exists()
        assert design_problems(record) == []
        assert ["board_part", "xilinx.com:zcu102:part0:3.4", "current_project"] in record.of(
            "set_property"
        )
        assert ["-force", f"{tmp_path}/xlic.bit"] in record.of("write_bitstream")
        assert record.of("write_cfgmem")[0][-1] == f"{tmp_path}/xlic.bin"

    def test_other_ports_and_addresses_are_followed(self, tmp_path):
        where = Platform(
            registers=0xA001_0000, memory_ports={"m_axi_gmem0": 3, "m_axi_gmem1": 1}
        )  # fmt: skip
        folder = copy_scripts(tmp_path, platform=where)
        record = recorded(folder / "block_design.tcl", tmp_path)
        assert design_problems(record, where) == []
        assert design_problems(record) != []

    def test_the_hls_export_takes_its_place(self, tmp_path):
        script = (ROOT / "hls" / "script.tcl").read_text()
        vendor, library, name, version = re.search(
            r"-vendor (\w+) -library (\w+) -ipname (\w+) -version (\S+)", script
        ).groups()  # fmt: skip
        vlnv = f"{vendor}:{library}:{name}:{version}"
        record = recorded(self.SCRIPT, tmp_path, vlnv, tmp_path / "ip")
        assert ["-type", "ip", "-vlnv", vlnv, "accelerator"] in record.of("create_bd_cell")
        assert record.properties("accelerator") == {}, "HLS has its parameters built in"
        assert design_problems(record) == ["the accelerator is another design"]
        assert vlnv in self.SCRIPT.read_text(), "it is named to the user"

    @pytest.mark.selfcheck
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("accelerator/ap_rst_n", "accelerator/ap_rst"),
            ("set cleared {accelerator/ap_rst_n control/aresetn}", "set cleared control/aresetn"),
            ("[get_bd_intf_pins accelerator/$port]", "[get_bd_intf_pins accelerator/m_axi_gmem]"),
            ("S_AXI_HP${hp}_FPD", "S_AXI_HPC${hp}_FPD"),
            ("set gp [expr {$hp + 2}]", "set gp $hp"),
            ("-offset $xlic_register_address", "-offset 0xa0010000"),
            ("DATA_WIDTH $xlic_data_bits", "DATA_WIDTH 64"),
            ("FREQMHZ $xlic_clock_mhz", "FREQMHZ 100"),
            ("{ lappend settings CONFIG.$name $value }", "{}"),
            ("exclude_bd_addr_seg -target", "assign_bd_address -target"),
            ("foreach check {setup hold}", "write_bitstream early; foreach check {setup hold}"),
        ],
    )
    def test_a_fault_is_seen(self, tmp_path, old, new):
        folder = copy_scripts(tmp_path, "block_design.tcl", old, new)
        assert design_problems(recorded(folder / "block_design.tcl", tmp_path))

    @pytest.mark.parametrize(
        ("question", "answer", "reason"),
        [
            ("get_property SLACK setup", "-0.001", "setup at 200 MHz: slack '-0.001' ns"),
            ("get_property SLACK hold", "-0.004", "hold at 200 MHz: slack '-0.004' ns"),
            ("get_property SLACK setup", "", "slack ''"),
            ("get_property PROGRESS synth_1", "40%", "synth_1 failed"),
            ("get_property PROGRESS impl_1", "70%", "impl_1 failed"),
            ("get_property CONFIG.FREQ_HZ *", "187500000", "make 187500000 Hz of 200 MHz"),
            ("get_board_parts *", "", "no board files"),
            ("get_bd_addr_segs ps/SAXIGP3/*", "ps/SAXIGP3/HP1_QSPI", "no HP1_DDR_LOW"),
        ],
    )
    def test_no_bitstream_without_timing_clock_or_board(self, tmp_path, question, answer, reason):
        done = run_script(self.SCRIPT, tmp_path, **{question: answer})
        assert done.returncode == 1
        assert reason in done.stderr
        assert Record(done.stdout).of("write_bitstream") == []


@needs_tcl
class TestPackaging:
    SCRIPT = VIVADO_DIR / "package_ip.tcl"

    def test_packages_the_rtl_with_its_hash(self, tmp_path):
        record = recorded(self.SCRIPT, tmp_path / "build", HASH)
        added = " ".join(word for call in record.of("add_files") for word in call)
        names = {Path(word).name for word in added.split() if "/" in word}
        assert names == {path.name for path in rtl_sources()} | {
            "xlic_accel_ip.v",
            "multicycle.xdc",
        }
        packaged = (tmp_path / "build" / "xlic_accel_ip.v").read_text()
        assert packaged == wrapper().replace("64'h0000000000000000", f"64'h{HASH}")
        assert record.properties("sources_1") == {}
        [package] = record.of("ipx::package_project")
        assert package[:6] == [
            "-root_dir",
            f"{tmp_path}/build/ip",
            "-vendor",
            "xlic",
            "-library",
            "rtl",
        ]
        assert {"name": "xlic_accel", "version": "1.0"}.items() <= record.properties("core").items()
        assert record.of("ipx::save_core") == [["core"]]

    def test_looks_for_every_port_of_every_interface(self, tmp_path):
        record = recorded(self.SCRIPT, tmp_path, HASH)
        interfaces = [call[0] for call in record.of("ipx::get_bus_interfaces")]
        assert interfaces == list(dict.fromkeys(port.bus[0] for port in rtl_ports()))
        ports = [call[0] for call in record.of("ipx::get_port_maps")]
        assert ports == [port.bus[1] for port in rtl_ports()]

    @pytest.mark.parametrize(
        ("question", "reason"),
        [
            ("ipx::get_bus_interfaces m_axi_gmem1 *", "no interface m_axi_gmem1"),
            ("ipx::get_port_maps BID *", "m_axi_gmem0 lacks BID"),
            ("ipx::get_memory_maps *", "no register map"),
            ("ipx::get_address_spaces m_axi_gmem1 *", "m_axi_gmem1: no address space"),
        ],
    )
    def test_what_the_packager_missed_ends_it(self, tmp_path, question, reason):
        done = run_script(self.SCRIPT, tmp_path, HASH, **{question: ""})
        assert done.returncode == 1
        assert reason in done.stderr
        assert Record(done.stdout).of("ipx::save_core") == []

    @pytest.mark.parametrize("value", ["", "0123", HASH.upper(), "0x" + HASH[2:]])
    def test_a_wrong_hash_is_refused(self, tmp_path, value):
        done = run_script(self.SCRIPT, tmp_path / "build", value)
        assert (done.returncode, "16 hexadecimal digits" in done.stderr) == (1, True)
        assert not (tmp_path / "build").exists()

    def test_a_wrapper_without_a_place_for_it_is_refused(self, tmp_path):
        folder = copy_scripts(tmp_path, "xlic_accel_ip.v", "64'h0000000000000000", "64'h1")
        done = run_script(folder / "package_ip.tcl", tmp_path / "build", HASH)
        assert (done.returncode, "no place for it" in done.stderr) == (1, True)


# ---- multicycle paths


def constraints():
    """Instance and register of each end, cycles: of each exception for setup."""
    text = (VIVADO_DIR / "multicycle.xdc").read_text()
    return text, parse_constraints(text)


def parse_constraints(text):
    out = []
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pattern = (
        r"set_multicycle_path (\d) -(setup|hold) -from \[get_cells (.*?)\] -to \[get_cells (.*?)\]"
    )
    for line in lines:
        cycles, kind, *ends = re.fullmatch(pattern, line).groups()
        cells = [re.findall(r"core/(\w+)/(\w+)_reg\*", end) for end in ends]
        assert all(len(found) == end.count("core/") for found, end in zip(cells, ends, strict=True))
        out.append((int(cycles), kind, *cells))
    for setup, hold in zip(out[::2], out[1::2], strict=True):
        assert (setup[1], hold[1], setup[2:]) == ("setup", "hold", hold[2:]), "they come in pairs"
        assert hold[0] == setup[0] - 1, "hold stays at the edge where it was"
    return out[::2]


def make_late(constraint, folder):
    """Change the RTL in a folder: what the paths carry arrives as late as the constraint allows."""
    cycles, _, sources, sinks = constraint
    top = (folder / f"{RTL_TOP}.sv").read_text()
    [instance] = {instance for instance, _ in sinks}
    [module] = re.findall(rf"^  (\w+) #\([^;]*?\) {instance} \(", top, re.M)
    path = folder / f"{module}.sv"
    text = path.read_text()
    late = named = {name for source, name in sources if source == instance} - {"layer_o"}
    if ("u_control", "layer_o") in sources:
        late = late | set(re.findall(r"assign (\w+)\s*= layer_[io]\[", text))
    # Wires that are made of these alone carry them on.
    for name, expression in re.findall(r"assign (\w+)\s*= ([^;\[]+);", text):
        words = set(re.findall(r"\b[a-z]\w*", re.sub(r"\d*'\w+", "", expression)))
        if words and words <= late:
            late = late | {name}
    used = set()

    def delayed(word):
        if word[0] not in late:
            return word[0]
        used.add(word[0])
        return f"$past({word[0]}, {cycles - 1})"

    for _, sink in sinks:
        before = text
        text = re.sub(
            rf"(\b{sink}\s+<= )([^;]+);",
            lambda found: found[1] + re.sub(r"\b[a-z]\w*\b", delayed, found[2]) + ";",
            text,
        )
        assert text != before, f"{module} has no such path to {sink}"
    assert named <= used, f"{module} has no path from {named - used}"
    path.write_text(text)


def still_exact(folder):
    """Whether the RTL in a folder computes a picture's both ways as the simulation does."""
    library = build_library(Rtl.of(SMALL, folder))
    model, size = random_model(3, 9), (35, 50)
    rtl = AcceleratorRung("rtl", model, lambda memory: VerilatedDevice(library, memory), SMALL)
    sim = Int16Rung(model)
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    symbols = sim.analyze(pixels).output
    try:
        return np.array_equal(rtl.analyze(pixels).output, symbols) and np.array_equal(
            rtl.synthesize(symbols, size).output, sim.synthesize(symbols, size).output
        )
    except (AcceleratorError, ProtocolError, SimulationError):
        return False


@pytest.fixture
def rtl_copy(tmp_path):
    for source in rtl_sources():
        shutil.copy(source, tmp_path)
    return tmp_path


@pytest.mark.rtl
@pytest.mark.usefixtures("verilator")
class TestMulticyclePaths:
    def test_the_rtl_computes_the_same_with_what_they_carry_late(self, rtl_copy):
        for constraint in constraints()[1]:
            make_late(constraint, rtl_copy)
        assert still_exact(rtl_copy)

    @pytest.mark.selfcheck
    @pytest.mark.nightly
    @pytest.mark.parametrize(
        ("index", "old", "new"),
        [
            (0, "2 -setup", "3 -setup"),
            (1, "core/u_store/base_x_reg*", "core/u_store/y_reg*"),
            (2, "2 -setup", "9 -setup"),
        ],
        ids=["a_cycle_too_many", "a_path_of_one_cycle", "beyond_the_check"],
    )
    def test_a_wrong_one_is_noticed(self, rtl_copy, index, old, new):
        text = constraints()[0].replace(old, new)
        text = text.replace("x_product_reg", "row_product_reg") if index == 1 else text
        if "-setup" in old:
            text = text.replace("1 -hold", f"{int(new[0]) - 1} -hold")
        make_late(parse_constraints(text)[index], rtl_copy)
        assert not still_exact(rtl_copy)


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
