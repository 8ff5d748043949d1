"""The C test bench, also under the compiler's sanitizers, and the sources themselves."""

from __future__ import annotations

import re
import subprocess

import numpy as np
import pytest

from tests.hls.programs import SIZE, TINY, model
from xlic.accelerator.design import SMALL
from xlic.accelerator.isa import Register
from xlic.accelerator.native_library import build_bench, hls_sources
from xlic.accelerator.vectors import main, write_limits, write_vectors
from xlic.sources import HLS_DIR

pytestmark = pytest.mark.hls

PIXELS = np.random.default_rng(5).integers(0, 256, (*SIZE, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    return write_vectors(tmp_path_factory.mktemp("vectors"), model(), PIXELS, TINY)


def run(program, *prefixes):
    return subprocess.run([program, *prefixes], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("sanitize", [False, True])
def test_runs_and_agrees_with_the_simulation_on_every_byte_of_memory(vectors, sanitize):
    done = run(build_bench(TINY, sanitize=sanitize), *vectors)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("error 0, 5 layers") == 2


def test_agrees_with_the_simulation_at_every_limit_of_the_arithmetic(tmp_path):
    done = run(build_bench(SMALL), *write_limits(tmp_path, SMALL))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("error 0, 5 layers") == 2


def copy_of(prefix, folder):
    for file in prefix.parent.glob(f"{prefix.name}_*"):
        (folder / file.name).write_bytes(file.read_bytes())
    return folder / prefix.name


@pytest.mark.selfcheck
@pytest.mark.parametrize("which", ["window", "expected"])
def test_a_flipped_bit_fails(vectors, tmp_path, which):
    prefix = copy_of(vectors[0], tmp_path)
    file = tmp_path / f"{prefix.name}_{which}.bin"
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.write_bytes(data)
    done = run(build_bench(TINY), prefix)
    assert done.returncode == 1
    assert "first difference at beat 6" in done.stdout


def test_expected_errors_are_compared(vectors, tmp_path):
    prefix = copy_of(vectors[0], tmp_path)
    text = tmp_path / f"{prefix.name}_program.txt"
    text.write_text("0\n")
    assert run(build_bench(TINY), prefix).returncode == 1
    (tmp_path / f"{prefix.name}_expected.bin").write_bytes(
        (tmp_path / f"{prefix.name}_window.bin").read_bytes()
    )
    text.write_text("0 1\n")
    assert run(build_bench(TINY), prefix).returncode == 0


def test_unusable_files_are_told(tmp_path):
    assert run(build_bench(TINY), tmp_path / "nothing").returncode == 2
    assert run(build_bench(TINY)).returncode == 2


def test_vectors_are_written_by_command(tmp_path, capsys):
    assert main([str(tmp_path / "v")]) == 0
    names = ("encode", "decode", "limits_encode", "limits_decode")
    assert capsys.readouterr().out.split() == [f"{tmp_path}/v/{name}" for name in names]
    assert main([]) == 2


def test_no_compiler_warns():
    flags = ["-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
    flags += ["-Wno-unknown-pragmas", "-Wno-unused-label"]
    code = [str(file) for file in HLS_DIR.glob("*.cpp")]
    # 14 is what the synthesis understands.
    for standard in ("c++14", "c++17"):
        command = ["g++", f"-std={standard}", *flags, *code]
        assert subprocess.run(command, capture_output=True, text=True, check=False).stderr == ""


def test_synthesis_and_host_see_the_same_text():
    for file in hls_sources():
        assert "__SYNTHESIS__" not in file.read_text()


def test_registers_are_where_the_interface_has_them():
    text = (HLS_DIR / "xlic_accel.cpp").read_text()
    pattern = r"s_axilite port = (\w+) bundle = control offset = (0x[0-9a-f]+)"
    placed = {name: int(offset, 16) for name, offset in re.findall(pattern, text)}
    assert placed == {
        "gmem0": Register.GMEM0_LOW,
        "gmem1": Register.GMEM1_LOW,
        "window_beats": Register.WINDOW_BEATS,
        "program": Register.PROGRAM,
        "info": Register.INFO,
        "counters": Register.COUNTERS,
    }
