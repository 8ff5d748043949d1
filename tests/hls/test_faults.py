"""Faults put into the C++ on purpose: each must be seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.hls.test_rung import unlike
from tests.sim.models import random_model
from xlic.accelerator.design import SMALL
from xlic.accelerator.native import NativeDevice
from xlic.accelerator.native_library import hls_sources
from xlic.rungs.accelerator import AcceleratorRung

pytestmark = [pytest.mark.hls, pytest.mark.selfcheck]

# File, what stands there, what shall stand there instead.
FAULTS = {
    "a magnitude of 32768 wraps": (
        "xlic_array.cpp",
        "operand_t(-value) : value",
        "operand_t(pixel_t(-value)) : value",
    ),
    "columns rotate one lane too few": ("xlic_array.cpp", "= tap.dx + (", "= (tap.dx & 1u) + ("),
    "products overflow 32 bits": (
        "xlic_array.cpp",
        "sums[lane][position] +=",
        "sums[lane][position] = std::int32_t(sums[lane][position]) +",
    ),
    "the division rounds down": ("xlic_arith.hpp", "+ (norm >> 1)", "+ 0"),
    "IGDN rounds down": ("xlic_arith.hpp", "acc_t(product + half)", "acc_t(product)"),
    "normalizers begin at 2": ("xlic_arith.hpp", "value < 1 ? norm_t(1)", "value < 2 ? norm_t(2)"),
    "large normalizers are not counted": (
        "xlic_arith.hpp",
        "++clipped;\n    return norm_t(NORM_MAX)",
        "return norm_t(NORM_MAX)",
    ),
    "the range of symbols is one too small": (
        "xlic_arith.hpp",
        "constexpr std::int32_t PIXEL_MIN = -32768",
        "constexpr std::int32_t PIXEL_MIN = -32767",
    ),
    "symbols count outside of the core": ("xlic_window.cpp", "if (core) count", "count"),
    "results outside of the map count": (
        "xlic_drain.cpp",
        "if (row_counts && col_stored(layer, pass, tile, x))",
        "if (row_counts)",
    ),
    "a phase is stored one column aside": (
        "xlic_store.hpp",
        "layer.col_mul + pass.phase_x - layer.out_lead",
        "layer.col_mul + pass.phase_y - layer.out_lead",
    ),
    "halves are mixed up": ("xlic_layer.cpp", "odd_tile = !odd_tile;", ""),
}


def faulty(fault, folder, model):
    name, old, new = FAULTS[fault]
    for file in hls_sources():
        (folder / file.name).write_bytes(file.read_bytes())
    text = (folder / name).read_text()
    assert text.count(old) == 1
    (folder / name).write_text(text.replace(old, new))
    return AcceleratorRung("hls", model, lambda size: NativeDevice(SMALL, size, folder), SMALL)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_seen(fault, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = random_model(seed=4, filters=6, extreme=True)
    # Small quotients tell a normalizer of 1 from one of 2.
    plain = replace(model.gdns["gdn_0"], out_shift=np.zeros(6, np.int64))
    model = replace(model, gdns={**model.gdns, "gdn_0": plain})
    folder = tmp_path / "hls"
    folder.mkdir()
    rng = np.random.default_rng(4)
    pixels = rng.choice(np.array([0, 255], np.uint8), (40, 57, 3))
    symbols = rng.choice(np.array([-(1 << 31), -9, 0, 5, 32767]), (3, 4, 6))
    assert unlike(faulty(fault, folder, model), model, pixels, symbols) != []
