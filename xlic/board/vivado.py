"""Writes what Vivado and the device tree must know: addresses, interrupt, ports, parameters.

``python -m xlic.board.vivado`` writes ``parameters.tcl``, ``xlic_accel_ip.v`` and ``xlic.dtso`` in
``board/vivado`` from :mod:`xlic.accelerator.isa`, the default design, the RTL's ports, what the
virtual board shares with the real one, and :class:`Platform`; ``--check`` compares, ``--hash``
prints the hash of the RTL's sources, ``--hash hls`` that of the HLS C++.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xlic.accelerator import isa
from xlic.accelerator.design import Design
from xlic.accelerator.native_library import hls_sources
from xlic.accelerator.sources import rtl_sources, source_hash
from xlic.accelerator.timing import CLOCK_HZ
from xlic.board.virtual import layout
from xlic.entry_point import run
from xlic.exit_status import ExitStatus
from xlic.files import write_text
from xlic.sources import RTL_DIR, RTL_TOP, VIVADO_DIR, require_checkout

IP_TOP = f"{RTL_TOP}_ip"
"""Module that is packaged: :data:`RTL_TOP` behind Verilog ports."""
FIRMWARE = "xlic.bin"
"""Bitstream that the overlay names; never ``xlic-*.bin``, which loading over SSH cleans up."""

_HEAD = "Written by `python -m xlic.board.vivado` from xlic/board/vivado.py: change that."
_PORT = re.compile(r"^  (input|output)\s+(?:wire )?logic\s+(\[\d+:0\])?\s*(\w+),?$", re.MULTILINE)
_PARAMETER = re.compile(r"parameter (int|logic \[63:0\])\s+(\w+)\s*=\s*(\d+|'0)")
_BUS = re.compile(r"(s_axi_control|m_axi_gmem\d)_(\w+)")


@dataclass(frozen=True)
class Platform:
    """Where the accelerator is on a ZCU102.

    Attributes:
        registers: address of ``s_axi_control`` behind M_AXI_HPM0_FPD.
        register_bytes: of the segment; whole pages, so that UIO can map it alone.
        interrupt: ``pl_ps_irq0[0]`` as the interrupt controller counts (SPI).
        memory_ports: the high-performance port (0 … 3) of each memory port of the accelerator.
            Ports 1 and 2 share a port of the DDR controller.
        buffer_bytes: that u-dma-buf reserves.
    """

    registers: int = 0xA000_0000
    register_bytes: int = layout.REGISTERS.bytes
    interrupt: int = layout.INTERRUPT
    memory_ports: Mapping[str, int] = field(
        default_factory=lambda: {"m_axi_gmem0": 0, "m_axi_gmem1": 1}
    )
    buffer_bytes: int = layout.BUFFER.bytes

    def __post_init__(self) -> None:
        used = isa.Register.COUNTERS + 4 * isa.MAX_LAYERS * isa.COUNTER_WORDS
        if used > self.register_bytes or self.register_bytes % 4096:
            raise ValueError(f"{used} bytes of registers do not fit {self.register_bytes}")
        if not 0xA000_0000 <= self.registers <= 0xB000_0000 - self.register_bytes:
            raise ValueError(f"M_AXI_HPM0_FPD does not reach 0x{self.registers:x}")
        ports = list(self.memory_ports.values())
        if len(set(ports)) != len(ports) or not set(ports) <= set(range(4)):
            raise ValueError(f"{ports} are not different ports 0 … 3")


@dataclass(frozen=True)
class Port:
    """A port of the RTL's top module: ``width`` as written, empty for one bit."""

    direction: str
    width: str
    name: str

    @property
    def bus(self) -> tuple[str, str]:
        """Interface and logical name; a signal that stands alone is its own interface."""
        found = _BUS.fullmatch(self.name)
        return (found[1], found[2]) if found else (self.name, _SIGNALS[self.name][1])


# Signals that stand alone: the interface's type, its only logical name, its mode.
_SIGNALS = {
    "ap_clk": ("signal:clock", "CLK", "slave"),
    "ap_rst_n": ("signal:reset", "RST", "slave"),
    "interrupt": ("signal:interrupt", "INTERRUPT", "master"),
}


def rtl_ports(text: str | None = None) -> list[Port]:
    """The ports of :data:`RTL_TOP`, or of another text of it."""
    text = _source(RTL_TOP) if text is None else text
    ports = [Port(*found) for found in _PORT.findall(text[: text.index(");")])]
    if len(ports) != text[: text.index(");")].count("put "):
        raise ValueError(f"the ports of {RTL_TOP} are not written one to a line as they were")
    return ports


def interfaces() -> dict[str, list[Port]]:
    """The ports by interface, in the order of the RTL."""
    out: dict[str, list[Port]] = {}
    for port in rtl_ports():
        out.setdefault(port.bus[0], []).append(port)
    return out


