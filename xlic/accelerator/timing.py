"""How fast the memory behind the accelerator answers: for simulation and for prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xlic.errors import InputError, ParameterError

CLOCK_HZ = 200e6
"""Of the ZCU102 design; cycles are what is measured, time is told for this clock."""
CHANNELS = ("ar", "r", "aw", "w", "b")


@dataclass(frozen=True)
class MemoryTiming:
    """How fast the memory answers.

    Attributes:
        latency: cycles from an accepted read address to its first beat.
        write_latency: cycles from the last beat of a burst to the response.
        bytes_per_cycle: per port and direction, 1 … 16.
        outstanding: bursts per port and direction that the memory takes before it answers.
        stall: holds up each channel in one cycle of that many (pseudo-random); 0 never.
        stalls: the same by channel (``ar``, ``r``, ``aw``, ``w``, ``b``), where it differs.
        seed: of the stalls.

    Raises:
        InputError: a value out of range.
    """

    latency: int = 60
    write_latency: int = 30
    bytes_per_cycle: int = 16
    outstanding: int = 16
    stall: int = 0
    stalls: Mapping[str, int] = field(default_factory=dict)
    seed: int = 1

    def __post_init__(self) -> None:
        ranges = {"latency": 1 << 20, "write_latency": 1 << 20, "bytes_per_cycle": 16}
        for name, most in (ranges | {"outstanding": 256}).items():
            if not 1 <= getattr(self, name) <= most:
                raise ParameterError(f"{{}} {getattr(self, name)} must be 1 … {most}", name)
        unknown = self.stalls.keys() - set(CHANNELS)
        if unknown:
            raise InputError(f"no channel {', '.join(unknown)}; there are {', '.join(CHANNELS)}")
        for value in (self.stall, *self.stalls.values()):
            if not (value == 0 or 2 <= value < 1 << 32):
                raise ParameterError(
                    f"{{}} {value} must be 0 (never) or 2 … {(1 << 32) - 1} (one cycle in so many)",
                    "stall",
                )
        if not 0 <= self.seed < 1 << 32:
            raise ParameterError(f"{{}} {self.seed} must be 0 … {(1 << 32) - 1}", "seed")
