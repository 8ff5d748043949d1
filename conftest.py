"""Fixtures and options come from the installed plugin, ``xlic.pytest_plugin``."""

import pytest

pytest_plugins = ["pytester"]

BOARD_FIXTURES = {"board_config", "virtual_board_session"}
"""A test that takes one of these, by whatever way, has the one board of this run."""
LADDER_FIXTURES = {"rung", "limits"}
"""A test that takes one of these is a cell of the ladder, whose rungs share one process."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run nightly tests only where ``-m`` names them; keep what shares a board in one worker."""
    _deselect_nightly(config, items)
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            if needs_board(item):
                item.add_marker(pytest.mark.xdist_group("board"))
            elif "archives" in getattr(item, "fixturenames", ()):
                # Wheels are made and installed once.
                item.add_marker(pytest.mark.xdist_group("wheel"))


def needs_board(item: pytest.Item) -> bool:
    """Whether a test uses the board, or is a cell of the ladder, which the board is a rung of."""
    fixtures = set(getattr(item, "fixturenames", ()))
    return bool(fixtures & (BOARD_FIXTURES | LADDER_FIXTURES))


def _deselect_nightly(config: pytest.Config, items: list[pytest.Item]) -> None:
    """``-m nightly``, ``-m "rtl and nightly"`` name them."""
    if "nightly" in config.getoption("markexpr"):
        return
    nightly = [item for item in items if item.get_closest_marker("nightly")]
    if nightly:
        config.hook.pytest_deselected(items=nightly)
        items[:] = [item for item in items if not item.get_closest_marker("nightly")]
