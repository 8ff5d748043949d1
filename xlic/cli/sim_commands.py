"""Commands that need neither TensorFlow nor hardware."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xlic.cli.common import (
    STREAM_LIMIT,
    NamedPath,
    check_output,
    console,
    counted,
    find_images,
    note_without_checksum,
    parse_size,
    print_json,
    print_line,
    print_table,
    progress_shown,
    read_images,
    refuse_overwrite,
    say,
    write_json_file,
)
from xlic.errors import InputError
from xlic.files import require_writable, require_writable_folder
from xlic.rungs.registry import RUNG_NAMES
from xlic.shipped import LAMBDAS

if TYPE_CHECKING:
    from xlic.entropy.tables import EntropyTables
    from xlic.evaluation.evaluate import ModelResult
    from xlic.files import Progress
    from xlic.quantization.model import QuantizedModel

_LAMBDA = click.option(
    "--lambda",
    "lmbda",
    type=click.Choice(LAMBDAS),
    default=LAMBDAS[0],
    show_default=True,
    help="Which shipped model, where none is given.",
)
_MODEL = click.option("--model", metavar="Q", help="Quantized model; default: the shipped one.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


@click.command(epilog="Example: xlic demo holiday.jpg --out shown")
@click.argument("image", required=False)
@_MODEL
@click.option("--weights", metavar="W", help="Float weights to compare with, of the same model.")
@_LAMBDA
@click.option("--out", default="xlic_demo", show_default=True, help="Folder for the files.")
@_JSON
def demo(
    image: str | None,
    model: str | None,
    weights: str | None,
    lmbda: str,
    out: str,
    as_json: bool,
) -> None:
    """Encode IMAGE with the INT16 simulation, decode it, and show every layer.

    IMAGE is any file that Pillow reads; without it, a shipped photograph is used. Prints shape,
    multiply-accumulates, time, SQNR against float64 and saturations per layer, then rate and
    quality; writes the stream, the decoded picture, and original, decoded picture and error side
    by side.
    """
    from xlic import shipped
    from xlic.cli.tables import demo_figures, demo_table
    from xlic.demo import output_files, run_demo
    from xlic.evaluation.models import float_weights_of
    from xlic.images import read_image

    source = Path(image) if image else shipped.photo_path()
    for file in output_files(Path(out), source.name).values():
        refuse_overwrite(file, source, model, weights)
        if Path(out).exists():
            require_writable(file)
    require_writable_folder(out)
    loaded = read_image(source)
    quantized = _quantized(model, weights, lmbda)
    floats = float_weights_of(quantized, () if weights is None else (weights,))
    notes = [f"{source.name}: {note}" for note in loaded.notes]
    if floats is None:
        notes.append("nothing is compared with float64; give the float weights with --weights")
    with progress_shown() as progress:
        result = run_demo(
            source.name, loaded.pixels, quantized, floats, Path(out), progress, tuple(notes)
        )
    if as_json:
        print_json(result.as_dict())
        return
    print_table(demo_table(result))
    print_line(
        'Times with " are part of the line above. SQNR is against float64; that of ana_2 and\n'
        "syn_2 is between rounded symbols and pixels, that of the total between the pictures\n"
        "of the two codecs from end to end.\n"
    )
    print_table(demo_figures(result))
    for note in result.notes:
        print_line(f"note: {note}")


@click.command(epilog="Example: xlic encode photo.png photo.tfci")
@click.argument("image")
@click.argument("stream", required=False)
@_MODEL
@_LAMBDA
def encode(image: str, stream: str | None, model: str | None, lmbda: str) -> None:
    """Encode IMAGE to STREAM (default: IMAGE.tfci) with the INT16 simulation."""
    from xlic.entropy.codec import compress
    from xlic.files import write_bytes
    from xlic.rungs.int16 import Int16Rung

    target = stream or f"{image}.tfci"
    check_output(target, image, model)
    quantized = _quantized(model, None, lmbda)
    tables = _tables(quantized, model)
    ((_, pixels),) = read_images([(Path(image).name, Path(image))])
    size = (pixels.shape[0], pixels.shape[1])
    with progress_shown() as progress:
        run = Int16Rung(quantized).analyze(pixels, progress=progress)
        progress("range coder", 0, 0)
        data = compress(run.output, size, tables)
    write_bytes(target, data)
    say(
        f"{target}: {len(data)} bytes, {8 * len(data) / (size[0] * size[1]):.4f} bit/pixel, "
        f"{sum(run.saturations.values())} saturations"
    )


@click.command(epilog="Example: xlic decode photo.tfci photo.png")
@click.argument("stream")
@click.argument("image", required=False)
@_MODEL
@_LAMBDA
def decode(stream: str, image: str | None, model: str | None, lmbda: str) -> None:
    """Decode STREAM to the PNG file IMAGE (default: STREAM.png) with the INT16 simulation.

    The model must be the one that encoded: a stream does not name it.
    """
    from xlic.entropy.codec import decompress
    from xlic.files import read_bytes
    from xlic.images import write_png
    from xlic.rungs.int16 import Int16Rung

    target = image or f"{stream}.png"
    check_output(target, stream, model)
    quantized = _quantized(model, None, lmbda)
    tables = _tables(quantized, model)
    with progress_shown() as progress:
        progress("range decoder", 0, 0)
        data = read_bytes(stream, STREAM_LIMIT)
        symbols, size = decompress(data, tables)
        run = Int16Rung(quantized).synthesize(symbols, size, progress=progress)
    write_png(target, run.output)
    note_without_checksum(stream, data)
    say(f"{target}: {size[1]}×{size[0]}, {sum(run.saturations.values())} saturations")


@click.command(
    "eval",
    epilog="Example: xlic eval --weights q.safetensors --images 'kodak/*.png' --plot rd.png",
)
@click.option(
    "--weights",
    "sources",
    multiple=True,
    metavar="[LABEL=]W|Q",
    help="Float weights or quantized model; repeat for several. Those of one LABEL make one "
    "rate–distortion curve.  [default: the shipped models]",
)
@click.option(
    "--images",
    "patterns",
    required=True,
    multiple=True,
    metavar="GLOB",
    help="Images to judge by; repeat for several patterns.",
)
@click.option(
    "--calibrate",
    multiple=True,
    metavar="GLOB",
    help="Images to quantize float weights with; repeat for several patterns.",
)
@click.option(
    "--rung",
    "rungs",
    multiple=True,
    type=click.Choice(RUNG_NAMES),
    help="What runs: sim is INT16, float float64, model TensorFlow; repeat to compare.  "
    "[default: sim]",
)
@click.option(
    "--float-weights",
    multiple=True,
    metavar="W",
    help="Float weights of quantized models; repeat for several.",
)
@click.option(
    "--json", "json_path", metavar="OUT", help="Write the figures as JSON; - prints them."
)
@click.option("--plot", metavar="OUT.png", help="Draw the rate–distortion plot.")
def eval_(
    sources: tuple[str, ...],
    patterns: tuple[str, ...],
    calibrate: tuple[str, ...],
    rungs: tuple[str, ...],
    float_weights: tuple[str, ...],
    json_path: str | None,
    plot: str | None,
) -> None:
    """Evaluate models over images: rate, quality, and what INT16 changed.

    Where a model has no entropy tables, bpp is the zeroth-order entropy of its symbols per
    channel, and is labelled so. Several models or rungs are compared by BD-rate where each curve
    has two or more λ. JPEG of the same images is always measured beside.
    """
    from xlic import shipped
    from xlic.cli.tables import bd_rate_table, eval_table
    from xlic.evaluation import comparison
    from xlic.evaluation.anchors import jpeg_curve, mean_curve
    from xlic.evaluation.evaluate import curves, report
    from xlic.evaluation.plot import rd_plot
    from xlic.rungs.registry import REAL_RUNGS

    rungs = rungs or ("sim",)
    if calibrate and not set(rungs) - set(REAL_RUNGS):
        raise InputError(f"--rung {rungs[0]} needs no --calibrate; leave it out or add --rung sim")
    paths = find_images(patterns, "--images")
    calibration = None if not calibrate else find_images(calibrate, "--calibrate")
    if not sources:
        sources = tuple(f"shipped={shipped.model_path(lmbda)}" for lmbda in LAMBDAS)
    labelled = [_labelled(source) for source in sources]
    inputs = [path for _, path in (*labelled, *paths, *(calibration or ()))]
    if json_path and json_path != "-":
        check_output(json_path, *inputs, *float_weights, plot)
    if plot:
        check_output(plot, *inputs, *float_weights)
    with progress_shown() as progress:
        results = _evaluate(labelled, rungs, paths, calibration, float_weights, progress)
        jpeg_curves = []
        for done, (name, pixels) in enumerate(read_images(paths, quiet=True)):
            progress(f"JPEG of {name}", done, len(paths))
            jpeg_curves.append(jpeg_curve(pixels))
    jpeg = mean_curve(jpeg_curves)
    rates = comparison.bd_rates(
        curves(results), comparison.reference_curves(jpeg, [name for name, _ in paths])
    )
    if json_path == "-":
        print_json(report(results, rates, jpeg))
    else:
        for result in results:
            print_table(eval_table(result, console().width))
            for note in _findings(result, comparison.psnr_of_jpeg_at(jpeg, result.mean()["bpp"])):
                print_line(note)
        if rates:
            print_table(bd_rate_table(rates))
        if json_path:
            write_json_file(json_path, report(results, rates, jpeg))
    if plot:
        references = comparison.published_curves() | {comparison.JPEG_MEASURED: list(jpeg)}
        kinds = ", ".join(sorted({result.bpp_kind for result in results}))
        title = f"mean of {len(paths)} image{'s' if len(paths) > 1 else ''}"
        rd_plot(plot, curves(results), references, title, f"bits per pixel ({kinds})")


@click.command(
    epilog="Example: xlic quantize --weights w.safetensors --calibrate 'photos/*.png' "
    "--out q.safetensors"
)
@click.option("--weights", required=True, metavar="W", help="Float weights, file or folder.")
@click.option(
    "--calibrate",
    "patterns",
    required=True,
    multiple=True,
    metavar="GLOB",
    help="Several photographs, not those that the model will be judged on; repeat for several "
    "patterns.",
)
@click.option("--out", required=True, metavar="Q", help="The quantized model, a .safetensors file.")
@click.option(
    "--headroom",
    type=click.FloatRange(1, 1024),
    help="Factor between the largest value seen and the largest that fits, of encoder and decoder."
    "  [default: 2 for the encoder, 4 for the decoder]",
)
@click.option("--channels", is_flag=True, help="Report on every channel too.")
@_JSON
def quantize(
    weights: str,
    patterns: tuple[str, ...],
    out: str,
    headroom: float | None,
    channels: bool,
    as_json: bool,
) -> None:
    """Make an INT16 model: integers, tables and identities in one file.

    Runs the float codec over the calibration images, chooses a power-of-two scale per channel,
    then runs the INT16 codec over the same images and counts saturations. Reports per layer and
    channel: fraction bits, shifts, share of the int16 range used, saturations.
    """
    from xlic.cli.tables import channel_table, quantize_table
    from xlic.quantization.calibrate import calibrate
    from xlic.quantization.model import save_quantized
    from xlic.quantization.quantize import ANALYSIS_HEADROOM, SYNTHESIS_HEADROOM
    from xlic.quantization.quantize import quantize as make
    from xlic.quantization.report import count_saturations, quantization_report
    from xlic.weights import load_weights

    paths = find_images(patterns, "--calibrate")
    check_output(out, weights, *(path for _, path in paths))
    floats = load_weights(weights)
    with progress_shown() as progress:
        measured = counted(progress, "calibrating on", len(paths))
        calibration = calibrate(floats, read_images(paths), measured)
        model = make(
            floats, calibration, headroom or ANALYSIS_HEADROOM, headroom or SYNTHESIS_HEADROOM
        )
        # Written before the check below, which takes as long again and changes nothing.
        save_quantized(model, out)
        checked = counted(progress, "checking on", len(paths))
        saturations = count_saturations(model, read_images(paths, quiet=True), checked)
    tensors = quantization_report(model, calibration, saturations)
    if as_json:
        facts = {
            "file": out,
            "identity": model.identity,
            "weights_identity": model.weights_identity,
            "lambda": model.lmbda,
            "calibration": [name for name, _ in paths],
            "tensors": [tensor.as_json() for tensor in tensors],
        }
        print_json(facts)
        return
    print_table(quantize_table(tensors))
    if channels:
        for tensor in tensors:
            print_table(channel_table(tensor))
    say(f"{out}: identity {model.identity[:12]}, calibrated on {len(paths)} images")


@click.command(epilog="Example: xlic bench --size 768x512")
@click.option(
    "--size",
    "sizes",
    multiple=True,
    metavar="WxH",
    help="Image size; repeat for several.  [default: 768x512 and 2048x1365]",
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    help="Measurements of each figure; median, least and most are shown.",
)
@_MODEL
@_LAMBDA
@_JSON
def bench(
    sizes: tuple[str, ...], repeats: int, model: str | None, lmbda: str, as_json: bool
) -> None:
    """Time INT16 encoding and decoding against plain matrix products.

    The yardstick: the same multiply-accumulates as float64 matrix products by the BLAS in this
    process, and nothing else. Times are of the transforms; the range coder is timed on its own.
    """
    from xlic import bench as benchmark
    from xlic import shipped
    from xlic.cli.tables import bench_table
    from xlic.images import read_image

    # Rising sizes: the peak memory of a process only grows.
    chosen = sorted(
        (parse_size(size) for size in sizes or ("768x512", "2048x1365")),
        key=lambda wh: wh[0] * wh[1],
    )
    quantized = _quantized(model, None, lmbda)
    photo = read_image(shipped.photo_path()).pixels
    machine = benchmark.machine()
    with progress_shown() as progress:
        results = [
            benchmark.bench_size(
                quantized, benchmark.photograph_of_size(photo, *size), repeats, progress
            )
            for size in chosen
        ]
    if as_json:
        print_json({"machine": machine, "sizes": [result.as_dict() for result in results]})
        return
    for result in results:
        print_table(bench_table(result))
    for key, value in machine.items():
        shown = "; ".join(value) if isinstance(value, list) else value
        print_line(f"{key}: {shown}")
    if machine["load"] > 0.5:
        print_line("note: the machine was not idle at the start; figures are disturbed")


def _quantized(model: str | None, weights: str | None, lmbda: str) -> QuantizedModel:
    """The model given, the shipped one of the weights given, or the shipped one of this λ."""
    from xlic import shipped
    from xlic.quantization.model import load_quantized

    if model is not None:
        return load_quantized(model)
    if weights is None:
        return load_quantized(shipped.model_path(lmbda))
    from xlic.weights import load_weights

    path = shipped.model_of_weights(load_weights(weights))
    if path is None:
        raise InputError(
            f"{weights} are not shipped weights; quantize them first: xlic quantize --weights "
            f"{weights} --calibrate 'GLOB' --out Q, then add --model Q"
        )
    return load_quantized(path)


def _tables(model: QuantizedModel, name: str | None) -> EntropyTables:
    if model.tables is None:
        raise InputError(
            f"{name or 'the model'} has no entropy tables, so it has no streams; quantize weights "
            "that `xlic extract` made from a trained model"
        )
    return model.tables


def _evaluate(
    sources: Sequence[tuple[str, str]],
    rungs: Sequence[str],
    paths: Sequence[NamedPath],
    calibration: Sequence[NamedPath] | None,
    float_weights: Sequence[str],
    progress: Progress,
) -> list[ModelResult]:
    from xlic.evaluation.evaluate import ModelResult, evaluate_image
    from xlic.evaluation.models import candidate
    from xlic.evaluation.stream import warm_up_range_coder

    results: list[ModelResult] = []
    for label, path in sources:
        for rung in rungs:
            measured = counted(progress, "calibrating on", len(calibration or ()))
            ready = candidate(
                path,
                rung,
                label=label,
                float_weights=float_weights,
                calibration=None if calibration is None else lambda: read_images(calibration),
                progress=measured,
            )
            if ready.tables is not None:
                warm_up_range_coder(ready.tables)
            images = []
            for done, (name, pixels) in enumerate(read_images(paths, quiet=bool(results))):
                progress(f"{label} on {rung}: {name}", done, len(paths))
                images.append(evaluate_image(ready, name, pixels))
            results.append(ModelResult(ready, tuple(images)))
    return results


def _labelled(source: str) -> tuple[str, str]:
    """Split ``LABEL=PATH``; a file whose name holds ``=`` is taken as it is."""
    label, separator, path = source.partition("=")
    return (label, path) if separator and label and not Path(source).exists() else ("xlic", source)


def _findings(result: ModelResult, jpeg_psnr: float | None) -> Iterator[str]:
    worst = result.worst()
    if worst["psnr_lost"] is not None and worst["symbol_mismatch"] is not None:
        yield (
            f"worst image: {100 * worst['symbol_mismatch']:.3f} % of symbols differ from float64, "
            f"PSNR lost {worst['psnr_lost']:+.4f} dB, {worst['saturations']:.0f} saturations"
        )
    if jpeg_psnr is not None:
        yield f"JPEG 4:2:0 of these images at the same mean bpp: PSNR {jpeg_psnr:.2f} dB"
    yield from (f"note: {note}" for note in result.notes)
    yield from (f"note: {image.file}: {note}" for image in result.images for note in image.notes)
