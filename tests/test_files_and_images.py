"""Files are written whole or not at all; any image becomes uint8 RGB, and says how."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xlic import files, images
from xlic.errors import InputError
from xlic.files import atomic_path, find_files, read_bytes, write_bytes
from xlic.images import check_pixels, read_image, write_png

pytestmark = pytest.mark.sim


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "f.bin"
    write_bytes(target, b"old")

    def fail_halfway():
        with atomic_path(target) as temporary:
            temporary.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_an_input_error_and_leaves_nothing(tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left on device; choose a folder"):
        write_bytes(tmp_path / "f.bin", b"data")
    assert list(tmp_path.iterdir()) == []


def test_writing_into_an_absent_folder_names_it(tmp_path):
    with pytest.raises(InputError, match="absent"):
        write_bytes(tmp_path / "absent" / "f.bin", b"")


def test_a_written_file_has_the_permissions_that_the_umask_asks_for(tmp_path):
    write_bytes(tmp_path / "f.bin", b"")
    assert (tmp_path / "f.bin").stat().st_mode & 0o777 == 0o666 & ~files._umask()


def test_reading_more_than_the_limit_is_refused(tmp_path):
    (tmp_path / "f").write_bytes(b"12345")
    assert read_bytes(tmp_path / "f", limit=5) == b"12345"
    with pytest.raises(InputError, match="5 bytes, more than the 4 allowed"):
        read_bytes(tmp_path / "f", limit=4)


def test_a_glob_gives_files_in_sorted_order_and_an_error_when_it_matches_none(tmp_path):
    for name in ("b", "a"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "c").mkdir()
    assert [f.name for f in find_files(str(tmp_path / "*"), "--x")] == ["a", "b"]
    with pytest.raises(InputError, match=r"--x '.*' matches no file"):
        find_files(str(tmp_path / "*.png"), "--x")


def save(path, image, **options):
    image.save(path, **options)
    return read_image(path)


def test_an_rgb_png_comes_back_unchanged_and_without_a_note(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    write_png(tmp_path / "x.png", pixels)
    loaded = read_image(tmp_path / "x.png")
    assert np.array_equal(loaded.pixels, pixels)
    assert loaded.notes == ()


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path):
    grey = np.array([[0, 128, 257 * 5, 65535]], np.uint16)
    loaded = save(tmp_path / "x.png", Image.fromarray(grey))
    assert loaded.pixels[0, :, 0].tolist() == [0, 0, 5, 255]
    assert "16 to 8 bits" in loaded.notes[0]


def test_transparency_is_laid_on_white(tmp_path):
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0]]], np.uint8)
    loaded = save(tmp_path / "x.png", Image.fromarray(rgba))
    assert loaded.pixels.tolist() == [[[10, 20, 30], [255, 255, 255]]]
    assert loaded.notes == ("transparency laid on white",)


def test_palette_images_are_converted_with_their_colours(tmp_path):
    image = Image.fromarray(np.array([[[9, 8, 7], [1, 2, 3]]], np.uint8)).quantize(2)
    loaded = save(tmp_path / "x.png", image)
    assert loaded.pixels.tolist() == [[[9, 8, 7], [1, 2, 3]]]
    assert loaded.notes == ("converted from P to RGB",)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "CMYK", "YCbCr"])
def test_every_mode_becomes_rgb_with_a_note(tmp_path, mode):
    image = Image.fromarray(np.full((3, 4, 3), 200, np.uint8)).convert(mode)
    loaded = save(tmp_path / "x.tiff", image)
    assert loaded.pixels.shape == (3, 4, 3)
    assert loaded.pixels.dtype == np.uint8
    assert loaded.notes


def test_the_orientation_of_a_camera_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(np.zeros((4, 8, 3), np.uint8))
    loaded = save(tmp_path / "x.jpg", image, exif=exif)
    assert loaded.pixels.shape == (8, 4, 3)
    assert "orientation 6" in loaded.notes[0]


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_what_is_no_image_is_an_input_error(tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.png"):
        read_image(tmp_path / "x.png")


def test_a_truncated_image_is_an_input_error(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype(np.uint8)
    write_png(tmp_path / "x.png", pixels)
    (tmp_path / "x.png").write_bytes((tmp_path / "x.png").read_bytes()[:2000])
    with pytest.raises(InputError, match=r"cannot read image .*x\.png"):
        read_image(tmp_path / "x.png")


def test_an_image_beyond_the_pixel_limit_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    write_png(tmp_path / "x.png", np.zeros((10, 10, 3), np.uint8))
    monkeypatch.setattr(images, "MAX_PIXELS", 99)
    with pytest.raises(InputError, match="10×10 pixels, more than the 99 allowed"):
        read_image(tmp_path / "x.png")


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((0, 5, 3), np.uint8),
        np.zeros((5, 5, 4), np.uint8),
        np.zeros((5, 5), np.uint8),
        np.zeros((5, 5, 3), np.float32),
        [[[1, 2, 3]]],
    ],
)
def test_arrays_that_are_no_image_are_refused(pixels):
    with pytest.raises(InputError, match="image"):
        check_pixels(pixels)
