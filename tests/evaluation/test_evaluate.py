from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.small import photo, small_model, small_weights
from xlic import shipped
from xlic.entropy.codec import compress, zeroth_order_entropy
from xlic.errors import InputError, XlicError
from xlic.evaluation import evaluate, stream
from xlic.evaluation.evaluate import ENTROPY, STREAM, ModelResult, evaluate_image
from xlic.evaluation.jsonsafe import json_safe
from xlic.evaluation.metrics import psnr
from xlic.evaluation.models import Candidate, candidate, float_weights_of, load_any, quantized_of
from xlic.files import write_json
from xlic.quantization.model import save_quantized
from xlic.rungs.float64 import FloatRung
from xlic.rungs.int16 import Int16Rung
from xlic.weights import save_weights

pytestmark = pytest.mark.sim


@pytest.fixture(scope="module")
def weights():
    return small_weights()


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture
def ready(weights, model):
    """The INT16 simulation with its float64 reference."""
    return Candidate(
        "small", "q", Int16Rung(model), model.identity, model.tables, 0.5, FloatRung(weights)
    )


class TestOneImage:
    def test_agrees_with_the_figures_taken_by_hand(self, ready, weights, model):
        pixels = photo(37, 50)
        found = evaluate_image(ready, "a.png", pixels)
        run = ready.rung.analyze(pixels)
        data = compress(run.output, (37, 50), weights.tables)
        reference = ready.reference.analyze(pixels).output
        assert found.bpp == 8 * len(data) / (37 * 50)
        assert found.bpp_kind == STREAM
        assert found.psnr == psnr(pixels, ready.rung.synthesize(run.output, (37, 50)).output)
        assert found.float_psnr == psnr(
            pixels, ready.reference.synthesize(reference, (37, 50)).output
        )
        assert found.symbol_mismatch == np.mean(run.output != reference)
        assert found.psnr_lost == found.float_psnr - found.psnr
        assert found.encode_s > 0
        assert found.decode_s > 0

    def test_of_float_against_itself_differs_nowhere(self, ready):
        plain = replace(ready, rung=ready.reference)
        found = evaluate_image(plain, "a.png", photo(20, 20))
        assert found.symbol_mismatch == 0
        assert found.float_psnr == found.psnr
        assert found.saturations == 0

    def test_shows_a_fault_in_one_weight(self, ready, model):
        kernel = model.convs["ana_2"].kernel.copy()
        kernel[2, 2, 0, 0] ^= 1 << 14
        convs = dict(model.convs) | {"ana_2": replace(model.convs["ana_2"], kernel=kernel)}
        faulty = replace(ready, rung=Int16Rung(replace(model, convs=convs)))
        pixels = photo(64, 64)
        sound = evaluate_image(ready, "a", pixels)
        broken = evaluate_image(faulty, "a", pixels)
        assert broken.symbol_mismatch > sound.symbol_mismatch + 0.05

    def test_on_float_owes_nothing_to_faults_of_int16(self, ready, weights, model):
        # The float codec decodes its own symbols: those of a broken encoder must not reach it.
        convs = dict(model.convs)
        convs["ana_2"] = replace(convs["ana_2"], kernel=-convs["ana_2"].kernel)
        faulty = replace(ready, rung=Int16Rung(replace(model, convs=convs)))
        pixels = photo(48, 64)
        found = evaluate_image(faulty, "a", pixels)
        assert found.symbol_mismatch > 0.05
        codec = FloatRung(weights)
        own = codec.synthesize(codec.analyze(pixels).output, (48, 64)).output
        foreign = codec.synthesize(faulty.rung.analyze(pixels).output, (48, 64)).output
        assert found.float_psnr == psnr(pixels, own) != psnr(pixels, foreign)

    def test_without_tables_reports_zeroth_order_entropy_and_says_so(self, ready):
        bare = replace(ready, tables=None)
        pixels = photo(40, 33)
        found = evaluate_image(bare, "a", pixels)
        symbols = ready.rung.analyze(pixels).output
        assert found.bpp_kind == ENTROPY
        assert found.bpp == zeroth_order_entropy(symbols) / (40 * 33)

    def test_without_float_weights_leaves_what_needs_them_unknown(self, ready):
        found = evaluate_image(replace(ready, reference=None), "a", photo(16, 16))
        assert found.float_psnr is None
        assert found.symbol_mismatch is None
        assert found.psnr_lost is None

    def test_too_small_for_ms_ssim_says_so(self, ready):
        found = evaluate_image(ready, "a", photo(1, 5))
        assert found.ms_ssim is None
        assert "161" in found.notes[0]

    def test_that_a_stream_does_not_give_back_is_an_error(self, ready, monkeypatch):
        def wrong(data, tables):
            symbols, size = decompress(data, tables)
            symbols = symbols.copy()
            symbols[0, 0, 0] += 1
            return symbols, size

        decompress = stream.decompress
        monkeypatch.setattr(stream, "decompress", wrong)
        with pytest.raises(XlicError, match="does not give back the symbols"):
            evaluate_image(ready, "a", photo(16, 16))

    def test_counts_saturations_of_both_sides(self, ready, model):
        # Three more fraction bits than calibrated: values that fitted no longer do.
        def finer(layer):
            conv = model.convs[layer]
            return {layer: replace(conv, shift=np.maximum(conv.shift - 3, 1))}

        convs = dict(model.convs) | finer("ana_0") | finer("syn_0")
        tight = replace(ready, rung=Int16Rung(replace(model, convs=convs)))
        pixels = photo(64, 64)
        assert evaluate_image(ready, "a", pixels).saturations == 0
        encoded = tight.rung.analyze(pixels)
        decoded = tight.rung.synthesize(encoded.output, (64, 64))
        counts = [sum(run.saturations.values()) for run in (encoded, decoded)]
        assert min(counts) > 0
        assert evaluate_image(tight, "a", pixels).saturations == sum(counts)


