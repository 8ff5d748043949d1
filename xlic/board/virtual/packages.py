"""The Debian packages that the virtual board is made of, fetched without touching the host's.

apt runs on a configuration of its own, with arm64 as its architecture: its lists, its cache and its
(empty) record of what is installed are in xlic's cache folder. Where packages come from, and which
keys sign them, it takes from the host's sources; apt checks every file against the signed lists.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from xlic.board.virtual.errors import VirtualBoardError
from xlic.board.virtual.tools import FETCH_TOOLS, call, require_tools
from xlic.cache import cache_folder, making, publish
from xlic.disk import require_room
from xlic.files import LongPhase, Progress
from xlic.remedies import xlic

Apt = Callable[..., str]

ARCHITECTURE = "arm64"
USERLAND = ("busybox-static", "dropbear-bin", "openssh-sftp-server")
_RECORD = "packages.json"
_ROOM = 256 << 20
"""Bytes: lists and packages take 220 MB (measured) while they are fetched."""
_DEADLINE = 600.0
_SMALL_DEADLINE = 60.0

# sftp-server works without what its package depends on for the sake of ssh's own programs.
_NOT_NEEDED = re.compile(r"openssh-client|debconf.*|cdebconf.*|lib(pam|semanage|audit).*|passwd")


class DamagedPackageError(VirtualBoardError):
    """A file is not what was fetched."""


@dataclass(frozen=True)
class Package:
    """A fetched package.

    Attributes:
        name: without architecture.
        version: as Debian numbers it.
        architecture: ``arm64``, ``all`` or the host's.
        file: name of the ``.deb``.
        sha256: of the file.
    """

    name: str
    version: str
    architecture: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Packages:
    """All packages of one fetch.

    Attributes:
        folder: where the files are.
        kernel: release of the kernel, as ``uname -r`` tells it.
        packages: in order of their names.
    """

    folder: Path
    kernel: str
    packages: tuple[Package, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over the packages' own."""
        text = "".join(f"{package.file} {package.sha256}\n" for package in self.packages)
        return hashlib.sha256(text.encode()).hexdigest()

    def path(self, name: str) -> Path:
        """The file of a package.

        Raises:
            DamagedPackageError: it is not what was fetched.
            VirtualBoardError: it was not fetched.
        """
        for package in self.packages:
            if package.name == name:
                file = self.folder / package.file
                if not file.is_file() or _sha256(file) != package.sha256:
                    raise DamagedPackageError(
                        f"{file} is damaged; fetch it again: {xlic('board virtual fetch --update')}"
                    )
                return file
        raise VirtualBoardError(f"no package {name}; xlic board virtual fetch --update gets it")

    def userland(self) -> tuple[str, ...]:
        """Names of all that goes into the board's file system."""
        return tuple(
            package.name for package in self.packages if not package.name.startswith("linux-")
        )


def fetched() -> Packages | None:
    """What was fetched before; None if nothing usable."""
    folder = _folder()
    try:
        record = json.loads((folder / _RECORD).read_text("utf-8"))
        if record["wanted"] != _wanted():
            return None
        packages = tuple(Package(**entry) for entry in record["packages"])
        found = Packages(folder, record["kernel"], packages)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if all((folder / entry.file).is_file() for entry in packages) else None


def _wanted() -> list[str]:
    """What the choice of packages follows from; the kernel's tools are for the host."""
    return [platform.machine(), ARCHITECTURE, *USERLAND, _NOT_NEEDED.pattern]


def fetch_packages(*, update: bool = False, progress: Progress | None = None) -> Packages:
    """The packages: those fetched before, otherwise (or to ``update``) the newest there are.

    Raises:
        MissingToolError: this is no Debian.
        VirtualBoardError: they cannot be fetched.
        InputError: the cache cannot be written.
    """
    require_tools(FETCH_TOOLS)
    folder = _folder()
    with making(folder):
        if not update and (known := fetched()):
            return known
        # apt-get on a full disk tries again for minutes.
        require_room(folder.parent, _ROOM, "XDG_CACHE_HOME")
        publish(folder, lambda work: _fetch(work, progress or (lambda *_: None)))
    found = fetched()
    if found is None:
        raise VirtualBoardError(f"{folder} is not as it was fetched; remove it and try again")
    return found


def _fetch(folder: Path, progress: Progress) -> None:
    """Fill ``folder`` with the packages and their record."""
    work = folder / ".apt"
    work.mkdir()
    host = call(["dpkg", "--print-architecture"], deadline=_SMALL_DEADLINE).strip()
    environment = _private_apt(work, host)

    def apt(*command: str, deadline: float = _DEADLINE) -> str:
        return call(command, deadline=deadline, folder=folder, environment=environment)

    progress(LongPhase("fetching the virtual board's packages", "ten seconds, once"), 0, 3)
    apt("apt-get", "-q", "update")
    progress("packages", 1, 3)
    names, kernel = _resolve(apt, host)
    apt("apt-get", "-q", "download", *names)
    progress("checking", 2, 3)
    packages = [_describe(file) for file in sorted(folder.glob("*.deb"))]
    listed = [asdict(package) for package in packages]
    record = {"wanted": _wanted(), "kernel": kernel, "packages": listed}
    (folder / _RECORD).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    shutil.rmtree(work)
    progress("done", 3, 3)


