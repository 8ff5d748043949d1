"""Tests of the board need what talks to one."""

import importlib.util

collect_ignore_glob = []
if importlib.util.find_spec("paramiko") is None or importlib.util.find_spec("serial") is None:
    collect_ignore_glob.append("test_*.py")
