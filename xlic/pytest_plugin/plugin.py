"""pytest hooks: options, markers, the grid's parameters, skips with their reason.

The plugin is loaded in every project that has xlic installed. There it takes no name that is not
its own, imports nothing that takes time, and leaves alone what does not use it: a test is xlic's if
it takes one of the fixtures or bears one of the markers.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

import xlic
from xlic.pytest_plugin import fixtures, options
from xlic.pytest_plugin.benches import *  # noqa: F403 - fixtures must be names of the plugin
from xlic.pytest_plugin.board import *  # noqa: F403
from xlic.pytest_plugin.board_options import board_options
from xlic.pytest_plugin.fixtures import *  # noqa: F403
from xlic.pytest_plugin.markers import MARKERS, PREFIX, RUNGS_UNDER_TEST
from xlic.pytest_plugin.outcomes import REPORTS, OutcomeReports
from xlic.pytest_plugin.session import session_of
from xlic.pytest_plugin.virtual_board import *  # noqa: F403


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add xlic's options."""
    options.add_options(parser, "--xlic-")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers; refuse unusable options before anything runs."""
    for name, text in MARKERS.items():
        config.addinivalue_line("markers", f"{PREFIX}{name}: {text}")
    config.pluginmanager.register(OutcomeReports(), REPORTS)
    if options.any_given(config):
        from xlic.errors import XlicError

        try:
            session_of(config)
            board_options(config)
        except XlicError as error:
            raise pytest.UsageError(str(error)) from error


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what is under test, where it is plain already that xlic is asked for."""
    return _header(config) if _asked_for(config) else None


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> str | None:
    """Say it where tests were found that use xlic."""
    if _asked_for(config) or not any(map(uses_xlic, items)):
        return None
    return _header(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give ``rung`` and ``image`` their values: each pair is a cell with a test id of its own."""
    if _takes_ours(metafunc, "rung"):
        rungs = [
            pytest.param(name, marks=getattr(pytest.mark, PREFIX + name), id=name)
            for name in RUNGS_UNDER_TEST
        ]
        metafunc.parametrize("rung", rungs, indirect=True, scope="session")
    if _takes_ours(metafunc, "image"):
        from xlic.pytest_plugin.pictures import DEFAULT_NAMES, find_images

        pattern = options.value(metafunc.config, "images")
        names = DEFAULT_NAMES if pattern is None else tuple(find_images(pattern))
        metafunc.parametrize("image", names, indirect=True, scope="session")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot run, with the reason and the remedy."""
    if item.get_closest_marker(f"{PREFIX}model") and not has_tensorflow():
        from xlic.remedies import install

        pytest.skip(
            f"needs TensorFlow and tensorflow-compression: {install('model')} (Python 3.11)"
        )
    if item.get_closest_marker(f"{PREFIX}hls"):
        from xlic.accelerator.native_library import missing

        if reason := missing():
            pytest.skip(reason)
    if item.get_closest_marker(f"{PREFIX}board") and (absent := absent_packages()):
        from xlic.remedies import install

        pytest.skip(f"needs {' and '.join(absent)}: {install('board')}")


def has_tensorflow() -> bool:
    """Whether the TensorFlow layer can be imported (without importing it)."""
    return all(importlib.util.find_spec(m) for m in ("tensorflow", "tensorflow_compression"))


def absent_packages() -> list[str]:
    """Python packages that talking to a board needs and that are not installed."""
    return [name for name in ("paramiko", "serial") if importlib.util.find_spec(name) is None]


def uses_xlic(item: pytest.Item) -> bool:
    """Whether a test takes one of the fixtures, or bears one of the markers."""
    if any(mark.name.startswith(PREFIX) for mark in item.iter_markers()):
        return True
    # Items of other kinds than functions have none.
    info = getattr(item, "_fixtureinfo", None)
    definitions = info.name2fixturedefs.values() if info else ()
    return any(found and _is_ours(found[-1]) for found in definitions)


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
    return len(found) > 0 and _is_ours(found[-1])


def _is_ours(definition: Any) -> bool:
    package = fixtures.__name__.rpartition(".")[0]
    return str(definition.func.__module__).rpartition(".")[0] == package


def _asked_for(config: pytest.Config) -> bool:
    return config.pluginmanager.has_plugin(options.SHORT) or options.any_given(config)


def _header(config: pytest.Config) -> str:
    session = session_of(config)
    return f"xlic {xlic.__version__}: weights {session.weights.name}, model {session.model.name}"
