"""The demonstration: one photograph through the INT16 codec, with everything shown.

The photograph is encoded by the INT16 simulation to a ``.tfci`` file, the file is read back and
decoded, and each feature map is compared with the float64 codec's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from xlic.architecture import (
    ANALYSIS_NAMES,
    SYNTHESIS_NAMES,
    analysis_layers,
    macs_of,
    synthesis_layers,
)
from xlic.errors import InputError
from xlic.evaluation.evaluate import judge, mismatch_share
from xlic.evaluation.metrics import psnr, sqnr
from xlic.evaluation.stream import timed, transmit, warm_up_range_coder
from xlic.files import Progress
from xlic.images import UInt8Image, write_png
from xlic.quantization.model import DECODER_INPUT, QuantizedModel
from xlic.rungs.float64 import FloatRung
from xlic.rungs.int16 import Int16Rung
from xlic.rungs.interface import Run, Tensor
from xlic.weights import Weights

ERROR_GAIN = 10
"""Factor of the error picture: grey is no error, one step of 255 shows as ten."""

_PANEL_MIN, _PANEL_MAX = 320, 1200
_MARGIN, _CAPTION = 12, 44


@dataclass(frozen=True)
class Row:
    """One tensor, or a sum over several.

    Attributes:
        name: the tensor, or ``encoder``, ``decoder``, ``total``.
        shape: ``(H, W, C)``; None in a sum.
        macs: multiply-accumulates.
        seconds: wall time; None where it is part of the convolution's in front of it.
        sqnr_db: against float64; infinite if identical, None without float weights.
        saturations: elements clipped.
    """

    name: str
    shape: tuple[int, int, int] | None
    macs: int
    seconds: float | None
    sqnr_db: float | None
    saturations: int


@dataclass(frozen=True)
class DemoResult:
    """Everything the demonstration found; figures that need float weights may be None.

    The SQNR of ``ana_2`` compares symbols with float64's symbols, that of ``syn_2`` and of the
    decoder the picture with float64's picture of the same symbols, the total the picture with that
    of the float64 codec from end to end.
    """

    image: str
    width: int
    height: int
    notes: tuple[str, ...]
    model_identity: str
    weights_identity: str
    lmbda: float | None
    rows: tuple[Row, ...]
    stream_bytes: int
    bpp: float
    psnr: float
    float_psnr: float | None
    ms_ssim: float | None
    symbol_mismatch: float | None
    symbols: int
    encode_s: float
    decode_s: float
    range_encode_s: float
    range_decode_s: float
    files: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """As plain data; see :mod:`xlic.evaluation.jsonsafe`."""
        return asdict(self)


def run_demo(
    name: str,
    pixels: UInt8Image,
    model: QuantizedModel,
    weights: Weights | None,
    folder: Path,
    progress: Progress,
    notes: tuple[str, ...] = (),
) -> DemoResult:
    """Encode, decode, compare, and write the three files.

    Args:
        name: of the image; the files are named after its stem.
        pixels: uint8 ``(H, W, 3)``.
        model: what runs.
        weights: the float weights that it was made from, or None: then nothing is compared.
        folder: where the files go; it is made if absent.
        progress: called as the work proceeds.
        notes: sentences to pass on to the result.

    Raises:
        InputError: the model has no entropy tables, or the files cannot be written.
    """
    if model.tables is None:
        raise InputError(
            "this model has no entropy tables, so it cannot write a stream; quantize weights "
            "that `xlic extract` made from a trained model"
        )
    files = output_files(folder, name)
    _make(folder)
    size = (pixels.shape[0], pixels.shape[1])
    codec = _Codec(Int16Rung(model), None if weights is None else FloatRung(weights), progress)
    progress("preparing", 0, 0)
    warm_up_range_coder(model.tables)

    encoder = codec.encode(pixels)
    sent = transmit(encoder.run.output, size, model.tables, files["stream"])
    decoder = codec.decode(sent.symbols, size)
    picture = decoder.run.output
    float_picture = codec.float_picture(encoder, decoder, size)

    progress("metrics and pictures", 0, 0)
    write_png(files["picture"], picture)
    quality, similarity, missing = judge(pixels, picture)
    bpp = 8 * len(sent.data) / (size[0] * size[1])
    write_png(files["comparison"], comparison(name, pixels, picture, bpp, quality))
    wanted = encoder.reference
    return DemoResult(
        image=name,
        width=size[1],
        height=size[0],
        notes=notes + missing,
        model_identity=model.identity,
        weights_identity=model.weights_identity,
        lmbda=model.lmbda,
        rows=_rows(
            model.filters,
            size,
            encoder,
            decoder,
            None if float_picture is None else sqnr(float_picture, picture),
        ),
        stream_bytes=len(sent.data),
        bpp=bpp,
        psnr=quality,
        float_psnr=None if float_picture is None else psnr(pixels, float_picture),
        ms_ssim=similarity,
        symbol_mismatch=None if wanted is None else mismatch_share(sent.symbols, wanted),
        symbols=sent.symbols.size,
        encode_s=encoder.seconds + sent.encode_s,
        decode_s=decoder.seconds + sent.decode_s,
        range_encode_s=sent.encode_s,
        range_decode_s=sent.decode_s,
        files={key: str(path) for key, path in files.items()},
    )


def output_files(folder: Path, name: str) -> dict[str, Path]:
    """The files that :func:`run_demo` writes for an image of this name."""
    stem = Path(name).stem
    return {
        "stream": folder / f"{stem}.tfci",
        "picture": folder / f"{stem}_decoded.png",
        "comparison": folder / f"{stem}_comparison.png",
    }


@dataclass(frozen=True)
class _Side:
    """Encoder or decoder: what INT16 gave, without its feature maps, and how near to float64.

    Attributes:
        run: of the INT16 simulation.
        seconds: wall time of all of it.
        ratios: SQNR by tensor.
        reference: float64's output, or None.
    """

    run: Run
    seconds: float
    ratios: Mapping[str, float]
    reference: Tensor | None


class _Codec:
    """INT16 and, where there are float weights, float64 beside it."""

    def __init__(self, sim: Int16Rung, reference: FloatRung | None, progress: Progress) -> None:
        self.sim = sim
        self.reference = reference
        self.progress = progress

    def encode(self, pixels: UInt8Image) -> _Side:
        keep = () if self.reference is None else ANALYSIS_NAMES
        stage = self._stage("INT16 encoder")
        ran, seconds = timed(lambda: self.sim.analyze(pixels, keep=keep, progress=stage))
        if self.reference is None:
            return _Side(ran, seconds, {}, None)
        stage = self._stage("float64 encoder")
        reference = self.reference.analyze(pixels, keep=keep, progress=stage)
        return self._compared(ran, seconds, reference, "ana_2")

    def decode(self, symbols: Tensor, size: tuple[int, int]) -> _Side:
        """Both decoders from the same symbols."""
        keep = () if self.reference is None else SYNTHESIS_NAMES
        stage = self._stage("INT16 decoder")
        ran, seconds = timed(lambda: self.sim.synthesize(symbols, size, keep=keep, progress=stage))
        if self.reference is None:
            return _Side(ran, seconds, {}, None)
        stage = self._stage("float64 decoder")
        reference = self.reference.synthesize(symbols, size, keep=keep, progress=stage)
        return self._compared(ran, seconds, reference, "syn_2")

    def float_picture(
        self, encoder: _Side, decoder: _Side, size: tuple[int, int]
    ) -> UInt8Image | None:
        """The float64 codec's picture from end to end, or None."""
        if self.reference is None or encoder.reference is None:
            return None
        if np.array_equal(encoder.reference, encoder.run.output):
            return decoder.reference
        stage = self._stage("float64, its own symbols")
        return self.reference.synthesize(encoder.reference, size, progress=stage).output

    def _compared(self, ran: Run, seconds: float, reference: Run, rounded: str) -> _Side:
        """SQNR by tensor; ``rounded`` is the one that leaves both codecs as integers.

        The feature maps are let go of here: they are by far the largest things about.
        """
        ratios = {rounded: sqnr(reference.output, ran.output)}
        for name, bits in self.sim.model.fraction_bits.items():
            if name in reference.tensors:
                scale = np.ldexp(1.0, -bits)
                ratios[name] = sqnr(reference.tensors[name], ran.tensors[name], scale)
        return _Side(replace(ran, tensors={}), seconds, ratios, reference.output)

    def _stage(self, title: str) -> Progress:
        def report(what: str, done: int, total: int) -> None:
            self.progress(f"{title}: {what}", done, total)

        return report