class TestReport:
    @pytest.fixture
    def result(self, ready):
        images = [("a.png", photo(20, 30, 1)), ("b.png", photo(33, 17, 2))]
        return ModelResult(ready, tuple(evaluate_image(ready, *image) for image in images))

    def test_means_are_means_of_the_images(self, result):
        mean = result.mean()
        for key in ("bpp", "psnr", "float_psnr", "symbol_mismatch", "saturations", "decode_s"):
            assert mean[key] == pytest.approx(np.mean([getattr(i, key) for i in result.images]))
        assert mean["ms_ssim"] is None
        assert result.worst()["symbol_mismatch"] == max(i.symbol_mismatch for i in result.images)

    def test_means_leave_lossless_images_out_and_say_so(self, result):
        first, second = result.images
        mixed = ModelResult(result.candidate, (first, replace(second, psnr=math.inf)))
        assert mixed.mean()["psnr"] == first.psnr
        assert mixed.mean()["bpp"] == pytest.approx((first.bpp + second.bpp) / 2)
        assert mixed.point() == pytest.approx((first.bpp, first.psnr))
        (note,) = mixed.notes
        assert note.startswith("mean psnr is over 1 of 2 images")
        assert mixed.as_dict()["model"]["notes"] == (note,)
        assert result.notes == ()

    def test_has_no_mean_psnr_where_all_images_are_lossless(self, result):
        lossless = tuple(replace(image, psnr=math.inf) for image in result.images)
        found = ModelResult(result.candidate, lossless)
        assert found.mean()["psnr"] is None
        assert found.point() is None
        assert evaluate.curves([found]) == {}

    def test_of_one_model_has_images_and_mean_at_the_top(self, result):
        found = evaluate.report([result], [], [(0.5, 30.0)])
        assert [image["file"] for image in found["images"]] == ["a.png", "b.png"]
        assert set(evaluate.MEAN_KEYS) <= set(found["images"][0])
        assert set(found["mean"]) == set(evaluate.MEAN_KEYS)
        assert found["model"]["bpp_kind"] == STREAM

    def test_of_several_models_lists_them(self, result):
        found = evaluate.report([result, result], [{"percent": 1.0}], [])
        assert len(found["models"]) == 2
        assert found["models"][0]["images"][0]["file"] == "a.png"
        assert found["bd_rate"] == [{"percent": 1.0}]

    def test_survives_json_with_infinite_figures(self, result, tmp_path):
        lossless = replace(result.images[0], psnr=math.inf)
        found = ModelResult(result.candidate, (lossless,)).as_dict()
        write_json(tmp_path / "r.json", json_safe(found))
        text = (tmp_path / "r.json").read_text()
        back = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
        assert back["images"][0]["psnr"] is None

    def test_points_of_one_label_and_rung_make_a_curve(self, result):
        other = ModelResult(replace(result.candidate, label="other"), result.images)
        curves = evaluate.curves([result, other, result])
        assert {name: len(points) for name, points in curves.items()} == {
            "small (sim)": 2,
            "other (sim)": 1,
        }


