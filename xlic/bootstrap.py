"""From a fresh clone to a running demo or a passed test suite, with the standard library alone.

``python3 -m xlic.bootstrap demo [ARGS]`` makes a virtual environment in ``.venv``, installs xlic
into it and runs ``xlic demo ARGS``; ``python3 -m xlic.bootstrap test [ARGS]`` does the same with
tox. Both can be repeated: what is installed already is not installed again. The demo runs in the
caller's folder, which files are named from and results appear in.
"""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys

from xlic.exit_status import ExitStatus
from xlic.sources import IN_CHECKOUT, ROOT

VENV = ROOT / ".venv"
PYTHON = (3, 11)

# Command → requirements, program.
COMMANDS = {
    "demo": (("--editable", ".[test]"), ("xlic", "demo")),
    "test": (("--editable", ".[test]", "tox>=4.11"), ("tox", "run")),
}


def main(arguments: list[str]) -> int:
    """Run one command; returns its exit status, 2 where something is missing."""
    if not arguments or arguments[0] not in COMMANDS:
        print("usage: python3 -m xlic.bootstrap demo|test [ARGUMENTS]", file=sys.stderr)
        return ExitStatus.INPUT
    missing = missing_prerequisite()
    if missing:
        print(f"xlic: error: {missing}", file=sys.stderr)
        return ExitStatus.INPUT
    requirements, program = COMMANDS[arguments[0]]
    try:
        VENV.mkdir(exist_ok=True)
        install(arguments[0], requirements)
    except OSError as error:
        print(
            f"xlic: error: cannot write {VENV}: {error.strerror}; "
            "use a clone in a folder of your own",
            file=sys.stderr,
        )
        return ExitStatus.INPUT
    except subprocess.CalledProcessError as error:
        print(
            f"xlic: error: {' '.join(map(str, error.cmd[-3:]))} failed (see above); is a Python "
            "package index reachable?",
            file=sys.stderr,
        )
        return ExitStatus.INPUT
    command = [str(VENV / "bin" / program[0]), *program[1:], *arguments[1:]]
    where = None if arguments[0] == "demo" else ROOT
    return subprocess.run(command, cwd=where, check=False).returncode


def missing_prerequisite() -> str | None:
    """One line on what this machine lacks, with the remedy; None if it lacks nothing."""
    if not IN_CHECKOUT:
        return (
            f"this is for a checkout of the project, and xlic is installed in {ROOT.parent}; "
            "what it would install is there already: run xlic demo"
        )
    if sys.version_info[:2] < PYTHON:
        found = ".".join(map(str, sys.version_info[:2]))
        return f"Python {found} is too old: needs 3.11 (Debian: apt-get install python3)"
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        return "Python's venv module is absent (Debian: apt-get install python3-venv)"
    return None


def install(command: str, requirements: tuple[str, ...]) -> None:
    """Install ``requirements`` into :data:`VENV`, unless that was done for this pyproject.toml.

    Raises:
        subprocess.CalledProcessError: venv or pip failed.
    """
    python, made = VENV / "bin" / "python", VENV / "venv.made"
    if not made.exists():
        # Also after an interruption: what is there may lack pip.
        print(f"making {VENV.name}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        made.touch()
    project = (ROOT / "pyproject.toml").read_bytes()
    wanted = hashlib.sha256(project + repr(requirements).encode()).hexdigest()
    stamp = VENV / f"{command}.installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"installing {' '.join(requirements)} into {VENV.name} (a minute or two)", flush=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *requirements], cwd=ROOT, check=True)
    stamp.write_text(wanted)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(ExitStatus.INTERRUPTED)
