"""The options of a run, under the names that the plugin gives them and under short ones.

A table and nothing else: pytest reads it in every project, hence it imports nothing that takes
time, and what the options name is looked at when a test asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from xlic.accelerator.choices import LOGICS, SEED, SIMULATORS
from xlic.sources import RTL_TOP

SHORT = "xlic.short"
"""The plugin that adds short names."""


@dataclass(frozen=True)
class Option:
    """An option ``--xlic-NAME``, or ``--NAME`` where :data:`SHORT` is loaded.

    Attributes:
        name: without dashes in front.
        help: for ``pytest --help``.
        settings: others, for :meth:`pytest.OptionGroup.addoption`.
    """

    name: str
    help: str
    settings: Mapping[str, Any]

    @property
    def destination(self) -> str:
        """Under which its value is kept, however it was given."""
        return "xlic_" + self.name.replace("-", "_")


def _option(name: str, help: str, **settings: Any) -> Option:  # noqa: A002 - as pytest calls it
    return Option(name, help, settings)


OPTIONS = (
    _option(
        "weights",
        "float weights: a .safetensors file, or a folder with ana_w.bin, ana_b.bin, "
        "syn_w.bin, syn_b.bin (default: the shipped λ = 0.125 model)",
        metavar="FILE|DIR",
    ),
    _option(
        "model",
        "quantized model, as written by `xlic quantize` (default: the shipped one)",
        metavar="FILE",
    ),
    _option(
        "images",
        "run image tests on these files (default: two photographs and adversarial pictures)",
        metavar="GLOB",
    ),
    _option(
        "artifacts",
        "keep what tests leave behind here, a folder per test (default: pytest's tmp_path)",
        metavar="DIR",
    ),
    _option(
        "simulator",
        "what cocotb benches run in: verilator, or icarus, which is slow but knows X "
        "(default: %(default)s)",
        choices=SIMULATORS,
        default=SIMULATORS[0],
    ),
    _option(
        "rtl-dir",
        "folder of the RTL under test, for instance an HLS export (default: the project's own)",
        metavar="DIR",
    ),
    _option("rtl-top", "its top module (default: %(default)s)", metavar="NAME", default=RTL_TOP),
    _option(
        "rtl-seed",
        "seed of what cocotb benches draw (default: %(default)s)",
        metavar="N",
        type=int,
        default=SEED,
    ),
    _option(
        "host",
        "run board tests on this ZCU102: a name in ~/.ssh/config, an address, or 'virtual' "
        "(default: virtual, where its tools are installed)",
        metavar="NAME",
    ),
    _option("board", "board file (docs/board.md)", metavar="FILE"),
    _option("serial", "its console: /dev/ttyUSB0, socket://host:port", metavar="PORT"),
    _option("bitstream", "load this .bit or .bin first", metavar="FILE"),
    _option(
        "pl",
        "what its accelerator was made from; on the virtual board, what plays it "
        "(default: %(default)s)",
        choices=LOGICS,
        default=LOGICS[0],
    ),
    _option(
        "board-sources",
        "sources that it must have been made from, where they are not this project's",
        metavar="any|HASH",
    ),
    _option(
        "accept-new-host-key",
        "add a host key that is not known yet; a changed one is refused in any case",
        action="store_true",
        default=False,
    ),
)


def add_options(parser: pytest.Parser, prefix: str) -> None:
    """Add all options, their names beginning with ``prefix``.

    Raises:
        ValueError: another plugin has an option of that name.
        argparse.ArgumentError: the same, of newer versions of pytest.
    """
    group = parser.getgroup("xlic", "verification of learned-image-compression hardware")
    for option in OPTIONS:
        group.addoption(
            prefix + option.name, dest=option.destination, help=option.help, **option.settings
        )


def value(config: pytest.Config, name: str) -> Any:
    """What an option was given, else its default."""
    return config.getoption(_BY_NAME[name].destination)


def shown(config: pytest.Config, name: str) -> str:
    """How messages call an option: by its short name where there is one."""
    return ("--" if config.pluginmanager.has_plugin(SHORT) else "--xlic-") + name


def any_given(config: pytest.Config) -> bool:
    """Whether the command line or the configuration gives one of the options."""
    return any(value(config, option.name) != option.settings.get("default") for option in OPTIONS)


_BY_NAME = {option.name: option for option in OPTIONS}
