"""The RTL's blocks, each against a model of its own, with cocotb."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("width", "depth"), [(13, 8), (128, 16), (1, 2)])
def test_fifo(bench, width, depth):
    bench.unit("bench_fifo", "fifo", {"WIDTH": width, "DEPTH": depth})


def test_divider(bench):
    bench.unit("bench_divider", "divider")


def test_multiplier(bench):
    bench.unit("bench_multiplier", "multiplier")


def test_crc32(bench):
    bench.unit("bench_crc32", "crc32")


@pytest.mark.parametrize(("pof", "words"), [(4, 101), (8, 64), (16, 70)])
def test_weight_store(bench, pof, words):
    bench.unit(
        "bench_weight_store", "weight_store", {"POF": pof, "WEIGHT_WORDS": words, "BANK_DEPTH": 16}
    )


def test_mac_array(bench):
    bench.unit("bench_mac_array", "mac_array", {"POF": 4, "POY": 2, "POX": 8})


@pytest.mark.parametrize(("max_burst", "outstanding"), [(64, 16), (16, 4)])
@pytest.mark.parametrize("block", ["axi_reader", "axi_writer"])
def test_bursts(bench, block, max_burst, outstanding):
    bench.unit(f"bench_{block}", block, {"MAX_BURST": max_burst, "OUTSTANDING": outstanding})


@pytest.mark.parametrize(("poy", "pox"), [(2, 8), (4, 16)])
@pytest.mark.parametrize(
    ("block", "more"),
    [
        ("input_buffer", {"INPUT_WORDS": 256}),
        ("output_buffer", {"CHANNELS": 32}),
        ("hold_buffer", {"CHANNELS": 32}),
    ],
)
def test_buffer(bench, block, more, poy, pox):
    bench.unit(f"bench_{block}", block, {"POY": poy, "POX": pox, **more})


@pytest.mark.parametrize(("poy", "pox"), [(2, 8), (4, 16)])
def test_store(bench, poy, pox):
    bench.unit("bench_store", "store", {"POY": poy, "POX": pox, "CHANNELS": 64})


@pytest.mark.parametrize(("pof", "poy", "pox"), [(4, 2, 8), (8, 4, 16)])
def test_drain(bench, pof, poy, pox):
    bench.unit("bench_drain", "drain", {"POF": pof, "POY": poy, "POX": pox, "CHANNELS": 32})


@pytest.mark.parametrize(("poy", "pox"), [(2, 8), (4, 16)])
def test_window_loader(bench, poy, pox):
    parameters = {"POY": poy, "POX": pox, "INPUT_WORDS": 512}
    bench.unit("bench_window_loader", "window_loader", parameters)
