from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.entropy.reference import make_tables, random_tables, rows_of
from xlic.entropy.tables import EntropyTables, tables_from_tfc
from xlic.errors import FormatError

pytestmark = pytest.mark.sim


def flat_of(tables, padding=0):
    """The tables as tensorflow-compression keeps them."""
    total = 1 << tables.precision
    parts = [[-tables.precision, *row, *[total] * padding] for row in rows_of(tables)]
    return np.concatenate(parts).astype(np.int32)


def assert_equal(left, right):
    assert rows_of(left) == rows_of(right)
    assert left.precision == right.precision
    assert np.array_equal(left.cdf_offset, right.cdf_offset)
    assert np.array_equal(left.quantization_offset, right.quantization_offset)


@pytest.mark.parametrize("precision", [1, 2, 12, 16])
@pytest.mark.parametrize("padding", [0, 3])
def test_tables_of_tensorflow_compression_are_understood(precision, padding):
    tables = random_tables(np.random.default_rng(precision), 5, precision)
    tables = replace(tables, quantization_offset=np.linspace(-0.5, 0.5, 5, dtype=np.float32))
    parsed = tables_from_tfc(
        flat_of(tables, padding), tables.cdf_offset, tables.quantization_offset
    )
    assert_equal(parsed, tables)
    assert parsed.cdf.dtype == parsed.cdf_length.dtype == parsed.cdf_offset.dtype == np.int32


def test_a_model_without_quantization_offsets_has_offsets_of_zero():
    tables = make_tables([[0, 5, 4096], [0, 1, 2, 4096]])
    assert_equal(tables_from_tfc(flat_of(tables), tables.cdf_offset, None), tables)


@pytest.mark.parametrize(
    ("cdf", "complaint"),
    [
        ([[-12, 0, 4096]], "must be 1-D integers"),
        ([-12.0, 0, 1, 4096], "must be 1-D integers"),
        ([-12], "must be 1-D integers"),
        ([12, 0, 1, 4096], "starts with 12"),
        ([0, 0, 1, 4096], "starts with 0"),
        ([-17, 0, 1, 1 << 17], "starts with -17"),
        ([-12, 0, 1, 4096, -11, 0, 1, 2048], "other precisions"),
        ([-12, 0, 1, 4096, 5], "goes on behind its end"),
        ([-12, 0, 1, 4095], "does not rise from 0 to 4096"),
        ([-12, 0, 7, 7, 4096], "does not rise"),
        ([-12, 1, 7, 4096], "does not rise"),
        ([-12, 0, 4096, 4096], "channel 0 claims 2"),
        ([-12, 0, 1, 4096, -12, 0, 1, 4096], "cdf_offset is int32[1], must be int32[2]"),
    ],
)
def test_integers_that_are_no_tables_are_refused(cdf, complaint):
    with pytest.raises(FormatError) as caught:
        tables_from_tfc(np.array(cdf), np.zeros(1, np.int32), None)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"cdf": np.zeros(3, np.int32)}, "cdf is int32[3]"),
        ({"cdf": np.zeros((2, 3), np.int64)}, "cdf is int64[2, 3]"),
        ({"cdf": np.zeros((0, 3), np.int32)}, "cdf is int32[0, 3]"),
        ({"cdf_length": np.array([3, 4], np.int32)}, "channel 1 claims 4 of 3"),
        ({"cdf_length": np.array([3], np.int32)}, "cdf_length is int32[1], must be int32[2]"),
        ({"cdf_offset": np.zeros(2, np.int64)}, "cdf_offset is int64[2]"),
        ({"quantization_offset": np.array([0, np.nan], np.float32)}, "NaN"),
        ({"precision": 0}, "precision 0"),
        ({"precision": 11}, "does not rise from 0 to 2048"),
    ],
)
def test_inconsistent_tables_are_refused(change, complaint):
    tables = make_tables([[0, 1, 4096], [0, 2, 4096]])
    with pytest.raises(FormatError) as caught:
        replace(tables, **change)
    assert complaint in str(caught.value)


def test_tables_survive_as_named_arrays():
    tables = random_tables(np.random.default_rng(0), 4, 10)
    back = EntropyTables.from_arrays(tables.arrays(), 4, "here")
    assert back is not None
    assert_equal(back, tables)
    assert EntropyTables.from_arrays({}, 4, "here") is None
