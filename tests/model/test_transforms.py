"""NumPy float64 against TensorFlow float32: all tensors of both transforms."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.model.conftest import SIZES, tiled
from xlic.architecture import ANALYSIS_NAMES, SYNTHESIS_NAMES
from xlic.errors import InputError
from xlic.rungs.float64 import FloatRung
from xlic.rungs.tensorflow import TensorFlowRung
from xlic.weights import load_weights

TOLERANCE = 1e-5
"""Of a tensor's range: float32 with sums of up to 3200 products."""

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "xlic_lambda0125"


def check_tensors(rung, image, encoded, decoded):
    """Assert that all tensors are those of the float64 runs; returns the rung's symbols."""
    encode = rung.analyze(image, keep=ANALYSIS_NAMES)
    decode = rung.synthesize(encoded.output, image.shape[:2], keep=SYNTHESIS_NAMES)
    for names, ours, wanted in (
        (ANALYSIS_NAMES, encode.tensors, encoded.tensors),
        (SYNTHESIS_NAMES, decode.tensors, decoded.tensors),
    ):
        for name in names:
            assert ours[name].shape == wanted[name].shape, name
            worst = np.abs(ours[name] - wanted[name]).max() / (np.ptp(wanted[name]) or 1.0)
            assert worst <= TOLERANCE, f"{name} is off by {worst:.2g} of its range"
    assert np.abs(decode.output.astype(int) - decoded.output).max() <= 1
    return encode.output


def reference(weights, image):
    rung = FloatRung(weights)
    encoded = rung.analyze(image, keep=ANALYSIS_NAMES)
    return encoded, rung.synthesize(encoded.output, image.shape[:2], keep=SYNTHESIS_NAMES)


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_tiny_model_of_any_size_and_parametrization(tiny, photo, size):
    weights, image = tiny.weights(), tiled(photo, *size)
    encoded, decoded = reference(weights, image)
    for kernels in ("direct", "rdft"):
        check_tensors(TensorFlowRung(weights, kernels), image, encoded, decoded)


@pytest.mark.parametrize("size", [*SIZES, (512, 768)], ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("which", ["given", "published"])
def test_trained_weights_give_the_same_symbols(request, photo, which, size):
    if which == "published":
        if not PUBLISHED.is_dir():
            pytest.skip(f"the published weights are not at {PUBLISHED}")
        weights = load_weights(PUBLISHED)
    else:
        weights = request.getfixturevalue("weights")
    image = tiled(photo, *size)
    encoded, decoded = reference(weights, image)
    symbols = check_tensors(TensorFlowRung(weights), image, encoded, decoded)
    # float32 can fall on the other side of an edge between two symbols, and only there.
    latents = encoded.tensors["ana_2"]
    position = latents - weights.quantization_offset + 0.5
    edge = np.abs(position - np.round(position)) <= TOLERANCE * np.ptp(latents)
    assert (edge | (symbols == encoded.output)).all()
    assert (symbols != encoded.output).mean() <= 1e-4
    # Without that, in the same TensorFlow layers, no symbol differs.
    exact = TensorFlowRung(weights, dtype="float64").analyze(image).output
    np.testing.assert_array_equal(exact, encoded.output)


def test_only_what_is_asked_for_is_kept(tiny, photo):
    rung = TensorFlowRung(tiny.weights())
    seen = []
    run = rung.analyze(photo[:32, :32], keep=("gdn_1",), progress=lambda *x: seen.append(x))
    assert set(run.tensors) == {"gdn_1"}
    assert set(run.seconds) == {"ana_0", "ana_1", "ana_2"}
    assert seen


def test_bad_arguments_are_refused(tiny, photo):
    rung = TensorFlowRung(tiny.weights())
    with pytest.raises(InputError, match="no tensor 'syn_0'"):
        rung.analyze(photo, keep=("syn_0",))
    with pytest.raises(InputError, match="must be uint8"):
        rung.analyze(photo.astype(np.float32))
    with pytest.raises(InputError, match="needs integers"):
        rung.synthesize(np.zeros((2, 2, 8), np.int32), (16, 16))


def test_offset_moves_symbols_and_comes_back(tiny, photo):
    weights = tiny.weights()
    image = photo[:48, :64]
    shifted = TensorFlowRung(weights).analyze(image).output
    plain = TensorFlowRung(dataclasses.replace(weights, tables=None)).analyze(image).output
    assert (shifted != plain).any()
    assert np.abs(shifted - plain).max() <= 1