def comparison(
    name: str, original: UInt8Image, decoded: UInt8Image, bpp: float, quality: float
) -> UInt8Image:
    """Original, decoded picture and amplified error side by side, with captions.

    Panels show the pixels one to one between 320 and 1200 pixels of width, else scaled.
    """
    error = np.clip(
        128 + ERROR_GAIN * (decoded.astype(np.int16) - original.astype(np.int16)), 0, 255
    ).astype(np.uint8)
    height, width = original.shape[:2]
    captions = (
        f"original: {name}, {width}×{height}",
        f"decoded: {bpp:.3f} bit/pixel, PSNR {quality:.2f} dB",
        f"error ×{ERROR_GAIN} (grey: none)",
    )
    panels = [_panel(pixels) for pixels in (original, decoded, error)]
    step = panels[0].width + _MARGIN
    canvas = PillowImage.new(
        "RGB", (3 * step + _MARGIN, panels[0].height + _CAPTION + _MARGIN), "white"
    )
    draw = ImageDraw.Draw(canvas)
    font = _fitting(draw, captions, panels[0].width)
    for index, (panel, caption) in enumerate(zip(panels, captions, strict=True)):
        left = _MARGIN + index * step
        frame = (left - 1, _CAPTION - 1, left + panel.width, _CAPTION + panel.height)
        draw.rectangle(frame, outline="#cccccc")
        canvas.paste(panel, (left, _CAPTION))
        text = _cut(draw, caption, font, panel.width)
        draw.text((left, _CAPTION // 2), text, fill="black", font=font, anchor="lm")
    return np.asarray(canvas)


def _panel(pixels: UInt8Image) -> PillowImage.Image:
    image = PillowImage.fromarray(pixels)
    if image.width > _PANEL_MAX:
        size = (_PANEL_MAX, max(1, round(image.height * _PANEL_MAX / image.width)))
        return image.resize(size, PillowImage.Resampling.LANCZOS)
    if image.width < _PANEL_MIN and image.height < 4 * _PANEL_MIN:
        # Whole factors and no smoothing: single pixels of small pictures stay visible.
        factor = min(-(-_PANEL_MIN // image.width), max(1, 4 * _PANEL_MIN // image.height))
        size = (image.width * factor, image.height * factor)
        image = image.resize(size, PillowImage.Resampling.NEAREST)
    if image.width < _PANEL_MIN:
        wide = PillowImage.new("RGB", (_PANEL_MIN, image.height), "white")
        wide.paste(image, (0, 0))
        return wide
    return image


def _fitting(
    draw: ImageDraw.ImageDraw, texts: tuple[str, ...], width: int
) -> ImageFont.FreeTypeFont:
    """The largest of a few font sizes in which all texts fit, or the smallest."""
    # Pillow's own font lacks the multiplication sign; Matplotlib brings a fuller one.
    import matplotlib

    file = str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))
    fonts = [ImageFont.truetype(file, size) for size in (17, 14, 12)]
    fits = (f for f in fonts if max(draw.textlength(t, font=f) for t in texts) <= width)
    return next(fits, fonts[-1])


def _cut(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """``text``, or as much of its beginning as fits."""
    if draw.textlength(text, font=font) <= width:
        return text
    while text and draw.textlength(text + "…", font=font) > width:
        text = text[:-1]
    return text + "…"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make the folder {folder}: {error.strerror}; choose another with --out"
        ) from error


def _rows(
    filters: int,
    size: tuple[int, int],
    encoder: _Side,
    decoder: _Side,
    total_ratio: float | None,
) -> tuple[Row, ...]:
    rows: list[Row] = []
    sums: list[Row] = []
    height, width = size
    for title, layers, side, last in (
        ("encoder", analysis_layers(filters), encoder, "ana_2"),
        ("decoder", synthesis_layers(filters), decoder, "syn_2"),
    ):
        run, ratios = side.run, side.ratios
        macs = macs_of(layers, height, width)
        if clipped := run.saturations.get(DECODER_INPUT, 0):
            rows.append(Row(DECODER_INPUT, (height, width, filters), 0, None, None, clipped))
        for layer in layers:
            height, width = layer.output_size(height, width)
            shown = size if layer.name == "syn_2" else (height, width)
            for name in layer.names:
                rows.append(
                    Row(
                        name,
                        (*shown, layer.cout),
                        macs[name],
                        run.seconds.get(name),
                        ratios.get(name),
                        run.saturations.get(name, 0),
                    )
                )
        sums.append(
            Row(
                title,
                None,
                sum(macs.values()),
                sum(run.seconds.values()),
                ratios.get(last),
                sum(run.saturations.values()),
            )
        )
    total = Row(
        "total",
        None,
        sum(row.macs for row in sums),
        sum(row.seconds or 0.0 for row in sums),
        total_ratio,
        sum(row.saturations for row in sums),
    )
    return (*rows, *sums, total)
