"""The benches, checked: a fault put into a block's source must turn its bench red."""

from __future__ import annotations

import shutil

import pytest

from xlic.accelerator.cocotb_runner import Bench, run_bench
from xlic.accelerator.sources import needed_sources, rtl_sources
from xlic.accelerator.verilated_library import Rtl

pytestmark = [
    pytest.mark.rtl,
    pytest.mark.selfcheck,
    pytest.mark.nightly,
    pytest.mark.usefixtures("verilator"),
]

PIXELS = {"POY": 2, "POX": 8}
PARAMETERS = {
    "fifo": {"WIDTH": 8, "DEPTH": 4},
    "weight_store": {"POF": 16, "WEIGHT_WORDS": 70, "BANK_DEPTH": 16},
    "mac_array": {"POF": 4, **PIXELS},
    "input_buffer": {"INPUT_WORDS": 256, **PIXELS},
    "output_buffer": {"CHANNELS": 32, "POY": 2, "POX": 16},
    "hold_buffer": {"CHANNELS": 32, **PIXELS},
    "axi_reader": {"MAX_BURST": 16, "OUTSTANDING": 4},
    "axi_writer": {"MAX_BURST": 16, "OUTSTANDING": 4},
    "drain": {"POF": 8, "CHANNELS": 32, **PIXELS},
    "store": {"CHANNELS": 64, **PIXELS},
    "window_loader": {"INPUT_WORDS": 512, **PIXELS},
}
# Block whose bench must notice, file, what stands there, what shall.
MUTATIONS = {
    "a_place_less": ("fifo", "fifo", "(AW + 1)'(DEPTH)", "(AW + 1)'(DEPTH - 1)"),
    "rounding_lost": ("divider", "divider", "n0[23:1]}", "n0[23:2], 1'b0}"),
    "limit_off_by_one": (
        "multiplier",
        "multiplier",
        "fine > 48'sd32767 ||",
        "fine > 48'sd32768 ||",
    ),
    "clear_loses": ("crc32", "crc32", "if (clear_i)", "if (clear_i && !valid_i)"),
    "half_beat_kept": ("weight_store", "weight_store", "beat_high   <= 1'b0;", ""),
    "signed_magnitude": ("mac_array", "mac_array", "gamma_i ? {1'b0,", "gamma_i ? {1'b1,"),
    "lane_wraps_late": ("input_buffer", "input_buffer", "lane >= LANES", "lane > LANES"),
    "mask_ignored": ("input_buffer", "input_buffer", "&& wmask_i[k[2:0]]", ""),
    "skew_lost": ("output_buffer", "output_buffer", "XW'({rgroup_i, 3'b0}) +", ""),
    "sign_of_another": ("hold_buffer", "hold_buffer", "wdata_i[x*16+15] ?", "wdata_i[x*16+14] ?"),
    "no_limit": ("axi_reader", "axi_reader", "pending != ($bits(pending))'(OUTSTANDING)", "1'b1"),
    "flush_writes": ("axi_writer", "axi_writer", "{16{!flush_i}}", "'1"),
    "idle_early": ("axi_writer", "axi_writer", "idle_o = pending == 0", "idle_o = !len_valid"),
    "window_wraps": (
        "axi_reader",
        "burst_splitter",
        "{1'b0, req_offset_i} + {1'b0, req_beats_i}",
        "{1'b0, req_offset_i + req_beats_i}",
    ),
    "rows_all_counted": ("drain", "drain", "row_ok[row_o] ? col_ok : '0", "col_ok"),
    "n_limit_off_by_one": (
        "drain",
        "drain",
        "fine[x] > 48'sd16777215;",
        "fine[x] > 48'sd16777216;",
    ),
    "released_early": ("drain", "drain", "(POF * POY - EARLY)", "(POF * POY - EARLY - 2)"),
    "wrong_colour": ("store", "store", "k % 4 == 3", "k % 4 == 2"),
    "subrow_lost": ("store", "store", "16'(subrow) * steps", "16'(subrow) * out_run"),
    "last_row_kept": ("window_loader", "window_loader", "rows_done && fill_done", "rows_done"),
    "core_too_wide": ("window_loader", "window_loader", "16'(core_x) + 16'(POX)", "16'(cols)"),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_fault_is_noticed(mutation, tmp_path):
    block, file, old, new = MUTATIONS[mutation]
    for source in rtl_sources():
        shutil.copy(source, tmp_path)
    text = (tmp_path / f"{file}.sv").read_text()
    assert old in text, f"{file}.sv has changed: choose another fault"
    (tmp_path / f"{file}.sv").write_text(text.replace(old, new))
    parameters = PARAMETERS.get(block, {})
    rtl = Rtl(needed_sources(rtl_sources(tmp_path), block), block, parameters)
    outcome = run_bench(Bench(f"bench_{block}", rtl), "verilator", tmp_path / "out", waves=False)
    assert outcome.failures
    assert outcome.tests, outcome.failures  # not because nothing could run
