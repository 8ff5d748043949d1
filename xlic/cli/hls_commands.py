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
    options,
    transform_option,
)

if TYPE_CHECKING:
    from xlic.accelerator.compiler import Transform


@group()
def hls() -> None:
    """The accelerator's HLS C++, compiled by the host's g++."""


@command(epilog="Example: xlic hls run --image holiday.png --transform decode --json run.json")
@options(image_option, model_options, transform_option, json_option, design_options)
def run(
    image: str,
    model: str | None,
    lmbda: str,
    transform: Transform,
    json_path: str | None,
    base: str,
    **parameters: Any,
) -> None:
    """Run a picture through the HLS C++, and compare every layer.

    Each must equal the simulation's; exit status 10 says that one does not. Of time the C++ knows
    the cycles in which the array multiplies; `xlic rtl run` counts the others.
    """
    from xlic.accelerator.measure import measure_hls

    design = chosen_design(base, parameters)
    run_and_compare(
        lambda quantized, pixels, progress: measure_hls(
            quantized, pixels, transform, design, progress
        ),
        image,
        model,
        lmbda,
        json_path,
    )


hls.add_command(run)