class TestModels:
    @pytest.fixture
    def files(self, weights, model, tmp_path, monkeypatch):
        """Weights and model on disk, and an installation that ships nothing."""
        empty = tmp_path / "empty"
        empty.mkdir()
        monkeypatch.setattr(shipped, "data_folder", lambda: empty)
        save_weights(weights, tmp_path / "w.safetensors")
        save_quantized(model, tmp_path / "q.safetensors")
        return tmp_path

    def test_are_told_apart_by_what_is_in_the_file(self, files, weights, model):
        assert load_any(files / "w.safetensors").identity == weights.identity
        assert load_any(files / "q.safetensors").identity == model.identity

    def test_quantized_ones_find_their_float_weights_among_those_given(self, files, model):
        save_weights(small_weights(seed=9), files / "other.safetensors")
        both = [files / "other.safetensors", files / "w.safetensors"]
        assert float_weights_of(model, both).identity == model.weights_identity
        with pytest.raises(InputError, match="not what the model was quantized from"):
            float_weights_of(model, both[:1])

    def test_quantized_ones_find_shipped_weights_by_identity(self, files, weights, model):
        assert float_weights_of(model) is None
        save_weights(weights, shipped.data_folder() / "bls2017_lambda0.125.safetensors")
        assert float_weights_of(model).identity == weights.identity

    def test_quantized_ones_without_float_weights_say_what_is_missing(self, files):
        found = candidate(files / "q.safetensors", "sim")
        assert found.reference is None
        assert "--float-weights" in found.notes[0]

    def test_quantized_ones_run_on_float_with_their_weights_only(self, files):
        with pytest.raises(InputError, match="--float-weights"):
            candidate(files / "q.safetensors", "float")
        given = [files / "w.safetensors"]
        found = candidate(files / "q.safetensors", "float", float_weights=given)
        assert found.rung.name == "float"

    def test_weights_need_calibration_for_int16(self, files):
        with pytest.raises(InputError, match="--calibrate"):
            candidate(files / "w.safetensors", "sim")
        found = candidate(
            files / "w.safetensors", "sim", calibration=lambda: [("a", photo(32, 32))]
        )
        assert found.rung.name == "sim"
        assert "calibrated on 1 image, which is as 0.02 photographs: headroom 3" in found.notes[0]

    def test_quantized_ones_say_that_they_were_not_calibrated(self, files):
        images = [("a", photo(32, 32))]
        found = candidate(files / "q.safetensors", "sim", calibration=lambda: images)
        assert any("--calibrate was not used" in note for note in found.notes)

    @pytest.mark.parametrize("source", ["w.safetensors", "q.safetensors"])
    def test_on_a_rung_that_is_none_are_refused(self, files, source):
        images = [("a", photo(32, 32))]
        with pytest.raises(InputError, match="no rung 'abacus'"):
            candidate(files / source, "abacus", calibration=lambda: images)

    def test_shipped_weights_use_the_shipped_model(self, files, weights, model):
        name = shipped.data_folder() / "bls2017_lambda0.01_int16.safetensors"
        save_quantized(model, name)
        found, note = quantized_of(weights, None)
        assert found.identity == model.identity
        assert name.name in note


class TestShippedFiles:
    def test_photographs_are_the_ones_whose_licence_is_noted(self):
        import hashlib

        readme = (shipped.data_folder() / "README.md").read_text()
        for name in shipped.PHOTOS:
            digest = hashlib.sha256(shipped.photo_path(name).read_bytes()).hexdigest()
            assert f"{digest}  {name}" in readme

    @pytest.mark.parametrize(
        ("missing", "remedy"),
        [
            (lambda: shipped.weights_path("7"), "--weights"),
            (lambda: shipped.model_path("7"), "xlic quantize"),
            (lambda: shipped.photo_path("nobody"), "coffee.png"),
        ],
    )
    def test_that_are_absent_name_the_remedy(self, missing, remedy):
        with pytest.raises(InputError, match=remedy):
            missing()

    def test_metadata_of_something_else_is_empty(self, tmp_path):
        other = tmp_path / "x.safetensors"
        other.write_bytes(b"no container")
        assert shipped.file_metadata(other) == {}
        assert shipped.file_metadata(tmp_path / "absent") == {}
