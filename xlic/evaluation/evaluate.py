"""Evaluate models over images: rate, quality, and what INT16 changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from xlic.entropy.codec import zeroth_order_entropy
from xlic.evaluation.metrics import MS_SSIM_MIN_SIZE, ms_ssim, psnr
from xlic.evaluation.models import Candidate
from xlic.evaluation.stream import timed, transmit
from xlic.images import UInt8Image
from xlic.rungs.interface import Tensor

STREAM = "stream"
ENTROPY = "zeroth-order entropy"


@dataclass(frozen=True)
class ImageResult:
    """One image on one candidate. Figures that cannot be had are None; ``notes`` says why.

    Attributes:
        file: name of the image.
        width: pixels.
        height: pixels.
        bpp: bits per pixel: of the whole ``.tfci`` file where ``bpp_kind`` is ``stream``; of an
            ideal coder that knows the histogram of each channel of this image where it is
            ``zeroth-order entropy`` (models without entropy tables).
        bpp_kind: which of the two.
        psnr: dB, of the decoded picture; infinite if it is the original.
        ms_ssim: 0..1.
        float_psnr: dB, of the float64 codec with the same weights.
        symbol_mismatch: share (0..1) of symbols that differ from the float64 codec's.
        saturations: elements clipped in encoder and decoder.
        encode_s: seconds, transform and range coder.
        decode_s: seconds, range decoder and transform.
        notes: sentences.
    """

    file: str
    width: int
    height: int
    bpp: float
    bpp_kind: str
    psnr: float
    ms_ssim: float | None
    float_psnr: float | None
    symbol_mismatch: float | None
    saturations: int
    encode_s: float
    decode_s: float
    notes: tuple[str, ...] = ()

    @property
    def psnr_lost(self) -> float | None:
        """PSNR lost against float64; None where unknown."""
        if self.float_psnr is None or math.isinf(self.float_psnr) or math.isinf(self.psnr):
            return None
        return self.float_psnr - self.psnr


MEAN_KEYS = (
    "bpp",
    "psnr",
    "ms_ssim",
    "float_psnr",
    "symbol_mismatch",
    "saturations",
    "encode_s",
    "decode_s",
)


@dataclass(frozen=True)
class ModelResult:
    """All images on one candidate."""

    candidate: Candidate
    images: tuple[ImageResult, ...]

    @property
    def bpp_kind(self) -> str:
        """What ``bpp`` means here."""
        return ENTROPY if self.candidate.tables is None else STREAM

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the means must know."""
        count = len(self.images)
        partial = {key: len(v) for key in MEAN_KEYS if 0 < len(v := self._finite(key)) < count}
        return self.candidate.notes + tuple(
            f"mean {key} is over {number} of {count} images: the others have no finite figure"
            for key, number in partial.items()
        )

    def mean(self) -> dict[str, float | None]:
        """Mean of each figure over the images that have a finite one; None where none has."""
        values = {key: self._finite(key) for key in MEAN_KEYS}
        return {key: float(np.mean(v)) if v else None for key, v in values.items()}

    def point(self) -> tuple[float, float] | None:
        """Mean bpp and PSNR of the same images: those that are not lossless; None if all are."""
        pairs = [(image.bpp, image.psnr) for image in self.images if math.isfinite(image.psnr)]
        if not pairs:
            return None
        rate, quality = np.mean(pairs, axis=0)
        return float(rate), float(quality)

    def worst(self) -> dict[str, float | None]:
        """The largest loss of any image: what the bounds on "any image" are held against."""
        losses: dict[str, list[float]] = {
            "psnr_lost": [v for image in self.images if (v := image.psnr_lost) is not None],
            "symbol_mismatch": [v for i in self.images if (v := i.symbol_mismatch) is not None],
            "saturations": [image.saturations for image in self.images],
        }
        return {key: max(values, default=None) for key, values in losses.items()}

    def as_dict(self) -> dict[str, Any]:
        """The result as ``{"model", "images", "mean", "worst"}``; see :mod:`jsonsafe`."""
        ran = self.candidate
        return {
            "model": {
                "file": ran.source,
                "label": ran.label,
                "rung": ran.rung.name,
                "identity": ran.identity,
                "lambda": ran.lmbda,
                "bpp_kind": self.bpp_kind,
                "notes": self.notes,
            },
            "images": [asdict(image) for image in self.images],
            "mean": self.mean(),
            "worst": self.worst(),
        }

    def _finite(self, key: str) -> list[float]:
        values = (getattr(image, key) for image in self.images)
        return [value for value in values if value is not None and math.isfinite(value)]


