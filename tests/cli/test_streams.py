"""`-` and devices, formats by suffix, and what goes to stdout."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from tests.cli.test_main import error_line
from tests.evaluation.small import photo, small_model
from xlic.cli.main import main
from xlic.errors import InputError
from xlic.evaluation.plot import rd_plot
from xlic.files import atomic_path
from xlic.images import check_suffix, encoded, write_png
from xlic.quantization.model import save_quantized

MODEL = ("--model", "q.safetensors")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with a small model, a picture of 24 × 40 and its stream."""
    monkeypatch.chdir(tmp_path)
    save_quantized(small_model(), "q.safetensors")
    write_png("a.png", photo(24, 40, 0))
    assert main(["encode", *MODEL, "a.png", "a.tfci"]) == 0
    return tmp_path


def xlic(line, **options):
    command = f"set -o pipefail; {line}".replace("XLIC", f"{sys.executable} -m xlic")
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": root}
    return subprocess.run(["bash", "-c", command], capture_output=True, env=environment, **options)


class TestDash:
    def test_is_stdin_and_stdout_of_the_codec(self, here):
        done = xlic("XLIC encode --model q.safetensors - < a.png")
        assert done.returncode == 0, done.stderr
        assert done.stdout == (here / "a.tfci").read_bytes()
        assert not (here / "-").exists()
        done = xlic("XLIC decode --model q.safetensors - - < a.tfci")
        main(["decode", *MODEL, "a.tfci", "b.png"])
        shown = np.asarray(PillowImage.open(io.BytesIO(done.stdout)))
        assert np.array_equal(shown, np.asarray(PillowImage.open("b.png")))

    def test_makes_a_pipeline(self, here):
        both = "XLIC encode --model q.safetensors - | XLIC decode --model q.safetensors - > c.png"
        assert xlic(f"cat a.png | {both}").returncode == 0
        main(["decode", *MODEL, "a.tfci", "b.png"])
        assert (here / "c.png").read_bytes() == (here / "b.png").read_bytes()

    @pytest.mark.parametrize("name", ["-", "/dev/stdin"])
    def test_is_a_picture_for_every_command_that_takes_one(self, here, name):
        done = xlic(f"XLIC cycles --model q.safetensors --design small --image {name} < a.png")
        assert b"encode 40\xc3\x9724" in done.stdout

    def test_of_the_demo_names_its_files_stdin(self, here):
        assert xlic("XLIC demo - --model q.safetensors --out shown < a.png").returncode == 0
        assert (here / "shown" / "stdin.tfci").exists()

    @pytest.mark.parametrize("target", ["-", "/dev/stdout", "/proc/self/fd/1"])
    @pytest.mark.parametrize("behind", ["| cat", "> out; cat out", ">> a.tfci; tail -c 99 a.tfci"])
    def test_of_json_is_stdout_by_whatever_name(self, here, target, behind):
        options = "--model q.safetensors --design small --size 8x8"
        done = xlic(f"XLIC cycles {options} --json {target} {behind}")
        assert done.returncode == 0, done.stderr
        if ">>" in behind:
            assert done.stdout.endswith(b"}\n")
        else:
            assert json.loads(done.stdout)["kind"] == "model"

    def test_of_an_output_in_a_pipe_of_the_shell_is_written_to(self, here):
        done = xlic("XLIC cycles --model q.safetensors --size 8x8 --json >(cat >&2) > /dev/null")
        assert json.loads(done.stderr)["kind"] == "model"

    @pytest.mark.parametrize(
        "arguments",
        [
            ["quantize", "--weights", "w", "--calibrate", "a.png", "--out", "-"],
            ["compile", "--size", "8x8", "--out", "/dev/stdout"],
            ["eval", "--weights", "q.safetensors", "--images", "a.png", "--plot", "-"],
        ],
        ids=lambda arguments: arguments[0],
    )
    def test_is_refused_where_stdout_has_a_table(self, here, capsys, arguments):
        capsys.readouterr()
        assert main(arguments) == 2
        assert "name a file" in error_line(capsys)
        assert not (here / "-").exists()

    def test_is_refused_where_a_terminal_would_get_bytes(self, here, capsys, monkeypatch):
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        assert main(["encode", *MODEL, "a.png", "-"]) == 2
        assert "a terminal cannot show that" in capsys.readouterr().err

    def test_keeps_files_whole_that_stdout_goes_to(self, here):
        before = (here / "a.png").read_bytes()
        done = xlic("XLIC encode --model q.safetensors a.png /dev/stdout >> a.png")
        assert done.returncode == 0
        assert (here / "a.png").read_bytes() == before + (here / "a.tfci").read_bytes()


