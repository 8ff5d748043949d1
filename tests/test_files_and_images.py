"""Files are written whole or not at all; any image becomes uint8 RGB, and says how."""

from __future__ import annotations

import errno
import os
import struct
import zlib
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
    with pytest.raises(InputError, match="more than the 4 bytes allowed"):
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
    assert loaded.notes[0] == "16-bit samples scaled to 8 bits"


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


def png(depth, colour, samples):
    """A PNG one pixel high, from the format's definition: Pillow writes no 16-bit colour."""

    def chunk(kind, data):
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    header = struct.pack(">IIBBBBB", len(samples) // channels, 1, depth, colour, 0, 0, 0)
    row = b"\0" + struct.pack(f">{len(samples)}H", *samples)
    chunks = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(row)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("colour", "samples", "pixel"),
    [
        (2, (0x1234, 0xABCD, 0xFFFF), [0x12, 0xAB, 0xFF]),
        (6, (0x1234, 0xABCD, 0xFFFF, 0xFFFF), [0x12, 0xAB, 0xFF]),
        (4, (0x8000, 0xFFFF), [0x80] * 3),
    ],
)
def test_sixteen_bit_colour_is_said_to_lose_its_low_bits(tmp_path, colour, samples, pixel):
    (tmp_path / "x.png").write_bytes(png(16, colour, samples))
    loaded = read_image(tmp_path / "x.png")
    assert loaded.pixels.tolist() == [[pixel]]
    assert loaded.notes[0] == "16-bit samples cut to 8 bits"


@pytest.mark.parametrize("values", [np.float32(0.5), np.int32(1 << 20)])
def test_samples_without_an_agreed_range_are_refused(tmp_path, values):
    Image.fromarray(np.full((2, 2), values)).save(tmp_path / "x.tiff")
    with pytest.raises(InputError, match=r"x\.tiff: .* no agreed range"):
        read_image(tmp_path / "x.tiff")


def test_the_first_frame_of_an_animation_is_taken_and_said(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    loaded = read_image(tmp_path / "x.gif")
    assert loaded.pixels[0, 0].tolist() == [255, 0, 0]
    assert loaded.notes[0] == "first of 2 frames taken"


def test_a_side_beyond_the_limit_is_refused(tmp_path):
    write_png(tmp_path / "x.png", np.zeros((1, images.MAX_SIDE + 1, 3), np.uint8))
    with pytest.raises(InputError, match="65536 on a side"):
        read_image(tmp_path / "x.png")


def test_whatever_a_decoder_raises_is_an_input_error(tmp_path, monkeypatch):
    def broken(path):
        raise RuntimeError("decoder broke")

    monkeypatch.setattr(images.PillowImage, "open", broken)
    with pytest.raises(InputError, match=r"cannot read image .*decoder broke"):
        read_image(tmp_path / "x.avif")


def test_writing_through_a_symbolic_link_changes_its_target(tmp_path):
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    write_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_an_existing_file_keeps_its_permissions(tmp_path):
    (tmp_path / "f").write_bytes(b"old")
    (tmp_path / "f").chmod(0o600)
    write_bytes(tmp_path / "f", b"new")
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o600


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_bytes(tmp_path / "pipe", b"data")
    assert os.read(reader, 10) == b"data"
    assert (tmp_path / "pipe").is_fifo()
    os.close(reader)


def test_a_folder_is_no_place_to_write_to(tmp_path):
    with pytest.raises(InputError, match="Is a directory"):
        write_bytes(tmp_path, b"data")


def test_a_file_without_an_end_is_read_up_to_the_limit():
    with pytest.raises(InputError, match="/dev/zero has more than the 1000 bytes allowed"):
        read_bytes("/dev/zero", limit=1000)


def test_the_longest_file_name_can_be_written(tmp_path):
    write_bytes(tmp_path / ("n" * 255), b"data")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"data"


def test_a_file_whose_name_holds_brackets_is_found_as_it_stands(tmp_path):
    (tmp_path / "x[1].png").write_bytes(b"")
    assert [f.name for f in find_files(str(tmp_path / "x[1].png"), "--x")] == ["x[1].png"]


def test_a_folder_in_place_of_a_glob_is_told_apart(tmp_path):
    with pytest.raises(InputError, match=r"matches no file; a folder is given as '.*/\*'"):
        find_files(str(tmp_path), "--x")


def test_a_link_that_leads_nowhere_is_replaced(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    write_bytes(tmp_path / "loop", b"data")
    assert (tmp_path / "loop").read_bytes() == b"data"
