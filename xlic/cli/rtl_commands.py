"""Commands of the RTL and of its cycle model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xlic.cli.command import command, group
from xlic.cli.estimate_command import estimate_command
from xlic.cli.measured import run_and_compare, show_measure
from xlic.cli.options import (
    check_json,
    chosen_design,
    chosen_memory,
    chosen_model,
    chosen_size,
    design_options,
    image_option,
    json_option,
    memory_options,
    model_options,
    no_limits_option,
    options,
    size_options,
    transform_option,
)

if TYPE_CHECKING:
    from xlic.accelerator.compiler import Transform
    from xlic.quantization.model import QuantizedModel
    from xlic.rungs.interface import Rung


@command(epilog="Example: xlic cycles --size 2048x1365 --transform decode --latency 200")
@options(size_options, model_options, transform_option, json_option, memory_options, design_options)
def cycles(
    size: str | None,
    image: str | None,
    model: str | None,
    lmbda: str,
    transform: Transform,
    json_path: str | None,
    base: str,
    **parameters: Any,
) -> None:
    """Predict the accelerator's cycles per layer, from design and memory's speed.

    The same table and JSON as `xlic rtl run`, in a second and without a simulator. A test holds
    the prediction within 3 % of the RTL's counters.
    """
    from xlic.accelerator.measure import predict_measure

    memory = chosen_memory(parameters)
    design = chosen_design(base, parameters)
    check_json(json_path, model, image)
    pixels = chosen_size(size, image)
    quantized = chosen_model(model, lmbda)
    show_measure(predict_measure(quantized, pixels, transform, design, memory), json_path)


@group()
def rtl() -> None:
    """The accelerator's RTL: simulated by Verilator, estimated by Yosys."""


@command(epilog="Example: xlic rtl run --image holiday.png --transform decode --json run.json")
@options(
    image_option,
    model_options,
    transform_option,
    json_option,
    no_limits_option,
    memory_options,
    design_options,
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
    """Run a picture through the RTL, count cycles, and compare every layer.

    Each must equal the simulation's, as must the count of clipped elements, and those of a made
    picture that reaches every limit of the arithmetic; exit status 10 says that one does not.
    The first run of a design builds it, later ones take it from the cache.
    """
    from xlic.accelerator.measure import measure_rtl
    from xlic.accelerator.verilated import verilated_devices
    from xlic.rungs.accelerator import AcceleratorRung

    memory = chosen_memory(parameters)
    design = chosen_design(base, parameters)

    def made(made_model: QuantizedModel) -> Rung:
        return AcceleratorRung("rtl", made_model, verilated_devices(design, memory), design)

    run_and_compare(
        lambda quantized, pixels, progress: measure_rtl(
            quantized, pixels, transform, design, memory, progress
        ),
        None if no_limits else made,
        image,
        model,
        lmbda,
        json_path,
    )


rtl.add_command(run)
rtl.add_command(estimate_command)