class TestJson:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["demo", "a.png", *MODEL],
            ["bench", *MODEL, "--size", "16x16", "--repeats", "1"],
            ["eval", "--weights", "q.safetensors", "--images", "a.png"],
            ["compile", *MODEL, "--size", "16x16", "--out", "p.xprog"],
            ["cycles", *MODEL, "--size", "16x16"],
        ],
        ids=lambda arguments: arguments[0],
    )
    def test_is_alone_on_stdout_and_the_same_in_a_file(self, here, capsys, arguments):
        capsys.readouterr()
        assert main([*arguments, "--json", "-"]) == 0
        printed = json.loads(capsys.readouterr().out)
        assert main([*arguments, "--json", "o.json"]) == 0
        assert capsys.readouterr().out.strip()
        assert json.loads((here / "o.json").read_text()).keys() == printed.keys()

    def test_of_a_layer_has_the_name_of_the_table(self, here, capsys):
        capsys.readouterr()
        for command in ("cycles", "compile"):
            arguments = [command, *MODEL, "--size", "16x16", "--transform", "decode"]
            assert main([*arguments, "--json", "o.json"]) == 0
            shown = capsys.readouterr().out
            names = [layer["name"] for layer in json.loads((here / "o.json").read_text())["layers"]]
            assert names == ["igdn_0", "igdn_1", "syn_2"]
            assert [line.split()[0] for line in shown.splitlines() if "syn_2" in line.split()[:1]]
            assert all(any(line.split()[:1] == [n] for line in shown.splitlines()) for n in names)


class TestFormats:
    @pytest.mark.parametrize("suffix", [".png", ".bmp", ".ppm", ".tif", ".TIFF", ".webp"])
    def test_without_loss_are_what_the_suffix_says(self, here, suffix):
        assert main(["decode", *MODEL, "a.tfci", f"b{suffix}"]) == 0
        main(["decode", *MODEL, "a.tfci", "reference.png"])
        opened = PillowImage.open(f"b{suffix}")
        assert opened.format == suffix[1:].upper().replace("TIF", "TIFF").replace("TIFFF", "TIFF")
        assert np.array_equal(np.asarray(opened), np.asarray(PillowImage.open("reference.png")))

    @pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".gif", ".xyz", ".v2"])
    def test_with_loss_or_unknown_are_refused(self, here, capsys, suffix):
        capsys.readouterr()
        assert main(["decode", *MODEL, "a.tfci", f"b{suffix}"]) == 2
        assert ".png, .bmp, .ppm, .tif, .tiff, .webp" in error_line(capsys)
        assert not Path(f"b{suffix}").exists()

    def test_that_cannot_hold_a_picture_are_refused(self):
        with pytest.raises(InputError, match=r"WEBP cannot hold wide\.webp"):
            encoded("wide.webp", np.zeros((1, 20000, 3), np.uint8))

    def test_of_a_name_without_suffix_is_png(self):
        check_suffix("picture")
        assert encoded("picture", photo(2, 2)).startswith(b"\x89PNG")

    @pytest.mark.parametrize(
        ("name", "begin"), [("p.png", b"\x89PNG"), ("p.svg", b"<?xml"), ("p.PDF", b"%PDF")]
    )
    def test_of_a_plot_are_what_the_suffix_says(self, tmp_path, name, begin):
        rd_plot(tmp_path / name, {"a": [(1.0, 30.0)]}, {}, "title")
        assert (tmp_path / name).read_bytes().startswith(begin)

    def test_of_a_plot_that_are_unknown_are_refused_before_any_work(self, here, capsys):
        capsys.readouterr()
        arguments = ["eval", "--weights", "absent", "--images", "a.png", "--plot", "x.xyz"]
        assert main(arguments) == 2
        assert ".png, .pdf, .svg" in error_line(capsys)


def test_what_a_pipe_is_called_in_dev_fd_is_written_itself(tmp_path):
    reader, writer = os.pipe()
    with atomic_path(f"/dev/fd/{writer}") as path:
        path.write_bytes(b"through")
    os.close(writer)
    assert os.read(reader, 99) == b"through"
    os.close(reader)
