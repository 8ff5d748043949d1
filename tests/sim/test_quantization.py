"""Quantization: scales that fit, files that cannot be mistaken, a report of what happened."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from tests.sim.models import random_model, random_weights
from xlic import parallel
from xlic.architecture import LAYER_NAMES, all_layers
from xlic.entropy.tables import EntropyTables
from xlic.errors import FormatError, InputError
from xlic.files import save_container
from xlic.quantization import model as contract
from xlic.quantization.calibrate import calibrate
from xlic.quantization.model import load_quantized, save_quantized
from xlic.quantization.quantize import quantize
from xlic.quantization.report import count_saturations, quantization_report
from xlic.quantization.rounding import compensated_round
from xlic.rungs.float64 import FloatRung
from xlic.rungs.int16 import Int16Rung

pytestmark = pytest.mark.sim

FILTERS = 6


def photographs(count: int = 3, seed: int = 0):
    """Smooth random pictures: low-pass noise, with the range of a photograph."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        coarse = rng.integers(0, 256, (6, 7, 3)).astype(float)
        rows, columns = np.linspace(0, 5, 53), np.linspace(0, 6, 70)
        smooth = np.stack(
            [
                np.array([np.interp(columns, range(7), line) for line in coarse[:, :, c]])
                for c in range(3)
            ],
            axis=2,
        )
        smooth = np.stack(
            [
                np.array([np.interp(rows, range(6), line) for line in smooth[:, :, c].T]).T
                for c in range(3)
            ],
            axis=2,
        )
        yield f"picture {index}", np.round(smooth).astype(np.uint8)


@pytest.fixture(scope="module")
def float_weights():
    return random_weights(seed=5, filters=FILTERS)


@pytest.fixture(scope="module")
def calibration(float_weights):
    return calibrate(float_weights, photographs())


@pytest.fixture(scope="module")
def model(float_weights, calibration):
    return quantize(float_weights, calibration)


@pytest.fixture(scope="module")
def exact(float_weights, calibration):
    """With just that headroom over what the pictures reach, few as they are."""
    return quantize(float_weights, calibration, 2.0, 4.0)


def test_int16_stays_close_to_float_on_pictures_that_calibration_has_not_seen(float_weights, model):
    reference, rung = FloatRung(float_weights), Int16Rung(model)
    for _, pixels in photographs(count=2, seed=99):
        a, b = reference.analyze(pixels, keep=("gdn_0",)), rung.analyze(pixels, keep=("gdn_0",))
        error = b.tensors["gdn_0"] * np.ldexp(1.0, -model.fraction_bits["gdn_0"])
        error = error - a.tensors["gdn_0"]
        assert np.abs(error).max() < 1e-3 * np.abs(a.tensors["gdn_0"]).max()
        assert np.mean(a.output != b.output) < 0.01
        assert sum(b.saturations.values()) == 0
        one = reference.synthesize(a.output, pixels.shape[:2]).output.astype(int)
        two = rung.synthesize(a.output, pixels.shape[:2]).output.astype(int)
        assert np.abs(one - two).max() <= 1


def test_closeness_fails_when_one_shift_is_wrong(float_weights, model):
    shift = model.convs["ana_1"].shift.copy()
    shift[0] += 1
    wrong = replace(
        model, convs={**model.convs, "ana_1": replace(model.convs["ana_1"], shift=shift)}
    )
    _, pixels = next(photographs(seed=99))
    reference = FloatRung(float_weights).analyze(pixels).output
    assert np.mean(Int16Rung(wrong).analyze(pixels).output != reference) > 0.01


def test_every_channel_uses_its_range_up_to_the_headroom(exact, calibration):
    for name in ("gdn_0", "ana_1", "gdn_1", "syn_0", "igdn_0", "syn_1", "igdn_1"):
        headroom = 2 if "ana" in name or name.startswith("gdn") else 4
        used = calibration.peaks[name] * np.ldexp(1.0, exact.fraction_bits[name]) / 32767
        assert (used <= 1 / headroom + 1e-9).all() or name.startswith("gdn")
        assert (used > 1 / (2 * headroom) - 1e-9).all()


def test_a_channel_that_is_always_zero_is_quantized_without_complaint(float_weights):
    tensors = dict(float_weights.tensors)
    kernel, bias = tensors["ana_0.kernel"].copy(), tensors["ana_0.bias"].copy()
    kernel[..., 2], bias[2] = 0, 0
    weights = replace(float_weights, tensors=tensors | {"ana_0.kernel": kernel, "ana_0.bias": bias})
    quantized = quantize(weights, calibrate(weights, photographs(1)))
    _, pixels = next(photographs())
    run = Int16Rung(quantized).analyze(pixels, keep=("ana_0", "gdn_0"))
    assert not run.tensors["ana_0"][..., 2].any()
    assert not run.tensors["gdn_0"][..., 2].any()


