from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image as PillowImage

from tests.evaluation.small import FILTERS, photo, small_model, small_weights
from xlic import bench
from xlic.architecture import (
    LAYER_NAMES,
    analysis_layers,
    macs_of,
    symbol_size,
    synthesis_layers,
)
from xlic.demo import ERROR_GAIN, comparison, run_demo
from xlic.entropy.codec import decompress
from xlic.errors import InputError
from xlic.evaluation.metrics import psnr
from xlic.images import read_image
from xlic.rungs.float64 import FloatRung
from xlic.rungs.int16 import Int16Rung

pytestmark = pytest.mark.sim


@pytest.fixture(scope="module")
def weights():
    return small_weights()


@pytest.fixture(scope="module")
def model():
    return small_model()


def silent(what, done, total):
    """Show no progress."""


class TestDemo:
    def test_shows_every_layer_and_the_sums(self, model, weights, tmp_path):
        result = run_demo("p.png", photo(35, 50), model, weights, tmp_path, silent)
        names = [row.name for row in result.rows]
        assert names == [*LAYER_NAMES, "encoder", "decoder", "total"]
        rows = {row.name: row for row in result.rows}
        down, up = analysis_layers(FILTERS), synthesis_layers(FILTERS)
        expected = macs_of(down, 35, 50) | macs_of(up, *symbol_size(35, 50))
        assert {name: rows[name].macs for name in LAYER_NAMES} == expected
        assert rows["total"].macs == sum(expected.values())
        assert rows["ana_1"].shape == (5, 7, FILTERS)
        assert rows["syn_2"].shape == (35, 50, 3)
        assert rows["total"].seconds == pytest.approx(
            sum(row.seconds for row in result.rows[:10] if row.seconds is not None)
        )
        for name in ("ana_0", "gdn_0", "ana_1", "gdn_1", "syn_0", "igdn_0", "syn_1", "igdn_1"):
            assert rows[name].sqnr_db > 40, name

    def test_writes_a_stream_and_the_picture_that_it_holds(self, model, tmp_path):
        pixels = photo(35, 50)
        result = run_demo("p.png", pixels, model, None, tmp_path / "new" / "folder", silent)
        data = (tmp_path / "new" / "folder" / "p.tfci").read_bytes()
        symbols, size = decompress(data, model.tables)
        assert size == (35, 50)
        assert result.stream_bytes == len(data)
        picture = Int16Rung(model).synthesize(symbols, size).output
        assert np.array_equal(read_image(result.files["picture"]).pixels, picture)
        assert PillowImage.open(result.files["comparison"]).width > 3 * 320

    def test_without_float_weights_compares_nothing(self, model, tmp_path):
        result = run_demo("p.png", photo(20, 20), model, None, tmp_path, silent)
        assert {row.sqnr_db for row in result.rows} == {None}
        assert result.symbol_mismatch is None
        assert result.float_psnr is None

    def test_sqnr_falls_from_the_layer_with_a_fault_on(self, model, weights, tmp_path):
        bias = model.convs["ana_1"].bias + (1 << 26)
        convs = dict(model.convs) | {"ana_1": replace(model.convs["ana_1"], bias=bias)}
        faulty = replace(model, convs=convs)
        pixels = photo(64, 64)
        sound = run_demo("p.png", pixels, model, weights, tmp_path, silent)
        broken = run_demo("p.png", pixels, faulty, weights, tmp_path, silent)
        lost = {a.name: a.sqnr_db - b.sqnr_db for a, b in zip(sound.rows, broken.rows, strict=True)}
        assert lost["ana_0"] == lost["gdn_0"] == 0
        assert lost["ana_1"] > 10
        assert broken.symbol_mismatch > sound.symbol_mismatch

    def test_float_figures_owe_nothing_to_faults_of_int16(self, model, weights, tmp_path):
        # The float codec decodes its own symbols: those of a broken encoder must not reach it.
        convs = dict(model.convs)
        convs["ana_2"] = replace(convs["ana_2"], kernel=-convs["ana_2"].kernel)
        faulty = replace(model, convs=convs)
        pixels = photo(48, 64)
        result = run_demo("p.png", pixels, faulty, weights, tmp_path, silent)
        assert result.symbol_mismatch > 0.05
        codec = FloatRung(weights)
        own = codec.synthesize(codec.analyze(pixels).output, (48, 64)).output
        foreign = codec.synthesize(Int16Rung(faulty).analyze(pixels).output, (48, 64)).output
        assert result.float_psnr == psnr(pixels, own) != psnr(pixels, foreign)

    @pytest.mark.parametrize("size", [(1, 1), (1, 5), (17, 33)])
    def test_takes_the_smallest_pictures(self, model, weights, tmp_path, size):
        result = run_demo("p.png", photo(*size), model, weights, tmp_path, silent)
        assert (result.height, result.width) == size
        assert "161" in result.notes[-1]

    def test_refuses_a_model_without_entropy_tables(self, model, weights, tmp_path):
        with pytest.raises(InputError, match="no entropy tables"):
            run_demo("p.png", photo(9, 9), replace(model, tables=None), None, tmp_path, silent)
        assert list(tmp_path.iterdir()) == []

    def test_reports_a_folder_that_cannot_be_made(self, model, tmp_path):
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(InputError, match="--out"):
            run_demo("p.png", photo(9, 9), model, None, tmp_path / "file", silent)


