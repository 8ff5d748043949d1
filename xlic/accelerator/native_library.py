"""The HLS C++ compiled by the host's g++: as a shared library, and as its test bench."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from xlic.accelerator.builds import cached_build, digest_of, error_lines
from xlic.accelerator.design import Design
from xlic.accelerator.sources import source_hash
from xlic.errors import BuildError, InputError, MissingToolError
from xlic.files import LongPhase, Progress
from xlic.sources import HLS_DIR, REINSTALL

BENCH = "tb_xlic.cpp"
LIBRARY = "libxlic_hls.so"

_FLAGS = (
    *("-std=c++17", "-O3", "-march=native", "-fPIC"),
    # Pragmas and labels are for the synthesis. Vendor headers on the include path would slow the
    # arithmetic down a hundredfold, at the same results.
    *("-Wno-unknown-pragmas", "-Wno-unused-label", "-DXLIC_VENDOR_TYPES=0"),
)

_SANITIZE = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def hls_sources(folder: Path = HLS_DIR) -> tuple[Path, ...]:
    """The files that make the design, by name; the test bench is not among them.

    Raises:
        InputError: there are none.
    """
    files = [
        file for file in sorted(folder.glob("xlic_*")) if file.suffix in (".cpp", ".hpp", ".h")
    ]
    if not files:
        raise InputError(f"no HLS sources in {folder}; {REINSTALL}")
    return tuple(files)


def design_macros(design: Design, sources: tuple[Path, ...]) -> list[str]:
    """Compiler options that set a design's parameters and the hash of its sources."""
    digest = source_hash(sources)
    values = {name.upper(): value for name, value in vars(design).items()}
    values |= {"HASH_LOW": digest & 0xFFFF_FFFF, "HASH_HIGH": digest >> 32}
    return [f"-DXLIC_{name}={value}u" for name, value in values.items()]


def build_library(design: Design, folder: Path = HLS_DIR, progress: Progress | None = None) -> Path:
    """Compile a design, unless that was done before.

    Args:
        design: its parameters.
        folder: where the sources are.
        progress: told when a build begins and ends.

    Returns:
        Path of the shared library.

    Raises:
        MissingToolError: there is no compiler, or it does not understand the sources.
        InputError: there are no sources, or the cache cannot be written.
    """
    return _build("hls", LIBRARY, ("-shared",), design, folder, (), progress)


def build_bench(design: Design, folder: Path = HLS_DIR, *, sanitize: bool = False) -> Path:
    """Compile the C test bench of a design, unless that was done before.

    Args:
        design: its parameters.
        folder: where the sources are.
        sanitize: with checks for undefined behaviour and accesses outside of arrays, which end the
            program at the first finding.

    Returns:
        Path of the program; it takes the arguments that ``hls/tb_xlic.cpp`` names.

    Raises:
        MissingToolError: as :func:`build_library`.
        InputError: as :func:`build_library`.
    """
    flags = _SANITIZE if sanitize else ()
    return _build("hls-bench", "tb_xlic", flags, design, folder, (folder / BENCH,))


def _build(
    name: str,
    target: str,
    flags: tuple[str, ...],
    design: Design,
    folder: Path,
    more: tuple[Path, ...],
    progress: Progress | None = None,
) -> Path:
    sources = hls_sources(folder)
    compiler = find_compiler()
    options = [*_FLAGS, *flags, *design_macros(design, sources)]
    files = (*sources, *more)
    code = [str(file) for file in files if file.suffix == ".cpp"]

    def build(place: Path) -> None:
        phase = LongPhase("compiling the HLS C++", "ten to thirty seconds, once per design")
        if progress is not None:
            progress(phase, 0, 1)
        command = [compiler, *options, *code, "-o", str(place / target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            errors = error_lines(done.stderr, 1)
            raise BuildError(
                f"{compiler} cannot compile {folder}: {(errors or ['no message'])[0]}; "
                "needs g++ 7 or later (Debian: apt-get install g++)"
            )

    return cached_build(name, digest_of(files, [*options, *_facts(compiler)]), build) / target


def find_compiler() -> str:
    """Path of g++.

    Raises:
        MissingToolError: there is none.
    """
    found = shutil.which("g++")
    if found is None:
        raise MissingToolError("needs a C++ compiler: apt-get install g++")
    return found


def missing() -> str | None:
    """What this machine lacks to build the design, with the remedy; None if nothing."""
    try:
        hls_sources()
        find_compiler()
    except (InputError, MissingToolError) as error:
        return str(error)
    return None


def _facts(compiler: str) -> list[str]:
    """The compiler's version, and the processor that ``native`` stands for, as macros."""
    command = [compiler, "-march=native", "-dM", "-E", "-x", "c++", "/dev/null"]
    return [subprocess.run(command, capture_output=True, text=True, check=False).stdout]