def parameters_tcl(platform: Platform | None = None, design: Design | None = None) -> str:
    """The Tcl file that the scripts read."""
    where, what = platform or Platform(), design or Design()
    values: dict[str, str] = {
        "part": "xczu9eg-ffvb1156-2-e",
        "board_part": "xilinx.com:zcu102:part0:*",
        "vlnv": f"xlic:rtl:{RTL_TOP}:{isa.INTERFACE_VERSION}.0",
        "top": IP_TOP,
        "clock_mhz": f"{CLOCK_HZ / 1e6:g}",
        "register_address": f"0x{where.registers:08x}",
        "register_bytes": f"0x{where.register_bytes:x}",
        "data_bits": str(_data_bits()),
    }
    logical = {
        name: _tcl_list(port.bus[1] for port in ports) for name, ports in interfaces().items()
    }
    lines = [f"# {_HEAD}"]
    lines += [f"set xlic_{name} {{{value}}}" for name, value in values.items()]
    lines += _tcl_dict("memory_ports", where.memory_ports, "to the processor's HP ports")
    lines += _tcl_dict("interfaces", logical, "and the ports of each")
    lines += _tcl_dict("design", {name.upper(): value for name, value in vars(what).items()})
    return "\n".join(lines) + "\n"


def wrapper(design: Design | None = None) -> str:
    """The RTL's top in Verilog, with the attributes that make its ports interfaces."""
    sizes = {name.upper(): value for name, value in vars(design or Design()).items()}
    parameters = _parameters(RTL_TOP)
    head = [
        f"  parameter integer {name} = {sizes[name]},"
        for name, (kind, _) in parameters.items()
        if kind == "int"
    ]
    ports = ",\n".join(_wrapped(name, group) for name, group in interfaces().items())
    connections = [f"    .{port.name}({port.name})" for port in rtl_ports()]
    settings = [f"    .{name}({name})" for name in parameters]
    return _WRAPPER.format(
        head=_HEAD,
        name=IP_TOP,
        top=RTL_TOP,
        parameters="\n".join(head),
        ports=ports,
        settings=",\n".join(settings),
        connections=",\n".join(connections),
    )


def overlay(platform: Platform | None = None) -> str:
    """The device-tree overlay: bitstream, clock, port widths, registers by UIO, a buffer."""
    where = platform or Platform()
    # 32, 64, 128 bits: the slave ports count them downwards, the master ports upwards.
    size = {32: 0, 64: 1, 128: 2}[_data_bits()]
    widths = {
        register: 2 - size
        for port in sorted(where.memory_ports.values())
        for register in (4 + 2 * port, 5 + 2 * port)
    } | {14: size << 8 | 2 << 10}
    return _OVERLAY.format(
        head=_HEAD,
        firmware=FIRMWARE,
        hertz=f"{CLOCK_HZ:.0f}",
        widths=", ".join(f"<{register} {value:#x}>" for register, value in widths.items()),
        unit=f"{where.registers:x}",
        address=f"0x{where.registers:08x}",
        size=f"0x{where.register_bytes:x}",
        spi=where.interrupt,
        buffer=f"0x{where.buffer_bytes:08x}",
    )


FILES: dict[Path, Callable[[], str]] = {
    VIVADO_DIR / "parameters.tcl": parameters_tcl,
    VIVADO_DIR / f"{IP_TOP}.v": wrapper,
    VIVADO_DIR / "xlic.dtso": overlay,
}
"""What is written, and by whom."""


def outdated() -> list[Path]:
    """Those of :data:`FILES` that are absent or differ from what would be written."""
    return [
        path
        for path, text in FILES.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text()
    ]


def main(arguments: list[str]) -> int:
    """Write the files, ``--check`` them, or print the ``--hash``; returns the exit status."""
    if arguments not in ([], ["--check"], ["--hash"], ["--hash", "hls"]):
        print("usage: python -m xlic.board.vivado [--check | --hash [hls]]", file=sys.stderr)
        return ExitStatus.INPUT
    if arguments[:1] == ["--hash"]:
        sources = hls_sources() if arguments[1:] else rtl_sources()
        print(f"{source_hash(sources):016x}")
        return ExitStatus.DONE
    if not arguments:
        require_checkout("writing what Vivado must know")
    changed = outdated()
    for path in changed:
        if arguments:
            print(f"{path.name} is not what xlic/board/vivado.py says")
        else:
            write_text(path, FILES[path]())
            print(f"wrote {path.name}")
    return ExitStatus.INPUT if arguments and changed else ExitStatus.DONE


def _source(module: str) -> str:
    return (RTL_DIR / f"{module}.sv").read_text(encoding="utf-8")


def _parameters(module: str) -> dict[str, tuple[str, str]]:
    """Type and default of each parameter."""
    return {name: (kind, value) for kind, name, value in _PARAMETER.findall(_source(module))}


