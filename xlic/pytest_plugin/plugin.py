"""pytest hooks: options, markers, the grid's parameters, skips with their reason."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import pytest

import xlic
from xlic.accelerator.cocotb_runner import SEED, SIMULATORS
from xlic.accelerator.sources import RTL_TOP, rtl_sources
from xlic.errors import InputError, XlicError
from xlic.images import read_image
from xlic.pytest_plugin import board_options, fixtures
from xlic.pytest_plugin.benches import *  # noqa: F403 - fixtures must be names of the plugin
from xlic.pytest_plugin.board import *  # noqa: F403
from xlic.pytest_plugin.board import REPORTS
from xlic.pytest_plugin.fixtures import *  # noqa: F403
from xlic.pytest_plugin.outcomes import OutcomeReports
from xlic.pytest_plugin.pictures import DEFAULT_NAMES, find_images
from xlic.pytest_plugin.virtual_board import *  # noqa: F403
from xlic.quantization.model import QuantizedModel, load_quantized
from xlic.shipped import model_path, weights_path
from xlic.weights import Weights, load_weights

MARKERS = {
    "model": "TensorFlow and tensorflow-compression (skipped where they are absent)",
    "sim": "the INT16 simulation, float64 NumPy and all that needs neither TensorFlow nor hardware",
    "hls": "the HLS C++ design, compiled by the host compiler",
    "rtl": "the RTL in a simulator",
    "board": "a ZCU102, or the virtual one",
    "selfcheck": "faults put in on purpose, which must turn the right test red",
    "nightly": "too long for every change",
}
RUNGS_UNDER_TEST = ("model", "sim", "hls", "rtl", "board")
"""Rungs that a test which takes the ``rung`` fixture runs on, each under the marker of its name."""

REQUANTIZE = "make it with xlic quantize --weights W --calibrate GLOB --out Q"


@dataclass(frozen=True)
class Session:
    """What the options of this run name, checked once.

    Attributes:
        weights: file or folder of float weights.
        model: file of the quantized model.
        images: glob of photographs, or None for the default pictures.
        artifacts: folder for what tests leave behind, or None for pytest's own.
        simulator: that cocotb benches run in.
        rtl_dir: folder of the RTL under test, or None for the project's own.
        rtl_top: its top module.
        rtl_seed: of what cocotb benches draw.
    """

    weights: Path
    model: Path
    images: str | None
    artifacts: Path | None
    simulator: str = SIMULATORS[0]
    rtl_dir: Path | None = None
    rtl_top: str = RTL_TOP
    rtl_seed: int = SEED

    def load_weights(self) -> Weights:
        """The float weights."""
        return load_weights(self.weights)

    def load_model(self) -> QuantizedModel:
        """The quantized model."""
        return load_quantized(self.model)


SESSION = pytest.StashKey[Session]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add xlic's options."""
    group = parser.getgroup("xlic", "verification of learned-image-compression hardware")
    group.addoption(
        "--weights",
        metavar="FILE|DIR",
        help="float weights: a .safetensors file, or a folder with ana_w.bin, ana_b.bin, "
        "syn_w.bin, syn_b.bin (default: the shipped λ = 0.125 model)",
    )
    group.addoption(
        "--model",
        metavar="FILE",
        help="quantized model, as written by `xlic quantize` (default: the shipped one)",
    )
    group.addoption(
        "--images",
        metavar="GLOB",
        help="run image tests on these files (default: two photographs and adversarial pictures)",
    )
    group.addoption(
        "--artifacts",
        metavar="DIR",
        help="keep what tests leave behind here, a folder per test (default: pytest's tmp_path)",
    )
    group.addoption(
        "--simulator",
        choices=SIMULATORS,
        default=SIMULATORS[0],
        help="what cocotb benches run in: verilator, or icarus, which is slow but knows X "
        "(default: %(default)s)",
    )
    group.addoption(
        "--rtl-dir",
        metavar="DIR",
        help="folder of the RTL under test, for instance an HLS export (default: rtl_sim/rtl)",
    )
    group.addoption(
        "--rtl-top", metavar="NAME", default=RTL_TOP, help="its top module (default: %(default)s)"
    )
    group.addoption(
        "--rtl-seed",
        metavar="N",
        type=int,
        default=SEED,
        help="seed of what cocotb benches draw (default: %(default)s)",
    )
    board_options.add_options(
        parser.getgroup("xlic-board", "a ZCU102, or the virtual one, for tests marked board")
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers; refuse unusable options before anything runs."""
    for name, text in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {text}")
    try:
        config.stash[SESSION] = _session(config)
        config.stash[board_options.BOARD] = board_options.read_options(config)
    except XlicError as error:
        raise pytest.UsageError(str(error)) from error
    config.pluginmanager.register(OutcomeReports(), REPORTS)


def pytest_report_header(config: pytest.Config) -> str:
    """Say what is under test."""
    session = config.stash[SESSION]
    return f"xlic {xlic.__version__}: weights {session.weights.name}, model {session.model.name}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give ``rung`` and ``image`` their values: each pair is a cell with a test id of its own."""
    if _takes_ours(metafunc, "rung"):
        rungs = [
            pytest.param(name, marks=getattr(pytest.mark, name), id=name)
            for name in RUNGS_UNDER_TEST
        ]
        metafunc.parametrize("rung", rungs, indirect=True, scope="session")
    if _takes_ours(metafunc, "image"):
        pattern = metafunc.config.stash[SESSION].images
        names = DEFAULT_NAMES if pattern is None else tuple(find_images(pattern))
        metafunc.parametrize("image", names, indirect=True, scope="session")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot run, with the reason and the remedy."""
    if item.get_closest_marker("model") and not has_tensorflow():
        from xlic.remedies import install

        pytest.skip(
            f"needs TensorFlow and tensorflow-compression: {install('model')} (Python 3.11)"
        )
    if item.get_closest_marker("hls"):
        from xlic.accelerator.native_library import missing

        if reason := missing():
            pytest.skip(reason)
    if item.get_closest_marker("board") and (absent := absent_packages()):
        from xlic.remedies import install

        pytest.skip(f"needs {' and '.join(absent)}: {install('board')}")


def has_tensorflow() -> bool:
    """Whether the TensorFlow layer can be imported (without importing it)."""
    return all(importlib.util.find_spec(m) for m in ("tensorflow", "tensorflow_compression"))


def absent_packages() -> list[str]:
    """Python packages that talking to a board needs and that are not installed."""
    return [name for name in ("paramiko", "serial") if importlib.util.find_spec(name) is None]


def _session(config: pytest.Config) -> Session:
    weights, model = config.getoption("--weights"), config.getoption("--model")
    images, artifacts = config.getoption("--images"), config.getoption("--artifacts")
    if artifacts:
        try:
            Path(artifacts).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--artifacts {artifacts}: {error.strerror}; name a folder") from error
    session = Session(
        Path(weights) if weights else weights_path(),
        Path(model) if model else model_path(),
        images,
        Path(artifacts).resolve() if artifacts else None,
        config.getoption("--simulator"),
        Path(config.getoption("--rtl-dir")) if config.getoption("--rtl-dir") else None,
        config.getoption("--rtl-top"),
        config.getoption("--rtl-seed"),
    )
    if session.rtl_dir:
        rtl_sources(session.rtl_dir)
    # A named file that cannot be used is the command line's fault, not a test's.
    if weights:
        session.load_weights()
    if model:
        identity = session.load_model().weights_identity
        if weights and identity != session.load_weights().identity:
            raise InputError(f"--model {model} was not made from --weights {weights}; {REQUANTIZE}")
    if images is not None:
        for file in find_images(images).values():
            read_image(file)
    return session


def _takes_ours(metafunc: pytest.Metafunc, name: str) -> bool:
    """Whether the test takes our fixture of this name, and does not parametrize it itself.

    Another plugin or test suite may well have an ``image`` of its own.
    """
    if name not in metafunc.fixturenames:
        return False
    marks = metafunc.definition.iter_markers("parametrize")
    if any(name in str(mark.args[0]).replace(" ", "").split(",") for mark in marks):
        return False
    # pytest has no public way to ask which definition a name resolves to.
    found = metafunc._arg2fixturedefs.get(name) or ()
    return len(found) > 0 and found[-1].func.__module__ == fixtures.__name__
