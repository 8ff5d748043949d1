"""Options that several commands have, each defined once, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from xlic.accelerator.design import SMALL, Design
from xlic.cli.common import check_output, parse_size, read_picture
from xlic.cli.streams import is_stdout
from xlic.errors import InputError
from xlic.shipped import LAMBDAS

if TYPE_CHECKING:
    from xlic.accelerator.timing import MemoryTiming
    from xlic.quantization.model import QuantizedModel

_F = TypeVar("_F", bound=Callable[..., Any])
Decorator = Callable[[_F], _F]

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


def options(*each: Callable[[Any], Any]) -> Callable[[_F], _F]:
    """Several options as one decorator, in this order in the help."""

    def decorate(function: _F) -> _F:
        for option in reversed(each):
            function = option(function)
        return function

    return decorate


json_option = click.option(
    "--json", "json_path", metavar="FILE", help="Write the results as JSON; - is stdout."
)
verbose_option = click.option("-V", "--verbose", is_flag=True, help="Say more.")
image_option = click.option(
    "--image", metavar="IMAGE", required=True, help="The picture; - is stdin."
)
model_options = options(
    click.option("--model", metavar="FILE", help="Quantized model; default: the shipped one."),
    click.option(
        "--lambda",
        "lmbda",
        type=click.Choice(LAMBDAS),
        default=LAMBDAS[0],
        show_default=True,
        help="Which shipped model, where none is given.",
    ),
)
no_limits_option = click.option(
    "--no-limits",
    is_flag=True,
    help="Leave out the made picture that reaches every limit of the arithmetic.",
)
size_options = options(
    click.option("--size", metavar="WxH", help="Size of the picture."),
    click.option("--image", metavar="IMAGE", help="A picture of that size, instead; - is stdin."),
)
transform_option = click.option(
    "--transform",
    type=click.Choice(["encode", "decode"]),
    default="encode",
    show_default=True,
    help="Picture to symbols, or back.",
)
memory_options = options(
    click.option(
        "--latency",
        type=int,
        default=60,
        show_default=True,
        metavar="CYCLES",
        help="From a read's address to its first beat.",
    ),
    click.option(
        "--write-latency",
        type=int,
        default=30,
        show_default=True,
        metavar="CYCLES",
        help="From a write's last beat to its response.",
    ),
    click.option(
        "--stall",
        type=int,
        default=0,
        show_default=True,
        metavar="N",
        help="Hold up each channel in one cycle of N; 0 never.",
    ),
    click.option(
        "--bytes-per-cycle",
        type=int,
        default=16,
        show_default=True,
        metavar="BYTES",
        help="Bandwidth per port and direction, 1 to 16.",
    ),
    click.option(
        "--stall-seed", "seed", type=int, default=1, show_default=True, help="Of the random stalls."
    ),
)
design_options = options(
    click.option(
        "--design",
        "base",
        type=click.Choice(list(_DESIGNS)),
        default="default",
        show_default=True,
        help="Array and buffers; the following change one each.",
    ),
    *(
        click.option(f"--{name.replace('_', '-')}", name, type=int, help=text)
        for name, text in _PARAMETERS.items()
    ),
)


def chosen_design(base: str, parameters: dict[str, int | None]) -> Design:
    """The design that the options of :data:`design_options` describe.

    Raises:
        InputError: it cannot be built.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    return replace(_DESIGNS[base], **given)


def chosen_memory(parameters: dict[str, Any]) -> MemoryTiming:
    """The memory of :data:`memory_options`, which are taken out of ``parameters``.

    Raises:
        InputError: there is no such memory.
    """
    from xlic.accelerator.timing import MemoryTiming

    names = ("latency", "write_latency", "stall", "bytes_per_cycle", "seed")
    return MemoryTiming(**{name: parameters.pop(name) for name in names})


def chosen_model(model: str | None, lmbda: str) -> QuantizedModel:
    """The model of :data:`model_options`.

    Raises:
        InputError: it cannot be read.
    """
    from xlic import shipped
    from xlic.quantization.model import load_quantized

    return load_quantized(model if model is not None else shipped.model_path(lmbda))


def chosen_size(size: str | None, image: str | None) -> tuple[int, int]:
    """Height and width of :data:`size_options`.

    Raises:
        InputError: neither or both are given, or what is given is no size or picture.
    """
    if (size is None) == (image is None):
        raise InputError("the program is for one size; give either --size WxH or --image IMAGE")
    if size is not None:
        width, height = parse_size(size)
        return height, width
    pixels = read_picture(str(image))
    return pixels.shape[0], pixels.shape[1]


def check_json(path: str | None, *inputs: str | None) -> None:
    """Refuse a ``--json`` that cannot be written or would destroy an input, before any work.

    Raises:
        InputError: so.
    """
    if path is not None and not is_stdout(path):
        check_output(path, *inputs)
