"""What the Tcl scripts for Vivado do.

They run in a plain Tcl with Vivado's commands recorded instead of carried out: that shows their
logic and what they ask for, not that a Vivado takes it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from xlic.accelerator import isa
from xlic.accelerator.design import Design
from xlic.accelerator.sources import rtl_sources
from xlic.accelerator.timing import CLOCK_HZ
from xlic.board.vivado import Platform, parameters_tcl, rtl_ports, wrapper
from xlic.sources import ROOT, VIVADO_DIR

pytestmark = pytest.mark.board

needs_tcl = pytest.mark.skipif(
    shutil.which("tclsh") is None, reason="needs tclsh: apt-get install tcl"
)


HASH = "0123456789abcdef"


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
        assert record.properties("current_fileset") == {"top": "xlic_accel_ip"}
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


@needs_tcl
class TestHlsExport:
    SCRIPT = ROOT / "hls" / "script.tcl"

    def test_the_hash_of_the_sources_is_built_in(self, monkeypatch):
        monkeypatch.setenv("XLIC_HASH", HASH)
        record = recorded(self.SCRIPT)
        (flags,) = {call[call.index("-cflags") + 1] for call in record.of("add_files")}
        assert f"-DXLIC_HASH_HIGH=0x{HASH[:8]} -DXLIC_HASH_LOW=0x{HASH[8:]}" in flags
        used = set(re.findall(r"-D(\w+)=", flags))
        source = "".join(path.read_text() for path in sorted(self.SCRIPT.parent.glob("xlic_*")))
        assert all(name in source for name in used)

    def test_all_sources_and_the_bench_are_added(self, monkeypatch):
        monkeypatch.setenv("XLIC_HASH", HASH)
        added = recorded(self.SCRIPT).of("add_files")
        sources = {call[0] for call in added if call[0] != "-tb"}
        assert sources == {str(path) for path in self.SCRIPT.parent.glob("xlic_*.cpp")}
        assert [call[1] for call in added if call[0] == "-tb"] == [
            str(self.SCRIPT.parent / "tb_xlic.cpp")
        ]

    @pytest.mark.parametrize("text", [None, "", "xyz", HASH[:-1], HASH.upper()])
    def test_without_the_hash_nothing_is_built(self, monkeypatch, text):
        monkeypatch.delenv("XLIC_HASH", raising=False)
        if text is not None:
            monkeypatch.setenv("XLIC_HASH", text)
        done = run_script(self.SCRIPT)
        assert done.returncode != 0
        assert "set XLIC_HASH to what" in done.stderr
        assert Record(done.stdout).calls == []
