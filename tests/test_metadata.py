"""Numbers in model files that are none."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from tests.evaluation.small import small_model, small_weights
from xlic import files
from xlic.errors import FormatError
from xlic.files import load_container, save_container
from xlic.quantization.model import load_quantized, save_quantized
from xlic.weights import load_weights, save_weights

pytestmark = pytest.mark.sim

HUGE = 10**400
LAMBDAS = (math.nan, math.inf, -math.inf, True, False, HUGE, -HUGE, 0, 0.0, -0.125, 1e300, "1", [1])
FILTERS = (math.nan, math.inf, True, 0, -1, HUGE, 8.0, "8", None, [8], 1 << 20)


@pytest.fixture(params=["weights", "quantized"])
def kind(request):
    """Name, a function that saves such a file with other metadata, one that loads it."""
    model = small_model() if request.param == "quantized" else small_weights()
    arrays = model.arrays() if request.param == "quantized" else model._arrays()

    def save(path, **changes):
        facts = {"filters": model.filters, "lambda": 0.125, "provenance": {}}
        facts |= {"weights_identity": ""} | changes
        save_container(path, kind=request.param, version=1, arrays=arrays, metadata=facts)

    return save, load_quantized if request.param == "quantized" else load_weights


def saved(kind, path, monkeypatch, **changes):
    """Save what cannot be saved."""
    with monkeypatch.context() as patch:
        patch.setattr(files, "_check_metadata", lambda *_: None)
        kind[0](path, **changes)


@pytest.mark.parametrize("value", LAMBDAS, ids=lambda value: str(value)[:12])
def test_a_lambda_that_is_none_is_refused_by_its_name(kind, value, tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    saved(kind, path, monkeypatch, **{"lambda": value})
    with pytest.raises(FormatError, match=r"lambda is .*, must be a number above 0"):
        kind[1](path)
    with pytest.raises(FormatError, match=r"lambda is .*nothing is written"):
        kind[0](tmp_path / "other", **{"lambda": value})
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("value", FILTERS, ids=lambda value: str(value)[:12])
def test_filters_that_are_none_are_refused_by_their_name(kind, value, tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    saved(kind, path, monkeypatch, filters=value)
    with pytest.raises(FormatError, match="filters"):
        kind[1](path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("provenance", ["x"]), ("provenance", None), ("weights_identity", 5), ("filters", 9)],
)
def test_metadata_of_another_kind_is_refused(kind, field, value, tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    saved(kind, path, monkeypatch, **{field: value})
    with pytest.raises(FormatError):
        kind[1](path)


@pytest.mark.parametrize("version", [True, 1.0, "1", HUGE, None])
def test_a_version_that_only_equals_the_number_is_another(version, tmp_path):
    path = tmp_path / "m"
    save_container(path, kind="weights", version=version, arrays={}, metadata={})
    with pytest.raises(FormatError, match="format version"):
        load_container(path, kind="weights", version=1, remedy="do something")


@pytest.mark.parametrize("value", [1, 0.125, 1e-6, None, np.float64(0.5)])
def test_a_good_lambda_comes_back(value, tmp_path):
    path = tmp_path / "m.safetensors"
    save_weights(dataclasses.replace(small_weights(), lmbda=value), path)
    found = load_weights(path).lmbda
    assert found == value
    assert found is None or type(found) is float
    save_quantized(dataclasses.replace(small_model(), lmbda=value), path)
    assert load_quantized(path).lmbda == value
