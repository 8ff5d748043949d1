"""Fixtures: what is under test, and what it is compared with."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from xlic.pytest_plugin.options import shown
from xlic.pytest_plugin.session import REQUANTIZE, Session, session_of

if TYPE_CHECKING:
    from xlic.images import UInt8Image
    from xlic.quantization.model import QuantizedModel
    from xlic.rungs.float64 import FloatRung
    from xlic.rungs.interface import Rung
    from xlic.weights import Weights

__all__ = [
    "artifacts",
    "float_rung",
    "image",
    "photographs",
    "quantized",
    "rung",
    "weights",
    "xlic_session",
]


@dataclass(frozen=True)
class Picture:
    """An image under test.

    Attributes:
        name: part of the test's id.
        pixels: uint8 ``(H, W, 3)``, not writeable.
        photograph: whether it is one; bounds on quality hold for photographs only.
    """

    name: str
    pixels: UInt8Image
    photograph: bool


@pytest.fixture(scope="session")
def xlic_session(pytestconfig: pytest.Config) -> Session:
    """What the options of this run name."""
    from xlic.errors import XlicError

    try:
        return session_of(pytestconfig)
    except XlicError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def weights(xlic_session: Session) -> Weights:
    """The float weights (``--weights``)."""
    return xlic_session.load_weights()


@pytest.fixture(scope="session")
def quantized(
    pytestconfig: pytest.Config, xlic_session: Session, weights: Weights
) -> QuantizedModel:
    """The quantized model (``--model``); fails where it was not made from the weights."""
    model = xlic_session.load_model()
    if model.weights_identity != weights.identity:
        # Unlike things are not compared: every cell would be red for no fault of its own.
        pytest.fail(
            f"the quantized model {xlic_session.model.name} was not made from the weights "
            f"{xlic_session.weights.name}; {REQUANTIZE}, and give {shown(pytestconfig, 'model')} Q",
            pytrace=False,
        )
    return model


@pytest.fixture(scope="session")
def float_rung(weights: Weights) -> FloatRung:
    """The float64 reference."""
    from xlic.rungs.float64 import FloatRung

    return FloatRung(weights)


@pytest.fixture(scope="session")
def rung(request: pytest.FixtureRequest, weights: Weights, quantized: QuantizedModel) -> Rung:
    """The rung under test; a test that takes it runs once per rung, under the rung's marker."""
    from xlic.errors import MissingToolError
    from xlic.rungs.registry import open_rung

    if request.param == "board":
        board: Rung = request.getfixturevalue("board_rung")
        return board
    try:
        return open_rung(request.param, weights, quantized)
    except MissingToolError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest, xlic_session: Session) -> Picture:
    """The image under test; a test that takes it runs once per image (``--images``)."""
    from xlic.images import read_image
    from xlic.pytest_plugin.pictures import PHOTOGRAPHS, find_images, make_picture

    if xlic_session.images is None:
        return _picture(request.param, make_picture, request.param in PHOTOGRAPHS)
    files = find_images(xlic_session.images)
    return _picture(request.param, lambda name: read_image(files[name]).pixels, True)


@pytest.fixture(scope="session")
def photographs(xlic_session: Session) -> list[Picture]:
    """All photographs at once, for bounds on means (``--images``)."""
    from xlic.images import read_image
    from xlic.pytest_plugin.pictures import PHOTOGRAPHS, find_images, make_picture

    if xlic_session.images is None:
        return [_picture(name, make_picture, True) for name in PHOTOGRAPHS]
    files = find_images(xlic_session.images)
    return [_picture(name, lambda key: read_image(files[key]).pixels, True) for name in files]


@pytest.fixture
def artifacts(request: pytest.FixtureRequest, xlic_session: Session, tmp_path: Path) -> Path:
    """A folder of the test's own for what it leaves behind (``--artifacts``)."""
    if xlic_session.artifacts is None:
        return tmp_path
    folder = xlic_session.artifacts / re.sub(r"[^\w.=-]+", "_", request.node.nodeid)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _picture(name: str, load: Callable[[str], UInt8Image], photograph: bool) -> Picture:
    pixels = load(name)
    pixels.flags.writeable = False
    return Picture(name, pixels, photograph)
