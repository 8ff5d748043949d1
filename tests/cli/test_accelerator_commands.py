"""`xlic compile`, from arguments to files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.cli.test_main import error_line
from tests.sim.models import random_model
from xlic.accelerator.design import SMALL, Design
from xlic.accelerator.program import read_program
from xlic.cli.main import main
from xlic.cli.options import _PARAMETERS, chosen_design
from xlic.errors import InputError
from xlic.images import write_png
from xlic.quantization.model import save_quantized

pytestmark = pytest.mark.sim


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with a small model and a picture of 24 × 17."""
    monkeypatch.chdir(tmp_path)
    save_quantized(random_model(1, 8), "q.safetensors")
    write_png("a.png", np.zeros((17, 24, 3), np.uint8))
    return tmp_path


SMALL_MODEL = ("compile", "--model", "q.safetensors", "--design", "small")


class TestCompile:
    @pytest.mark.parametrize("transform", ["encode", "decode"])
    def test_writes_a_program_for_a_size(self, here, capsys, transform):
        arguments = ["--size", "24x17", "--transform", transform, "--out", "p.xprog"]
        assert main([*SMALL_MODEL, *arguments]) == 0
        program = read_program(here / "p.xprog", SMALL)
        out, err = capsys.readouterr()
        assert f"program {program.identity}: 4 lanes × 2×8 positions" in out
        assert f"p.xprog: {16 * program.beats} bytes, identity {program.identity}" in err
        first = program.layers[0]
        expected = (17, 24) if transform == "encode" else (2, 2)
        assert (first.in_height, first.in_width) == expected

    def test_takes_the_size_of_a_picture(self, here, capsys):
        assert main([*SMALL_MODEL, "--image", "a.png", "--transform", "encode"]) == 0
        by_picture = capsys.readouterr().out
        main([*SMALL_MODEL, "--size", "24x17", "--transform", "encode"])
        assert capsys.readouterr().out == by_picture

    def test_explains_passes_buffers_and_memory(self, here, capsys):
        arguments = ["--size", "24x17", "--transform", "encode", "--keep", "ana_0", "--explain"]
        assert main([*SMALL_MODEL, *arguments]) == 0
        out = capsys.readouterr().out
        assert "2 × 81 taps × 3 → OUT_I16" in out
        assert "weights: 1318 of 16384" in out

    def test_prints_json(self, here, capsys):
        arguments = ["--size", "24x17", "--transform", "decode", "--json", "-"]
        assert main([*SMALL_MODEL, *arguments]) == 0
        facts = json.loads(capsys.readouterr().out)
        assert facts["design"]["pof"] == 4
        assert [layer["name"] for layer in facts["layers"]] == ["igdn_0", "igdn_1", "syn_2"]

    def test_writes_json_beside_the_table(self, here, capsys):
        arguments = ["--size", "24x17", "--transform", "decode", "--json", "facts.json"]
        assert main([*SMALL_MODEL, *arguments]) == 0
        assert "total" in capsys.readouterr().out
        assert json.loads((here / "facts.json").read_text())["window_bytes"] > 0

    def test_takes_the_shipped_model_on_the_default_design(self, capsys):
        assert main(["compile", "--size", "768x512", "--transform", "encode"]) == 0
        assert "16 lanes × 4×16 positions" in capsys.readouterr().out


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--transform", "encode"], "give either --size WxH or --image IMAGE"),
            (["--transform", "encode", "--size", "2x2", "--image", "a.png"], "give either --size"),
            (["--transform", "encode", "--size", "2"], "'2' is no image size"),
            (["--transform", "encode", "--image", "absent.png"], "absent.png"),
            (["--transform", "both", "--size", "2x2"], "'both' is not one of 'encode', 'decode'"),
            (
                ["--transform", "encode", "--size", "2x2", "--pof", "5"],
                "--pof 5 cannot be built; --pof is one of 4, 8, 16",
            ),
            (
                ["--transform", "encode", "--size", "2x2", "--weight-words", "1000"],
                "make it a design with --weight-words 1318",
            ),
            (["--transform", "encode", "--size", "2x2", "--keep", "syn_0"], "no tensor 'syn_0'"),
            (
                ["--transform", "encode", "--size", "2x2", "--out", "q.safetensors"],
                "q.safetensors would overwrite q.safetensors",
            ),
            (
                ["--transform", "encode", "--size", "2x2", "--out", "o", "--json", "o"],
                "o would overwrite o",
            ),
            (
                ["--transform", "encode", "--size", "2x2", "--out", "absent/o"],
                "cannot write absent/o",
            ),
        ],
    )
    def test_are_one_line_and_say_what_helps(self, here, capsys, arguments, message):
        assert main([*SMALL_MODEL, *arguments]) == 2
        assert message in error_line(capsys)


class TestDesign:
    def test_is_the_default_one_with_what_was_given(self):
        nothing = dict.fromkeys(_PARAMETERS)
        assert chosen_design("default", nothing) == Design()
        assert chosen_design("small", nothing) == SMALL
        assert chosen_design("small", nothing | {"pox": 16}).pox == 16

    def test_options_are_its_parameters(self):
        assert set(_PARAMETERS) == set(vars(Design()))

    def test_that_cannot_be_is_refused(self):
        with pytest.raises(InputError, match="channels 8 must be 16 … 1024"):
            chosen_design("default", {"channels": 8})
