"""Command lines in messages that work as they are pasted: with this interpreter, in any folder."""

from __future__ import annotations

import importlib.util
import json
import shlex
import shutil
import sys
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlparse

from xlic.sources import IN_CHECKOUT, ROOT

_PACKAGE = "xlic"


def install(extra: str) -> str:
    """The command that adds one of the package's extras to the environment that runs this.

    xlic comes from where it came from: a clone (editable if it was), a wheel, or an index.

    Args:
        extra: ``model``, ``board``, ``rtl``, …, as in pyproject.toml.
    """
    pip = [sys.executable, "-m", "pip", "install"]
    if importlib.util.find_spec("pip") is None:
        pip = ["uv", "pip", "install", "--python", sys.executable]
    return shlex.join([*pip, *_requirement(extra)])


def xlic(arguments: str) -> str:
    """The command line of ``xlic`` with these arguments: by name only where a shell finds this one.

    Args:
        arguments: as a shell takes them.
    """
    found = shutil.which(_PACKAGE)
    own = Path(sys.executable).with_name(_PACKAGE)
    if found is not None and own.exists() and Path(found).samefile(own):
        return f"{_PACKAGE} {arguments}"
    return f"{shlex.quote(sys.executable)} -m {_PACKAGE} {arguments}"


def _requirement(extra: str) -> list[str]:
    if IN_CHECKOUT:
        return ["--editable", f"{ROOT}[{extra}]"]
    origin = _origin()
    return [f"{_PACKAGE}[{extra}]" if origin is None else f"{origin}[{extra}]"]


def _origin() -> Path | None:
    """The folder or wheel that this was installed from, if it is still there (PEP 610)."""
    try:
        text = metadata.distribution(_PACKAGE).read_text("direct_url.json")
        url = urlparse(json.loads(text or "{}").get("url", ""))
    except (metadata.PackageNotFoundError, ValueError):
        return None
    path = Path(unquote(url.path))
    return path if url.scheme == "file" and path.exists() else None
