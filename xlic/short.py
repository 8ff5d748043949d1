"""pytest plugin: xlic's options and markers under short names, for suites that are about xlic.

``pytest -p xlic.short``, or in the configuration ``addopts = "-p xlic.short"``. ``--host`` then is
``--xlic-host``, and what is marked ``hls`` is marked ``xlic_hls`` as well: selected by either name,
and skipped, with the remedy, where it cannot run. Cells of the grid bear both marks.
"""

from __future__ import annotations

import argparse

import pytest

from xlic.pytest_plugin import plugin
from xlic.pytest_plugin.markers import MARKERS, PREFIX
from xlic.pytest_plugin.options import SHORT, add_options

_ENTRY_POINT = "xlic"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the options, and the plugin itself where plugins are not loaded unasked."""
    blocked = pluginmanager.is_blocked(_ENTRY_POINT)
    if not blocked and not pluginmanager.has_plugin(_ENTRY_POINT):
        pluginmanager.register(plugin, _ENTRY_POINT)
    try:
        add_options(parser, "--")
    except (ValueError, argparse.ArgumentError) as error:
        raise pytest.UsageError(
            f"{SHORT} and another plugin want the same name: {error}; "
            "leave out -p xlic.short and use --xlic-… and xlic_…"
        ) from error


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    for name, text in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {text}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give every test that bears a mark under one name the other name too."""
    if not config.pluginmanager.has_plugin(_ENTRY_POINT):
        return
    for item in items:
        for name in MARKERS:
            for one, other in ((name, PREFIX + name), (PREFIX + name, name)):
                if item.get_closest_marker(one) and not item.get_closest_marker(other):
                    item.add_marker(other)
