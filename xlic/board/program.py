"""The program that runs on the board, cross-compiled into the cache."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from xlic.accelerator.builds import cached_build, digest_of, error_lines
from xlic.disk import scratch_folder
from xlic.errors import BuildError, InputError, MissingToolError
from xlic.sources import HLS_DIR, PROGRAM_DIR, REINSTALL

PROGRAM = "xlic-board"
CROSS_COMPILER = "aarch64-linux-gnu-g++"
_HEADER = HLS_DIR / "xlic_isa.h"
_TIME = 300


def program_sources(folder: Path = PROGRAM_DIR) -> tuple[Path, ...]:
    """All files that make the program.

    Raises:
        InputError: there are none.
    """
    files = [file for file in sorted(folder.glob("*")) if file.suffix in (".cpp", ".hpp")]
    if not files:
        raise InputError(f"no C++ sources in {folder}; {REINSTALL}")
    return (*files, folder / "Makefile", _HEADER)


def build_program(compiler: str = CROSS_COMPILER, flags: tuple[str, ...] = ()) -> Path:
    """Compile the program, unless that was done before.

    Args:
        compiler: for the board, or ``g++`` for this machine.
        flags: more of them.

    Returns:
        Path of the executable: static where it is for the board.

    Raises:
        MissingToolError: the compiler or make is not installed.
        BuildError: it refuses the sources.
        InputError: there are no sources, or the cache cannot be written.
    """
    sources = program_sources()
    for tool, package in ((compiler, _package(compiler)), ("make", "make")):
        if shutil.which(tool) is None:
            raise MissingToolError(f"the board's program needs {tool}: apt-get install {package}")
    static = "-static" if compiler == CROSS_COMPILER else ""
    version = subprocess.run(
        [compiler, "--version"], capture_output=True, text=True, check=False, timeout=_TIME
    ).stdout

    def build(place: Path) -> None:
        with scratch_folder() as folder:
            # make takes no blanks in names of targets; the cache may be in a folder that has some.
            link = folder / "build"
            link.symlink_to(place, target_is_directory=True)
            command = [
                *("make", "-s", "-C", str(PROGRAM_DIR), f"BUILD={link}", f"CXX={compiler}"),
                *(f"STATIC={static}", f"CXXFLAGS=-O2 -g0 {' '.join(flags)}"),
            ]
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=_TIME
            )
        if done.returncode:
            errors = error_lines(done.stderr, 1)
            raise BuildError(
                f"{compiler} cannot compile {PROGRAM_DIR}: {(errors or ['no message'])[0]}"
            )

    digest = digest_of(sources, [compiler, version, static, *flags])
    return cached_build("board-program", digest, build) / PROGRAM


def _package(compiler: str) -> str:
    return "g++-aarch64-linux-gnu" if compiler == CROSS_COMPILER else "g++"
