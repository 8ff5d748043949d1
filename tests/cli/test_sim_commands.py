"""The commands that need neither TensorFlow nor hardware, from arguments to files."""

from __future__ import annotations

import errno
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from tests.cli.test_main import error_line
from tests.evaluation.small import FILTERS, photo, small_model, small_weights
from tests.small_disk import run_beside_small_disk
from xlic import shipped
from xlic.cli import sim_commands
from xlic.cli.common import (
    _PlainProgress,
    check_output,
    find_images,
    progress_shown,
    refuse_overwrite,
)
from xlic.cli.main import main
from xlic.cli.tables import lost_or_gained
from xlic.errors import InputError
from xlic.files import (
    LongPhase,
    load_container,
    require_writable,
    require_writable_folder,
    save_container,
)
from xlic.images import read_image, write_png
from xlic.quantization.model import load_quantized, save_quantized
from xlic.rungs.int16 import Int16Rung
from xlic.rungs.registry import RUNG_NAMES
from xlic.tfmodel.backend import backend
from xlic.weights import save_weights

pytestmark = pytest.mark.sim


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Weights, a quantized model, both without tables too, and three pictures."""
    folder = tmp_path_factory.mktemp("sources")
    weights = small_weights()
    save_weights(weights, folder / "w.safetensors")
    save_weights(small_weights(tables=False), folder / "bare.safetensors")
    model = small_model()
    save_quantized(model, folder / "q.safetensors")
    save_quantized(replace(model, tables=None), folder / "q_bare.safetensors")
    for index in range(3):
        write_png(folder / f"{index}.png", photo(24 + index, 40, index))
    return folder


@pytest.fixture
def here(sources, tmp_path, monkeypatch):
    """An empty working folder, in an installation that ships photographs only."""
    work, data = tmp_path / "work", tmp_path / "data"
    work.mkdir()
    data.mkdir()
    write_png(data / "coffee.png", photo(33, 40, 7))
    monkeypatch.setattr(shipped, "data_folder", lambda: data)
    monkeypatch.chdir(work)
    return work


def q(sources):
    return str(sources / "q.safetensors")


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class TestEncodeAndDecode:
    def test_give_the_simulations_picture(self, sources, here):
        image = sources / "1.png"
        assert main(["encode", "--model", q(sources), str(image), "a.tfci"]) == 0
        assert main(["decode", "--model", q(sources), "a.tfci", "a.png"]) == 0
        rung = Int16Rung(load_quantized(q(sources)))
        pixels = read_image(image).pixels
        wanted = rung.synthesize(rung.analyze(pixels).output, pixels.shape[:2]).output
        assert np.array_equal(read_image("a.png").pixels, wanted)

    def test_name_their_output_after_the_input(self, sources, here):
        (here / "p.png").write_bytes((sources / "0.png").read_bytes())
        assert main(["encode", "--model", q(sources), "p.png"]) == 0
        assert main(["decode", "--model", q(sources), "p.png.tfci"]) == 0
        assert files_in(here) == ["p.png", "p.png.tfci", "p.png.tfci.png"]

    @pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text"])
    def test_refuse_a_damaged_stream_and_write_nothing(self, sources, here, capsys, damage):
        main(["encode", "--model", q(sources), str(sources / "0.png"), "a.tfci"])
        data = bytearray((here / "a.tfci").read_bytes())
        data[len(data) // 2] ^= 0x10
        damaged = {
            "truncated": data[: len(data) // 2],
            "flipped": data,
            "empty": b"",
            "text": b"hello, no stream",
        }[damage]
        (here / "a.tfci").write_bytes(damaged)
        capsys.readouterr()
        assert main(["decode", "--model", q(sources), "a.tfci", "a.png"]) == 2
        error_line(capsys)
        assert files_in(here) == ["a.tfci"]

    def test_say_what_they_converted(self, here, sources, capsys):
        PillowImage.fromarray(np.full((20, 30), 40000, np.uint16)).save("wide.png")
        PillowImage.fromarray(photo(20, 30)).quantize(16).save("palette.png")
        alpha = np.dstack([photo(20, 30), np.full((20, 30), 100, np.uint8)])
        PillowImage.fromarray(alpha).save("alpha.png")
        for name, note in (
            ("wide", "16-bit samples"),
            ("palette", "converted from P to RGB"),
            ("alpha", "transparency laid on white"),
        ):
            assert main(["encode", "--model", q(sources), f"{name}.png"]) == 0
            assert note in capsys.readouterr().err

    def test_without_entropy_tables_name_the_remedy(self, here, sources, capsys):
        bare = str(sources / "q_bare.safetensors")
        assert main(["encode", "--model", bare, str(sources / "0.png"), "a.tfci"]) == 2
        assert "xlic extract" in error_line(capsys)
        assert files_in(here) == []


class TestBadInput:
    @pytest.fixture
    def bad_images(self, here, sources):
        (here / "text.png").write_text("no image")
        whole = (sources / "0.png").read_bytes()
        (here / "cut.png").write_bytes(whole[: len(whole) // 2])
        # IHDR of zero width; its checksum is made to fit.
        import zlib

        header = b"IHDR" + bytes(4) + whole[20:29]
        zero = whole[:12] + header + zlib.crc32(header).to_bytes(4, "big") + whole[33:]
        (here / "zero.png").write_bytes(zero)
        return here

    @pytest.mark.parametrize("name", ["absent.png", "text.png", "cut.png", "zero.png", "."])
    @pytest.mark.parametrize("command", ["encode", "demo"])
    def test_images_are_one_line_and_leave_no_file(
        self, bad_images, sources, capsys, command, name
    ):
        before = files_in(bad_images)
        assert main([command, "--model", q(sources), name]) == 2
        assert name in error_line(capsys)
        assert files_in(bad_images) == before

    @pytest.mark.parametrize(
        ("arguments", "remedy"),
        [
            (["demo"], "xlic quantize"),
            (["demo", "--model", "absent"], "cannot read"),
            (["encode", "--model", "{s}/w.safetensors", "{s}/0.png"], "xlic quantize"),
            (["decode", "--model", "{s}/q.safetensors", "absent.tfci"], "cannot read"),
            (["eval", "--weights", "absent", "--images", "{s}/*.png"], "no weights at absent"),
            (["eval", "--weights", "{s}", "--images", "{s}/*.png"], "ana_"),
            (["eval", "--weights", "{s}/q.safetensors", "--images", "{s}/*.gif"], "no file"),
            (["eval", "--weights", "{s}/q.safetensors", "--images", "{s}"], "--images"),
            (["eval", "--weights", "{s}/q.safetensors", "--images", "~nobody9/*"], "~nobody9"),
            (["eval", "--weights", "{s}/w.safetensors", "--images", "{s}/*.png"], "--calibrate"),
            (
                ["quantize", "--weights", "{s}/w.safetensors", "--calibrate", "x*", "--out", "o"],
                "--calibrate 'x*' matches no file",
            ),
            (["demo", "--weights", "{s}/w.safetensors"], "xlic quantize --weights"),
        ],
    )
    def test_files_name_the_remedy(self, here, sources, capsys, arguments, remedy):
        assert main([argument.format(s=sources) for argument in arguments]) == 2
        assert remedy in error_line(capsys)
        assert files_in(here) == []

    def test_models_with_nan_or_of_another_version_are_refused(self, here, sources, capsys):
        weights = small_weights()
        tensors = {name: value.copy() for name, value in weights.tensors.items()}
        tensors["ana_1.bias"][0] = np.nan
        save_weights(replace(weights, tensors=tensors), "nan.safetensors")
        arrays, metadata = load_container(q(sources), kind="quantized", version=1, remedy="")
        save_container(
            "later.safetensors", kind="quantized", version=99, arrays=arrays, metadata=metadata
        )
        images = f"{sources}/*.png"
        assert main(["eval", "--weights", "nan.safetensors", "--images", images]) == 2
        assert "NaN" in error_line(capsys)
        assert main(["eval", "--weights", "later.safetensors", "--images", images]) == 2
        assert "version 99" in error_line(capsys)


class TestFullDisk:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["encode", "--model", "{s}/q.safetensors", "{s}/0.png", "out.tfci"],
            ["demo", "{s}/0.png", "--model", "{s}/q.safetensors", "--out", "."],
            ["eval", "--weights", "{s}/q.safetensors", "--images", "{s}/0.png", "--json", "o.json"],
            [
                *("quantize", "--weights", "{s}/w.safetensors", "--calibrate", "{s}/*.png"),
                *("--out", "q2.safetensors"),
            ],
        ],
        ids=lambda arguments: arguments[0],
    )
    def test_is_one_line_and_leaves_no_part(self, here, sources, capsys, monkeypatch, arguments):
        def full(self, data):
            with self.open("wb") as file:
                file.write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full)
        assert main([argument.format(s=sources) for argument in arguments]) == 2
        err = capsys.readouterr().err.splitlines()
        assert len([line for line in err if "error" in line]) == 1
        assert "No space left on device" in err[-1]
        assert files_in(here) == []


@pytest.fixture
def no_work(monkeypatch):
    """Fail where a command gets as far as reading an image or a model."""

    def work(*arguments):
        pytest.fail("work was begun")

    for name in ("read_images", "_quantized", "_evaluate"):
        monkeypatch.setattr(sim_commands, name, work)
    monkeypatch.setattr("xlic.images.read_image", work)
    monkeypatch.setattr("xlic.weights.load_weights", work)


class TestOutputs:
    """What would destroy an input, or could not be written, is found out before any work."""

    @pytest.fixture
    def inputs(self, sources, here):
        for name in ("0.png", "w.safetensors", "q.safetensors"):
            (here / name).write_bytes((sources / name).read_bytes())
        (here / "s.tfci").write_bytes(b"a stream")
        (here / "raw").mkdir()
        (here / "raw" / "ana_w.bin").write_bytes(b"weights")
        (here / "link.png").symlink_to("0.png")
        (here / "hard.png").hardlink_to("0.png")
        (here / "0_decoded.png").symlink_to("0.png")
        return here

    @pytest.mark.parametrize(
        "arguments",
        [
            "encode --model q.safetensors 0.png 0.png",
            "encode --model q.safetensors 0.png ./link.png",
            "encode --model q.safetensors 0.png hard.png",
            "encode --model q.safetensors 0.png q.safetensors",
            "decode --model q.safetensors s.tfci s.tfci",
            "decode --model q.safetensors s.tfci q.safetensors",
            "demo 0.png --model q.safetensors --out .",
            "quantize --weights w.safetensors --calibrate 0.png --out w.safetensors",
            "quantize --weights w.safetensors --calibrate 0.png --out 0.png",
            "quantize --weights raw --calibrate 0.png --out raw/ana_w.bin",
            "eval --weights q.safetensors --images 0.png --plot new --json new",
            "eval --weights q.safetensors --images 0.png --plot 0.png",
            "eval --weights a=q.safetensors --images 0.png --json q.safetensors",
            "eval --weights q.safetensors --float-weights w.safetensors --images 0.png "
            "--json w.safetensors",
            "eval --weights w.safetensors --calibrate hard.png --images 0.png --json hard.png",
        ],
    )
    def test_that_are_an_input_are_refused(self, inputs, no_work, capsys, arguments):
        before = {path: path.read_bytes() for path in inputs.rglob("*") if path.is_file()}
        assert main(arguments.split()) == 2
        assert "would overwrite" in error_line(capsys)
        after = {path: path.read_bytes() for path in inputs.rglob("*") if path.is_file()}
        assert after == before

    @pytest.mark.parametrize("target", ["absent/out", "0.png/out", ".", "x" * 300])
    @pytest.mark.parametrize(
        "arguments",
        [
            "encode --model q.safetensors 0.png",
            "decode --model q.safetensors s.tfci",
            "quantize --weights w.safetensors --calibrate 0.png --out",
            "eval --weights q.safetensors --images 0.png --json",
            "eval --weights q.safetensors --images 0.png --plot",
        ],
    )
    def test_that_cannot_be_written_are_refused(self, inputs, no_work, capsys, arguments, target):
        before = files_in(inputs)
        assert main([*arguments.split(), target]) == 2
        assert f"cannot write {target}" in error_line(capsys)
        assert files_in(inputs) == before

    def test_of_the_demo_in_what_is_no_folder_are_refused(self, inputs, no_work, capsys):
        assert main(["demo", "0.png", "--model", "q.safetensors", "--out", "s.tfci"]) == 2
        assert "cannot write s.tfci" in error_line(capsys)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_of_the_demo_in_a_folder_without_permission_are_refused(self, inputs, no_work, capsys):
        (inputs / "locked").mkdir(mode=0o500)
        assert main(["demo", "0.png", "--model", "q.safetensors", "--out", "locked"]) == 2
        assert "cannot write locked" in error_line(capsys)

    def test_that_exist_are_kept_by_the_probe(self, tmp_path):
        (tmp_path / "old").write_text("kept")
        require_writable(tmp_path / "old")
        check_output(tmp_path / "new", tmp_path / "old", None)
        assert files_in(tmp_path) == ["old"]
        assert (tmp_path / "old").read_text() == "kept"

    def test_that_are_devices_destroy_nothing(self):
        refuse_overwrite(os.devnull, os.devnull)
        require_writable(os.devnull)
        assert Path(os.devnull).is_char_device()


class TestNames:
    NAME = "p[red] :smile: [x].png"

    def test_with_brackets_and_colons_are_shown_as_they_are(self, sources, here, capsys):
        (here / self.NAME).write_bytes((sources / "0.png").read_bytes())
        model = ["--model", q(sources)]
        assert main(["demo", self.NAME, *model, "--out", "o[/x]"]) == 0
        shown = capsys.readouterr().out
        # The title is folded to the table; the paths stand whole.
        assert "p[red] :smile: [x].png" in " ".join(shown.split())
        assert "o[/x]/p[red] :smile: [x].tfci" in shown
        source = f"l[/b]:smile:={q(sources)}"
        assert main(["eval", "--weights", source, "--images", self.NAME]) == 0
        assert self.NAME in capsys.readouterr().out

    def test_however_long_leave_every_figure_whole(self, sources, here, capsys, monkeypatch):
        image = (sources / "0.png").read_bytes()
        (here / ("long_" * 20 + ".png")).write_bytes(image)
        monkeypatch.setenv("COLUMNS", "40")
        arguments = ["eval", "--weights", q(sources), "--images", "*.png", "--json", "r.json"]
        assert main(arguments) == 0
        shown = capsys.readouterr().out
        mean = json.loads((here / "r.json").read_text())["mean"]
        rows = [line for line in shown.splitlines() if line.startswith((" long_", " mean"))]
        assert len(rows) == 2
        for row in rows:
            assert f"{mean['bpp']:.4f}" in row
            assert f"{mean['psnr']:.3f}" in row
            assert len(row) <= 80


class TestStreamLimit:
    def test_ends_the_reading_of_a_stream_without_an_end(self, sources, here, capsys, monkeypatch):
        monkeypatch.setattr(sim_commands, "STREAM_LIMIT", 1000)
        (here / "long.tfci").write_bytes(bytes(1001))
        for stream in ("long.tfci", "/dev/zero"):
            assert main(["decode", "--model", q(sources), stream, "a.png"]) == 2
            assert "1000 bytes" in error_line(capsys)


class TestQuantize:
    def run(self, sources, *more):
        return main(
            [
                *("quantize", "--weights", str(sources / "w.safetensors")),
                *("--calibrate", f"{sources}/*.png", "--out", "q2.safetensors", *more),
            ]
        )

    def test_writes_a_model_of_those_weights_and_lists_its_channels(self, here, sources, capsys):
        assert self.run(sources, "--per-channel") == 0
        model = load_quantized("q2.safetensors")
        assert model.weights_identity == small_weights().identity
        shown = capsys.readouterr()
        for name in ("ana_0", "igdn_1", "latents", "syn_2"):
            assert name in shown.out
        assert "calibrated on 3 images, which are as 0.05 photographs" in shown.err
        assert "headroom 3 instead of 2 in the encoder, 6 instead of 4 in the" in shown.err
        assert "20 photographs or more" in shown.err
        assert shown.out.count("channel ") >= 11

    def test_reports_per_channel_in_json(self, here, sources, capsys):
        assert self.run(sources, "--json", "-") == 0
        report = json.loads(capsys.readouterr().out)
        tensors = {tensor["name"]: tensor for tensor in report["tensors"]}
        assert report["identity"] == load_quantized("q2.safetensors").identity
        assert report["calibration"] == ["0.png", "1.png", "2.png"]
        few = report["few_photographs"]
        assert few["usual_headroom"] == {"analysis": 2, "synthesis": 4}
        assert list(few["made_pictures"]) == ["dead leaves", "zone plate"]
        for key in ("fraction_bits", "range_used", "saturations"):
            assert len(tensors["gdn_1"][key]) == FILTERS
        assert set(tensors["gdn_1"]["shifts"]) == {"norm_shift", "out_shift"}
        assert max(tensors["ana_0"]["range_used"]) <= 1

    def test_headroom_leaves_that_much_of_the_range_unused(self, here, sources, capsys):
        assert self.run(sources, "--json", "-", "--headroom", "16") == 0
        tensors = json.loads(capsys.readouterr().out)["tensors"]
        (used,) = (np.array(t["range_used"]) for t in tensors if t["name"] == "syn_1")
        assert used.max() <= 1 / 16
        assert used.min() > 1 / 64


class TestEval:
    def run(self, sources, *more):
        return main(["eval", "--images", f"{sources}/*.png", *more])

    def test_of_a_model_with_its_weights_fills_every_figure(self, here, sources, capsys):
        floats = str(sources / "w.safetensors")
        arguments = ["--weights", q(sources), "--float-weights", floats, "--json", "r.json"]
        assert self.run(sources, *arguments) == 0
        report = json.loads((here / "r.json").read_text())
        assert [image["file"] for image in report["images"]] == ["0.png", "1.png", "2.png"]
        for image in report["images"]:
            for key in ("bpp", "psnr", "float_psnr", "symbol_mismatch", "saturations"):
                assert isinstance(image[key], int | float), key
        assert report["mean"]["bpp"] == pytest.approx(np.mean([i["bpp"] for i in report["images"]]))
        shown = capsys.readouterr().out
        assert "bpp: stream" in shown
        assert "worst image" in shown
        assert max(map(len, shown.splitlines()[:8])) <= 80

    def test_without_models_takes_all_that_ship(self, here, sources, capsys):
        assert self.run(sources) == 2
        assert "bls2017_lambda0.125_int16.safetensors" in error_line(capsys)
        for lmbda in shipped.LAMBDAS:
            name = f"bls2017_lambda{lmbda}_int16.safetensors"
            save_quantized(load_quantized(q(sources)), shipped.data_folder() / name)
        assert self.run(sources, "--json", "-") == 0
        found = json.loads(capsys.readouterr().out)["models"]
        assert {m["model"]["label"] for m in found} == {"shipped"}

    def test_of_a_model_alone_says_what_is_unknown(self, here, sources, capsys):
        assert self.run(sources, "--weights", q(sources), "--json", "-") == 0
        report = json.loads(capsys.readouterr().out)
        assert report["mean"]["float_psnr"] is None
        assert "--float-weights" in report["model"]["notes"][0]

    def test_of_weights_without_tables_is_labelled_as_entropy(self, here, sources, capsys):
        bare = str(sources / "bare.safetensors")
        assert self.run(sources, "--weights", bare, "--rung", "float", "--json", "r.json") == 0
        assert "zeroth-order entropy" in " ".join(capsys.readouterr().out.split())
        report = json.loads((here / "r.json").read_text())
        assert report["model"]["bpp_kind"] == "zeroth-order entropy"
        assert {image["bpp_kind"] for image in report["images"]} == {"zeroth-order entropy"}

    def test_calibrates_weights_for_the_simulation(self, here, sources, capsys):
        weights = str(sources / "w.safetensors")
        arguments = ["--weights", weights, "--calibrate", f"{sources}/*.png", "--json", "-"]
        assert self.run(sources, *arguments) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["model"]["rung"] == "sim"
        assert 0 <= report["mean"]["symbol_mismatch"] < 0.05

    def test_of_a_quantized_model_says_that_calibration_was_not_used(self, here, sources, capsys):
        arguments = ["--weights", q(sources), "--calibrate", f"{sources}/*.png"]
        assert self.run(sources, *arguments) == 0
        assert "--calibrate was not used" in capsys.readouterr().out

    def test_of_real_rungs_refuses_calibration(self, here, sources, capsys):
        arguments = ["--weights", q(sources), "--calibrate", f"{sources}/*.png"]
        assert self.run(sources, *arguments, "--rung", "float") == 2
        assert "needs no --calibrate" in error_line(capsys)

    def test_offers_the_rungs_of_the_registry(self, here, sources, capsys):
        assert self.run(sources, "--rung", "abacus") == 2
        line = error_line(capsys)
        for name in RUNG_NAMES:
            assert repr(name) in line

    def test_on_tensorflow_without_it_says_what_to_install(
        self, here, sources, capsys, monkeypatch
    ):
        for name in ("tensorflow", "tensorflow_compression"):
            monkeypatch.setitem(sys.modules, name, None)
        backend.cache_clear()
        weights = str(sources / "w.safetensors")
        assert self.run(sources, "--weights", weights, "--rung", "model") == 2
        assert "[model]' (Python 3.11)" in error_line(capsys)

    def test_of_two_rungs_lists_both_and_draws_them(self, here, sources, capsys):
        arguments = [
            *("--weights", f"mine={q(sources)}", "--float-weights", f"{sources}/w.safetensors"),
            *("--rung", "sim", "--rung", "float", "--json", "r.json", "--plot", "rd.png"),
        ]
        assert self.run(sources, *arguments) == 0
        report = json.loads((here / "r.json").read_text())
        assert [m["model"]["rung"] for m in report["models"]] == ["sim", "float"]
        assert {m["model"]["label"] for m in report["models"]} == {"mine"}
        assert report["models"][1]["mean"]["symbol_mismatch"] == 0
        assert PillowImage.open("rd.png").format == "PNG"

    def test_of_several_models_under_one_label_gives_a_bd_rate(self, here, sources, capsys):
        save_weights(small_weights(seed=4), "other.safetensors")
        arguments = [
            *("--weights", f"a={sources}/w.safetensors", "--weights", "a=other.safetensors"),
            *("--rung", "float", "--json", "-"),
        ]
        assert self.run(sources, *arguments) == 0
        rates = json.loads(capsys.readouterr().out)["bd_rate"]
        assert rates[0]["test"] == "a (float)"
        assert rates[0]["points"][0] == 2


class TestDemo:
    def test_without_arguments_takes_what_ships(self, here, sources, capsys):
        data = shipped.data_folder()
        save_weights(small_weights(), data / "bls2017_lambda0.125.safetensors")
        save_quantized(load_quantized(q(sources)), data / "bls2017_lambda0.125_int16.safetensors")
        assert main(["demo"]) == 0
        shown = capsys.readouterr().out
        for word in ("ana_0", "syn_2", "MMAC", "SQNR", "saturated", "PSNR", "MS-SSIM", "bit/pixel"):
            assert word in shown
        assert max(map(len, shown.splitlines()[:18])) <= 80
        assert files_in(here) == [
            "xlic_demo/coffee.tfci",
            "xlic_demo/coffee_comparison.png",
            "xlic_demo/coffee_decoded.png",
        ]

    def test_prints_json_alone_on_request(self, here, sources, capsys):
        image = str(sources / "2.png")
        floats = ["--weights", str(sources / "w.safetensors")]
        assert main(["demo", image, "--model", q(sources), *floats, "--json", "-"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert len(report["rows"]) == 13
        assert report["bpp"] == 8 * report["stream_bytes"] / (26 * 40)
        assert Path(report["files"]["stream"]).stat().st_size == report["stream_bytes"]

    def test_says_what_it_converted(self, here, sources, capsys):
        PillowImage.fromarray(photo(20, 30)).convert("L").save("grey.png")
        assert main(["demo", "grey.png", "--model", q(sources)]) == 0
        shown = capsys.readouterr().out
        assert "converted from L to RGB" in shown
        assert "--weights" in shown


class TestBench:
    def test_prints_ratio_bounds_and_machine(self, here, sources, capsys):
        arguments = ["bench", "--model", q(sources), "--size", "64x32", "--repeats", "1"]
        assert main(arguments) == 0
        shown = capsys.readouterr().out
        for word in ("ratio INT16 / BLAS", "≤ 1.8", "peak memory", "cpu:", "blas:", "numpy:"):
            assert word in shown

    def test_sorts_sizes_and_prints_json(self, here, sources, capsys):
        arguments = ["bench", "--model", q(sources), "--size", "64x32", "--size", "16x16"]
        assert main([*arguments, "--repeats", "1", "--json", "-"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert [(size["width"], size["height"]) for size in report["sizes"]] == [(16, 16), (64, 32)]
        assert report["sizes"][0]["ratio"] > 0
        assert report["machine"]["cpu"]


class TestFindingImages:
    def test_sorts_and_goes_into_folders(self, tmp_path):
        for name in ("b/2.png", "a/1.png", "a/2.png", "c.txt"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("")
        found = find_images(f"{tmp_path}/**/*.png", "--images")
        # Names that occur twice keep their folder.
        assert [name for name, _ in found] == [
            "1.png",
            str(tmp_path / "a/2.png"),
            str(tmp_path / "b/2.png"),
        ]

    def test_leaves_folders_out(self, tmp_path):
        (tmp_path / "folder.png").mkdir()
        with pytest.raises(InputError, match=r"--images .* matches no file"):
            find_images(f"{tmp_path}/*.png", "--images")

    def test_takes_the_name_of_a_file_as_it_stands(self, tmp_path):
        (tmp_path / "p[1].png").write_text("")
        found = find_images(f"{tmp_path}/p[1].png", "--images")
        assert [name for name, _ in found] == ["p[1].png"]

    def test_knows_the_home_folder_in_a_quoted_pattern(self, tmp_path, monkeypatch):
        (tmp_path / "a.png").write_text("")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert [path for _, path in find_images("~/*.png", "--images")] == [tmp_path / "a.png"]

    def test_of_a_user_who_does_not_exist_finds_none(self):
        with pytest.raises(InputError, match="~nosuchuser"):
            find_images("~nosuchuser/*.png", "--images")


class TestProgress:
    def test_of_short_work_is_silent_off_a_terminal(self, capsys):
        with progress_shown() as progress:
            progress("layer", 1, 3)
        assert capsys.readouterr().err == ""

    def test_of_long_work_is_a_line_every_few_seconds(self, capsys, monkeypatch):
        now = [0.0]
        monkeypatch.setattr("xlic.cli.common.time.monotonic", lambda: now[0])
        progress = _PlainProgress()
        for second in range(15):
            now[0] = float(second)
            progress("layer", second, 15)
        lines = capsys.readouterr().err.splitlines()
        assert lines == [
            "xlic: layer (2/15)",
            "xlic: layer (7/15)",
            "xlic: layer (12/15)",
        ]

    def test_tells_where_a_long_phase_begins_and_how_long_it_takes(self, capsys):
        progress = _PlainProgress()
        phase = LongPhase("building it", "a minute")
        for done in range(3):
            progress(phase, done, 3)
        progress(LongPhase("running it", "7 s"), 0, 0)
        assert capsys.readouterr().err.splitlines() == [
            "xlic: building it (usually a minute) …",
            "xlic: running it (usually 7 s) …",
        ]

    @pytest.mark.parametrize(
        ("arguments", "phases"),
        [
            (
                ["quantize", "--weights", "{s}/w.safetensors", "--calibrate", "{s}/*.png"],
                ["calibrating in float64", "counting saturations in INT16"],
            ),
            (
                ["eval", "--weights", "mine={s}/q.safetensors", "--images", "{s}/*.png"],
                ["evaluating mine on sim"],
            ),
            (
                ["bench", "--model", "{s}/q.safetensors", "--size", "16x16", "--repeats", "1"],
                ["timing the simulation against the BLAS"],
            ),
        ],
        ids=lambda value: value[0],
    )
    def test_of_commands_is_announced_off_a_terminal(
        self, here, sources, capsys, arguments, phases
    ):
        words = [word.format(s=sources) for word in arguments]
        assert main([*words, *(["--out", "o"] if words[0] == "quantize" else [])]) == 0
        lines = [line for line in capsys.readouterr().err.splitlines() if "(usually " in line]
        assert [line.partition(" (usually ")[0] for line in lines] == [f"xlic: {p}" for p in phases]
        assert all(line.endswith(" …") for line in lines)


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        (0.0056, "lost 0.0056 dB"),
        (-0.0056, "gained 0.0056 dB"),
        (0.0, "nothing lost"),
        (-1e-9, "nothing lost"),
    ],
)
def test_a_negative_loss_is_a_gain(lost, told):
    assert lost_or_gained(lost) == told


EVAL = """
import sys
from xlic.cli import sim_commands
from xlic.cli.main import main
sim_commands._evaluate = lambda *_: sys.exit("it ran")
sys.exit(main(["eval", "--images", "PICTURE", "OPTION", "OUT"]))
"""


@pytest.mark.parametrize(("option", "out"), [("--json", "x.json"), ("--plot", "x.png")])
def test_an_output_on_a_full_disk_is_refused_before_the_work(tmp_path, option, out):
    picture, disk = tmp_path / "p.png", tmp_path / "disk"
    write_png(picture, photo(20, 30))
    code = EVAL.replace("PICTURE", str(picture)).replace("OPTION", option)
    code = code.replace("OUT", str(disk / out))
    done = run_beside_small_disk(code, disk, "64k", {}, used="64k")
    assert done.returncode == 2
    assert f"cannot write {disk / out}: No space left on device" in done.stderr
    assert "it ran" in run_beside_small_disk(code, disk, "64k", {}).stderr


FOLDER = """
from xlic.files import require_writable_folder
require_writable_folder("PLACE")
"""


def test_a_folder_that_is_to_be_is_tried_on_its_disk_and_not_made(tmp_path):
    require_writable_folder(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="choose a folder that exists"):
        require_writable_folder(tmp_path / "file" / "b")
    disk = tmp_path / "disk"
    code = FOLDER.replace("PLACE", str(disk / "a" / "b"))
    assert "No space left" in run_beside_small_disk(code, disk, "64k", {}, used="64k").stderr
    assert run_beside_small_disk(code, disk, "64k", {}).returncode == 0
