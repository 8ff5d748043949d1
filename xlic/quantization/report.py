"""What quantization chose and found, per layer and channel, as plain data.

The command line prints it as a table; ``--json`` writes it whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.architecture import all_layers
from xlic.files import Progress
from xlic.images import UInt8Image
from xlic.quantization.calibrate import Calibration
from xlic.quantization.model import DECODER_INPUT, INT16_MAX, QuantizedModel
from xlic.rungs.int16 import Int16Rung

Int64 = NDArray[np.int64]

_PARTS = {"analysis": "encoder", "synthesis": "decoder"}


@dataclass(frozen=True)
class TensorReport:
    """One feature map and the step that makes it.

    Attributes:
        name: the tensor.
        fraction_bits: int64 ``(C,)``; zeros where the result is symbols or pixels.
        shifts: int64 ``(C,)`` by name of the shift (``shift``, ``norm_shift``, ``out_shift``).
        range_used: float64 ``(C,)``: calibrated peak as a share of the int16 range; None for
            symbols and pixels.
        saturations: int64 ``(C,)`` over the images measured.
    """

    name: str
    fraction_bits: Int64
    shifts: Mapping[str, Int64]
    range_used: NDArray[np.float64] | None
    saturations: Int64

    def as_json(self) -> dict[str, Any]:
        """Lists and numbers only."""
        return {
            "name": self.name,
            "fraction_bits": self.fraction_bits.tolist(),
            "shifts": {key: value.tolist() for key, value in self.shifts.items()},
            "range_used": None if self.range_used is None else self.range_used.tolist(),
            "saturations": self.saturations.tolist(),
        }


def calibration_note(model: QuantizedModel) -> str:
    """What ``model`` was calibrated on, and what was done if that was little, in one line."""
    facts = model.provenance
    count = len(facts["calibration_images"])
    note = f"calibrated on {count} image{'' if count == 1 else 's'}"
    few = facts.get("few_photographs")
    if few is None:
        return note
    verb = "is" if count == 1 else "are"
    which = "few" if few["photographs"] == count else f"as {few['photographs']:g} photographs"
    wider = ", ".join(
        f"{facts[f'{part}_headroom']:g} instead of {usual:g} in the {_PARTS[part]}"
        for part, usual in few["usual_headroom"].items()
    )
    return (
        f"{note}, which {verb} {which}: headroom {wider}, and made pictures beside; "
        f"{few['enough']} photographs or more need neither and move fewer symbols"
    )


def count_saturations(
    model: QuantizedModel,
    images: Iterable[tuple[str, UInt8Image]],
    progress: Progress | None = None,
) -> dict[str, Int64]:
    """Encode and decode ``images`` in INT16; clipped elements by tensor and channel."""
    rung = Int16Rung(model)
    totals: dict[str, Int64] = {}
    for done, (name, pixels) in enumerate(images):
        if progress is not None:
            progress(name, done, 0)
        encoded = rung.analyze(pixels)
        decoded = rung.synthesize(encoded.output, pixels.shape[:2])
        for run in (encoded, decoded):
            for tensor, counts in run.channel_saturations.items():
                totals[tensor] = totals.get(tensor, np.zeros_like(counts)) + counts
    return totals


def quantization_report(
    model: QuantizedModel, calibration: Calibration, saturations: Mapping[str, Int64]
) -> list[TensorReport]:
    """Report on every tensor in order of computation.

    Args:
        model: the quantized model.
        calibration: what it was quantized with.
        saturations: as :func:`count_saturations` gives them.
    """

    def report(name: str, channels: int, shifts: dict[str, Int64]) -> TensorReport:
        bits = model.fraction_bits.get(name)
        none: Int64 = np.zeros(channels, np.int64)
        used = None if bits is None else calibration.peaks[name] * np.ldexp(1.0, bits) / INT16_MAX
        return TensorReport(
            name, none if bits is None else bits, shifts, used, saturations.get(name, none)
        )

    reports = []
    for layer in all_layers(model.filters):
        if layer.name == "syn_0":
            reports.append(report(DECODER_INPUT, model.filters, {}))
        reports.append(report(layer.name, layer.cout, {"shift": model.convs[layer.name].shift}))
        if layer.activation is not None:
            gdn = model.gdns[layer.activation]
            shifts = {"norm_shift": gdn.norm_shift, "out_shift": gdn.out_shift}
            reports.append(report(layer.activation, layer.cout, shifts))
    return reports
