"""Verilated devices for tests."""

from __future__ import annotations

from xlic.accelerator.design import SMALL, Design
from xlic.accelerator.timing import MemoryTiming
from xlic.accelerator.verilated import verilated_devices
from xlic.rungs.accelerator import AcceleratorRung

DESIGNS = {
    "16x4x16": Design(),
    "4x2x8": SMALL,
    "8x8x8": Design(pof=8, poy=8, pox=8, input_words=700, weight_words=1 << 15),
}
HARSH = MemoryTiming(latency=23, write_latency=90, bytes_per_cycle=11, outstanding=3, stall=3)
"""Slow, uneven memory that can take few bursts."""


def rtl_rung(model, design, timing=None):
    return AcceleratorRung("rtl", model, verilated_devices(design, timing), design)
