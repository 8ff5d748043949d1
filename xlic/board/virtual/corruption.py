"""One wrong bit in what the accelerator wrote."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator.isa import BEAT_BYTES, HEADER, HEADER_BEATS, LAYER, LAYER_BEATS, Register


def flip_output(buffer: NDArray[np.uint8], address: int, arguments: dict[int, int]) -> str:
    """Flip the lowest bit of the first channel in the middle of the last layer's output.

    Args:
        buffer: memory that the accelerator worked on.
        address: of its first byte.
        arguments: registers of the run.

    Returns:
        What was done, for the log.
    """
    window = (arguments[Register.GMEM0_LOW] | arguments[Register.GMEM0_HIGH] << 32) - address
    program = window + arguments[Register.PROGRAM] * BEAT_BYTES
    words = buffer[program:].view(np.uint32)
    layers = HEADER.decode(words[: HEADER.words])["layers"]
    first = HEADER_BEATS * BEAT_BYTES // 4 + (layers - 1) * LAYER_BEATS * BEAT_BYTES // 4
    layer = LAYER.decode(words[first : first + LAYER.words])
    beat = (
        layer["out_offset"]
        + layer["out_height"] // 2 * layer["out_row_pitch"]
        + layer["out_width"] // 2 * layer["out_px_pitch"]
    )
    at = window + beat * BEAT_BYTES
    buffer[at] ^= 1
    return f"flipped bit 0 of byte {at} of the buffer, in the output of layer {layers - 1}"
