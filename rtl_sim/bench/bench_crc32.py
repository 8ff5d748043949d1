"""crc32: the CRC of all beats since it was cleared is zlib's."""

from __future__ import annotations

import zlib
from typing import Any

import cocotb
from common import Bench, number


@cocotb.test()
async def equals_zlib(dut: Any) -> None:
    bench = Bench(dut, reset=None)
    rng = bench.random
    crc: int | None = None  # unknown until it was cleared
    clear = valid = False
    beat = b""
    dut.clear_i.value = dut.valid_i.value = 0
    for _ in range(3000):
        await bench.step()
        # What the edge before this one took in.
        if crc is not None:
            assert number(dut.crc_o) == crc
        if clear:
            crc = 0
        elif valid and crc is not None:
            crc = zlib.crc32(beat, crc)
        clear, valid = rng.random() < 0.02, rng.random() < 0.6
        beat = rng.choice([rng.randbytes(16), bytes(16), b"\xff" * 16])
        dut.clear_i.value, dut.valid_i.value = int(clear), int(valid)
        dut.data_i.value = int.from_bytes(beat, "little")
