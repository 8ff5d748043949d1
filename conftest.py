"""All fixtures and options come from the installed plugin, ``xlic.pytest_plugin``."""

pytest_plugins = ["pytester"]
