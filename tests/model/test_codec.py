"""Streams through tensorflow-compression, and the command line around them."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from tests.model.conftest import flat_tables
from xlic.entropy import codec, rangecoder, tfci
from xlic.errors import FormatError, InputError
from xlic.images import read_image, write_png
from xlic.tfmodel.codec import TensorFlowCodec
from xlic.tfmodel.model_file import save_model


@pytest.fixture(scope="module")
def coder(tiny):
    return TensorFlowCodec(tiny.weights())


@pytest.fixture
def model(tiny, tmp_path):
    save_model(tiny, tmp_path / "m")
    return tmp_path / "m"


def xlic(*arguments):
    """Run the command line in a process of its own."""
    call = "import sys; from xlic.cli.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", call, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def here(*arguments):
    """Run the command line in this process."""
    from xlic.cli.main import main

    return main([str(argument) for argument in arguments])


@pytest.mark.parametrize("size", [(1, 1), (33, 50), (160, 96)])
def test_streams_are_xlics_own_and_each_reads_the_other(coder, tiny, photo, size):
    image = np.ascontiguousarray(photo[: size[0], : size[1]])
    data = coder.compress(image)
    symbols, found = coder.unpack(data)
    assert found == size
    tables = tiny.tables
    assert tfci.unpack(data).string == rangecoder.encode(symbols, tables)
    ours, _ = codec.decompress(data, tables)
    np.testing.assert_array_equal(ours, symbols)
    theirs, _ = coder.unpack(codec.compress(symbols, size, tables))
    np.testing.assert_array_equal(theirs, symbols)
    assert coder.decompress(data).shape == image.shape


def test_escapes_are_coded(coder):
    # flat_tables hold −10 … 9; these need up to 20 bits of Elias gamma.
    symbols = np.random.default_rng(0).integers(-1_000_000, 1_000_000, (3, 4, 8), np.int32)
    data = coder.pack(symbols, (48, 64))
    np.testing.assert_array_equal(coder.unpack(data)[0], symbols)
    np.testing.assert_array_equal(codec.decompress(data, flat_tables())[0], symbols)


def test_damaged_streams_are_refused(coder, tiny, photo):
    image = np.ascontiguousarray(photo[:64, :64])
    symbols, size = coder.unpack(coder.compress(image))
    data = codec.compress(symbols, size, tiny.tables)  # with a checksum
    for bad in (b"", data[:-20], b"\xff" * 40, data[:30] + b"\0" + data[31:]):
        with pytest.raises(FormatError):
            coder.unpack(bad)
    other = dataclasses.replace(
        tiny.weights(),
        tables=dataclasses.replace(tiny.tables, cdf_offset=tiny.tables.cdf_offset - 1),
    )
    with pytest.raises(FormatError, match="checksum"):
        TensorFlowCodec(other).unpack(data)


def test_images_beyond_tensorflows_means_are_refused(coder):
    stream = tfci.pack(tfci.Tfci(b"", (8192, 8192), (512, 512)))
    with pytest.raises(InputError, match="use `xlic encode`"):
        coder.decompress(stream)
    with pytest.raises(InputError, match="too large"):
        coder.compress(np.broadcast_to(np.uint8(0), (8192, 8192, 3)))


def test_weights_without_tables_cannot_code(tiny):
    with pytest.raises(InputError, match="no entropy tables"):
        TensorFlowCodec(dataclasses.replace(tiny.weights(), tables=None))


def test_compress_here_decompress_in_another_process(model, photo, tmp_path, capsys):
    source = tmp_path / "in.png"
    write_png(source, photo[:170, :190])
    assert here("--model_path", model, "-V", "compress", source) == 0
    said = capsys.readouterr().out
    assert [line.split(":")[0] for line in said.splitlines()] == [
        "Mean squared error",
        "PSNR (dB)",
        "Multiscale SSIM",
        "Multiscale SSIM (dB)",
        "Bits per pixel",
    ]
    stream = tmp_path / "in.png.tfci"
    done = xlic("decompress", "--model_path", model, stream)
    assert done.returncode == 0, done.stderr
    assert "has no checksum" in done.stderr
    picture = read_image(tmp_path / "in.png.tfci.png").pixels
    assert picture.shape == (170, 190, 3)
    # What this process decodes is what the other one did.
    assert here("--model_path", model, "decompress", stream, tmp_path / "again.png") == 0
    np.testing.assert_array_equal(read_image(tmp_path / "again.png").pixels, picture)


def test_command_line_trains_and_extracts(training_folder, tmp_path, capsys):
    m = tmp_path / "m"
    status = here(
        *("train", "--train_glob", training_folder / "*", "--model_path", m, "-V"),
        *("--train_path", tmp_path / "t", "--num_filters", 8, "--batchsize", 2),
        *("--patchsize", 64, "--epochs", 0, "--steps_per_epoch", 3, "--lambda", 0.02),
    )
    assert status == 0
    assert here("extract", "--model_path", m, "--out", tmp_path / "w", "-V") == 0
    said = capsys.readouterr()
    assert "initialized at random" in said.err
    assert "λ 0.02, 8 filters" in said.out
    assert {p.name for p in (tmp_path / "w").iterdir()} == {
        *("bls2017.safetensors", "ana_w.bin", "ana_b.bin", "syn_w.bin", "syn_b.bin")
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train",), "--train-glob is required"),
        (("train", "--train_glob", "nothing/*"), "matches no file"),
        (("train", "--batchsize", "0"), "--batchsize"),
        (("compress", "--model_path", "nowhere", "{image}"), "no model at nowhere"),
        (("compress", "--model_path", "nowhere", "absent.png"), "absent.png"),
        (("decompress", "--model_path", "{model}", "{image}"), "tfci"),
        (("extract", "--model_path", "nowhere", "--out", "w"), "no model at nowhere"),
        (("extract", "--model_path", "{model}", "--out", "{image}"), "cannot make the folder"),
    ],
)
def test_errors_are_one_line_and_status_2(
    model, photo, tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    write_png(tmp_path / "in.png", photo[:20, :20])
    before = set(tmp_path.rglob("*"))
    names = {"image": "in.png", "model": model}
    arguments = [a.format(**names) for a in arguments]
    if arguments[0] == "train":
        arguments += ["--train_path", str(tmp_path / "t")]
    assert here(*arguments) == 2
    error = capsys.readouterr().err.strip()
    assert error.count("\n") == 0
    assert message in error
    assert not [p for p in set(tmp_path.rglob("*")) - before if p.is_file()]
