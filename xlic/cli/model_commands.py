"""Commands that run the reference in TensorFlow: train, compress, decompress, extract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from xlic.cli.common import progress_shown, say
from xlic.errors import InputError

if TYPE_CHECKING:
    from xlic.tfmodel.codec import TensorFlowCodec

_DEFAULT_MODEL_PATH = "bls2017"
_INTERRUPTED = 130

_F = TypeVar("_F", bound=Callable[..., Any])


def _common(function: _F) -> _F:
    """The two options that may stand before the subcommand too, as in the public script."""
    function = click.option(
        "--model_path",
        metavar="DIR",
        help=f"Folder of the trained model. [default: {_DEFAULT_MODEL_PATH}]",
    )(function)
    return click.option("-V", "--verbose", is_flag=True, help="Report progress and metrics.")(
        function
    )


def _resolve(verbose: bool, model_path: str | None) -> tuple[bool, str]:
    given = click.get_current_context().obj or {}
    path = model_path or given.get("model_path") or _DEFAULT_MODEL_PATH
    return verbose or bool(given.get("verbose")), path


@click.command(
    epilog="Example: xlic train --train_glob 'photos/*.png' --lambda 0.125 --init klt -V"
)
@_common
@click.option("--train_glob", metavar="GLOB", help="Training images, any that Pillow reads.")
@click.option("--lambda", "lmbda", default=0.01, show_default=True, help="λ of bpp + λ·mse.")
@click.option(
    "--num_filters", default=128, show_default=True, type=click.IntRange(1, 4096), help="Channels."
)
@click.option(
    "--batchsize", default=8, show_default=True, type=click.IntRange(1), help="Patches per update."
)
@click.option(
    "--patchsize", default=256, show_default=True, type=click.IntRange(16), help="Their side."
)
@click.option(
    "--epochs",
    default=1000,
    show_default=True,
    type=click.IntRange(0),
    help="Train up to this many; 0 saves the model as it stands.",
)
@click.option(
    "--steps_per_epoch",
    default=1000,
    show_default=True,
    type=click.IntRange(1),
    help="Updates per epoch; validation and a line of the log follow each.",
)
@click.option(
    "--max_validation_steps",
    default=16,
    show_default=True,
    type=click.IntRange(-1),
    help="Batches per validation; -1: one patch per image.",
)
@click.option(
    "--train_path",
    default="/tmp/train_bls2017",
    show_default=True,
    metavar="DIR",
    help="Folder of state and log; a run found there is continued.",
)
@click.option(
    "--preprocess_threads",
    default=16,
    show_default=True,
    type=click.IntRange(1),
    help="Images decoded at once.",
)
@click.option(
    "--precision_policy",
    type=click.Choice(["float32", "mixed_bfloat16", "mixed_float16"]),
    default="float32",
    show_default=True,
    help="Keras precision policy.",
)
@click.option("--check_numerics", is_flag=True, help="Name the operation that first yields NaN.")
@click.option("--learning_rate", default=1e-4, show_default=True, help="At its highest.")
@click.option(
    "--prior_rate",
    default=1.0,
    show_default=True,
    help="Learning rate of the prior, as a multiple of that.",
)
@click.option(
    "--schedule",
    type=click.Choice(["constant", "cosine"]),
    default="constant",
    show_default=True,
    help="Of the learning rate; cosine falls to 1.5 % at the last step.",
)
@click.option(
    "--warmup",
    type=click.IntRange(0),
    help="Updates over which the learning rate rises. [default: 200 with soap or cosine, else 0]",
)
@click.option(
    "--optimizer",
    type=click.Choice(["adam", "soap"]),
    default="adam",
    show_default=True,
    help="soap takes far fewer updates, each dearer.",
)
@click.option(
    "--clip_norm", default=0.0, show_default=True, help="Bound on the gradient's norm; 0: none."
)
@click.option(
    "--kernels",
    type=click.Choice(["rdft", "direct"]),
    default="rdft",
    show_default=True,
    help="Parametrization; direct is twice as fast on a CPU.",
)
@click.option(
    "--init",
    default="random",
    show_default=True,
    metavar="random|klt|FILE",
    help="Start from chance, from a block KLT of the images, or from an earlier model.",
)
@click.option(
    "--init_lambda",
    "init_lmbda",
    type=float,
    help="λ of that model, where its file does not say; latents are scaled to the new λ.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**31 - 1))
@click.option(
    "--augment",
    type=click.Choice(["none", "flips", "transposes"]),
    default="none",
    show_default=True,
    help="Mirror half of the patches; transpose half as well.",
)
@click.option(
    "--checkpoint_seconds", default=120.0, show_default=True, help="Time between stored states."
)
def train(verbose: bool, model_path: str | None, train_glob: str | None, **options: Any) -> int:
    """Train the model, or continue to.

    Minimizes bpp + λ·mse over random patches of the images. The state is stored every few minutes
    and on Ctrl-C; the same command continues an interrupted run, to the same result. At the end
    the model is saved with its entropy tables.
    """
    verbose, path = _resolve(verbose, model_path)
    if not train_glob:
        raise InputError(
            "--train_glob is required: give a quoted pattern of training images such as "
            "'photos/*.png' (the CLIC data set that the public script falls back on is not bundled)"
        )
    from xlic.tfmodel.settings import TrainSettings
    from xlic.tfmodel.train import train as run

    settings = TrainSettings(
        train_glob=train_glob,
        filters=options.pop("num_filters"),
        batch=options.pop("batchsize"),
        patch=options.pop("patchsize"),
        threads=options.pop("preprocess_threads"),
        train_path=Path(options.pop("train_path")),
        model_path=Path(path),
        **options,
    )
    with progress_shown() as progress:
        result = run(
            settings, say=say, progress=progress, epoch_done=_print_epoch if verbose else None
        )
    if result.model is None:
        say(
            f"interrupted after step {result.step}; the state is in {settings.train_path}, the "
            "same command continues"
        )
        return _INTERRUPTED
    say(f"saved the model of step {result.step} to {path}")
    return 0


@click.command(epilog="Example: xlic compress --model_path bls2017 in.png")
@_common
@click.argument("input_file")
@click.argument("output_file", required=False)
def compress(
    verbose: bool, model_path: str | None, input_file: str, output_file: str | None
) -> None:
    """Compress an image with TensorFlow.

    OUTPUT_FILE is INPUT_FILE with .tfci appended, if not given. With -V, the stream is decoded
    again and rate and quality are printed.
    """
    from xlic.cli.common import check_output
    from xlic.files import write_bytes
    from xlic.images import read_image

    verbose, path = _resolve(verbose, model_path)
    target = output_file or f"{input_file}.tfci"
    check_output(target, input_file)
    loaded = read_image(input_file)
    for note in loaded.notes:
        say(f"{Path(input_file).name}: {note}")
    codec = _codec(path)
    data = codec.compress(loaded.pixels)
    write_bytes(target, data)
    if verbose:
        _print_quality(loaded.pixels, codec.decompress(data), len(data))


@click.command(epilog="Example: xlic decompress --model_path bls2017 in.png.tfci out.png")
@_common
@click.argument("input_file")
@click.argument("output_file", required=False)
def decompress(
    verbose: bool, model_path: str | None, input_file: str, output_file: str | None
) -> None:
    """Decompress a .tfci file with TensorFlow.

    OUTPUT_FILE is INPUT_FILE with .png appended, if not given.
    """
    from xlic.cli.common import STREAM_LIMIT, check_output, note_without_checksum
    from xlic.files import read_bytes
    from xlic.images import write_png

    verbose, path = _resolve(verbose, model_path)
    target = output_file or f"{input_file}.png"
    check_output(target, input_file)
    data = read_bytes(input_file, STREAM_LIMIT)
    picture = _codec(path).decompress(data)
    write_png(target, picture)
    note_without_checksum(input_file, data)
    if verbose:
        click.echo(f"{target}: {picture.shape[1]}×{picture.shape[0]}")


@click.command(epilog="Example: xlic extract --model_path bls2017 --out weights")
@_common
@click.option("--out", required=True, metavar="DIR", help="Folder for the weights.")
@click.option("--lambda", "lmbda", type=float, help="λ, where the model does not say.")
def extract(verbose: bool, model_path: str | None, out: str, lmbda: float | None) -> None:
    """Extract weights and entropy tables from a trained model.

    Takes what `xlic train` saves, the SavedModel folder of the public script, or an .npz of
    variables. Writes bls2017.safetensors and the raw ana_w.bin, ana_b.bin, syn_w.bin, syn_b.bin.
    """
    from xlic.tfmodel.extract import WEIGHTS_FILE
    from xlic.tfmodel.extract import extract as run

    verbose, path = _resolve(verbose, model_path)
    weights = run(path, out, lmbda)
    click.echo(f"{Path(out) / WEIGHTS_FILE}: identity {weights.identity}")
    if verbose:
        click.echo(f"λ {weights.lmbda}, {weights.filters} filters")
        for name, tensor in weights.tensors.items():
            click.echo(f"{name} {list(tensor.shape)} {tensor.min():.5g} … {tensor.max():.5g}")


def _codec(path: str) -> TensorFlowCodec:
    from xlic.tfmodel.codec import TensorFlowCodec
    from xlic.tfmodel.model_file import load_model

    return TensorFlowCodec(load_model(path).weights())


def _print_epoch(entry: dict[str, Any]) -> None:
    figures = " ".join(f"{k} {v:.4f}" for k, v in entry.items() if isinstance(v, float))
    click.echo(f"epoch {entry['epoch']} step {entry['step']} {figures}")


def _print_quality(image: Any, picture: Any, size: int) -> None:
    import math

    import numpy as np

    from xlic.evaluation.metrics import ms_ssim, psnr

    mse = float(np.square(image.astype(np.float64) - picture).mean())
    click.echo(f"Mean squared error: {mse:.4f}")
    click.echo(f"PSNR (dB): {psnr(image, picture):.2f}")
    similarity = ms_ssim(image, picture)
    if similarity is None:
        click.echo("Multiscale SSIM: not defined below 161 pixels")
    else:
        decibel = -10.0 * math.log10(1.0 - similarity) if similarity < 1.0 else math.inf
        click.echo(f"Multiscale SSIM: {similarity:.4f}")
        click.echo(f"Multiscale SSIM (dB): {decibel:.2f}")
    click.echo(f"Bits per pixel: {8.0 * size / (image.shape[0] * image.shape[1]):.4f}")
