"""The grid: layer × rung × image, each cell a test id of its own.

Only the step from real numbers to INT16 has a tolerance; it stands here, beside the comparison.
Hardware (``hls``, ``rtl``) must compute the very integers of ``sim``.
"""

from __future__ import annotations

import numpy as np
import pytest

from xlic.architecture import ANALYSIS_NAMES, LAYER_NAMES, SYNTHESIS_NAMES, all_layers
from xlic.convolution import Convolution
from xlic.errors import MissingToolError
from xlic.evaluation.metrics import sqnr
from xlic.limits.run import run_made
from xlic.quantization.model import DECODER_INPUT
from xlic.rungs.int16 import Int16Rung
from xlic.rungs.registry import open_rung

MODEL_TOLERANCE = 1e-5
"""TensorFlow (float32) against NumPy (float64): largest error over the tensor's range."""

# Least signal-to-quantization-noise ratio in dB on photographs, the whole chain up to the layer.
# A wrong shift or rounding in one channel costs far more than the 6 dB that these leave below the
# lowest measured on the shipped photographs.
SIM_SQNR = {
    "ana_0": 70,
    "gdn_0": 66,
    "ana_1": 64,
    "gdn_1": 62,
    "syn_0": 56,
    "igdn_0": 56,
    "syn_1": 56,
    "igdn_1": 56,
}
SIM_SQNR_PICTURES = 36
"""The same on made pictures, where nothing saturates; a black one has little signal."""
ONE_STEP_SQNR = 40
"""The same of one layer alone, on pictures that saturate: float64 fed and clipped as INT16 is."""
SIM_SYMBOLS = 0.004
"""Share of differing symbols on one small photograph; the bounds on means are in test_quality."""


class Computed:
    """What rungs compute, each thing once: encodings by rung and picture, decodings by symbols too.

    Two rungs are compared on the same symbols, and the simulation takes part in two comparisons:
    it decodes float64's symbols for one, its own for the other. They are two results.
    """

    def __init__(self):
        self._known = {}

    def encoded(self, rung, picture):
        """The run of the encoder on a picture."""
        key = rung.name, picture.name
        if key not in self._known:
            self._known[key] = rung.analyze(picture.pixels, keep=ANALYSIS_NAMES)
        return self._known[key]

    def decoded(self, rung, picture, symbols):
        """The run of the decoder on symbols of a picture."""
        key = rung.name, picture.name, symbols.dtype.str, symbols.tobytes()
        if key not in self._known:
            size = picture.pixels.shape[:2]
            self._known[key] = rung.synthesize(symbols, size, keep=SYNTHESIS_NAMES)
        return self._known[key]

    def tensors(self, rung, picture, symbols=None):
        """All tensors, outputs and saturations of both; the decoder's input is the encoder's output
        where no symbols are given.
        """
        encoded = self.encoded(rung, picture)
        decoded = self.decoded(rung, picture, encoded.output if symbols is None else symbols)
        return (
            {**encoded.tensors, **decoded.tensors},
            (encoded.output, decoded.output),
            {**encoded.saturations, **decoded.saturations},
        )


@pytest.fixture(scope="session")
def tensors_of():
    """Function (rung, picture, symbols) → all tensors, outputs and saturations, computed once."""
    return Computed().tensors


@pytest.fixture(scope="session")
def sim_rung(quantized):
    return Int16Rung(quantized)


@pytest.mark.parametrize("layer", LAYER_NAMES)
def test_layer_agrees_with_its_reference(
    layer, rung, image, float_rung, sim_rung, quantized, tensors_of
):
    if rung.name not in ("model", "sim"):
        expected, (symbols, _), counts = tensors_of(sim_rung, image)
        got, _, got_counts = tensors_of(rung, image, symbols)
        assert np.array_equal(got[layer], expected[layer])
        assert got_counts.get(layer) == counts.get(layer)
        return
    reference, (symbols, picture), _ = tensors_of(float_rung, image)
    tensors, (got_symbols, got_picture), saturations = tensors_of(rung, image, symbols)
    if rung.name == "model":
        span = np.ptp(reference[layer]) or 1.0
        assert np.abs(tensors[layer] - reference[layer]).max() <= MODEL_TOLERANCE * span
        if layer == "ana_2":
            assert differ_at_edges_only(got_symbols, symbols, reference[layer], float_rung)
        return
    clipped = sum(saturations[name] for name in before(layer))
    if clipped and not image.photograph:
        # Made to leave every range: float64 takes this one step from INT16's own input, and clips.
        expected = one_step(layer, float_rung, quantized, image.pixels, symbols, tensors)
        assert sqnr(expected, tensors[layer], scale_of(layer, quantized)) >= ONE_STEP_SQNR
        return
    assert clipped == 0
    if layer == "ana_2":
        assert np.mean(got_symbols != symbols) <= SIM_SYMBOLS
    elif layer == "syn_2":
        assert np.abs(got_picture.astype(int) - picture).max() <= 1
    else:
        bound = SIM_SQNR[layer] if image.photograph else SIM_SQNR_PICTURES
        assert sqnr(reference[layer], tensors[layer], scale_of(layer, quantized)) >= bound


HARDWARE = [
    pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("hls", "rtl", "board")
]


