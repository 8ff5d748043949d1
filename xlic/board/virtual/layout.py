"""Where things are in the virtual board's memory; the device tree is made from this.

The host maps the same memory: guest physical address N is byte N of the file behind it.
"""

from __future__ import annotations

from dataclasses import dataclass

RAM_BYTES = 1 << 30


@dataclass(frozen=True)
class Region:
    """A part of memory: physical address and size."""

    address: int
    bytes: int

    @property
    def end(self) -> int:
        """First address behind it."""
        return self.address + self.bytes


REGISTERS = Region(0x2DFE_0000, 0x1000)
"""Stands for ``s_axi_control``."""
MAILBOX = Region(0x2DFF_0000, 0x1000)
"""By which the kernel module hands a bitstream to the host."""
STAGING = Region(0x2E00_0000, 32 << 20)
"""Takes the bitstream; one of the XCZU9EG has 26.5 MB."""
BUFFER = Region(0x3000_0000, 256 << 20)
"""``udmabuf0``."""
INTERRUPT = 89
"""``pl_ps_irq0[0]`` as the interrupt controller counts (SPI)."""

# Mailbox, byte offsets; board/virtual/module has the same.
MAILBOX_COMMAND = 0x00
MAILBOX_STATUS = 0x04
MAILBOX_LENGTH = 0x08
MAILBOX_FLAGS = 0x0C
MAILBOX_NAME = 0x40
MAILBOX_NAME_BYTES = 256
COMMAND_LOAD = 1
STATUS_PENDING, STATUS_LOADED, STATUS_REFUSED = 0, 1, 2


def device_tree_values() -> dict[str, str]:
    """What ``$name`` in ``board/virtual/zcu102.dts.in`` stands for."""
    values = {
        "ram_bytes": RAM_BYTES,
        "first": REGISTERS.address,
        "all_bytes": BUFFER.end - REGISTERS.address,
    }
    regions = {"registers": REGISTERS, "mailbox": MAILBOX, "staging": STAGING, "buffer": BUFFER}
    for name, region in regions.items():
        values |= {name: region.address, f"{name}_bytes": region.bytes}
    return {name: f"{value:x}" for name, value in values.items()} | {"interrupt": str(INTERRUPT)}