class TestComparisonPicture:
    def test_shows_original_picture_and_amplified_error(self):
        original = np.full((100, 400, 3), 120, np.uint8)
        decoded = original.copy()
        decoded[50, 200, 0] += 3
        shown = comparison("p.png", original, decoded, 1.0, 40.0)

        def count(colour):
            # Below the captions, whose smoothed letters have every grey.
            return (shown[-112:] == colour).all(axis=2).sum()

        assert count([120, 120, 120]) == 2 * 100 * 400 - 1
        assert count([123, 120, 120]) == 1
        assert count([128, 128, 128]) == 100 * 400 - 1
        assert count([128 + 3 * ERROR_GAIN, 128, 128]) == 1

    @pytest.mark.parametrize("size", [(1, 1), (1, 3000), (2000, 1), (3, 200)])
    def test_has_a_bounded_width_for_any_shape(self, size):
        shown = comparison("a_long_name" * 9, photo(*size), photo(*size), 1.0, math.inf)
        assert 3 * 320 <= shown.shape[1] <= 3 * 1200 + 100


class TestBench:
    @pytest.mark.parametrize("size", [(512, 768), (1, 1), (33, 17)])
    def test_products_hold_exactly_the_codecs_macs(self, size):
        down, up = analysis_layers(128), synthesis_layers(128)
        macs = macs_of(down, *size) | macs_of(up, *symbol_size(*size))
        products = bench.products(128, *size)
        assert len(products) == len(macs)
        assert sum(m * k * n for m, k, n in products) == sum(macs.values())

    def test_measures_everything_on_a_small_picture(self, model):
        result = bench.bench_size(model, photo(48, 64), 2, silent)
        for timing in (result.encode, result.decode, result.blas, result.range_decode):
            assert 0 < timing.least <= timing.median <= timing.most
        assert result.ratio == pytest.approx(result.both.median / result.blas.median)
        assert result.peak_memory_mb > 10

    def test_products_take_longer_for_more_rows(self):
        # The least of several: other work makes times longer, never shorter.
        few, many = (
            min(bench.time_products([(rows, 128, 128)]) for _ in range(5)) for rows in (64, 65536)
        )
        assert many > 4 * few

    def test_names_the_machine(self):
        found = bench.machine()
        assert found["cpu"]
        assert found["cores"] >= found["cores_usable"] >= 1
        assert found["blas"]

    def test_peak_memory_only_grows(self):
        peaks = [bench.peak_memory_mb()]
        for _ in range(2):
            np.ones(4_000_000).sum()
            peaks.append(bench.peak_memory_mb())
        assert all(a <= b for a, b in pairwise(peaks))
