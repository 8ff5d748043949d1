"""The virtual board's software: kernel, device tree and first file system.

Made once for the same packages and sources, without any secret: what differs from run to run, the
keys, comes in a second archive that is appended (:mod:`xlic.board.virtual.keys`).
"""

from __future__ import annotations

import gzip
import logging
import lzma
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from string import Template

from xlic.accelerator.builds import cached_build, digest_of
from xlic.board.virtual.cpio import Archive
from xlic.board.virtual.errors import VirtualBoardError
from xlic.board.virtual.layout import device_tree_values
from xlic.board.virtual.packages import (
    ARCHITECTURE,
    DamagedPackageError,
    Packages,
    fetch_packages,
)
from xlic.board.virtual.tools import BUILD_TOOLS, COMPILER, call, require_tools
from xlic.disk import scratch_folder
from xlic.files import LongPhase, Progress
from xlic.sources import HLS_DIR, VIRTUAL_DIR

_log = logging.getLogger(__name__)

_DEADLINE = 300.0
_DRIVERS = ("marvell", "macb", "uio")
"""Kernel modules that the board loads, besides its own."""
_OWN = "xlic_virtual_pl"
_SELFTEST = "pl_run"
_KEPT = re.compile(
    r"(usr/)?(s?bin/(busybox|dropbear)|lib/(aarch64-linux-gnu/[\w.+-]+\.so[\w.]*"
    r"|ld-linux[\w.-]+|openssh/sftp-server))"
)
"""Of the packages' files; the rest is documentation, character sets and programs never called."""


@dataclass(frozen=True)
class Image:
    """What QEMU boots.

    Attributes:
        kernel: the kernel.
        device_tree: compiled.
        initramfs: compressed; more archives may follow.
    """

    kernel: Path
    device_tree: Path
    initramfs: Path


def build_image(progress: Progress | None = None) -> Image:
    """Build the image, unless that was done before for the same packages and sources.

    Raises:
        MissingToolError: a tool is absent; names the command that installs it.
        VirtualBoardError: packages cannot be fetched, or something does not build.
        InputError: the cache cannot be written.
    """
    require_tools(BUILD_TOOLS)
    told = progress or (lambda *_: None)
    packages = fetch_packages(progress=told)
    try:
        return _image_of(packages, told)
    except DamagedPackageError as error:
        _log.warning("xlic: %s is fetched again: %s", packages.folder, error)
        return _image_of(fetch_packages(update=True, progress=told), told)


def _image_of(packages: Packages, told: Progress) -> Image:
    sources = [file for file in VIRTUAL_DIR.rglob("*") if file.suffix != ".md"]
    files = sorted(file for file in sources if file.is_file())
    inputs = [*files, HLS_DIR / "xlic_isa.h", *sorted(Path(__file__).parent.glob("[cil]*.py"))]
    facts = [packages.digest, call([COMPILER, "--version"], deadline=_DEADLINE)]
    facts += [f"{file.relative_to(VIRTUAL_DIR)} {file.stat().st_mode & 0o111}" for file in files]

    def build(folder: Path) -> None:
        told(LongPhase("building the virtual board's image", "ten to thirty seconds, once"), 0, 0)
        _Build(packages, folder).run()

    folder = cached_build("board-image", digest_of(inputs, facts), build)
    return Image(folder / "Image", folder / "zcu102.dtb", folder / "initramfs.gz")


