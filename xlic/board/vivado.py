"""Writes what Vivado and the device tree must know: addresses, interrupt, parameters.

``python -m xlic.board.vivado`` writes ``board/vivado/parameters.tcl`` and ``xlic.dtso`` from
:mod:`xlic.accelerator.isa`, the default design and
:class:`AddressMap`; ``--check`` compares.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from xlic.accelerator import isa
from xlic.accelerator.design import Design
from xlic.accelerator.sources import RTL_TOP
from xlic.accelerator.timing import CLOCK_HZ
from xlic.files import write_text

VIVADO_DIR = Path(__file__).resolve().parents[2] / "board" / "vivado"
_HEAD = "Written by `python -m xlic.board.vivado` from xlic/board/vivado.py: change that."
_GIC_SPI = 32


@dataclass(frozen=True)
class AddressMap:
    """Where the accelerator is on a ZCU102.

    Attributes:
        registers: address of ``s_axi_control`` behind M_AXI_HPM0_FPD.
        register_bytes: of the segment; a page, so that UIO can map it alone.
        interrupt: number in the interrupt controller of ``pl_ps_irq0[0]``.
        buffer_bytes: that udmabuf reserves.
    """

    registers: int = 0xA000_0000
    register_bytes: int = 0x1000
    interrupt: int = 121
    buffer_bytes: int = 256 << 20

    def __post_init__(self) -> None:
        used = isa.Register.COUNTERS + 4 * isa.MAX_LAYERS * isa.COUNTER_WORDS
        if used > self.register_bytes:
            raise ValueError(f"{used} bytes of registers do not fit {self.register_bytes}")


def parameters_tcl(addresses: AddressMap | None = None, design: Design | None = None) -> str:
    """The Tcl file that the scripts read."""
    where, what = addresses or AddressMap(), design or Design()
    values: dict[str, str] = {
        "part": "xczu9eg-ffvb1156-2-e",
        "board_part": "xilinx.com:zcu102:part0:*",
        "top": RTL_TOP,
        "clock_mhz": f"{CLOCK_HZ / 1e6:g}",
        "register_address": f"0x{where.registers:08x}",
        "register_bytes": f"0x{where.register_bytes:x}",
        "interface_version": str(isa.INTERFACE_VERSION),
        "data_bits": str(8 * isa.BEAT_BYTES),
    }
    lines = [f"# {_HEAD}"]
    lines += [f"set xlic_{name} {{{value}}}" for name, value in values.items()]
    lines.append("set xlic_design [dict create \\")
    lines += [f"    {name.upper()} {value} \\" for name, value in vars(what).items()]
    lines.append("]")
    return "\n".join(lines) + "\n"


def overlay(addresses: AddressMap | None = None) -> str:
    """The device-tree overlay: registers by UIO, a buffer by u-dma-buf."""
    where = addresses or AddressMap()
    return _OVERLAY.format(
        head=_HEAD,
        unit=f"{where.registers:x}",
        address=f"0x{where.registers:08x}",
        size=f"0x{where.register_bytes:x}",
        spi=where.interrupt - _GIC_SPI,
        buffer=f"0x{where.buffer_bytes:08x}",
    )


FILES: dict[Path, Callable[[], str]] = {
    VIVADO_DIR / "parameters.tcl": parameters_tcl,
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
    """Write the files, or with ``--check`` compare them; returns the exit status."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m xlic.board.vivado [--check]", file=sys.stderr)
        return 2
    changed = outdated()
    for path in changed:
        if arguments:
            print(f"{path.name} is not what xlic/board/vivado.py says")
        else:
            write_text(path, FILES[path]())
            print(f"wrote {path.name}")
    return 1 if arguments and changed else 0


_OVERLAY = """\
/* {head}
 * dtc -@ -I dts -O dtb -o xlic.dtbo xlic.dtso
 * NOT RUN YET on a board. uio_pdrv_genirq needs of_id=generic-uio, see board/vivado/README.md. */
/dts-v1/;
/plugin/;

&{{/}} {{
	#address-cells = <2>;
	#size-cells = <2>;

	accelerator@{unit} {{
		compatible = "generic-uio";
		reg = <0x0 {address} 0x0 {size}>;
		interrupt-parent = <&gic>;
		interrupts = <0 {spi} 4>;
	}};

	udmabuf0 {{
		compatible = "ikwzm,u-dma-buf";
		device-name = "udmabuf0";
		size = <0x0 {buffer}>;
		/* HP ports are not coherent: the buffer is mapped uncached with O_SYNC. */
		sync-mode = <1>;
	}};
}};
"""

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
