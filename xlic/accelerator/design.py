"""A design: the array's size and its buffers."""

from __future__ import annotations

from dataclasses import dataclass

from xlic.accelerator.isa import DESIGN_CHOICES, DESIGN_RANGES
from xlic.errors import ParameterError


@dataclass(frozen=True)
class Design:
    """Parameters of the accelerator, see docs/accelerator.md.

    Raises:
        ParameterError: a value that the design cannot take.
    """

    pof: int = 16
    poy: int = 4
    pox: int = 16
    input_words: int = 1024
    weight_words: int = 57344
    param_words: int = 1024
    pass_words: int = 512
    tap_words: int = 512
    channels: int = 256

    def __post_init__(self) -> None:
        for name, allowed in DESIGN_CHOICES.items():
            value = getattr(self, name.lower())
            if value not in allowed:
                raise ParameterError(
                    f"a design with {{}} {value} cannot be built; "
                    f"{{}} is one of {', '.join(map(str, allowed))}",
                    *(name.lower(), name.lower()),
                )
        for name, (least, most) in DESIGN_RANGES.items():
            value = getattr(self, name.lower())
            if not least <= value <= most:
                raise ParameterError(f"{{}} {value} must be {least} … {most}", name.lower())

    @property
    def macs(self) -> int:
        """Multiply-accumulates per cycle."""
        return self.pof * self.poy * self.pox

    @property
    def array(self) -> int:
        """The array's size as programs and identity registers hold it."""
        return self.pof | self.poy << 8 | self.pox << 16


SMALL = Design(pof=4, poy=2, pox=8, weight_words=16384)
"""For fast tests: 64 multipliers, weights for about 32 filters."""
