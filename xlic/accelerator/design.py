"""A design: the array's size and its buffers."""

from __future__ import annotations

from dataclasses import dataclass

from xlic.errors import ParameterError

LEAST_WORDS = 16
MOST_WORDS = {
    "input_words": 1 << 15,
    "weight_words": 1 << 24,
    "param_words": 1 << 16,
    "pass_words": 1 << 16,
    "tap_words": 1 << 16,
    "channels": 1 << 10,
}
"""Of each buffer, in any design."""


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
        choices = {"pof": (4, 8, 16), "poy": (2, 4, 8), "pox": (8, 16)}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ParameterError(
                    f"a design with {{}} {getattr(self, name)} cannot be built; "
                    f"{{}} is one of {', '.join(map(str, allowed))}",
                    *(name, name),
                )
        for name, most in MOST_WORDS.items():
            if not LEAST_WORDS <= getattr(self, name) <= most:
                raise ParameterError(
                    f"{{}} {getattr(self, name)} must be {LEAST_WORDS} … {most}", name
                )

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