@pytest.fixture(scope="module", params=HARDWARE)
def limits(request):
    """The made case, which reaches every limit of the contract, on a rung."""
    from xlic.rungs.board import board_rung_factory

    if request.param == "board":
        return run_made(board_rung_factory(request.getfixturevalue("board_session")))
    try:
        return run_made(lambda model: open_rung(request.param, None, model))
    except MissingToolError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("layer", [DECODER_INPUT, *LAYER_NAMES])
def test_layer_at_its_limits_is_the_simulations(layer, limits):
    assert [str(each) for each in limits.differences if each.tensor == layer] == []


def differ_at_edges_only(got, symbols, latents, float_rung):
    """Symbols may differ by one, where the latent is as near to the edge between them as float32.

    float32 cannot tell the two apart there; float64 in TensorFlow does (tests/model).
    """
    exact = latents - float_rung.weights.quantization_offset.astype(float)
    to_edge = np.abs(exact - np.floor(exact) - 0.5)
    differs = got != symbols
    close = to_edge <= MODEL_TOLERANCE * np.ptp(latents)
    return bool(np.all(np.abs(got - symbols) <= 1) and np.all(close[differs]))


def scale_of(name, quantized):
    """What one step of the integers of a tensor is worth, per channel."""
    bits = quantized.fraction_bits.get(name)
    return 1.0 if bits is None else np.ldexp(1.0, -bits)


def one_step(name, float_rung, quantized, pixels, symbols, tensors):
    """One layer in float64, from the INT16 tensors before it, clipped to the layer's range."""
    real = {key: value * scale_of(key, quantized) for key, value in tensors.items()}
    weights = float_rung.weights.tensors
    sources = {"ana_0": pixels / 255.0, "syn_0": symbols + float_rung.weights.quantization_offset}
    layers = all_layers(quantized.filters)
    for index, layer in enumerate(layers):
        if name == layer.activation:
            x = real[layer.name]
            norm = np.abs(x) @ weights[f"{name}.gamma"].astype(float) + weights[f"{name}.beta"]
            result = x * norm if layer.inverse else x / norm
            break
        if name == layer.name:
            source = sources.get(name)
            if source is None:
                source = real[layers[index - 1].activation]
            result = convolve(layer, float_rung.weights, source)
            break
    if name in ("ana_2", "syn_2"):
        height, width = tensors[name].shape[:2]
        result = np.floor(result[:height, :width] + 0.5)
        return np.clip(result, *((0, 255) if name == "syn_2" else (-32768, 32767)))
    scale = scale_of(name, quantized)
    return np.clip(result, -32768 * scale, 32767 * scale)


def convolve(layer, weights, x):
    gain = 255.0 if layer.name == "syn_2" else 1.0
    convolution = Convolution(layer, weights.tensors[f"{layer.name}.kernel"] * gain)
    out = convolution.empty_output(x.shape[0], x.shape[1], np.float64)
    convolution.each_block(x, lambda sums, block: block.store(out, sums))
    bias = -weights.quantization_offset
    return out + (weights.tensors[f"{layer.name}.bias"] * gain if layer.bias else bias)


def before(layer):
    """The tensors whose saturations reach ``layer``, itself included."""
    names = ANALYSIS_NAMES if layer in ANALYSIS_NAMES else ("latents", *SYNTHESIS_NAMES)
    return [name for name in names[: names.index(layer) + 1] if name != "syn_2"]


@pytest.mark.sim
def test_a_symbol_that_differs_away_from_an_edge_is_seen(float_rung):
    latents = np.zeros((1, 2, float_rung.weights.filters))
    latents[0, 1] = 100.0
    offset = float_rung.weights.quantization_offset
    latents[0, 0, 5] = offset[5] + 0.5 - 1e-7
    symbols = np.floor(latents - offset + 0.5).astype(int)
    wrong = symbols.copy()
    wrong[0, 0, 5] += 1
    assert differ_at_edges_only(wrong, symbols, latents, float_rung)
    wrong[0, 0, 5] += 1
    assert not differ_at_edges_only(wrong, symbols, latents, float_rung)
    wrong = symbols.copy()
    wrong[0, 1, 7] += 1
    assert not differ_at_edges_only(wrong, symbols, latents, float_rung)


@pytest.mark.sim
def test_made_pictures_reach_the_saturation_counters(quantized, tensors_of):
    from xlic.pytest_plugin.fixtures import Picture
    from xlic.pytest_plugin.pictures import make_picture

    rung = Int16Rung(quantized)
    _, _, saturations = tensors_of(rung, Picture("primaries", make_picture("primaries"), False))
    assert sum(saturations.values()) > 0


@pytest.mark.sim
def test_what_is_decoded_from_other_symbols_is_another_result(sim_rung, tensors_of):
    from xlic.pytest_plugin.fixtures import Picture
    from xlic.pytest_plugin.pictures import make_picture

    picture = Picture("noise", make_picture("noise"), False)
    own, (symbols, shown), _ = tensors_of(sim_rung, picture)
    others = np.zeros_like(symbols)
    other, (encoded, black), _ = tensors_of(sim_rung, picture, others)
    assert np.array_equal(encoded, symbols)
    assert not np.array_equal(black, shown)
    assert np.array_equal(black, sim_rung.synthesize(others, picture.pixels.shape[:2]).output)
    again, _, _ = tensors_of(sim_rung, picture, symbols)
    assert again["syn_2"] is own["syn_2"]
    assert other["syn_2"] is not own["syn_2"]