@pytest.mark.parametrize("gain", [1e-12, 1e-4, 1e4])
def test_models_of_unusual_scale_still_quantize_within_the_contract(float_weights, gain, tmp_path):
    tensors = dict(float_weights.tensors)
    tensors["ana_1.kernel"] = (tensors["ana_1.kernel"] * gain).astype(np.float32)
    weights = replace(float_weights, tensors=tensors)
    quantized = quantize(weights, calibrate(weights, photographs(1)))
    save_quantized(quantized, tmp_path / "q.safetensors")
    # Loading checks every range of the contract.
    assert load_quantized(tmp_path / "q.safetensors").identity == quantized.identity


def test_quantizing_twice_gives_the_same_integers(float_weights, calibration, model):
    assert quantize(float_weights, calibration).identity == model.identity


@pytest.mark.parametrize("headroom", [0.5, 0.0, -1.0, float("nan"), 1e9])
def test_unusable_headroom_is_refused(float_weights, calibration, headroom):
    with pytest.raises(InputError, match="headroom"):
        quantize(float_weights, calibration, analysis_headroom=headroom)


def test_calibration_without_images_is_refused(float_weights):
    with pytest.raises(InputError, match="--calibrate"):
        calibrate(float_weights, [])


def test_a_quantized_file_gives_back_the_same_model(model, tmp_path):
    path = tmp_path / "q.safetensors"
    save_quantized(model, path)
    again = load_quantized(path)
    assert again.identity == model.identity
    assert again.weights_identity == model.weights_identity
    assert again.lmbda == 0.5
    assert list(again.provenance["calibration_images"]) == [n for n, _ in photographs()]
    assert {k: v.dtype for k, v in again.arrays().items()} == {
        k: v.dtype for k, v in model.arrays().items()
    }


def tampered(model, path, **changes):
    """A file with a sound identity, and integers that the quantizer would not write."""
    metadata = {"filters": FILTERS, "lambda": None, "weights_identity": "", "provenance": {}}
    arrays = model.arrays() | {name.replace("__", "."): v for name, v in changes.items()}
    save_container(path, kind="quantized", version=1, arrays=arrays, metadata=metadata)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ana_1__shift": np.zeros(FILTERS, np.int64)}, r"ana_1\.shift spans 0"),
        ({"ana_1__shift": np.full(FILTERS, 48)}, "48, must be 1 … 47"),
        ({"igdn_0__out_shift": np.zeros(FILTERS, np.int64)}, r"igdn_0\.out_shift spans 0"),
        ({"gdn_0__out_shift": np.full(FILTERS, 37)}, "37, must be 0 … 36"),
        ({"latents__fraction_bits": np.full(FILTERS, 16)}, "16, must be 0 … 15"),
        ({"latents__offset": np.full(FILTERS, 1 << 15)}, r"latents\.offset spans 32768"),
        ({"ana_1__bias": np.full(FILTERS, 2**46)}, "overflow the 48-bit accumulator"),
        ({"ana_1__bias": np.zeros(FILTERS + 1, np.int64)}, r"must be int64\[6\]"),
        ({"ana_1__kernel": np.zeros((5, 5, 6, 6), np.int32)}, "must be int16"),
        ({"ana_1__kernel": np.zeros((3, 3, 6, 6), np.int16)}, r"must be int16\[5, 5, 6, 6\]"),
    ],
)
def test_integers_outside_the_contract_are_refused_at_load(model, tmp_path, changes, message):
    path = tmp_path / "q.safetensors"
    tampered(model, path)
    load_quantized(path)
    tampered(model, path, **changes)
    with pytest.raises(FormatError, match=message):
        load_quantized(path)


def test_the_accumulator_check_counts_what_kernels_can_reach():
    kernel = np.full((4096, 1), -32768, np.int16)
    limit = 2**47 - 2**46 - 4096 * 2**30
    contract._check_accumulator(kernel, np.array([limit - 1]), "sum")
    for bias in (limit, -limit):
        with pytest.raises(FormatError, match="sum can overflow"):
            contract._check_accumulator(kernel, np.array([bias]), "sum")


def test_a_file_of_another_version_or_kind_names_the_remedy(model, tmp_path):
    path = tmp_path / "q.safetensors"
    for kind, version, message in (
        ("quantized", contract.VERSION + 1, "format version 2, .* make it with `xlic quantize`"),
        ("weights", 1, "'weights' file where a 'quantized' file is needed"),
    ):
        save_container(
            path, kind=kind, version=version, arrays=model.arrays(), metadata={"filters": FILTERS}
        )
        with pytest.raises(FormatError, match=message):
            load_quantized(path)


@pytest.mark.parametrize("position", [0.02, 0.5, 0.98])
def test_one_flipped_bit_anywhere_in_the_file_is_noticed(model, tmp_path, position):
    path = tmp_path / "q.safetensors"
    save_quantized(model, path)
    data = bytearray(path.read_bytes())
    data[int(position * len(data))] ^= 4
    path.write_bytes(data)
    with pytest.raises(FormatError):
        load_quantized(path)


@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_a_truncated_file_is_refused(model, tmp_path, keep):
    path = tmp_path / "q.safetensors"
    save_quantized(model, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FormatError):
        load_quantized(path)


