"""The cache of builds, and what compiling without a compiler says."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from tests.hls.programs import TINY
from xlic.accelerator import native_library
from xlic.accelerator.builds import UNUSED_DAYS, cache_folder, cached_build, digest_of
from xlic.accelerator.design import SMALL
from xlic.accelerator.isa import DESIGN_CHOICES, DESIGN_RANGES
from xlic.accelerator.native_library import build_library, find_compiler, hls_sources
from xlic.errors import BuildError, InputError, MissingToolError
from xlic.files import LongPhase
from xlic.sources import HLS_DIR

pytestmark = pytest.mark.hls


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "xlic"


def touch(folder):
    (folder / "made").write_text("x")


def test_the_folder_follows_the_specification(cache, monkeypatch):
    assert cache_folder() == cache
    for ignored in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert cache_folder().parts[-2:] == (".cache", "xlic")


def test_a_digest_depends_on_all_that_goes_in_and_on_where_it_ends(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_text("1")
    b.write_text("1")
    seen = {
        digest_of([a]),
        digest_of([b]),
        digest_of([a, b]),
        digest_of([a], ["x"]),
        digest_of([a], ["xy", ""]),
        digest_of([a], ["x", "y"]),
    }
    a.write_text("2")
    assert len(seen | {digest_of([a])}) == 7
    with pytest.raises(InputError, match="cannot read"):
        digest_of([tmp_path / "absent"])


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        *((name, max(choices) + 1, "cannot be that") for name, choices in DESIGN_CHOICES.items()),
        *((name, least - 1, "out of its range") for name, (least, _) in DESIGN_RANGES.items()),
        *((name, most + 1, "out of its range") for name, (_, most) in DESIGN_RANGES.items()),
    ],
)
def test_parameters_that_no_design_can_have_do_not_compile(parameter, value, said):
    compiler = find_compiler()
    source = f'#include "xlic_config.hpp"\nint main() {{ return xlic::{parameter} == {value}; }}\n'
    done = subprocess.run(
        [compiler, "-fsyntax-only", f"-DXLIC_{parameter}={value}", f"-I{HLS_DIR}", "-xc++", "-"],
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert f"{parameter} {said}" in done.stderr or f"{parameter} is {said}" in done.stderr


def test_what_is_there_is_not_built_again(cache):
    calls = []
    for digest in ("a" * 64, "a" * 64, "b" * 64):
        folder = cached_build("x", digest, lambda folder: calls.append(touch(folder)))
        assert (folder / "made").read_text() == "x"
    assert len(calls) == 2
    assert len(list(cache.glob("x-*"))) == 2


def test_a_failed_build_leaves_nothing(cache):
    def fail(folder):
        touch(folder)
        raise MissingToolError("no")

    with pytest.raises(MissingToolError):
        cached_build("x", "a" * 64, fail)
    assert [path for path in cache.iterdir() if path.is_dir()] == []
    assert (cached_build("x", "a" * 64, touch) / "made").exists()


def test_threads_and_processes_wait_for_one_build(cache):
    calls = []

    def slow(folder):
        calls.append(1)
        time.sleep(0.2)
        touch(folder)

    other = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import time\n"
            "from xlic.accelerator.builds import cached_build\n"
            "def slow(folder):\n"
            "    print('built', flush=True)\n"
            "    time.sleep(0.5)\n"
            "    (folder / 'made').write_text('x')\n"
            "cached_build('x', 'a' * 64, slow)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    threads = [threading.Thread(target=lambda: cached_build("x", "a" * 64, slow)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    printed, _ = other.communicate()
    assert printed.count("built") + len(calls) == 1


def test_builds_that_nobody_used_go(cache):
    long_ago = time.time() - (UNUSED_DAYS + 1) * 86400
    for digest in ("a" * 64, "b" * 64):
        os.utime(cached_build("x", digest, touch), (long_ago, long_ago))
    cached_build("x", "a" * 64, touch)  # used
    cached_build("x", "c" * 64, touch)
    assert sorted(path.name for path in cache.glob("x-*")) == [f"x-{c * 32}" for c in "ac"]


def test_an_unwritable_cache_is_told_with_the_remedy(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match="XDG_CACHE_HOME"):
        cached_build("x", "a" * 64, touch)


def test_designs_and_sources_have_builds_of_their_own(cache, tmp_path):
    copy = tmp_path / "hls"
    copy.mkdir()
    for file in hls_sources():
        (copy / file.name).write_bytes(file.read_bytes())
    told = []
    first = build_library(TINY, copy, lambda *step: told.append(step))
    assert [(type(what), what.split(" (usually ")[0]) for what, *_ in told] == [
        (LongPhase, "compiling the HLS C++")
    ]
    assert build_library(TINY, copy, lambda *_: pytest.fail("nothing is built")) == first
    assert first.stat().st_mtime == build_library(TINY, copy).stat().st_mtime
    (copy / "xlic_crc.hpp").write_text((copy / "xlic_crc.hpp").read_text() + "// changed\n")
    changed = build_library(TINY, copy)
    assert len({first, changed, build_library(SMALL, copy)}) == 3


def test_without_a_compiler_the_remedy_is_told(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MissingToolError, match=r"apt-get install g\+\+"):
        build_library(TINY)
    assert "apt-get install g++" in native_library.missing()


def test_sources_that_do_not_compile_are_told(tmp_path):
    (tmp_path / "xlic_broken.cpp").write_text("int broken\n")
    with pytest.raises(BuildError, match="error: expected"):
        build_library(TINY, tmp_path)


def test_a_folder_without_sources_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no HLS sources in .*install xlic again"):
        build_library(TINY, tmp_path)
    assert hls_sources(HLS_DIR)
