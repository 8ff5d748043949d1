"""The cache: what is damaged is made again, leftovers go, full disks are told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.small_disk import run_beside_small_disk
from xlic import cache as cache_module
from xlic.accelerator.builds import cached_build
from xlic.cache import MANIFEST, fault_of, making, publish
from xlic.disk import scratch_folder
from xlic.errors import DiskFullError

pytestmark = pytest.mark.sim

DIGEST = "a" * 64
LIBRARY = bytes(range(256)) * 4000


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "xlic"


class Builder:
    """Builds a folder, and counts."""

    def __init__(self):
        self.built = 0

    def __call__(self, folder):
        self.built += 1
        (folder / "lib.so").write_bytes(LIBRARY)
        (folder / "inner").mkdir()
        (folder / "inner" / "facts").write_text("facts")

    def open(self):
        folder = cached_build("x", DIGEST, self)
        assert (folder / "lib.so").read_bytes() == LIBRARY
        assert (folder / "inner" / "facts").read_text() == "facts"
        return folder


def truncate(folder):
    os.truncate(folder / "lib.so", 1000)


def empty(folder):
    (folder / "lib.so").write_bytes(b"")


def flip(folder):
    data = bytearray(LIBRARY)
    data[12345] ^= 1
    (folder / "lib.so").write_bytes(data)


def flip_in_place_and_in_time(folder):
    # As a disk does it: size and time stay.
    before = (folder / "lib.so").stat()
    with (folder / "lib.so").open("r+b") as file:
        file.seek(12345)
        file.write(b"\xff")
    os.utime(folder / "lib.so", ns=(before.st_atime_ns, before.st_mtime_ns))
    cache_module._sha256.cache_clear()  # what another process sees


def lose(folder):
    (folder / "lib.so").unlink()


def lose_inner(folder):
    (folder / "inner" / "facts").unlink()


def lengthen(folder):
    (folder / "lib.so").write_bytes(LIBRARY + b"\0")


def forget(folder):
    (folder / MANIFEST).unlink()  # as an older version left it


def garble(folder):
    (folder / MANIFEST).write_text("{")


def garble_more(folder):
    (folder / MANIFEST).write_text('{"files": {"lib.so": "x"}}')


def replace_by_folder(folder):
    lose(folder)
    (folder / "lib.so").mkdir()


DAMAGE = (
    *(truncate, empty, flip, flip_in_place_and_in_time, lose, lose_inner, lengthen, forget),
    *(garble, garble_more, replace_by_folder),
)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_entry_is_made_again_with_a_line(damage, caplog):
    builder = Builder()
    folder = builder.open()
    assert builder.open() == folder
    assert builder.built == 1
    assert fault_of(folder) is None
    damage(folder)
    assert builder.open() == folder
    assert builder.built == 2
    (line,) = caplog.messages
    assert str(folder) in line
    assert "is made again" in line
    assert builder.open() == folder
    assert builder.built == 2
    assert [path.name for path in folder.parent.iterdir() if path.is_dir()] == [folder.name]


def test_who_has_a_damaged_entry_open_keeps_it():
    builder = Builder()
    with (builder.open() / "inner" / "facts").open() as file:
        truncate(builder.open())
        builder.open()
        assert file.read() == "facts"


def test_a_file_is_hashed_once_in_a_process_unless_it_changes():
    builder = Builder()
    builder.open()
    folder = builder.open()
    before = cache_module._sha256.cache_info().misses
    builder.open()
    assert cache_module._sha256.cache_info().misses == before
    os.utime(folder / "lib.so", (1, 1))
    builder.open()
    assert cache_module._sha256.cache_info().misses == before + 1
    assert builder.built == 1


def test_all_is_on_the_disk_before_it_gets_its_name(root, monkeypatch):
    events = []
    fsync, rename = os.fsync, Path.rename

    def synced(number):
        events.append(Path(f"/proc/self/fd/{number}").readlink().name)
        fsync(number)

    def renamed(path, target):
        events.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    Builder().open()
    at = events.index("rename")
    assert {"lib.so", "facts", "inner", MANIFEST} <= set(events[:at])
    assert any(name.startswith(".x-") for name in events[:at])
    assert events[at + 1 :] == [root.name]


SLOW = """
import sys, time
from xlic.accelerator.builds import cached_build
def slow(folder):
    (folder / "large").write_bytes(bytes(1000))
    print(folder, flush=True)
    time.sleep(60)