def test_the_report_names_every_tensor_with_its_channels(model, calibration):
    reports = quantization_report(model, calibration, count_saturations(model, photographs()))
    assert [r.name for r in reports if r.name != "latents"] == list(LAYER_NAMES)
    assert all(r.fraction_bits.shape == r.saturations.shape for r in reports)
    shifts = {r.name: set(r.shifts) for r in reports}
    assert shifts["ana_0"] == {"shift"}
    assert shifts["gdn_0"] == {"norm_shift", "out_shift"}
    assert sum(int(r.saturations.sum()) for r in reports) == 0
    assert all(r.as_json()["name"] == r.name for r in reports)


def test_the_report_states_the_share_of_the_range_that_calibration_reached(model, calibration):
    reports = {r.name: r for r in quantization_report(model, calibration, {})}
    for name in ("latents", "ana_1", "igdn_0"):
        largest = calibration.peaks[name] * 2.0 ** model.fraction_bits[name]
        assert np.allclose(reports[name].range_used, largest / 32767)
    assert reports["ana_2"].range_used is None


def test_calibration_measures_latents_with_the_offset_of_the_prior(float_weights):
    offsets = np.array([0.4, -0.4, 0.25, 0, 0, 0], np.float32)
    cdf = np.tile(np.array([0, 2000, 4096], np.int32), (FILTERS, 1))
    three, zero = np.full(FILTERS, 3, np.int32), np.zeros(FILTERS, np.int32)
    weights = replace(float_weights, tables=EntropyTables(cdf, three, zero, offsets))
    picture = next(photographs())
    peaks = calibrate(weights, [picture]).peaks["latents"]
    symbols = FloatRung(weights).analyze(picture[1]).output
    assert np.array_equal(peaks, np.abs(symbols + offsets.astype(float)).max(axis=(0, 1)))


def test_normalizers_keep_the_headroom(exact, calibration):
    for name, headroom in (("gdn_0", 2), ("gdn_1", 2), ("igdn_0", 4), ("igdn_1", 4)):
        gdn = exact.gdns[name]
        scale = np.float64(2.0) ** (exponent_of(gdn.beta, name, exact) - gdn.norm_shift)
        reached = calibration.norms[name] * scale
        assert (reached * headroom <= 2**24).all()
        assert (reached * headroom > 2**23 * 0.999).all()


def exponent_of(beta, name, model):
    """The accumulator's exponent, read back from β, which is 1 … 2 in these weights."""
    real = random_weights(seed=5, filters=FILTERS).tensors[f"{name}.beta"].astype(np.float64)
    return np.round(np.log2(beta / real))


def test_compensated_rounding_errs_less_on_correlated_inputs_than_plain_rounding():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(4000, 5)) @ rng.normal(size=(5, 60)) + rng.normal(size=(4000, 60))
    weights = rng.normal(0, 30, (60, 8))
    moment = inputs.T @ inputs / len(inputs)
    exact = inputs @ weights

    def error(rounded):
        assert np.array_equal(rounded, np.round(rounded))
        return np.sqrt(np.mean((inputs @ rounded - exact) ** 2))

    compensated = compensated_round(weights, moment, 32767)
    assert error(compensated) < 0.6 * error(np.floor(weights + 0.5))
    assert np.abs(compensated - weights).max() < 4
    assert np.abs(compensated_round(weights, moment, 20)).max() == 20
    plain = compensated_round(weights, np.zeros((60, 60)), 32767)
    assert np.array_equal(plain, np.floor(weights + 0.5))


@pytest.mark.parametrize("threads", [1, 3])
def test_results_do_not_depend_on_the_number_of_threads(
    float_weights, model, calibration, monkeypatch, threads
):
    _, pixels = next(photographs())
    pixels = np.tile(pixels, (4, 1, 1))
    expected = FloatRung(float_weights).analyze(pixels, keep=("ana_2",)).tensors["ana_2"]
    with threadpool_limits(threads, "blas"):
        monkeypatch.setattr(parallel, "processors", lambda: threads)
        got = FloatRung(float_weights).analyze(pixels, keep=("ana_2",)).tensors["ana_2"]
        again = quantize(float_weights, calibrate(float_weights, photographs()))
    assert np.array_equal(got, expected)
    assert again.identity == model.identity


def test_the_report_counts_saturations_of_a_model_without_headroom(float_weights):
    dark = [(name, pixels // 8) for name, pixels in photographs()]
    tight = quantize(float_weights, calibrate(float_weights, dark), 1.0, 1.0)
    counts = count_saturations(tight, photographs(count=2, seed=4))
    assert sum(int(c.sum()) for c in counts.values()) > 0


def test_the_random_models_of_these_tests_stay_inside_the_accumulator(tmp_path):
    for extreme in (False, True):
        path = tmp_path / "q.safetensors"
        random = random_model(seed=1, filters=5, extreme=extreme)
        save_quantized(random, path)
        assert load_quantized(path).identity == random.identity
    assert len(random.convs) == len(all_layers())
