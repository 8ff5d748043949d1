"""A tiny model and a few small photographs; whatever is large or slow is made once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from xlic.entropy.tables import EntropyTables
from xlic.images import UInt8Image, read_image, write_png
from xlic.shipped import photo_path
from xlic.tfmodel.model_file import TrainedModel
from xlic.tfmodel.settings import TrainSettings

FILTERS = 8
SIZES = ((1, 1), (1, 5), (97, 130), (17, 33))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.model)


def tiled(photo: UInt8Image, height: int, width: int) -> UInt8Image:
    """A picture of any size, of photographic content."""
    rows, columns = -(-height // photo.shape[0]), -(-width // photo.shape[1])
    return np.ascontiguousarray(np.tile(photo, (rows, columns, 1))[:height, :width])


def flat_tables(channels: int = FILTERS) -> EntropyTables:
    """Tables of 20 equal bins around 0 and an escape."""
    row = np.append(np.arange(21) * 200, 4096).astype(np.int32)
    return EntropyTables(
        cdf=np.tile(row, (channels, 1)),
        cdf_length=np.full(channels, row.size, np.int32),
        cdf_offset=np.full(channels, -10, np.int32),
        quantization_offset=np.linspace(-0.5, 0.5, channels).astype(np.float32),
    )


@pytest.fixture(scope="session")
def photo() -> UInt8Image:
    return read_image(photo_path()).pixels


@pytest.fixture(scope="session")
def training_folder(tmp_path_factory: pytest.TempPathFactory, photo: UInt8Image) -> Path:
    """Four photographs, one of them grey, and one that is too small for a patch of 64."""
    folder = tmp_path_factory.mktemp("photos")
    for k in range(3):
        write_png(folder / f"{k}.png", photo[64 * k : 64 * k + 80, 100:200])
    from PIL import Image

    Image.fromarray(photo[:90, :70, 0]).save(folder / "grey.jpg")
    write_png(folder / "small.png", photo[:40, :200])
    return folder


@pytest.fixture
def settings(tmp_path: Path, training_folder: Path) -> Callable[..., TrainSettings]:
    """Makes settings of a tiny run."""
    base = TrainSettings(
        train_glob=str(training_folder / "*"),
        filters=FILTERS,
        batch=2,
        patch=64,
        epochs=1,
        steps_per_epoch=3,
        max_validation_steps=0,
        threads=2,
        train_path=tmp_path / "train",
        model_path=tmp_path / "model",
    )
    return lambda **changes: dataclasses.replace(base, **changes)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Training without compilation and without real tables, for tests of neither."""
    import tensorflow as tf

    from xlic.tfmodel.network import Network

    monkeypatch.setattr(Network, "build_tables", lambda self: flat_tables(self.filters))
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def tiny() -> TrainedModel:
    """A model of random weights, as saved by training, RDFT kernels, flat tables."""
    from xlic.tfmodel.initialize import random_variables
    from xlic.tfmodel.network import Network

    variables = random_variables(Network(FILTERS, "rdft"), seed=1)
    generator = np.random.default_rng(2)
    for name, value in variables.items():
        if name.endswith("reparam_gamma"):
            variables[name] = generator.uniform(-0.1, 0.3, value.shape).astype(np.float32)
        elif name.endswith(("bias", "reparam_beta")):
            variables[name] = generator.uniform(-0.1, 1.0, value.shape).astype(np.float32)
        elif name.startswith("analysis/layer_2"):
            variables[name] = value * 40
    return TrainedModel(variables, FILTERS, "rdft", flat_tables(), 0.01, {"steps": 0})
