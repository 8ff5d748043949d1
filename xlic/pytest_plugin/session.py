"""What the options of a run name, read once: when it begins if they are given, else on demand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from xlic.pytest_plugin.options import shown, value

if TYPE_CHECKING:
    from xlic.quantization.model import QuantizedModel
    from xlic.weights import Weights

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
    simulator: str
    rtl_dir: Path | None
    rtl_top: str
    rtl_seed: int

    def load_weights(self) -> Weights:
        """The float weights."""
        from xlic.weights import load_weights

        return load_weights(self.weights)

    def load_model(self) -> QuantizedModel:
        """The quantized model."""
        from xlic.quantization.model import load_quantized

        return load_quantized(self.model)


_SESSION = pytest.StashKey[Session]()


def session_of(config: pytest.Config) -> Session:
    """What the options of a run name.

    Raises:
        InputError: they are unusable.
    """
    if _SESSION not in config.stash:
        config.stash[_SESSION] = _read(config)
    return config.stash[_SESSION]


def _read(config: pytest.Config) -> Session:
    from xlic.errors import InputError
    from xlic.shipped import model_path, weights_path

    weights, model = value(config, "weights"), value(config, "model")
    images, artifacts = value(config, "images"), value(config, "artifacts")
    if artifacts:
        try:
            Path(artifacts).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            option = shown(config, "artifacts")
            raise InputError(f"{option} {artifacts}: {error.strerror}; name a folder") from error
    session = Session(
        Path(weights) if weights else weights_path(),
        Path(model) if model else model_path(),
        images,
        Path(artifacts).resolve() if artifacts else None,
        value(config, "simulator"),
        Path(value(config, "rtl-dir")) if value(config, "rtl-dir") else None,
        value(config, "rtl-top"),
        value(config, "rtl-seed"),
    )
    _check(session, config)
    return session


def _check(session: Session, config: pytest.Config) -> None:
    """A named file that cannot be used is the command line's fault, not a test's."""
    from xlic.accelerator.sources import rtl_sources
    from xlic.errors import InputError

    weights, model = value(config, "weights"), value(config, "model")
    if session.rtl_dir:
        rtl_sources(session.rtl_dir)
    if weights:
        session.load_weights()
    if model:
        identity = session.load_model().weights_identity
        if weights and identity != session.load_weights().identity:
            raise InputError(
                f"{shown(config, 'model')} {model} was not made from {shown(config, 'weights')} "
                f"{weights}; {REQUANTIZE}"
            )
    if session.images is not None:
        from xlic.images import read_image
        from xlic.pytest_plugin.pictures import find_images

        for file in find_images(session.images, shown(config, "images")).values():
            read_image(file)
