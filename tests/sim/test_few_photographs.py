"""Calibration with few photographs: ranges that those left out need, and a word on it."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from tests.evaluation.small import photo, small_weights
from tests.shared_data import shared
from xlic.evaluation.evaluate import mismatch_share
from xlic.images import read_image
from xlic.quantization.calibrate import ENOUGH, FULL_PIXELS, calibrate
from xlic.quantization.made import made_pictures
from xlic.quantization.model import load_quantized, save_quantized
from xlic.quantization.quantize import ANALYSIS_HEADROOM, SYNTHESIS_HEADROOM, quantize
from xlic.quantization.report import calibration_note, count_saturations
from xlic.rungs.float64 import FloatRung
from xlic.rungs.int16 import Int16Rung
from xlic.shipped import LAMBDAS, photo_path, weights_path
from xlic.weights import load_weights

pytestmark = pytest.mark.sim

SIDE = 256
# Of the model that ENOUGH pictures make: the same as before there was anything for few.
IDENTITY = "8c71746e75e470c4eedb4d6da708866dfe3b7fc38aa4311dde7454b29a7a6157"


def pictures(count, side=SIDE):
    """Crops of that size from one made photograph, each another."""
    whole = photo(side + ENOUGH, side + ENOUGH, seed=7)
    return [(f"{i}", np.ascontiguousarray(whole[i : i + side, i : i + side])) for i in range(count)]


@pytest.fixture(scope="module")
def few():
    return calibrate(small_weights(), pictures(3))


def vivid(images):
    """Twice as colourful, each colour turned into another."""
    for name, pixels in images:
        grey = pixels.mean(axis=2, keepdims=True)
        strong = grey + 2 * (pixels[:, :, ::-1] - grey)
        yield f"vivid {name}", np.clip(np.floor(strong + 0.5), 0, 255).astype(np.uint8)


@pytest.fixture
def as_it_was(monkeypatch):
    """Quantizes as if few were enough; with plain rounding, as only the scales matter here."""

    def make(weights, calibration):
        with monkeypatch.context() as patch:
            patch.setattr(
                "xlic.quantization.quantize.compensated_round",
                lambda kernel, moment, limit: np.clip(np.floor(kernel + 0.5), -limit, limit),
            )
            return quantize(weights, calibration, ANALYSIS_HEADROOM, SYNTHESIS_HEADROOM)

    return make


def clipped(model, images):
    return sum(int(count.sum()) for count in count_saturations(model, images).values())


def test_made_pictures_are_the_same_everywhere():
    found = {name: hashlib.sha256(p.tobytes()).hexdigest()[:16] for name, p in made_pictures()}
    assert found == {"dead leaves": "3038625925fdefd8", "zone plate": "60120e9411de3c87"}
    assert all(p.dtype == np.uint8 and p.flags.c_contiguous for _, p in made_pictures())


def test_made_pictures_have_every_corner_of_the_colour_cube_and_stripes_of_one_pixel():
    made = dict(made_pictures())
    corners = {tuple(c) for c in made["dead leaves"].reshape(-1, 3) if set(c.tolist()) <= {0, 255}}
    assert len(corners) == 8
    steps = np.abs(np.diff(made["zone plate"].astype(int), axis=1))
    assert steps[128, -32:].max() > 240
    assert steps[128, 120:136].max() < 30


def test_enough_photographs_make_the_model_that_they_always_made():
    calibration = calibrate(small_weights(), pictures(ENOUGH))
    assert calibration.made == {}
    model = quantize(small_weights(), calibration)
    assert model.identity == IDENTITY
    assert "few_photographs" not in model.provenance
    assert calibration_note(model) == f"calibrated on {ENOUGH} images"


def test_one_photograph_less_than_enough_is_few():
    calibration = calibrate(small_weights(), pictures(ENOUGH - 1))
    assert list(calibration.made) == ["dead leaves", "zone plate"]
    assert calibration.photographs == ENOUGH - 1


def test_small_images_count_by_their_pixels():
    calibration = calibrate(small_weights(), pictures(ENOUGH, SIDE // 4))
    assert calibration.photographs == ENOUGH * (SIDE // 4) ** 2 / FULL_PIXELS
    assert calibration.made


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 200)])
def test_one_tiny_image_makes_a_model_that_does_not_saturate(height, width):
    calibration = calibrate(small_weights(), [("dot", photo(height, width))])
    model = quantize(small_weights(), calibration)
    assert clipped(model, [*pictures(2), *vivid(pictures(2))]) == 0


def test_ranges_of_few_leave_more_room_than_what_was_seen_and_never_shrink_with_images(few):
    one = calibrate(small_weights(), pictures(1))
    for name, peak in few.seen.peaks.items():
        assert (few.ranges.peaks[name] >= 1.5 * peak).all()
        assert (few.ranges.peaks[name] >= one.ranges.peaks[name]).all()
    for name, norm in few.seen.norms.items():
        assert (few.ranges.norms[name] >= 1.5 * norm).all()
        assert (few.ranges.norms[name] >= one.ranges.norms[name]).all()


def test_scales_of_few_photographs_are_never_finer_than_of_the_same_by_themselves(few):
    weights = small_weights()
    wide, tight = quantize(weights, few), quantize(weights, few, 2.0, 4.0)
    coarser = [
        (wide.fraction_bits[name] < bits).any() for name, bits in tight.fraction_bits.items()
    ]
    assert all((wide.fraction_bits[n] <= bits).all() for n, bits in tight.fraction_bits.items())
    assert any(coarser)


def test_the_model_says_what_was_done_about_few(few, tmp_path):
    save_quantized(quantize(small_weights(), few), tmp_path / "q.safetensors")
    model = load_quantized(tmp_path / "q.safetensors")
    facts = model.provenance["few_photographs"]
    assert (facts["photographs"], facts["enough"]) == (3, ENOUGH)
    assert facts["made_pictures"] == few.made
    assert (model.provenance["analysis_headroom"], facts["usual_headroom"]["analysis"]) == (3, 2)
    note = calibration_note(model)
    assert note.startswith("calibrated on 3 images, which are few: headroom 3 instead of 2 in the")
    assert "made pictures" in note
    assert f"{ENOUGH} photographs" in note


def test_headroom_that_was_asked_for_is_taken_as_it_is(few):
    model = quantize(small_weights(), few, 2.0, 4.0)
    assert model.provenance["analysis_headroom"] == 2.0
    assert "few_photographs" not in model.provenance
    for name, bits in model.fraction_bits.items():
        if name.startswith(("ana_1", "syn", "igdn")):
            used = few.seen.peaks[name] * np.ldexp(1.0, bits) / 32767
            assert used.min() > (1 / 4 if name == "ana_1" else 1 / 8) - 1e-9


def test_a_corner_of_one_grey_photograph_suffices_for_colourful_ones(as_it_was):
    weights = load_weights(weights_path(LAMBDAS[0]))
    grey = read_image(photo_path("chelsea")).pixels[100:228, 100:228].mean(axis=2, keepdims=True)
    corner = np.repeat(grey.astype(np.uint8), 3, axis=2)
    coffee = read_image(photo_path("coffee")).pixels
    calibration = calibrate(weights, [("corner", corner)])
    model = quantize(weights, calibration)
    images = [("coffee", coffee), *vivid([("coffee", coffee)])]
    assert clipped(model, images) == 0
    wanted = FloatRung(weights).analyze(coffee).output
    assert mismatch_share(Int16Rung(model).analyze(coffee).output, wanted) <= 0.0025
    assert clipped(as_it_was(weights, calibration), images) > 0


@pytest.mark.nightly
def test_three_photographs_suffice_for_the_published_weights(as_it_was):
    weights = load_weights(shared("xlic_lambda0125"))
    train, kodak = shared("train"), shared("kodak")
    calibration = calibrate(
        weights,
        [(path.name, read_image(path).pixels) for path in sorted(train.glob("1000*.jpg"))],
    )
    assert len(calibration.images) == 3
    model = quantize(weights, calibration)
    # Strong colours, fine stripes, and one of the training pictures that reach furthest.
    hard = [kodak / "kodim03.png", kodak / "kodim08.png", train / "65019.jpg"]
    images = [(path.name, read_image(path).pixels) for path in hard]
    assert clipped(model, [*images, *vivid(images[:1])]) == 0
    shares = [
        mismatch_share(
            Int16Rung(model).analyze(pixels).output, FloatRung(weights).analyze(pixels).output
        )
        for _, pixels in images
    ]
    assert np.mean(shares) <= 0.0025
    assert clipped(as_it_was(weights, calibration), images) > 0
