"""The pytest plugin, registered through the ``pytest11`` entry point.

:mod:`~xlic.pytest_plugin.plugin` holds the hooks, :mod:`~xlic.pytest_plugin.fixtures` the fixtures,
:mod:`~xlic.pytest_plugin.pictures` the images that every rung is tried on.
"""