def _data_bits() -> int:
    return 8 * isa.BEAT_BYTES


def _tcl_dict(name: str, values: Mapping[str, object], remark: str = "") -> list[str]:
    head = [f"# The accelerator's {name.replace('_', ' ')}, {remark}."] if remark else []
    entries = [f"    {key} {value} \\" for key, value in values.items()]
    return [*head, f"set xlic_{name} [dict create \\", *entries, "]"]


def _tcl_list(names: Iterable[str]) -> str:
    indent = " " * 8
    filled = textwrap.fill(" ".join(names), 96, initial_indent=indent, subsequent_indent=indent)
    return "{\n" + filled + "\n    }"


def _wrapped(interface: str, ports: list[Port]) -> str:
    kind, _, mode = _SIGNALS.get(
        interface, ("interface:aximm", "", "master" if interface.startswith("m_") else "slave")
    )
    settings = {"XIL_INTERFACENAME": interface} | _settings(interface)
    lines = [
        f'  (* X_INTERFACE_MODE = "{mode}" *)',
        '  (* X_INTERFACE_PARAMETER = "'
        + ", ".join(f"{key} {value}" for key, value in settings.items())
        + '" *)',
    ]
    for port in ports:
        width = f"{port.width} " if port.width else ""
        lines += [
            f'  (* X_INTERFACE_INFO = "xilinx.com:{kind}:1.0 {interface} {port.bus[1]}" *)',
            f"  {port.direction} wire {width}{port.name},",
        ]
    return "\n".join(lines).removesuffix(",")


def _settings(interface: str) -> dict[str, object]:
    """Parameters of an interface beyond what its ports tell."""
    buses = [name for name in interfaces() if name not in _SIGNALS]
    match interface:
        case "ap_clk":
            return {"ASSOCIATED_BUSIF": ":".join(buses), "ASSOCIATED_RESET": "ap_rst_n"}
        case "ap_rst_n":
            return {"POLARITY": "ACTIVE_LOW"}
        case "interrupt":
            return {"SENSITIVITY": "LEVEL_HIGH"}
        case "s_axi_control":
            return {"PROTOCOL": "AXI4LITE"}
    # Without these, an interconnect may be built for fewer bursts at once than the RTL has.
    reader, writer = _parameters("axi_reader"), _parameters("axi_writer")
    return {
        "PROTOCOL": "AXI4",
        "MAX_BURST_LENGTH": reader["MAX_BURST"][1],
        "NUM_READ_OUTSTANDING": reader["OUTSTANDING"][1],
        "NUM_WRITE_OUTSTANDING": writer["OUTSTANDING"][1],
        "SUPPORTS_NARROW_BURST": 0,
    }


_WRAPPER = """\
// {head}
// {top} for Vivado's IP packager, which takes no SystemVerilog as top: the same ports, each with
// the interface that it belongs to. package_ip.tcl fills in the hash of the sources.
`default_nettype none

module {name} #(
{parameters}
  parameter [63:0] SOURCE_HASH = 64'h0000000000000000
) (
{ports}
);
  {top} #(
{settings}
  ) core (
{connections}
  );
endmodule

`default_nettype wire
"""

_OVERLAY = """\
/* {head}
 * dtc -@ -I dts -O dtb -o xlic.dtbo xlic.dtso
 * NOT RUN YET on a board. What it takes of the kernel: board/vivado/README.md. */
/dts-v1/;
/plugin/;

&fpga_full {{
	firmware-name = "{firmware}";
	/* pl_resetn0, pulsed once the logic is loaded. */
	resets = <&zynqmp_reset 116>;
}};

&{{/}} {{
	#address-cells = <2>;
	#size-cells = <2>;

	/* pl_clk0; without a user, Linux would turn it off. */
	xlic-clock {{
		compatible = "xlnx,fclk";
		#clock-cells = <0>;
		clocks = <&zynqmp_clk 71>;
		clock-output-names = "xlic";
		assigned-clocks = <&zynqmp_clk 71>;
		assigned-clock-rates = <{hertz}>;
	}};

	/* Port widths as in block_design.tcl: whatever booted the board may have set others. */
	xlic-afi {{
		compatible = "xlnx,afi-fpga";
		config-afi = {widths};
	}};

	accelerator@{unit} {{
		compatible = "generic-uio";
		reg = <0x0 {address} 0x0 {size}>;
		interrupt-parent = <&gic>;
		interrupts = <0 {spi} 4>;
	}};

	/* Not dma-coherent, as the HP ports are not. Opened with O_SYNC: uncached, writes combined. */
	udmabuf0 {{
		compatible = "ikwzm,u-dma-buf";
		device-name = "udmabuf0";
		size = <{buffer}>;
		sync-mode = <2>;
	}};
}};
"""

if __name__ == "__main__":
    sys.exit(run(main, sys.argv[1:]))
