"""Variables of the TensorFlow model and plain weights, both ways."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from xlic.errors import FormatError, InputError
from xlic.tfmodel.extract import extract, weights_to_variables
from xlic.tfmodel.model_file import FILE, load_model, save_model
from xlic.tfmodel.variables import (
    beta_from_variable,
    convert_kernels,
    gamma_from_variable,
    kernel_from_rdft,
    rdft_from_kernel,
    variable_from_gdn,
)
from xlic.weights import load_weights


@pytest.mark.parametrize("shape", [(9, 9, 3, 8), (5, 5, 8, 8), (9, 9, 8, 3)])
def test_rdft_kernels_are_those_of_tensorflow_compression(shape):
    import tensorflow_compression as tfc

    # TensorFlow's own transforms are in float32, ours in float64: hence the two tolerances.
    kernel = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    parameter = tfc.RDFTParameter(kernel, name="k")
    real, imag = rdft_from_kernel(kernel)
    np.testing.assert_allclose(real, parameter.real.numpy(), rtol=0, atol=3e-6 * np.abs(real).max())
    np.testing.assert_allclose(imag, parameter.imag.numpy(), rtol=0, atol=3e-6 * np.abs(imag).max())
    np.testing.assert_allclose(kernel_from_rdft(real, imag), parameter().numpy(), atol=1e-5)
    np.testing.assert_allclose(kernel_from_rdft(real, imag), kernel, rtol=0, atol=2e-6)


def test_rdft_ignores_imaginary_parts_that_a_real_kernel_cannot_have():
    # Training moves them freely; TensorFlow's inverse drops them, and so must ours.
    import tensorflow_compression as tfc

    generator = np.random.default_rng(1)
    parameter = tfc.RDFTParameter(np.zeros((5, 5, 4, 6), np.float32), name="k")
    real, imag = (generator.normal(size=(4, 6, 5, 3)).astype(np.float32) for _ in range(2))
    parameter.real.assign(real)
    parameter.imag.assign(imag)
    np.testing.assert_allclose(kernel_from_rdft(real, imag), parameter().numpy(), atol=2e-6)


def test_gdn_parameters_are_those_of_tensorflow_compression():
    import tensorflow_compression as tfc

    values = np.array([-1, 0, 1e-9, 2**-18, 9.9e-4, 1e-3, 0.1, 1, 30], np.float32)
    for minimum, resolve in ((1e-6, beta_from_variable), (0, gamma_from_variable)):
        parameter = tfc.GDNParameter(np.zeros_like(values), name="p", minimum=minimum)
        parameter.variable.assign(values)
        np.testing.assert_array_equal(resolve(values), parameter().numpy())
        resolved = resolve(values)
        np.testing.assert_allclose(resolve(variable_from_gdn(resolved)), resolved, rtol=3e-7)


def test_weights_survive_the_way_through_variables(tiny):
    weights = tiny.weights()
    for kernels in ("direct", "rdft"):
        variables = weights_to_variables(weights, kernels)
        again = dataclasses.replace(tiny, variables=variables, kernels=kernels).weights()
        for name, tensor in weights.tensors.items():
            scale = np.abs(tensor).max()
            np.testing.assert_allclose(again.tensors[name], tensor, rtol=0, atol=5e-7 * scale)
            if kernels == "direct" and "." in name and name.split(".")[1] in ("kernel", "bias"):
                np.testing.assert_array_equal(again.tensors[name], tensor)


def test_negative_gdn_is_refused(tiny):
    weights = tiny.weights()
    tensors = dict(weights.tensors) | {"gdn_0.gamma": weights.tensors["gdn_0.gamma"] - 1}
    with pytest.raises(InputError, match=r"gdn_0\.gamma reaches"):
        weights_to_variables(dataclasses.replace(weights, tensors=tensors))


def test_model_file_round_trip_and_extraction(tiny, tmp_path):
    save_model(tiny, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    assert loaded.weights().identity == tiny.weights().identity
    assert (loaded.lmbda, loaded.kernels, loaded.filters) == (0.01, "rdft", 8)

    weights = extract(tmp_path / "m", tmp_path / "out")
    single = load_weights(tmp_path / "out" / "bls2017.safetensors")
    assert single.identity == weights.identity == tiny.weights().identity
    assert single.provenance["model"] == "m"
    assert "tensorflow-compression" in single.provenance["extracted_with"]
    assert str(tmp_path) not in str(dict(single.provenance))
    raw = load_weights(tmp_path / "out")
    for name, tensor in weights.tensors.items():
        np.testing.assert_array_equal(raw.tensors[name], tensor)


def test_npz_of_variables_gets_tables_from_its_prior(tiny, tmp_path):
    direct = convert_kernels(tiny.variables, "direct")
    np.savez(tmp_path / "v.npz", **direct, step=7)
    model = load_model(tmp_path / "v.npz", 0.5)
    assert model.lmbda == 0.5
    assert model.provenance["steps"] == 7
    assert model.tables.channels == 8
    assert (np.abs(model.tables.quantization_offset) <= 0.5).all()
    np.testing.assert_array_equal(
        model.weights().tensors["ana_0.kernel"], tiny.weights().tensors["ana_0.kernel"]
    )


def test_absent_damaged_and_foreign_models_are_refused(tiny, tmp_path):
    with pytest.raises(InputError, match="no model at"):
        load_model(tmp_path / "nowhere")
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 no")
    with pytest.raises(FormatError, match="damaged"):
        load_model(tmp_path / "bad.npz")
    np.savez(tmp_path / "foreign.npz", x=np.zeros(3))
    with pytest.raises(FormatError, match="no bls2017 model"):
        load_model(tmp_path / "foreign.npz")
    broken = dict(tiny.variables)
    broken["synthesis/layer_2/bias"] = np.full(3, np.nan, np.float32)
    np.savez(tmp_path / "nan.npz", **broken)
    with pytest.raises(FormatError, match="NaN"):
        load_model(tmp_path / "nan.npz")
    save_model(tiny, tmp_path / "m")
    data = bytearray((tmp_path / "m" / FILE).read_bytes())
    data[-9] ^= 1
    (tmp_path / "m" / FILE).write_bytes(data)
    with pytest.raises(FormatError, match="damaged"):
        load_model(tmp_path / "m")
