"""Weights in both file forms: round trips are exact, damage is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.sim.models import random_weights
from xlic import weights as module
from xlic.architecture import analysis_layers, macs_of, symbol_size, synthesis_layers
from xlic.entropy.tables import EntropyTables
from xlic.errors import FormatError, InputError
from xlic.weights import (
    load_raw_weights,
    load_weights,
    save_raw_weights,
    save_weights,
    tensor_shapes,
)

pytestmark = pytest.mark.sim

FILTERS = 4


@pytest.fixture
def weights():
    tables = EntropyTables(
        np.tile(np.array([0, 1000, 4000, 4096], np.int32), (FILTERS, 1)),
        np.full(FILTERS, 4, np.int32),
        np.full(FILTERS, -1, np.int32),
        np.linspace(-0.5, 0.5, FILTERS, dtype=np.float32),
    )
    return replace(random_weights(1, FILTERS), tables=tables)


def test_the_single_file_gives_back_everything(weights, tmp_path):
    save_weights(weights, tmp_path / "w.safetensors")
    again = load_weights(tmp_path / "w.safetensors")
    assert again.identity == weights.identity
    assert again.lmbda == weights.lmbda
    assert again.provenance == weights.provenance
    assert again.tables is not None
    assert np.array_equal(again.tables.quantization_offset, weights.tables.quantization_offset)


def test_the_same_weights_make_the_same_file(weights, tmp_path):
    for name in ("a", "b"):
        save_weights(weights, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_raw_files_give_back_the_tensors_and_have_no_tables(weights, tmp_path):
    save_raw_weights(weights, tmp_path)
    again = load_weights(tmp_path)
    assert all(np.array_equal(again.tensors[n], t) for n, t in weights.tensors.items())
    assert again.tables is None
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        "ana_b.bin",
        "ana_w.bin",
        "syn_b.bin",
        "syn_w.bin",
    ]


def test_raw_files_follow_the_published_order(weights, tmp_path):
    save_raw_weights(weights, tmp_path)
    data = np.fromfile(tmp_path / "ana_w.bin", "<f4")
    first = weights.tensors["ana_0.kernel"].ravel()
    assert np.array_equal(data[: first.size], first)
    gamma = weights.tensors["gdn_0.gamma"].ravel()
    assert np.array_equal(data[first.size : first.size + gamma.size], gamma)
    assert np.array_equal(
        np.fromfile(tmp_path / "syn_b.bin", "<f4")[-3:], weights.tensors["syn_2.bias"]
    )


def test_a_changed_weight_changes_the_identity(weights):
    bias = weights.tensors["ana_0.bias"].copy()
    bias[0] = np.nextafter(bias[0], np.float32(9))
    changed = replace(weights, tensors={**weights.tensors, "ana_0.bias": bias})
    assert changed.identity != weights.identity


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(weights, tmp_path, value):
    bias = weights.tensors["syn_1.bias"].copy()
    bias[1] = value
    bad = replace(weights, tensors={**weights.tensors, "syn_1.bias": bias})
    save_weights(bad, tmp_path / "w.safetensors")
    save_raw_weights(bad, tmp_path)
    with pytest.raises(FormatError, match=r"syn_1\.bias holds NaN or infinite"):
        load_weights(tmp_path / "w.safetensors")
    with pytest.raises(FormatError, match=r"syn_1\.bias holds NaN or infinite"):
        load_raw_weights(tmp_path)


def test_a_raw_file_of_the_wrong_size_is_named_with_both_sizes(weights, tmp_path):
    save_raw_weights(weights, tmp_path)
    (tmp_path / "syn_b.bin").write_bytes(b"\0" * 17)
    with pytest.raises(FormatError, match=r"syn_b\.bin has 17 bytes.* needs 76"):
        load_raw_weights(tmp_path)


def test_a_folder_that_lacks_a_raw_file_is_an_input_error(weights, tmp_path):
    save_raw_weights(weights, tmp_path)
    (tmp_path / "ana_b.bin").unlink()
    with pytest.raises(InputError, match=r"ana_b\.bin"):
        load_weights(tmp_path)


def test_a_missing_tensor_and_a_wrong_shape_are_named(weights, tmp_path):
    path = tmp_path / "w.safetensors"
    missing = {k: v for k, v in weights.tensors.items() if k != "gdn_1.gamma"}
    save_weights(replace(weights, tensors=missing), path)
    with pytest.raises(FormatError, match=r"lacks the tensor gdn_1\.gamma"):
        load_weights(path)
    wrong = {**weights.tensors, "gdn_1.gamma": np.zeros((4, 5), np.float32)}
    save_weights(replace(weights, tensors=wrong), path)
    with pytest.raises(FormatError, match=r"gdn_1\.gamma is float32\[4, 5\], must be"):
        load_weights(path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0, 5, 5, 4096], "does not rise"),
        ([0, 1, 2, 4095], "does not rise"),
        ([1, 2, 3, 4096], "rise"),
    ],
)
def test_entropy_tables_that_are_no_distribution_are_refused(weights, row, message):
    cdf = weights.tables.cdf.copy()
    cdf[2] = row
    with pytest.raises(FormatError, match=message):
        replace(weights.tables, cdf=cdf)


def test_weights_of_another_version_are_refused_with_the_remedy(weights, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "VERSION", 99)
    save_weights(weights, tmp_path / "w.safetensors")
    monkeypatch.undo()
    with pytest.raises(FormatError, match=r"version 99, this xlic reads version 1; .*xlic extract"):
        load_weights(tmp_path / "w.safetensors")


def test_absent_weights_say_what_to_give():
    with pytest.raises(InputError, match="no weights at nowhere; give a"):
        load_weights("nowhere")


def test_the_layers_count_the_published_number_of_operations():
    assert sum(macs_of(analysis_layers(), 512, 768).values()) == 4_413_456_384
    assert sum(macs_of(synthesis_layers(), *symbol_size(512, 768)).values()) == 4_413_456_384
    large = sum(macs_of(analysis_layers(), 1365, 2048).values())
    assert 31.4e9 < large < 31.5e9


def test_sizes_round_up_at_every_layer():
    assert symbol_size(1, 1) == (1, 1)
    assert symbol_size(512, 768) == (32, 48)
    assert symbol_size(1365, 2048) == (86, 128)
    assert symbol_size(97, 130) == (7, 9)


def test_the_tensor_names_cover_the_network_once():
    shapes = tensor_shapes(128)
    assert len(shapes) == 19
    assert sum(int(np.prod(s)) for s in shapes.values()) == 1_767_171