def _private_apt(work: Path, host: str) -> dict[str, str]:
    """Write apt's configuration into ``work``; returns the environment that makes apt use it."""
    for name in ("state/lists/partial", "cache/archives/partial", "sources", "parts"):
        (work / name).mkdir(parents=True)
    (work / "status").touch()
    for name, text in _sources().items():
        (work / "sources" / name).write_text(text, "utf-8")
    architectures = dict.fromkeys((ARCHITECTURE, host))
    dumped = call(["apt-config", "dump"], deadline=_SMALL_DEADLINE).splitlines()
    lines = [
        f'APT::Architecture "{ARCHITECTURE}";',
        f"APT::Architectures {{ {' '.join(f'{json.dumps(name)};' for name in architectures)} }};",
        f'Dir::State "{work}/state";',
        f'Dir::State::status "{work}/status";',
        f'Dir::Cache "{work}/cache";',
        f'Dir::Etc::sourcelist "{work}/sources.list";',
        f'Dir::Etc::sourceparts "{work}/sources";',
        # Hooks of the host, which may touch the host, are left out; how it reaches the net is not.
        'Dir::Etc::main "/dev/null";',
        f'Dir::Etc::parts "{work}/parts";',
        'APT::Sandbox::User "";' if os.geteuid() else 'APT::Sandbox::User "root";',
        *(line for line in dumped if line.startswith("Acquire::")),
        'Acquire::Languages "none";',
        'Acquire::Retries "3";',
    ]
    (work / "apt.conf").write_text("\n".join(lines) + "\n", "utf-8")
    return {**os.environ, "APT_CONFIG": str(work / "apt.conf"), "LC_ALL": "C"}


def _sources() -> dict[str, str]:
    """The host's sources of its own Debian release, by file name, for all architectures."""
    release = Path("/etc/os-release").read_text("utf-8")
    match = re.search(r'^VERSION_CODENAME="?(\w+)', release, re.MULTILINE)
    if match is None:
        raise VirtualBoardError("the virtual board is made of Debian packages, on a Debian host")
    codename = match[1]
    etc = Path("/etc/apt")
    out = {}
    for file in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))]:
        text = file.read_text("utf-8") if file.is_file() else ""
        lines = [_without_architecture(line) for line in text.splitlines()]
        kept = [line for line in lines if re.match(rf"deb\s+(\[.*?\]\s+)?\S+\s+{codename}", line)]
        out[f"{file.stem}.list"] = "\n".join(kept) + "\n"
    for file in sorted((etc / "sources.list.d").glob("*.sources")):
        stanzas = re.split(r"\n\s*\n", file.read_text("utf-8"))
        suites = re.compile(rf"^Suites:.*\b{codename}\b", re.MULTILINE)
        kept = [
            re.sub(r"^Architectures:.*\n", "", stanza, flags=re.MULTILINE)
            for stanza in stanzas
            if suites.search(stanza)
        ]
        out[file.name] = "\n\n".join(kept) + "\n"
    return out


def _without_architecture(line: str) -> str:
    return re.sub(r"\[\s*\]\s*", "", re.sub(r"\barch=[\w,]+", "", line.strip()))


def _resolve(apt: Apt, host: str) -> tuple[list[str], str]:
    """Names of all packages to fetch, and the kernel's release."""
    images = [
        name for name in _depends(apt, f"linux-image-{ARCHITECTURE}") if "linux-image" in name
    ]
    if not images:
        raise VirtualBoardError(
            f"the host's sources of packages offer no kernel for {ARCHITECTURE}; "
            "the virtual board needs a Debian host"
        )
    kernel = images[0].removeprefix("linux-image-")
    headers = f"linux-headers-{kernel}"
    parts = _depends(apt, headers)
    common = [name for name in parts if name.endswith("-common")]
    # Programs that run while the module is built: for the host.
    programs = [f"{name}:{host}" for name in parts if name.startswith("linux-kbuild")]
    names = list(USERLAND)
    for name in names:
        # The list grows while it is walked through: dependencies of dependencies.
        names += [
            more
            for more in _depends(apt, name)
            if more not in names and not _NOT_NEEDED.fullmatch(more)
        ]
    return [images[0], headers, *common, *programs, *names], kernel


def _depends(apt: Apt, name: str) -> list[str]:
    text = apt("apt-cache", "depends", "--no-recommends", "--no-suggests", name)
    return re.findall(r"^\s+(?:Pre)?Depends: ([\w.+-]+)", text, re.MULTILINE)


def _describe(file: Path) -> Package:
    form = "${Package}\n${Version}\n${Architecture}"
    text = call(["dpkg-deb", "-W", f"--showformat={form}", str(file)], deadline=_SMALL_DEADLINE)
    name, version, architecture = text.splitlines()
    return Package(name, version, architecture, file.name, _sha256(file))


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _folder() -> Path:
    return cache_folder() / "board-packages"
