"""Remedies that can be pasted: the interpreter that runs, the place that xlic came from."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import xlic
from xlic import remedies

ROOT = Path(xlic.__file__).parent.parent
SOURCES = sorted((ROOT / "xlic").rglob("*.py"))


@pytest.fixture
def installed(monkeypatch):
    """An installation elsewhere, that came from somewhere."""

    def install(origin):
        text = None if origin is None else json.dumps({"url": origin, "dir_info": {}})

        class Distribution:
            def read_text(self, name):
                return text if name == "direct_url.json" else None

        monkeypatch.setattr(remedies, "IN_CHECKOUT", False)
        monkeypatch.setattr(remedies.metadata, "distribution", lambda _: Distribution())

    return install


class TestInstall:
    def test_of_a_clone_names_interpreter_and_clone(self, monkeypatch, tmp_path):
        clone = tmp_path / "a clone"
        monkeypatch.setattr(remedies, "IN_CHECKOUT", True)
        monkeypatch.setattr(remedies, "ROOT", clone)
        words = shlex.split(remedies.install("rtl"))
        expected = ["-m", "pip", "install", "--editable", f"{clone}[rtl]"]
        assert words == [sys.executable, *expected]

    def test_of_a_wheel_names_what_it_came_from(self, installed, tmp_path):
        wheel = tmp_path / "my xlic.whl"
        wheel.touch()
        installed(wheel.as_uri())
        assert shlex.split(remedies.install("board"))[-1] == f"{wheel}[board]"

    @pytest.mark.parametrize("origin", [None, "file:///gone/long/ago", "https://example.org/x.whl"])
    def test_of_what_is_not_there_any_more_names_the_package(self, installed, origin):
        installed(origin)
        assert shlex.split(remedies.install("rtl"))[-1] == "xlic[rtl]"

    def test_without_pip_takes_uv(self, monkeypatch):
        monkeypatch.setattr(remedies.importlib.util, "find_spec", lambda name: None)
        words = shlex.split(remedies.install("rtl"))
        assert words[:5] == ["uv", "pip", "install", "--python", sys.executable]

    @pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="needs pip")
    def test_is_a_command_that_runs(self, tmp_path):
        words = remedies.install("rtl")
        # Everything but the installing: pip reads the command and finds the interpreter's packages.
        done = subprocess.run(
            f"{words} --help", shell=True, cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert "Usage" in done.stdout


class TestXlic:
    def test_is_called_by_name_where_a_shell_finds_it(self, monkeypatch, tmp_path):
        (tmp_path / "xlic").touch()
        monkeypatch.setattr(remedies.sys, "executable", str(tmp_path / "python"))
        monkeypatch.setattr(remedies.shutil, "which", lambda _: str(tmp_path / "xlic"))
        assert remedies.xlic("demo") == "xlic demo"

    @pytest.mark.parametrize("found", [None, "/bin/sh"])
    def test_is_called_by_its_interpreter_where_not(self, monkeypatch, tmp_path, found):
        monkeypatch.setattr(remedies.shutil, "which", lambda _: found)
        done = subprocess.run(
            remedies.xlic("--version"), shell=True, cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0
        assert xlic.__version__ in done.stdout


class TestMessages:
    def test_name_only_extras_that_there_are(self):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        named = {
            extra
            for file in SOURCES
            for extra in re.findall(r"\binstall\(['\"](\w+)['\"]\)", file.read_text("utf-8"))
        }
        assert {"rtl", "board", "model"} <= named <= project["optional-dependencies"].keys()

    def test_never_tell_to_install_without_saying_into_what(self):
        bare = re.compile(r"[\"' ]pip install (?!`|PATH)")
        told = {
            str(file.relative_to(ROOT)): line.strip()
            for file in SOURCES
            for line in file.read_text("utf-8").splitlines()
            if bare.search(line) and not line.lstrip().startswith(("#", '"""', "The wheel"))
        }
        assert told == {}
