"""Commands that run the reference in TensorFlow: train, compress, decompress, extract."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xlic.cli.command import command
from xlic.cli.common import (
    STREAM_LIMIT,
    check_output,
    note_without_checksum,
    output_beside,
    progress_shown,
    quality_lines,
    read_picture,
    say,
)
from xlic.cli.options import options, verbose_option
from xlic.cli.streams import is_stdout, output_name, read_input, write_output
from xlic.errors import InputError
from xlic.exit_status import ExitStatus

if TYPE_CHECKING:
    from xlic.tfmodel.codec import TensorFlowCodec

_DEFAULT_MODEL_PATH = "bls2017"

_common = options(
    verbose_option,
    click.option(
        "--model-path",
        metavar="DIR",
        help=f"Folder of the trained model.  [default: {_DEFAULT_MODEL_PATH}]",
    ),
)


@command(epilog="Example: xlic train --train-glob 'photos/*.png' --lambda 0.125 --init klt -V")
@_common
@click.option("--train-glob", metavar="GLOB", help="Training images, any that Pillow reads.")
@click.option("--lambda", "lmbda", default=0.01, show_default=True, help="λ of bpp + λ·mse.")
@click.option(
    "--num-filters", default=128, show_default=True, type=click.IntRange(1, 4096), help="Channels."
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
    "--steps-per-epoch",
    default=1000,
    show_default=True,
    type=click.IntRange(1),
    help="Updates per epoch; validation and a line of the log follow each.",
)
@click.option(
    "--max-validation-steps",
    default=16,
    show_default=True,
    type=click.IntRange(-1),
    help="Batches per validation; -1: one patch per image.",
)
@click.option(
    "--train-path",
    default="/tmp/train_bls2017",
    show_default=True,
    metavar="DIR",
    help="Folder of state and log; a run found there is continued.",
)
@click.option(
    "--preprocess-threads",
    default=16,
    show_default=True,
    type=click.IntRange(1),
    help="Images decoded at once.",
)
@click.option(
    "--precision-policy",
    type=click.Choice(["float32", "mixed_bfloat16", "mixed_float16"]),
    # The names that Keras has, which reading _ as - would show otherwise.
    metavar="[float32|mixed_bfloat16|mixed_float16]",
    default="float32",
    show_default=True,
    help="Keras precision policy.",
)
@click.option("--check-numerics", is_flag=True, help="Name the operation that first yields NaN.")
@click.option("--learning-rate", default=1e-4, show_default=True, help="At its highest.")
@click.option(
    "--prior-rate",
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
    "--clip-norm", default=0.0, show_default=True, help="Bound on the gradient's norm; 0: none."
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
    "--init-lambda",
    "init_lmbda",
    type=float,
    help="λ of that model, where its file does not say; latents are scaled to the new λ.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**31 - 1),
    help="Of everything random.",
)
@click.option(
    "--augment",
    type=click.Choice(["none", "flips", "transposes"]),
    default="none",
    show_default=True,
    help="Mirror half of the patches; transpose half as well.",
)
@click.option(
    "--checkpoint-seconds", default=120.0, show_default=True, help="Time between stored states."
)
def train(verbose: bool, model_path: str | None, train_glob: str | None, **options: Any) -> int:
    """Train the model, or continue to.

    Minimizes bpp + λ·mse over random patches of the images. The state is stored every few minutes
    and on Ctrl-C; the same command continues an interrupted run, to the same result. At the end
    the model is saved with its entropy tables.
    """
    path = model_path or _DEFAULT_MODEL_PATH
    if not train_glob:
        raise InputError(
            "--train-glob is required: give a quoted pattern of training images such as "
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
        return ExitStatus.INTERRUPTED
    say(f"saved the model of step {result.step} to {path}")
    return ExitStatus.DONE


@command(epilog="Example: xlic compress --model-path bls2017 in.png")
@_common
@click.argument("image")
@click.argument("stream", required=False)
def compress(verbose: bool, model_path: str | None, image: str, stream: str | None) -> None:
    """Compress IMAGE to STREAM (default: IMAGE.tfci) with TensorFlow.

    - is stdin as IMAGE and stdout as STREAM. With -V, the stream is decoded again and rate and
    quality are told.
    """
    path = model_path or _DEFAULT_MODEL_PATH
    target = output_beside(image, stream, ".tfci")
    check_output(target, image, stdout=True)
    pixels = read_picture(image)
    codec = _codec(path)
    data = codec.compress(pixels)
    write_output(target, data)
    if verbose:
        for line in quality_lines(pixels, codec.decompress(data), len(data)):
            click.echo(line, err=is_stdout(target))


@command(epilog="Example: xlic decompress --model-path bls2017 in.png.tfci out.png")
@_common
@click.argument("stream")
@click.argument("image", required=False)
def decompress(verbose: bool, model_path: str | None, stream: str, image: str | None) -> None:
    """Decompress STREAM to the file IMAGE (default: STREAM.png) with TensorFlow.

    The suffix of IMAGE says its format: one without loss. - is stdin as STREAM and stdout, in PNG,
    as IMAGE.
    """
    from xlic.images import check_suffix, encoded

    path = model_path or _DEFAULT_MODEL_PATH
    target = output_beside(stream, image, ".png")
    check_output(target, stream, stdout=True)
    check_suffix(target)
    data = read_input(stream, STREAM_LIMIT)
    picture = _codec(path).decompress(data)
    write_output(target, encoded(target, picture))
    note_without_checksum(stream, data)
    if verbose:
        click.echo(
            f"{output_name(target)}: {picture.shape[1]}×{picture.shape[0]}", err=is_stdout(target)
        )


@command(epilog="Example: xlic extract --model-path bls2017 --out weights")
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

    path = model_path or _DEFAULT_MODEL_PATH
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
