"""Commands of the HLS C++."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xlic.cli.command import command, group
from xlic.cli.measured import run_and_compare
from xlic.cli.options import (
    chosen_design,
    design_options,
    image_option,
    json_option,
    model_options,
    no_limits_option,
    options,
    transform_option,
)

if TYPE_CHECKING:
    from xlic.accelerator.compiler import Transform
    from xlic.quantization.model import QuantizedModel
    from xlic.rungs.interface import Rung


@group()
def hls() -> None:
    """The accelerator's HLS C++, compiled by the host's g++."""


@command(epilog="Example: xlic hls run --image holiday.png --transform decode --json run.json")
@options(
    image_option, model_options, transform_option, json_option, no_limits_option, design_options
)
def run(
    image: str,
    model: str | None,
    lmbda: str,
    transform: Transform,
    json_path: str | None,
    no_limits: bool,
    base: str,
    **parameters: Any,
) -> None:
    """Run a picture through the HLS C++, and compare every layer.

    Each must equal the simulation's, as must the count of clipped elements, and those of a made
    picture that reaches every limit of the arithmetic; exit status 10 says that one does not.
    Of time the C++ knows the cycles in which the array multiplies; `xlic rtl run` counts more.
    """
    from xlic.accelerator.measure import measure_hls
    from xlic.accelerator.native import native_devices
    from xlic.rungs.accelerator import AcceleratorRung

    design = chosen_design(base, parameters)

    def made(made_model: QuantizedModel) -> Rung:
        return AcceleratorRung("hls", made_model, native_devices(design), design)

    run_and_compare(
        lambda quantized, pixels, progress: measure_hls(
            quantized, pixels, transform, design, progress
        ),
        None if no_limits else made,
        image,
        model,
        lmbda,
        json_path,
    )


hls.add_command(run)
