"""``python3 -m xlic.bootstrap``, without its installations."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from xlic import bootstrap
from xlic.sources import ROOT


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """An environment with programs that tell where they run, and nothing else."""
    folder = tmp_path / "clone" / ".venv" / "bin"
    folder.mkdir(parents=True)
    for name in ("xlic", "tox"):
        (folder / name).write_text('#!/bin/sh\necho "$PWD" "$@"\nexit 7\n')
        (folder / name).chmod(0o755)
    monkeypatch.setattr(bootstrap, "VENV", folder.parent)
    monkeypatch.setattr(bootstrap, "install", lambda *_: None)


def test_the_demo_runs_where_it_is_called_and_the_tests_in_the_checkout(
    installed, tmp_path, monkeypatch, capfd
):
    (tmp_path / "my photographs").mkdir()
    monkeypatch.chdir(tmp_path / "my photographs")
    assert bootstrap.main(["demo", "photo.jpg"]) == 7
    assert capfd.readouterr().out == f"{tmp_path / 'my photographs'} demo photo.jpg\n"
    assert bootstrap.main(["test", "-e", "sim"]) == 7
    assert capfd.readouterr().out == f"{ROOT} run -e sim\n"


def test_from_another_folder_it_is_found_by_pythonpath(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "xlic.bootstrap"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "usage: python3 -m xlic.bootstrap demo|test [ARGUMENTS]\n"


def test_a_checkout_that_cannot_be_written_is_told(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / "file" / ".venv")
    assert bootstrap.main(["demo"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"xlic: error: cannot write {tmp_path}/file/.venv: Not a directory; use")
    assert len(said.splitlines()) == 1


def test_an_index_that_is_not_there_is_told(installed, monkeypatch, capsys):
    def fails(*_):
        raise subprocess.CalledProcessError(1, ["python", "-m", "pip", "install", ".[test]"])

    monkeypatch.setattr(bootstrap, "install", fails)
    assert bootstrap.main(["demo"]) == 2
    assert "is a Python package index reachable?" in capsys.readouterr().err


def test_an_installed_xlic_has_nothing_to_bootstrap(installed, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "IN_CHECKOUT", False)
    assert bootstrap.main(["demo"]) == 2
    assert "this is for a checkout of the project" in capsys.readouterr().err
