"""Commands of the accelerator."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from xlic.accelerator.design import SMALL, Design
from xlic.cli.common import (
    check_output,
    parse_size,
    print_json,
    print_line,
    print_table,
    read_picture,
    say,
    write_json_file,
)
from xlic.errors import InputError
from xlic.shipped import LAMBDAS

if TYPE_CHECKING:
    from xlic.accelerator.compiler import Transform

_DESIGNS = {"default": Design(), "small": SMALL}

_PARAMETERS = {
    "pof": "Output channels at once: 4, 8 or 16.",
    "poy": "Rows of positions at once: 2, 4 or 8.",
    "pox": "Columns of positions at once: 8 or 16.",
    "input_words": "Words per lane bank and half of the input buffer.",
    "weight_words": "Words of POF int16 weights.",
    "param_words": "Parameters.",
    "pass_words": "Passes.",
    "tap_words": "Taps.",
    "channels": "Channels of the hold and output buffers.",
}


def design_options(command: click.Command) -> click.Command:
    """Give a command ``--design`` and an option per parameter of a design."""
    parameters: list[click.Parameter] = [
        click.Option(
            ["--design", "base"],
            type=click.Choice(list(_DESIGNS)),
            default="default",
            show_default=True,
            help="Array and buffers; the following change one each.",
        )
    ]
    parameters += [
        click.Option([f"--{name.replace('_', '-')}"], type=int, help=text)
        for name, text in _PARAMETERS.items()
    ]
    command.params += parameters
    return command


def chosen_design(base: str, **parameters: int | None) -> Design:
    """The design that the options of :func:`design_options` describe.

    Raises:
        InputError: it cannot be built.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    return replace(_DESIGNS[base], **given)


@design_options
@click.command(
    "compile", epilog="Example: xlic compile --size 768x512 --transform encode --explain"
)
@click.option("--model", metavar="Q", help="Quantized model; default: the shipped one.")
@click.option(
    "--lambda",
    "lmbda",
    type=click.Choice(LAMBDAS),
    default=LAMBDAS[0],
    show_default=True,
    help="Which shipped model, where none is given.",
)
@click.option("--size", metavar="WxH", help="Size of the pictures.")
@click.option("--image", metavar="IMG", help="A picture of that size, instead.")
@click.option(
    "--transform",
    type=click.Choice(["encode", "decode"]),
    required=True,
    help="Picture to symbols, or back.",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="NAME",
    help="Tensor ahead of a normalization that must be in memory too (ana_0, …); repeat.",
)
@click.option("--output", metavar="FILE.xprog", help="Write the program, as it lies in memory.")
@click.option("--explain", "explained", is_flag=True, help="Show passes, buffers and memory too.")
@click.option("--json", "json_path", metavar="OUT", help="Write all that as JSON; - prints it.")
def compile_(
    model: str | None,
    lmbda: str,
    size: str | None,
    image: str | None,
    transform: Transform,
    keep: tuple[str, ...],
    output: str | None,
    explained: bool,
    json_path: str | None,
    base: str,
    **parameters: int | None,
) -> None:
    """Compile the encoder or the decoder for the accelerator.

    Shows what each layer costs: tiles, weights, cycles of the array and how much of it they use,
    bytes read and written. A model or picture that does not fit the design is refused with the
    parameter that would have to be larger.
    """
    from xlic import shipped
    from xlic.accelerator.compiler import compile_transform
    from xlic.accelerator.cycles import predict
    from xlic.accelerator.explain import explain, explanation_lines, explanation_table
    from xlic.accelerator.program import write_program
    from xlic.accelerator.timing import MemoryTiming
    from xlic.quantization.model import load_quantized

    design = chosen_design(base, **parameters)
    for path in (output, None if json_path == "-" else json_path):
        if path is not None:
            check_output(path, model, image)
    if output is not None and json_path is not None:
        check_output(output, json_path)
    pixels = picture_size(size, image)
    quantized = load_quantized(model if model is not None else shipped.model_path(lmbda))
    compiled = compile_transform(quantized, transform, pixels, design, keep)
    # At the memory's default speed; `xlic cycles` takes others.
    predicted = [layer.cycles for layer in predict(compiled, MemoryTiming())]
    explanation = explain(compiled, predicted)
    if json_path == "-":
        print_json(explanation.as_dict())
    else:
        print_table(explanation_table(explanation))
        for line in explanation_lines(explanation) if explained else ():
            print_line(line)
    if json_path not in (None, "-"):
        write_json_file(str(json_path), explanation.as_dict())
    if output is not None:
        write_program(compiled.program, output)
        say(f"{output}: {explanation.program_bytes} bytes, identity {explanation.identity}")


def picture_size(size: str | None, image: str | None) -> tuple[int, int]:
    """Height and width of what ``--size`` or ``--image`` say.

    Raises:
        InputError: neither or both are given, or what is given is no size or picture.
    """
    if (size is None) == (image is None):
        raise InputError("the program is for one size; give either --size WxH or --image IMG")
    if size is not None:
        width, height = parse_size(size)
        return height, width
    pixels = read_picture(str(image))
    return pixels.shape[0], pixels.shape[1]
