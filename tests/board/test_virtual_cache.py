"""What the virtual board is made of, on full disks and where it was damaged."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from tests.small_disk import run_beside_small_disk
from xlic.accelerator import builds
from xlic.board.virtual import image, packages, tools
from xlic.board.virtual.errors import VirtualBoardError
from xlic.disk import full_disk_told
from xlic.errors import DiskFullError

pytestmark = pytest.mark.board


def test_a_program_that_waits_on_a_full_disk_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(tools, "is_full", lambda folder: folder == tmp_path)
    began = time.monotonic()
    with (
        pytest.raises(DiskFullError, match=f"no room left in {tmp_path}; set XDG_CACHE_HOME"),
        full_disk_told({tmp_path: "XDG_CACHE_HOME"}),
    ):
        tools.call(["sleep", "60"], deadline=60, folder=tmp_path)
    assert time.monotonic() - began < 10
    assert tools.call(["pwd"], deadline=60, folder=tmp_path).strip() == str(tmp_path)


def test_a_program_has_its_deadline_and_its_output_whole():
    with pytest.raises(VirtualBoardError, match=r"sleep 60 did not end within 2 s"):
        tools.call(["sleep", "60"], deadline=2)
    script = "seq 100000; sleep 2; echo last >&2; exit 3"
    with pytest.raises(VirtualBoardError, match="sh -c failed: last"):
        tools.call(["sh", "-c", script], deadline=60)
    assert tools.call(["sh", "-c", "seq 100000; sleep 2"], deadline=60).endswith("\n100000\n")


FETCH = """
import sys
from xlic.board.virtual.packages import fetch_packages
from xlic.errors import XlicError
try:
    fetch_packages()
except XlicError as error:
    print(error)
    sys.exit(error.exit_status)
"""


def test_packages_are_not_fetched_where_they_have_no_room(tmp_path):
    if lacking := tools.absent(tools.FETCH_TOOLS):
        pytest.skip(f"needs {', '.join(lacking)}")
    disk = tmp_path / "disk"
    began = time.monotonic()
    done = run_beside_small_disk(FETCH, disk, "40m", {"XDG_CACHE_HOME": str(disk)})
    assert done.returncode == 2, done.stderr
    assert f"no room in {disk}/xlic: 268 MB are needed" in done.stdout
    assert "set XDG_CACHE_HOME" in done.stdout
    assert time.monotonic() - began < 60


def test_a_damaged_package_is_fetched_again(tmp_path, monkeypatch, caplog):
    (tmp_path / "a.deb").write_bytes(b"something else")
    entry = packages.Package("a", "1", "arm64", "a.deb", "0" * 64)
    damaged = packages.Packages(tmp_path, "6.1", (entry,))
    fetched = []

    def fetch(*, update=False, progress=None):
        fetched.append(update)
        return SimpleNamespace(path=lambda _: "whole") if update else damaged

    monkeypatch.setattr(image, "require_tools", lambda _: None)
    monkeypatch.setattr(image, "fetch_packages", fetch)
    monkeypatch.setattr(image, "_image_of", lambda found, _: found.path("a"))
    assert image.build_image() == "whole"
    assert fetched == [False, True]
    assert f"{tmp_path} is fetched again" in caplog.text


def test_what_a_compiler_says_of_a_full_disk_comes_first():
    said = (
        "cc1plus: fatal: cannot write x.gch: No space left on device\n"
        "make: *** [x.gch] Error 1\nmake: *** [y.gch] Error 1\n%Error: make exited with 2\n"
    )
    assert "No space left" in builds.error_lines(said)[0]
    assert builds.error_lines(said)[1] == "make: *** [x.gch] Error 1"
    assert builds.error_lines("a\nb\nc\nd") == ["b", "c", "d"]
    assert builds.error_lines("") == []
