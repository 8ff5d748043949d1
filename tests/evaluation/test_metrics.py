from __future__ import annotations

import math

import numpy as np
import pytest

from tests.evaluation.small import photo
from xlic import shipped
from xlic.errors import InputError
from xlic.evaluation.metrics import MS_SSIM_MIN_SIZE, ms_ssim, psnr, sqnr
from xlic.images import read_image

# tf.image.ssim_multiscale of TensorFlow 2.14.1 on pairs() below, in order.
TENSORFLOW_MS_SSIM = [0.9186878, 0.9685531, 0.7615390, 0.9959674, 0.8483722, 0.0000000]


def noisy(pixels, sigma, seed=0):
    noise = np.random.default_rng(seed).normal(0, sigma, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def pairs():
    """Real photographs of even and odd sizes, noise, blur, and a pair without likeness."""
    coffee = read_image(shipped.photo_path("coffee")).pixels
    chelsea = read_image(shipped.photo_path("chelsea")).pixels
    blurred = (coffee[:-1, :-1].astype(np.uint16) + coffee[1:, 1:]) // 2
    return [
        (coffee, noisy(coffee, 12)),
        (coffee[:-1, :-1], blurred.astype(np.uint8)),
        (chelsea, noisy(chelsea, 30)),
        (chelsea[:161, :333], noisy(chelsea, 3)[:161, :333]),
        (coffee[:161, :161], coffee[:161, :161] // 2),
        (coffee[:200, :200], 255 - coffee[:200, :200]),
    ]


@pytest.mark.sim
class TestPsnr:
    def test_of_identical_pictures_is_infinite(self):
        picture = photo(5, 7)
        assert psnr(picture, picture.copy()) == math.inf

    def test_of_an_error_of_one_everywhere_is_48_13_db(self):
        picture = np.full((9, 4, 3), 100, np.uint8)
        assert psnr(picture, picture + 1) == pytest.approx(10 * math.log10(255**2))

    def test_of_black_and_white_is_zero(self):
        assert psnr(np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)) == 0

    def test_sees_a_single_changed_sample(self):
        picture = photo(64, 64)
        changed = picture.copy()
        changed[10, 20, 1] ^= 1
        assert psnr(picture, changed) == pytest.approx(10 * math.log10(255**2 * 64 * 64 * 3))

    @pytest.mark.parametrize(
        "other", [np.zeros((4, 5, 3), np.uint8), np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8)]
    )
    def test_refuses_another_size_or_type(self, other):
        with pytest.raises(InputError, match="cannot be compared"):
            psnr(np.zeros((4, 4, 3), np.uint8), other)


@pytest.mark.sim
class TestMsSsim:
    def test_equals_what_tensorflow_gave(self):
        found = [ms_ssim(a, b) for a, b in pairs()]
        assert found == pytest.approx(TENSORFLOW_MS_SSIM, abs=1e-5)

    def test_of_identical_pictures_is_one(self):
        picture = photo(170, 163)
        assert ms_ssim(picture, picture) == pytest.approx(1.0, abs=1e-12)

    def test_falls_as_noise_rises(self):
        picture = photo(176, 176)
        values = [ms_ssim(picture, noisy(picture, sigma)) for sigma in (0.5, 2, 8, 32)]
        assert values == sorted(values, reverse=True)
        assert values[0] > 0.99 > 0.9 > values[-1]

    def test_notices_a_shift_by_one_pixel(self):
        picture = photo(180, 181)
        assert ms_ssim(picture[:, 1:], picture[:, :-1]) < 0.99

    def test_is_unknown_where_five_scales_do_not_fit(self):
        small = MS_SSIM_MIN_SIZE - 1
        assert ms_ssim(photo(small, 300), photo(small, 300)) is None
        assert ms_ssim(photo(300, small), photo(300, small)) is None
        assert ms_ssim(photo(small + 1, small + 1), photo(small + 1, small + 1)) is not None


@pytest.mark.model
class TestMsSsimAgainstTensorFlow:
    def test_is_the_same_on_photographs_of_even_and_odd_sizes(self):
        tensorflow = pytest.importorskip("tensorflow")
        for a, b in pairs():
            wanted = float(tensorflow.image.ssim_multiscale(a, b, 255))
            assert ms_ssim(a, b) == pytest.approx(wanted, abs=1e-5), a.shape

    def test_needs_the_same_smallest_size(self):
        tensorflow = pytest.importorskip("tensorflow")
        large = photo(MS_SSIM_MIN_SIZE, MS_SSIM_MIN_SIZE)
        tensorflow.image.ssim_multiscale(large, large, 255)
        small = large[1:]
        with pytest.raises(tensorflow.errors.InvalidArgumentError):
            tensorflow.image.ssim_multiscale(small, small, 255)


@pytest.mark.sim
class TestSqnr:
    def test_of_a_tenth_of_error_is_20_db(self):
        reference = np.ones((3, 4, 2))
        assert sqnr(reference, reference * 1.1) == pytest.approx(20.0)

    def test_scales_integers_per_channel(self):
        reference = np.ones((3, 4, 2)) * [0.5, 0.25]
        integers = np.ones((3, 4, 2), np.int16)
        assert sqnr(reference, integers, np.array([0.5, 0.25])) == math.inf
        assert sqnr(reference, integers, np.array([0.25, 0.5])) < 5

    def test_of_a_zero_reference_is_minus_infinity_unless_met(self):
        zero = np.zeros((2, 2, 1))
        assert sqnr(zero, zero) == math.inf
        assert sqnr(zero, zero + 1) == -math.inf

    def test_refuses_two_shapes(self):
        with pytest.raises(InputError, match="shapes"):
            sqnr(np.zeros((2, 2, 1)), np.zeros((2, 3, 1)))
