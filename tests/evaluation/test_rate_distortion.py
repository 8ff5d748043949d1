"""BD-rate, reference points, comparisons and the plot."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image as PillowImage

from tests.evaluation.small import photo
from xlic import shipped
from xlic.errors import InputError
from xlic.evaluation import comparison
from xlic.evaluation.anchors import (
    BALLE2017_KODAK,
    JPEG_KODAK,
    jpeg_curve,
    jpeg_size_and_psnr,
    mean_curve,
)
from xlic.evaluation.bdrate import bd_rate, quality_at
from xlic.evaluation.plot import rd_plot
from xlic.images import read_image

pytestmark = pytest.mark.sim

CURVE = [(0.25, 30.0), (0.5, 33.0), (1.0, 36.0), (2.0, 39.0)]


class TestBdRate:
    def test_of_a_curve_against_itself_is_zero(self):
        assert bd_rate(CURVE, CURVE) == pytest.approx(0.0, abs=1e-9)

    @pytest.mark.parametrize(("factor", "percent"), [(2.0, 100.0), (0.5, -50.0), (1.003, 0.3)])
    def test_of_a_fixed_factor_in_rate_is_that_factor(self, factor, percent):
        scaled = [(rate * factor, quality) for rate, quality in CURVE]
        assert bd_rate(CURVE, scaled) == pytest.approx(percent)

    def test_has_the_sign_of_the_loss(self):
        worse = [(rate, quality - 0.01) for rate, quality in CURVE]
        assert bd_rate(CURVE, worse) > 0.1
        assert bd_rate(worse, CURVE) < -0.1

    def test_equals_the_package_bjontegaard_1_3_0_on_two_pairs_of_curves(self):
        anchor = [(9487.76, 40.037), (4593.60, 38.615), (2486.44, 36.845), (1358.24, 34.851)]
        test = [(9787.80, 40.121), (4469.00, 38.651), (2451.52, 36.970), (1356.24, 34.987)]
        assert bd_rate(anchor, test) == pytest.approx(-4.417485350589, abs=1e-9)
        assert bd_rate(JPEG_KODAK, BALLE2017_KODAK) == pytest.approx(-46.028130621555, abs=1e-9)

    def test_is_unknown_where_the_curves_share_no_quality(self):
        assert bd_rate(CURVE, [(0.1, 20.0), (0.2, 25.0)]) is None

    @pytest.mark.parametrize(
        ("points", "message"),
        [
            ([(1.0, 30.0)], "two points"),
            ([(1.0, 30.0), (2.0, 30.0)], "must rise"),
            ([(1.0, 30.0), (1.0, 31.0)], "must rise"),
            ([(0.0, 30.0), (1.0, 31.0)], "positive"),
            ([(1.0, 30.0), (2.0, math.inf)], "finite"),
        ],
    )
    def test_refuses_what_is_no_curve(self, points, message):
        with pytest.raises(InputError, match=message):
            bd_rate(CURVE, points)

    def test_reads_the_quality_at_a_rate(self):
        assert quality_at(CURVE, 0.5) == pytest.approx(33.0)
        assert quality_at(CURVE, math.sqrt(0.5)) == pytest.approx(34.5)
        assert quality_at(CURVE, 0.1) is None
        assert quality_at(CURVE, 3.0) is None


class TestJpeg:
    def test_counts_the_bytes_of_the_whole_file(self, tmp_path):
        pixels = photo(40, 56)
        size, quality = jpeg_size_and_psnr(pixels, 60)
        path = tmp_path / "same.jpg"
        PillowImage.fromarray(pixels).save(path, quality=60, subsampling="4:2:0", optimize=True)
        assert size == path.stat().st_size
        assert jpeg_curve(pixels, [60]) == [(8 * size / (40 * 56), quality)]

    def test_of_a_photograph_rises_and_is_near_the_published_points(self):
        points = jpeg_curve(read_image(shipped.photo_path("chelsea")).pixels)
        assert points == sorted(points)
        assert np.all(np.diff([quality for _, quality in points]) > 0)
        # Chelsea has less detail than Kodak's mean: fewer bits, but within a factor of three.
        assert abs(bd_rate(JPEG_KODAK, points)) < 70

    def test_mean_is_taken_point_by_point(self):
        assert mean_curve([[(1.0, 30.0)], [(3.0, 34.0)]]) == ((2.0, 32.0),)
        assert mean_curve([]) == ()


class TestComparison:
    def test_published_points_are_compared_on_all_of_kodak_only(self):
        names = [f"kodim{i:02d}.png" for i in range(1, 25)]
        assert comparison.is_kodak(names)
        assert not comparison.is_kodak(names[1:])
        assert not comparison.is_kodak([*names[1:], "other.png"])
        assert not comparison.is_kodak([*names[1:], names[1]])
        assert comparison.BALLE2017 in comparison.reference_curves(CURVE, names)
        assert comparison.BALLE2017 not in comparison.reference_curves(CURVE, ["other.png"])

    def test_curves_of_one_point_have_no_bd_rate(self):
        assert comparison.bd_rates({"one": CURVE[:1]}, {"JPEG": CURVE}) == []

    def test_each_model_is_compared_with_earlier_ones_and_all_references(self):
        slower = [(rate * 1.1, quality) for rate, quality in CURVE]
        rates = comparison.bd_rates({"a": CURVE, "b": slower}, {"JPEG": CURVE})
        found = {(rate["test"], rate["anchor"]): rate["percent"] for rate in rates}
        assert found == pytest.approx({("b", "a"): 10.0, ("a", "JPEG"): 0.0, ("b", "JPEG"): 10.0})

    def test_an_undefined_bd_rate_says_why(self):
        (rate,) = comparison.bd_rates({"a": CURVE}, {"low": [(0.1, 20.0), (0.2, 25.0)]})
        assert rate["percent"] is None
        assert "share no quality" in rate["note"]


class TestPlot:
    def test_is_a_png_also_with_empty_and_infinite_points(self, tmp_path):
        path = tmp_path / "rd.png"
        rd_plot(path, {"m": [(0.5, 30.0), (9.0, math.inf)], "none": []}, {"ref": CURVE}, "title")
        with PillowImage.open(path) as image:
            assert image.format == "PNG"
            assert min(image.size) > 400

    def test_changes_with_the_points(self, tmp_path):
        pictures = []
        for index, quality in enumerate((30.0, 31.0)):
            path = tmp_path / f"{index}.png"
            rd_plot(path, {"m": [(0.5, quality)]}, {"ref": CURVE}, "title")
            pictures.append(path.read_bytes())
        assert pictures[0] != pictures[1]

    def test_leaves_no_file_where_it_cannot_write(self, tmp_path):
        with pytest.raises(InputError, match="cannot write"):
            rd_plot(tmp_path / "absent" / "rd.png", {"m": CURVE}, {}, "title")
        assert list(tmp_path.iterdir()) == []