cached_build("slow", "b" * 64, slow)
"""


def test_what_a_killed_builder_left_goes_with_the_next_build_of_anything(root):
    with subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, text=True) as other:
        left = Path(other.stdout.readline().strip())
        try:
            assert left.parent == root
            cached_build("x", DIGEST, Builder())
            assert (left / "large").exists()  # its builder lives
        finally:
            other.send_signal(signal.SIGKILL)
    assert (left / "large").exists()
    cached_build("y", DIGEST, Builder())
    assert not left.exists()


def test_a_leftover_of_the_same_build_goes_too(root):
    with subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, text=True) as other:
        left = Path(other.stdout.readline().strip())
        other.send_signal(signal.SIGKILL)
    cached_build("slow", "b" * 64, Builder())
    assert not left.exists()


def test_the_sweep_leaves_everything_else_alone(root):
    root.mkdir(parents=True)
    for name in (".hidden", "x-1", ".x.lock", ".config.d"):
        (root / name).mkdir()
    cached_build("x", DIGEST, Builder())
    assert all((root / name).is_dir() for name in (".hidden", "x-1", ".x.lock", ".config.d"))


def test_a_folder_is_replaced_as_a_whole(root):
    folder = root / "packages"
    for text in ("old", "new"):
        with making(folder):
            publish(folder, lambda at, text=text: (at / text).write_text(text))
    assert sorted(path.name for path in folder.iterdir()) == [MANIFEST, "new"]


def test_the_scratch_folder_of_a_killed_process_goes_with_the_next(tmp_path):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom xlic.disk import scratch_folder\n"
        f"with scratch_folder(Path({str(tmp_path)!r})) as folder:\n"
        "    (folder / 'large').write_bytes(bytes(1000)); print(folder, flush=True)\n"
        "    time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        left = Path(other.stdout.readline().strip())
        try:
            with scratch_folder(tmp_path) as mine:
                assert (left / "large").exists()
                with scratch_folder(tmp_path):
                    assert mine.is_dir()
        finally:
            other.send_signal(signal.SIGKILL)
    assert left.is_dir()
    with scratch_folder(tmp_path):
        assert not left.exists()
    assert not list(tmp_path.glob("xlic-work-*"))


MAKE = """
import sys
from xlic.cli import main
import click, subprocess
from xlic.accelerator.builds import cached_build
from xlic.errors import BuildError

def build(folder):
    with open(folder / "log", "w") as log:
        status = subprocess.run(["head", "-c", "3000000", "/dev/zero"], stdout=log).returncode
    if status:
        raise BuildError("the compiler failed: no output")

@click.command()
def make():
    cached_build("x", "a" * 64, build)

main._COMMANDS["make"] = ("", "")
main._LazyGroup.get_command = lambda *_: make
sys.exit(main.main(["make"]))
"""


@pytest.mark.parametrize(("size", "used"), [("2m", "0"), ("2m", "2m"), ("2m", "1500k")])
def test_a_full_cache_is_told_by_its_folder_with_status_2(tmp_path, size, used):
    disk = tmp_path / "disk"
    began = time.monotonic()
    done = run_beside_small_disk(MAKE, disk, size, {"XDG_CACHE_HOME": str(disk)}, used)
    assert done.returncode == 2
    assert f"no room in {disk}/xlic" in done.stderr or f"no room left in {disk}/xlic" in done.stderr
    assert "set XDG_CACHE_HOME to a folder with room" in done.stderr
    assert done.stderr.count("\n") <= 2  # what head says
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("name", ["XDG_CACHE_HOME", "TMPDIR"])
def test_a_disk_that_was_full_for_a_moment_is_told_too(tmp_path, name):
    # As compilers do: what did not fit is removed before they say that something went wrong.
    disk = tmp_path / "disk"
    code = MAKE.replace(
        "    if status:",
        f'    if "{name}" == "TMPDIR": status = subprocess.run("head -c 3000000 /dev/zero > '
        '$TMPDIR/x; sleep 0.1; rm $TMPDIR/x; exit 1", shell=True).returncode\n'
        '    import time; time.sleep(0.1)\n    (folder / "log").unlink()\n    if status:',
    )
    room = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}
    done = run_beside_small_disk(code, disk, "2m", room | {name: str(disk)})
    assert done.returncode == 2
    assert f"no room left in {disk}" in done.stderr
    assert f"set {name} to a folder with room (the compiler failed: no output)" in done.stderr


def test_a_full_cache_is_no_news_where_there_is_room(tmp_path):
    disk = tmp_path / "disk"
    done = run_beside_small_disk(MAKE, disk, "20m", {"XDG_CACHE_HOME": str(disk)})
    assert (done.returncode, done.stderr) == (0, "")


def test_errors_of_others_are_not_taken_for_a_full_disk(tmp_path):
    board = OSError("the board said: No space left on device")
    with pytest.raises(OSError, match="board said") as caught, scratch_folder(tmp_path):
        raise board
    assert not isinstance(caught.value, DiskFullError)


NESTED = """
import subprocess, sys
from xlic.accelerator.builds import cached_build
from xlic.disk import scratch_folder
from xlic.errors import BuildError, XlicError

def build(folder):
    with scratch_folder() as work:
        place = folder if "FULL" == "XDG_CACHE_HOME" else work
        if subprocess.run(["sh", "-c", f"head -c 3000000 /dev/zero > {place}/x; sleep 0.1; "
                           f"[ $(wc -c < {place}/x) = 3000000 ]"]).returncode:
            raise BuildError("no message")

try:
    cached_build("x", "a" * 64, build)
except XlicError as error:
    print(error)
    sys.exit(error.exit_status)
"""


@pytest.mark.parametrize("name", ["XDG_CACHE_HOME", "TMPDIR"])
@pytest.mark.parametrize("here", [False, True], ids=["a program's", "our own error"])
def test_of_two_disks_the_full_one_is_blamed(tmp_path, name, here):
    disk = tmp_path / "disk"
    text = NESTED.replace("FULL", name)
    if here:
        text = text.replace(
            "        if subprocess",
            "        (place / 'y').write_bytes(bytes(3000000))\n        if subprocess",
        )
    room = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}
    done = run_beside_small_disk(text, disk, "2m", room | {name: str(disk)})
    assert done.returncode == 2, done.stderr
    assert f"set {name} to a folder with room" in done.stdout
    assert str(disk) in done.stdout
