"""Layer records for benches of single blocks."""

from __future__ import annotations

from xlic.accelerator.isa import LAYER


def layer_bits(**fields: int) -> int:
    """A layer record as the blocks take it, 1024 bits; fields that are not named are 0."""
    words = LAYER.encode(dict.fromkeys(LAYER.fields, 0) | fields)
    return int.from_bytes(words.astype("<u4").tobytes(), "little")
