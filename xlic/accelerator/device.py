"""What the driver needs of a thing that speaks the accelerator's registers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Device(Protocol):
    """An accelerator with its memory: verilated RTL, compiled HLS C++, or a board."""

    @property
    def memory(self) -> NDArray[np.uint8]:
        """The window, uint8 ``(bytes,)``, as the host sees it; 4096-byte aligned."""
        ...

    @property
    def window_address(self) -> int:
        """Byte address of the window as the accelerator's ports see it."""
        ...

    def read(self, address: int) -> int:
        """A register's 32 bits."""
        ...

    def write(self, address: int, value: int) -> None:
        """Set a register."""
        ...

    def wait(self, cycles: int) -> bool:
        """Wait for the interrupt, at most about ``cycles`` clock cycles; whether it came."""
        ...
