"""Files for the C test bench: memory windows before and after a run, as the simulation has it.

``python -m xlic.accelerator.vectors FOLDER`` writes those of a crop of a shipped photograph, and of
the made picture that reaches every limit of the arithmetic.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator.compiler import Compiled, compile_transform
from xlic.accelerator.design import Design
from xlic.accelerator.isa import BEAT_BYTES
from xlic.accelerator.memory import PIXEL_BYTES
from xlic.architecture import ANALYSIS_NAMES, SYNTHESIS_NAMES
from xlic.entry_point import run
from xlic.exit_status import ExitStatus
from xlic.files import write_bytes, write_text
from xlic.images import UInt8Image, read_image
from xlic.limits.made import made_case
from xlic.quantization.model import QuantizedModel, load_quantized
from xlic.rungs.int16 import Int16Rung
from xlic.shipped import model_path, photo_path

FILL = 0xA5
"""What all memory holds that nobody wrote."""
_PIXELS = BEAT_BYTES // PIXEL_BYTES


def write_vectors(
    folder: Path,
    model: QuantizedModel,
    pixels: UInt8Image,
    design: Design,
    symbols: NDArray[Any] | None = None,
    name: str = "",
) -> list[Path]:
    """Write the files of one picture's encoding and decoding.

    Args:
        folder: where to; made if it is not there.
        model: the integers.
        pixels: uint8 ``(H, W, 3)``.
        design: what to compile for.
        symbols: to decode, ``(h, w, N)``; None takes the picture's.
        name: what the files' names begin with.

    Returns:
        The prefixes for the test bench: ``encode`` and ``decode`` in the folder.

    Raises:
        InputError: the folder cannot be written, or the picture does not fit the design.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rung, size = Int16Rung(model), (pixels.shape[0], pixels.shape[1])
    encoded = rung.analyze(pixels, keep=ANALYSIS_NAMES)
    # The last beat of a row is filled with the pixels that follow, which a host ignores.
    whole_beats = (size[0], -(-size[1] // _PIXELS) * _PIXELS)
    given = encoded.output if symbols is None else symbols
    decoded = rung.synthesize(given, whole_beats, keep=SYNTHESIS_NAMES)
    encode = compile_transform(model, "encode", size, design, ANALYSIS_NAMES)
    decode = compile_transform(model, "decode", size, design, SYNTHESIS_NAMES)
    return [
        _write(folder / f"{name}encode", encode, pixels, encoded.tensors),
        _write(folder / f"{name}decode", decode, given, decoded.tensors),
    ]


def write_limits(folder: Path, design: Design) -> list[Path]:
    """Write the files of the made case, see :func:`write_vectors`; their names begin so."""
    made = made_case()
    return write_vectors(folder, made.model, made.picture, design, made.symbols, "limits_")


def _write(
    prefix: Path, compiled: Compiled, values: NDArray[Any], tensors: Mapping[str, NDArray[Any]]
) -> Path:
    window = compiled.new_window(FILL)
    compiled.write_input(window, values)
    write_bytes(f"{prefix}_window.bin", window.tobytes())
    for name, tensor in compiled.memory.tensors.items():
        values = tensors[name]
        replace(tensor, width=values.shape[1]).write(window, values)
    write_bytes(f"{prefix}_expected.bin", window.tobytes())
    write_text(f"{prefix}_program.txt", f"{compiled.memory.program}\n")
    return prefix


def main(arguments: list[str]) -> int:
    """Write the files of both pictures into the folder named; returns the exit status."""
    if len(arguments) != 1:
        print("usage: python -m xlic.accelerator.vectors FOLDER", file=sys.stderr)
        return ExitStatus.INPUT
    pixels = np.ascontiguousarray(read_image(photo_path()).pixels[60:108, 110:150])
    folder = Path(arguments[0])
    prefixes = write_vectors(folder, load_quantized(model_path()), pixels, Design())
    prefixes += write_limits(folder, Design())
    print("\n".join(map(str, prefixes)))
    return ExitStatus.DONE


if __name__ == "__main__":
    sys.exit(run(main, sys.argv[1:]))