def evaluate_image(candidate: Candidate, name: str, pixels: UInt8Image) -> ImageResult:
    """Encode, decode and judge one image.

    Args:
        candidate: what runs.
        name: of the image.
        pixels: uint8 ``(H, W, 3)``.

    Raises:
        XlicError: the stream does not give the symbols back.
    """
    height, width = pixels.shape[:2]
    rung, tables = candidate.rung, candidate.tables
    encoded, encode_s = timed(lambda: rung.analyze(pixels))
    symbols = encoded.output
    if tables is None:
        bits = zeroth_order_entropy(symbols)
    else:
        sent = transmit(symbols, (height, width), tables)
        symbols, bits = sent.symbols, 8.0 * len(sent.data)
        encode_s += sent.encode_s
    decoded, decode_s = timed(lambda: rung.synthesize(symbols, (height, width)))
    if tables is not None:
        decode_s += sent.decode_s

    quality, similarity, notes = judge(pixels, decoded.output)
    float_psnr, mismatch = _against_float(candidate, pixels, symbols, quality)
    return ImageResult(
        file=name,
        width=width,
        height=height,
        bpp=bits / (height * width),
        bpp_kind=ENTROPY if tables is None else STREAM,
        psnr=quality,
        ms_ssim=similarity,
        float_psnr=float_psnr,
        symbol_mismatch=mismatch,
        saturations=sum(encoded.saturations.values()) + sum(decoded.saturations.values()),
        encode_s=encode_s,
        decode_s=decode_s,
        notes=notes,
    )


def judge(original: UInt8Image, picture: UInt8Image) -> tuple[float, float | None, tuple[str, ...]]:
    """PSNR, MS-SSIM, and a sentence on each that has no finite figure."""
    quality, similarity = psnr(original, picture), ms_ssim(original, picture)
    notes = []
    if math.isinf(quality):
        notes.append("PSNR is infinite: the decoded picture is the original")
    if similarity is None:
        notes.append(f"MS-SSIM needs {MS_SSIM_MIN_SIZE} pixels each way")
    return quality, similarity, tuple(notes)


def mismatch_share(symbols: Tensor, reference: Tensor) -> float:
    """Share (0..1) of symbols that differ."""
    return float(np.count_nonzero(symbols != reference)) / max(symbols.size, 1)


def curves(results: Sequence[ModelResult]) -> dict[str, list[tuple[float, float]]]:
    """Rate–distortion curves: mean (bpp, PSNR) of all results of one label on one rung."""
    found: dict[str, list[tuple[float, float]]] = {}
    for result in results:
        if (point := result.point()) is not None:
            name = f"{result.candidate.label} ({result.candidate.rung.name})"
            found.setdefault(name, []).append(point)
    return {name: sorted(points) for name, points in found.items()}


def report(
    results: Sequence[ModelResult],
    bd_rates: Sequence[dict[str, Any]],
    jpeg: Sequence[tuple[float, float]],
) -> dict[str, Any]:
    """All results as plain data.

    Of one model ``{"model", "images", "mean", "worst", "jpeg"}``; of several a list of those under
    ``models``, and ``bd_rate``.
    """
    measured = [{"bpp": bpp, "psnr": quality} for bpp, quality in jpeg]
    if len(results) == 1:
        return results[0].as_dict() | {"jpeg": measured}
    return {
        "models": [result.as_dict() for result in results],
        "bd_rate": list(bd_rates),
        "jpeg": measured,
    }


def _against_float(
    candidate: Candidate, pixels: UInt8Image, symbols: Tensor, quality: float
) -> tuple[float | None, float | None]:
    """PSNR of the float64 codec and the share of symbols that differ from it."""
    if candidate.reference is None:
        return None, None
    if candidate.rung.name == candidate.reference.name:
        return quality, 0.0
    wanted = candidate.reference.analyze(pixels).output
    picture = candidate.reference.synthesize(wanted, (pixels.shape[0], pixels.shape[1])).output
    return psnr(pixels, picture), mismatch_share(symbols, wanted)
