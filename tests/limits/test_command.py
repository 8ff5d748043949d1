"""`xlic hls run` with its made picture; `rtl run` and `board run` share what it does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from xlic.cli.main import main
from xlic.images import write_png
from xlic.limits.contract import KINDS_OF
from xlic.rungs.differences import Difference

pytestmark = pytest.mark.hls


class TestCommand:
    @pytest.fixture
    def here(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        write_png("a.png", np.full((20, 20, 3), 90, np.uint8))

    def run(self, *more):
        words = ["hls", "run", "--image", "a.png", "--json", "found.json", *more]
        status = main(words)
        return status, json.loads(Path("found.json").read_text())["limits"]

    def test_runs_the_made_picture_beside_the_photograph(self, here):
        status, found = self.run()
        assert status == 0
        assert found["made_picture"] == {"equal": True, "differences": []}
        assert all(limit["made_picture"] for limit in found["limits"])
        assert {limit["name"].split(":")[0] for limit in found["limits"]} == {*KINDS_OF["encode"]}

    def test_leaves_it_out_where_that_is_asked_for(self, here, capsys):
        status, found = self.run("--no-limits")
        assert (status, found["made_picture"]) == (0, None)
        assert "left out (--no-limits)" in capsys.readouterr().out

    def test_says_how_to_leave_it_out_where_it_does_not_fit(self, here, capsys):
        from tests.sim.models import random_model
        from xlic.quantization.model import save_quantized

        save_quantized(random_model(1, 4), "q.safetensors")
        words = ["hls", "run", "--image", "a.png", "--model", "q.safetensors", "--design", "small"]
        assert main([*words, "--weight-words", "2000"]) == 2
        assert "or leave it out with --no-limits" in capsys.readouterr().err

    def test_of_other_counts_is_a_mismatch(self, here, monkeypatch, capsys):
        from xlic.accelerator.isa import COUNTER_WORDS, Counter, Register
        from xlic.accelerator.native import NativeDevice

        counter = Register.COUNTERS + 4 * Counter.CONV_SATURATIONS
        read = NativeDevice.read

        def one_more(self, address):
            layer, rest = divmod(address - counter, 4 * COUNTER_WORDS)
            return read(self, address) + (rest == 0 and layer == 1)

        monkeypatch.setattr(NativeDevice, "read", one_more)
        assert main(["hls", "run", "--image", "a.png", "--no-limits"]) == 10
        assert "ana_1 counts 1 saturations, the simulation 0" in capsys.readouterr().err

    def test_of_a_made_picture_that_differs_is_a_mismatch(self, here, monkeypatch, capsys):
        one = Difference("gdn_0", 2, 9, None)
        monkeypatch.setattr("xlic.limits.run.differences", lambda *_: (one,))
        assert main(["hls", "run", "--image", "a.png"]) == 10
        said = capsys.readouterr()
        assert "the made picture: gdn_0 differs from the simulation in 2 of 9" in said.err
        assert "75 by the made picture beside it: NOT equal" in said.out
