"""Commands of the accelerator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from xlic.cli.command import command
from xlic.cli.common import check_output, print_line, print_table, say, show
from xlic.cli.options import (
    check_json,
    chosen_design,
    chosen_model,
    chosen_size,
    design_options,
    json_option,
    model_options,
    options,
    size_options,
    transform_option,
)

if TYPE_CHECKING:
    from xlic.accelerator.compiler import Transform


@command("compile", epilog="Example: xlic compile --size 768x512 --transform encode --explain")
@options(size_options, model_options, transform_option)
@click.option(
    "--keep",
    multiple=True,
    metavar="NAME",
    help="Tensor ahead of a normalization that must be in memory too (ana_0, …); repeat.",
)
@click.option("--out", metavar="FILE", help="Write the program, as it lies in memory.")
@click.option("--explain", "explained", is_flag=True, help="Show passes, buffers and memory too.")
@options(json_option, design_options)
def compile_(
    size: str | None,
    image: str | None,
    model: str | None,
    lmbda: str,
    transform: Transform,
    keep: tuple[str, ...],
    out: str | None,
    explained: bool,
    json_path: str | None,
    base: str,
    **parameters: Any,
) -> None:
    """Compile the encoder or the decoder for the accelerator.

    Shows what each layer costs: tiles, weights, cycles of the array and how much of it they use,
    bytes read and written. A model or picture that does not fit the design is refused with the
    parameter that would have to be larger.
    """
    from xlic.accelerator.compiler import compile_transform
    from xlic.accelerator.cycles import predict
    from xlic.accelerator.explain import explain, explanation_lines, explanation_table
    from xlic.accelerator.program import write_program
    from xlic.accelerator.timing import MemoryTiming

    design = chosen_design(base, parameters)
    check_json(json_path, model, image)
    if out is not None:
        check_output(out, model, image, json_path)
    pixels = chosen_size(size, image)
    quantized = chosen_model(model, lmbda)
    compiled = compile_transform(quantized, transform, pixels, design, keep)
    # At the memory's default speed; `xlic cycles` takes others.
    predicted = [layer.cycles for layer in predict(compiled, MemoryTiming())]
    explanation = explain(compiled, predicted)
    if out is not None:
        write_program(compiled.program, out)
        say(f"{out}: {explanation.program_bytes} bytes, identity {explanation.identity}")

    def table() -> None:
        print_table(explanation_table(explanation))
        for line in explanation_lines(explanation) if explained else ():
            print_line(line)

    show(explanation.as_dict(), json_path, table)