class _Build:
    """One build of an image into ``folder``."""

    def __init__(self, packages: Packages, folder: Path) -> None:
        self._packages = packages
        self._folder = folder
        self._kernel = packages.kernel

    def run(self) -> None:
        with scratch_folder() as work:
            self._unpack(f"linux-image-{self._kernel}", work / "kernel")
            shutil.copy(
                work / "kernel" / "boot" / f"vmlinuz-{self._kernel}", self._folder / "Image"
            )
            self._compile_device_tree(work)
            archive = Archive()
            self._add_devices(archive)
            self._add_userland(archive, work)
            self._add_modules(archive, work)
            self._add_selftest(archive, work)
            archive.add_tree(VIRTUAL_DIR / "rootfs")
        data = gzip.compress(archive.finish(), 6, mtime=0)
        # The kernel looks for what follows at a multiple of four.
        (self._folder / "initramfs.gz").write_bytes(data + bytes(-len(data) % 4))

    def _unpack(self, package: str, target: Path) -> None:
        file = self._packages.path(package)
        call(["dpkg-deb", "-x", str(file), str(target)], deadline=_DEADLINE)

    def _compile_device_tree(self, work: Path) -> None:
        text = (VIRTUAL_DIR / "zcu102.dts.in").read_text("utf-8")
        _, mark, body = text.partition("/dts-v1/;")
        source = work / "zcu102.dts"
        source.write_text(mark + Template(body).substitute(device_tree_values()), "utf-8")
        target = self._folder / "zcu102.dtb"
        call(["dtc", "-q", "-O", "dtb", "-o", str(target), str(source)], deadline=_DEADLINE)

    def _add_devices(self, archive: Archive) -> None:
        folders = ("proc", "sys", "dev", "run", "tmp", "root", "lib/firmware", "bin", "sbin")
        for name in (*folders, "usr/bin", "usr/sbin"):
            archive.add_folder(name)
        # The kernel opens it before anything could make it.
        archive.add_character_device("dev/console", 5, 1)

    def _add_userland(self, archive: Archive, work: Path) -> None:
        root = work / "userland"
        for name in self._packages.userland():
            self._unpack(name, root)
        for file in sorted(root.rglob("*")):
            name = file.relative_to(root).as_posix()
            if (file.is_dir() and not file.is_symlink()) or not _KEPT.fullmatch(name):
                continue
            if file.is_symlink():
                archive.add_link(name, str(file.readlink()))
            else:
                archive.add_file(name, file.read_bytes(), 0o755)
        # Where dropbear looks for it.
        archive.add_link("usr/lib/sftp-server", "openssh/sftp-server")

    def _add_modules(self, archive: Archive, work: Path) -> None:
        found = {
            file.name.partition(".")[0].replace("-", "_"): file
            for file in (work / "kernel" / "lib" / "modules").rglob("*.ko*")
        }
        found[_OWN] = self._compile_module(work)
        order: list[str] = []

        def need(name: str) -> None:
            if name in order:
                return
            if name not in found:
                raise VirtualBoardError(f"the kernel {self._kernel} has no module {name}")
            data = _decompressed(found[name])
            for dependency in _dependencies(data):
                need(dependency)
            order.append(name)
            archive.add_file(f"lib/modules/{name}.ko", data)

        for name in (*_DRIVERS, _OWN):
            need(name)
        lines = "".join(f"/lib/modules/{name}.ko\n" for name in order)
        archive.add_file("lib/modules/list", lines.encode())

    def _compile_module(self, work: Path) -> Path:
        headers = work / "headers"
        for package in self._packages.packages:
            if package.name.startswith(("linux-headers-", "linux-kbuild-")):
                self._unpack(package.name, headers)
        tree = headers / "usr" / "src" / f"linux-headers-{self._kernel}"
        for name in ("Makefile", ".kernelvariables"):
            # They name each other by the paths of an installation.
            file = tree / name
            if file.is_file():
                text = file.read_text("utf-8").replace("/usr/src/", f"{headers}/usr/src/")
                file.write_text(text, "utf-8")
        code = work / "module"
        shutil.copytree(VIRTUAL_DIR / "module", code)
        cross = COMPILER.removesuffix("gcc")
        host = call(["dpkg", "--print-architecture"], deadline=_DEADLINE).strip()
        command = [
            *("make", "-s", "-C", str(tree), f"M={code}", "ARCH=arm64", f"CROSS_COMPILE={cross}"),
            *(f"CC={COMPILER}", f"DEB_BUILD_ARCH={host}", f"DEB_HOST_ARCH={ARCHITECTURE}"),
            *("DEB_HOST_GNU_TYPE=aarch64-linux-gnu", "modules"),
        ]
        # Options of a make that called us are not for this one.
        environment = {key: value for key, value in os.environ.items() if "MAKEF" not in key}
        call(command, deadline=_DEADLINE, environment=environment)
        module = code / f"{_OWN}.ko"
        call([f"{cross}strip", "-g", str(module)], deadline=_DEADLINE)
        return module

    def _add_selftest(self, archive: Archive, work: Path) -> None:
        program = work / _SELFTEST
        command = [
            *(f"{COMPILER.removesuffix('gcc')}g++", "-std=c++17", "-O2", "-static", "-s"),
            *("-I", str(HLS_DIR), str(VIRTUAL_DIR / "selftest" / "pl_run.cpp"), "-o", str(program)),
        ]
        call(command, deadline=_DEADLINE)
        archive.add_file(f"usr/bin/{_SELFTEST}", program.read_bytes(), 0o755)


def _decompressed(file: Path) -> bytes:
    data = file.read_bytes()
    return lzma.decompress(data) if file.suffix == ".xz" else data


def _dependencies(module: bytes) -> list[str]:
    match = re.search(rb"\0depends=([\w,-]*)\0", module)
    names = match[1].decode().split(",") if match else []
    return [name.replace("-", "_") for name in names if name]
