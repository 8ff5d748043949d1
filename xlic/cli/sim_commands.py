"""Commands that need neither TensorFlow nor hardware."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xlic.cli.command import FiniteRange, command
from xlic.cli.common import (
    STREAM_LIMIT,
    NamedPath,
    check_output,
    console,
    counted,
    find_images,
    load_picture,
    note_without_checksum,
    output_beside,
    parse_size,
    print_line,
    print_table,
    progress_shown,
    quality_lines,
    read_images,
    read_picture,
    refuse_overwrite,
    require_writable,
    say,
    show,
)
from xlic.cli.options import check_json, chosen_model, json_option, model_options, verbose_option
from xlic.cli.streams import name_of, output_name, read_input, write_output
from xlic.errors import InputError
from xlic.files import LongPhase, require_writable_folder
from xlic.remedies import xlic
from xlic.rungs.registry import RUNG_NAMES
from xlic.shipped import LAMBDAS

if TYPE_CHECKING:
    from xlic.entropy.tables import EntropyTables
    from xlic.evaluation.evaluate import ModelResult
    from xlic.files import Progress
    from xlic.quantization.model import QuantizedModel


@command(epilog="Example: xlic demo holiday.jpg --out shown")
@click.argument("image", required=False)
@model_options
@click.option(
    "--weights", metavar="FILE|DIR", help="Float weights to compare with, of the same model."
)
@click.option(
    "--out", metavar="DIR", default="xlic_demo", show_default=True, help="Folder for the files."
)
@json_option
def demo(
    image: str | None,
    model: str | None,
    weights: str | None,
    lmbda: str,
    out: str,
    json_path: str | None,
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

    source = image or str(shipped.photo_path())
    name = name_of(source)
    check_json(json_path, source, model, weights)
    for file in output_files(Path(out), name).values():
        refuse_overwrite(file, source, model, weights, json_path)
        if Path(out).exists():
            require_writable(file)
    require_writable_folder(out)
    loaded = load_picture(source)
    quantized = _quantized(model, weights, lmbda)
    floats = float_weights_of(quantized, () if weights is None else (weights,))
    notes = [f"{name}: {note}" for note in loaded.notes]
    if floats is None:
        notes.append("nothing is compared with float64; give the float weights with --weights")
    with progress_shown() as progress:
        result = run_demo(name, loaded.pixels, quantized, floats, Path(out), progress, tuple(notes))

    def table() -> None:
        print_table(demo_table(result))
        print_line(
            'Times with " are part of the line above. SQNR is against float64; that of ana_2 and\n'
            "syn_2 is between rounded symbols and pixels, that of the total between the pictures\n"
            "of the two codecs from end to end.\n"
        )
        print_table(demo_figures(result))
        for note in result.notes:
            print_line(f"note: {note}")

    show(result.as_dict(), json_path, table)


@command(epilog="Example: xlic encode photo.png photo.tfci")
@click.argument("image")
@click.argument("stream", required=False)
@model_options
@verbose_option
def encode(image: str, stream: str | None, model: str | None, lmbda: str, verbose: bool) -> None:
    """Encode IMAGE to STREAM (default: IMAGE.tfci) with the INT16 simulation.

    - is stdin as IMAGE and stdout as STREAM. With -V, the stream is decoded again and rate and
    quality are told.
    """
    from xlic.entropy.codec import compress
    from xlic.rungs.int16 import Int16Rung

    target = output_beside(image, stream, ".tfci")
    check_output(target, image, model, stdout=True)
    quantized = _quantized(model, None, lmbda)
    tables = _tables(quantized, model)
    pixels = read_picture(image)
    size = (pixels.shape[0], pixels.shape[1])
    rung = Int16Rung(quantized)
    with progress_shown() as progress:
        run = rung.analyze(pixels, progress=progress)
        progress("range coder", 0, 0)
        data = compress(run.output, size, tables)
    write_output(target, data)
    say(
        f"{output_name(target)}: {len(data)} bytes, "
        f"{8 * len(data) / (size[0] * size[1]):.4f} bit/pixel, "
        f"{sum(run.saturations.values())} saturations"
    )
    if verbose:
        for line in quality_lines(pixels, rung.synthesize(run.output, size).output, len(data)):
            say(line)


@command(epilog="Example: xlic decode photo.tfci photo.png")
@click.argument("stream")
@click.argument("image", required=False)
@model_options
@verbose_option
def decode(stream: str, image: str | None, model: str | None, lmbda: str, verbose: bool) -> None:
    """Decode STREAM to the file IMAGE (default: STREAM.png) with the INT16 simulation.

    The suffix of IMAGE says its format: one without loss. - is stdin as STREAM and stdout, in PNG,
    as IMAGE. The model must be the one that encoded: a stream does not name it. With -V, each
    layer's time and saturations are told.
    """
    from xlic.entropy.codec import decompress
    from xlic.images import check_suffix, encoded
    from xlic.rungs.int16 import Int16Rung

    target = output_beside(stream, image, ".png")
    check_output(target, stream, model, stdout=True)
    check_suffix(target)
    quantized = _quantized(model, None, lmbda)
    tables = _tables(quantized, model)
    data = read_input(stream, STREAM_LIMIT)
    with progress_shown() as progress:
        progress("range decoder", 0, 0)
        symbols, size = decompress(data, tables)
        run = Int16Rung(quantized).synthesize(symbols, size, progress=progress)
    write_output(target, encoded(target, run.output))
    note_without_checksum(stream, data)
    say(f"{output_name(target)}: {size[1]}×{size[0]}, {sum(run.saturations.values())} saturations")
    for name, seconds in run.seconds.items() if verbose else ():
        say(f"{name}: {1e3 * seconds:.1f} ms, {run.saturations.get(name, 0)} saturations")


@command(
    "eval",
    epilog="Example: xlic eval --weights q.safetensors --images 'kodak/*.png' --plot rd.png",
)
@click.option(
    "--weights",
    "sources",
    multiple=True,
    metavar="[LABEL=]FILE|DIR",
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
    metavar="FILE|DIR",
    help="Float weights of quantized models; repeat for several.",
)
@json_option
@click.option("--plot", metavar="FILE", help="Draw the rate–distortion plot: .png, .pdf or .svg.")
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
    from xlic.evaluation.plot import plot_format, rd_plot
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
    check_json(json_path, *map(str, inputs), *float_weights, plot)
    if plot:
        plot_format(plot)
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

    def table() -> None:
        for result in results:
            print_table(eval_table(result, console().width))
            for note in _findings(result, comparison.psnr_of_jpeg_at(jpeg, result.mean()["bpp"])):
                print_line(note)
        if rates:
            print_table(bd_rate_table(rates))

    if plot:
        references = comparison.published_curves() | {comparison.JPEG_MEASURED: list(jpeg)}
        kinds = ", ".join(sorted({result.bpp_kind for result in results}))
        title = f"mean of {len(paths)} image{'s' if len(paths) > 1 else ''}"
        rd_plot(plot, curves(results), references, title, f"bits per pixel ({kinds})")
    show(report(results, rates, jpeg), json_path, table)


@command(
    epilog="Example: xlic quantize --weights w.safetensors --calibrate 'photos/*.png' "
    "--out q.safetensors"
)
@click.option("--weights", required=True, metavar="FILE|DIR", help="Float weights.")
@click.option(
    "--calibrate",
    "patterns",
    required=True,
    multiple=True,
    metavar="GLOB",
    help="Photographs, better 20 or more, not those that the model will be judged on; repeat for "
    "several patterns.",
)
@click.option(
    "--out", required=True, metavar="FILE", help="The quantized model, a .safetensors file."
)
@click.option(
    "--headroom",
    type=FiniteRange(1, 1024),
    help="Factor between the largest value seen and the largest that fits, of encoder and decoder."
    "  [default: 2 for the encoder, 4 for the decoder; more with fewer than 20 photographs]",
)
@click.option("--per-channel", is_flag=True, help="Report on every channel too.")
@json_option
def quantize(
    weights: str,
    patterns: tuple[str, ...],
    out: str,
    headroom: float | None,
    per_channel: bool,
    json_path: str | None,
) -> None:
    """Make an INT16 model: integers, tables and identities in one file.

    Runs the float codec over the calibration images (made pictures too, if they are fewer than 20
    photographs), chooses a power-of-two scale per channel, then runs the INT16 codec over the same
    images and counts saturations. Reports per layer and channel: fraction bits, shifts, share of
    the int16 range used, saturations.
    """
    from xlic.cli.tables import channel_table, quantize_table
    from xlic.quantization.calibrate import calibrate
    from xlic.quantization.model import save_quantized
    from xlic.quantization.quantize import quantize as make
    from xlic.quantization.report import (
        calibration_note,
        count_saturations,
        quantization_report,
    )
    from xlic.weights import load_weights

    paths = find_images(patterns, "--calibrate")
    check_output(out, weights, *(path for _, path in paths))
    check_json(json_path, weights, out, *(str(path) for _, path in paths))
    floats = load_weights(weights)
    with progress_shown() as progress:
        long = f"about a second for each of {len(paths)} at 768×512"
        progress(LongPhase("calibrating in float64", long), 0, len(paths))
        measured = counted(progress, "calibrating on", len(paths))
        calibration = calibrate(floats, read_images(paths), measured)
        model = make(floats, calibration, headroom, headroom)
        # Written before the check below, which takes as long again and changes nothing.
        save_quantized(model, out)
        progress(LongPhase("counting saturations in INT16", long), 0, len(paths))
        checked = counted(progress, "checking on", len(paths))
        saturations = count_saturations(model, read_images(paths, quiet=True), checked)
    tensors = quantization_report(model, calibration, saturations)
    facts = {
        "file": out,
        "identity": model.identity,
        "weights_identity": model.weights_identity,
        "lambda": model.lmbda,
        "calibration": [name for name, _ in paths],
        "few_photographs": model.provenance.get("few_photographs"),
        "tensors": [tensor.as_json() for tensor in tensors],
    }

    def table() -> None:
        print_table(quantize_table(tensors))
        for tensor in tensors if per_channel else ():
            print_table(channel_table(tensor))

    say(f"{out}: identity {model.identity[:12]}, {calibration_note(model)}")
    show(facts, json_path, table)


@command(epilog="Example: xlic bench --size 768x512")
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
@model_options
@json_option
def bench(
    sizes: tuple[str, ...], repeats: int, model: str | None, lmbda: str, json_path: str | None
) -> None:
    """Time INT16 encoding and decoding against plain matrix products.

    The yardstick: the same multiply-accumulates as float64 matrix products by the BLAS in this
    process, and nothing else. Times are of the transforms; the range coder is timed on its own.
    """
    from xlic import bench as benchmark
    from xlic import shipped
    from xlic.cli.tables import bench_table
    from xlic.images import read_image

    check_json(json_path, model)
    # Rising sizes: the peak memory of a process only grows.
    chosen = sorted(
        (parse_size(size) for size in sizes or ("768x512", "2048x1365")),
        key=lambda wh: wh[0] * wh[1],
    )
    quantized = _quantized(model, None, lmbda)
    photo = read_image(shipped.photo_path()).pixels
    machine = benchmark.machine()
    with progress_shown() as progress:
        pixels = sum(width * height for width, height in chosen)
        seconds = max(1, round(_BENCH_S * pixels * (repeats + 1)))
        progress(LongPhase("timing the simulation against the BLAS", f"{seconds} s"), 0, 0)
        results = [
            benchmark.bench_size(
                quantized, benchmark.photograph_of_size(photo, *size), repeats, progress
            )
            for size in chosen
        ]

    def table() -> None:
        for result in results:
            print_table(bench_table(result))
        for key, value in machine.items():
            shown = "; ".join(value) if isinstance(value, list) else value
            print_line(f"{key}: {shown}")
        if machine["load"] > 0.5:
            print_line("note: the machine was not idle at the start; figures are disturbed")

    facts = {"machine": machine, "sizes": [result.as_dict() for result in results]}
    show(facts, json_path, table)


def _quantized(model: str | None, weights: str | None, lmbda: str) -> QuantizedModel:
    """The model given, the shipped one of the weights given, or the shipped one of this λ."""
    from xlic import shipped
    from xlic.quantization.model import load_quantized

    if model is not None or weights is None:
        return chosen_model(model, lmbda)
    from xlic.weights import load_weights

    path = shipped.model_of_weights(load_weights(weights))
    if path is None:
        raise InputError(
            f"{weights} are not shipped weights; quantize them first: "
            f"{xlic(f'quantize --weights {shlex.quote(weights)}')} --calibrate 'GLOB' --out FILE, "
            "then add --model FILE"
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
            usually = f"{_USUALLY[rung]} for each of {len(paths)} at 768×512"
            progress(LongPhase(f"evaluating {label} on {rung}", usually), 0, len(paths))
            for done, (name, pixels) in enumerate(read_images(paths, quiet=bool(results))):
                progress(f"{label} on {rung}: {name}", done, len(paths))
                images.append(evaluate_image(ready, name, pixels))
            results.append(ModelResult(ready, tuple(images)))
    return results


_BENCH_S = 2.6e-6
"""Seconds per pixel and repeat."""

_USUALLY = {
    "float": "two seconds",
    "model": "three seconds",
    "sim": "two seconds",
    "hls": "four seconds",
    "rtl": "half a minute",
}
"""Per image, for what is foretold."""


def _labelled(source: str) -> tuple[str, str]:
    """Split ``LABEL=PATH``; a file whose name holds ``=`` is taken as it is."""
    label, separator, path = source.partition("=")
    return (label, path) if separator and label and not Path(source).exists() else ("xlic", source)


def _findings(result: ModelResult, jpeg_psnr: float | None) -> Iterator[str]:
    from xlic.cli.tables import lost_or_gained

    worst = result.worst()
    if worst["psnr_lost"] is not None and worst["symbol_mismatch"] is not None:
        yield (
            f"worst image: {100 * worst['symbol_mismatch']:.3f} % of symbols differ from float64, "
            f"PSNR: {lost_or_gained(worst['psnr_lost'])}, {worst['saturations']:.0f} saturations"
        )
    if jpeg_psnr is not None:
        yield f"JPEG 4:2:0 of these images at the same mean bpp: PSNR {jpeg_psnr:.2f} dB"
    yield from (f"note: {note}" for note in result.notes)
    yield from (f"note: {image.file}: {note}" for image in result.images for note in image.notes)
