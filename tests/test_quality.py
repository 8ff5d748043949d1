"""What INT16 may cost on photographs that calibration has not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.shared_data import shared
from xlic.evaluation.metrics import psnr
from xlic.images import read_image
from xlic.quantization.model import load_quantized
from xlic.rungs.float64 import FloatRung
from xlic.rungs.int16 import Int16Rung
from xlic.shipped import LAMBDAS, PHOTOS, model_path, photo_path, weights_path
from xlic.weights import load_weights

pytestmark = pytest.mark.sim

# Bounds: share of differing symbols, PSNR lost in dB; mean over images and any one image.
MISMATCH_MEAN, MISMATCH_ANY = 0.002, 0.003
PSNR_MEAN, PSNR_ANY = 0.003, 0.01


def costs(float_rung, rung, images):
    """Per image: share of symbols that differ, PSNR lost in encode and decode, saturations."""
    found = []
    for pixels in images:
        size = pixels.shape[:2]
        a, b = float_rung.analyze(pixels), rung.analyze(pixels)
        c, d = float_rung.synthesize(a.output, size), rung.synthesize(b.output, size)
        clipped = sum(b.saturations.values()) + sum(d.saturations.values())
        lost = psnr(pixels, c.output) - psnr(pixels, d.output)
        found.append((np.mean(a.output != b.output), lost, clipped))
    return np.array(found)


def broken_bounds(found):
    mismatch, lost, clipped = found.T
    bounds = {
        "mean mismatch": mismatch.mean() <= MISMATCH_MEAN,
        "mismatch": mismatch.max() <= MISMATCH_ANY,
        "mean PSNR lost": lost.mean() <= PSNR_MEAN,
        "PSNR lost": lost.max() <= PSNR_ANY,
        "saturations": not clipped.any(),
    }
    return [name for name, held in bounds.items() if not held]


def shipped(lmbda):
    weights, model = load_weights(weights_path(lmbda)), load_quantized(model_path(lmbda))
    assert model.weights_identity == weights.identity
    return FloatRung(weights), model


@pytest.mark.parametrize("lmbda", LAMBDAS)
def test_int16_costs_no_more_than_its_bounds_on_the_shipped_photographs(lmbda):
    float_rung, model = shipped(lmbda)
    images = [read_image(photo_path(name)).pixels for name in PHOTOS]
    assert broken_bounds(costs(float_rung, Int16Rung(model), images)) == []


@pytest.mark.parametrize("lmbda", LAMBDAS)
def test_int16_costs_no_more_than_its_bounds_on_kodak(lmbda):
    folder = shared("kodak")
    float_rung, model = shipped(lmbda)
    images = [read_image(folder / f"kodim0{k}.png").pixels for k in (1, 4, 7)]
    assert broken_bounds(costs(float_rung, Int16Rung(model), images)) == []


def test_the_bounds_are_broken_by_one_fraction_bit_lost_in_one_channel():
    float_rung, model = shipped(LAMBDAS[0])
    kernel = model.convs["ana_2"].kernel.copy()
    kernel[:, :, 3] //= 2
    wrong = {**model.convs, "ana_2": replace(model.convs["ana_2"], kernel=kernel)}
    image = read_image(photo_path()).pixels[:128, :128]
    found = costs(float_rung, Int16Rung(replace(model, convs=wrong)), [image])
    assert "mismatch" in broken_bounds(found)


# Of the published weights: PSNR with unrounded and rounded latents, Σ|round(y)|, y[0, 0, :3].
PUBLISHED = {
    "kodim01": (32.8444, 32.3399, 424369, (-0.94094, -1.66001, -4.85814)),
    "kodim02": (37.1077, 36.4075, 295070, None),
    "kodim03": (39.4257, 38.5021, 243133, None),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_weights_give_their_published_figures(name):
    rung = FloatRung(load_weights(shared("xlic_lambda0125")))
    pixels = read_image(shared("kodak") / f"{name}.png").pixels
    unrounded, rounded, total, first = PUBLISHED[name]
    latents = rung.analyze(pixels, keep=("ana_2",)).tensors["ana_2"]
    symbols = np.rint(latents)
    assert np.abs(symbols).sum() == total
    for values, expected in ((latents, unrounded), (symbols, rounded)):
        picture = rung.reconstruct(values, pixels.shape[:2]).output
        assert round(psnr(pixels, picture), 4) == expected
    if first is not None:
        assert np.round(latents[0, 0, :3], 5).tolist() == list(first)
