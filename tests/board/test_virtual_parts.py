"""The virtual board's parts, each on its own: no QEMU, no packages."""

from __future__ import annotations

import mmap
import re
import socket
import subprocess
import time
from itertools import pairwise

import numpy as np
import pytest

from tests.board.test_virtual_support import expected
from tests.hls.programs import TINY, compiled, values
from xlic.accelerator.driver import Driver
from xlic.accelerator.isa import INFO_WORDS, MAGIC, Control, Info, Register
from xlic.board.virtual import layout, packages, tools
from xlic.board.virtual.bitstream import VirtualBitstream, make_bitstream, read_bin
from xlic.board.virtual.cpio import Archive
from xlic.board.virtual.keys import make_keys
from xlic.board.virtual.pl import PUBLISHED, Faults, InterruptLine, Logic
from xlic.errors import FormatError, InputError, MissingToolError
from xlic.sources import VIRTUAL_DIR

pytestmark = pytest.mark.board


class Guest:
    """The guest's side of the logic's memory, and a device as the driver knows it."""

    window_address = layout.BUFFER.address

    def __init__(self) -> None:
        self._all = np.frombuffer(mmap.mmap(-1, layout.RAM_BYTES), np.uint8)
        self.line: list[int] = []
        self.log: list[str] = []
        self.logic = Logic(self._all, self._set_line, self.log.append)
        self.memory = self._all[layout.BUFFER.address : layout.BUFFER.end]
        start = layout.REGISTERS.address
        self._registers = self._all[start : layout.REGISTERS.end].view(np.uint32)

    def _set_line(self, level: int) -> None:
        if [level] != self.line[-1:]:
            self.line.append(level)

    def read(self, address: int) -> int:
        self.logic.turn()
        return int(self._registers[address // 4]) & ~PUBLISHED

    def write(self, address: int, value: int) -> None:
        self._registers[address // 4] = value
        self.logic.turn()

    def wait(self, cycles: int) -> bool:
        for _ in range(10_000):
            self.logic.turn()
            if self.line[-1:] == [1]:
                return True
        return False

    def load(self, data: bytes) -> int:
        mailbox = self._all[layout.MAILBOX.address : layout.MAILBOX.end].view(np.uint32)
        self._all[layout.STAGING.address :][: len(data)] = np.frombuffer(data, np.uint8)
        mailbox[layout.MAILBOX_LENGTH // 4] = len(data)
        mailbox[layout.MAILBOX_STATUS // 4] = layout.STATUS_PENDING
        mailbox[layout.MAILBOX_COMMAND // 4] = layout.COMMAND_LOAD
        self.logic.turn()
        mailbox[layout.MAILBOX_COMMAND // 4] = 0
        return int(mailbox[layout.MAILBOX_STATUS // 4])


@pytest.fixture
def guest():
    return Guest()


@pytest.fixture
def loaded(guest):
    assert guest.load(VirtualBitstream(TINY, 5, "hls").to_bin()) == layout.STATUS_LOADED
    return guest


@pytest.fixture
def awake(loaded):
    """Started once with an empty window, as by the board's program."""
    loaded.write(Register.CONTROL, 1)
    for _ in range(1000):
        if loaded.read(Register.CONTROL) & 1 << Control.DONE:
            return loaded
    raise AssertionError("it does not wake up")


def test_hls_tells_its_identity_when_it_has_run(loaded):
    words = [Register.INFO + 4 * word for word in range(INFO_WORDS)]
    assert not any(loaded.read(address) for address in words)
    loaded.write(Register.CONTROL, 1)
    for _ in range(1000):
        if loaded.read(Register.INFO + 4 * Info.MAGIC):
            break
    assert loaded.read(Register.INFO + 4 * Info.MAGIC) == MAGIC
    assert loaded.read(Register.INFO + 4 * Info.HASH_LOW) == 5


def test_the_driver_runs_a_program_twice(awake):
    driver = Driver(awake)
    assert driver.identity.source_hash == 5
    program = compiled("encode")
    for _ in range(2):
        driver.execute(program, values("encode"))
        for name, wanted in expected().items():
            assert np.array_equal(program.read(awake.memory, name), wanted)
    # Raised and lowered once each run.
    assert awake.line[-4:] == [1, 0, 1, 0]


def test_an_acknowledgement_that_comes_twice_does_no_harm(awake):
    Driver(awake).execute(compiled("encode"), values("encode"))
    awake.write(Register.INTERRUPT_STATUS, 1)
    awake.write(Register.INTERRUPT_STATUS, 1)
    assert awake.read(Register.INTERRUPT_STATUS) == 0
    assert awake.line[-1] == 0


def test_no_interrupt_that_is_not_enabled(awake):
    driver = Driver(awake)
    program = compiled("encode")
    program.write_program(awake.memory)
    program.write_input(awake.memory, values("encode"))
    driver._prepare(program.memory.program, program.memory.beats)
    awake.write(Register.GLOBAL_INTERRUPT_ENABLE, 0)
    awake.write(Register.CONTROL, 1)
    for _ in range(1000):
        if awake.read(Register.CONTROL) & 1 << Control.DONE:
            break
    assert awake.read(Register.INTERRUPT_STATUS) == 1
    assert awake.line[-1] == 0
    awake.write(Register.GLOBAL_INTERRUPT_ENABLE, 1)
    assert awake.line[-1] == 1


def test_a_window_outside_the_buffer_is_an_error(awake):
    driver = Driver(awake)
    awake.window_address = layout.BUFFER.end
    with pytest.raises(Exception, match="READ"):
        driver.run(0, 16, 1, cycle_limit=1)


def test_control_tells_running_until_the_end(loaded):
    loaded.logic.faults = Faults(hang=True)
    loaded.write(Register.CONTROL, 1)
    assert loaded.read(Register.CONTROL) == 1 << Control.START
    loaded.write(Register.CONTROL, 1)
    assert loaded.read(Register.CONTROL) == 1 << Control.START
    assert loaded.load(VirtualBitstream(TINY, 6, "hls").to_bin()) == layout.STATUS_LOADED
    assert loaded.read(Register.CONTROL) == 1 << Control.IDLE


def test_a_refused_bitstream_leaves_the_logic_blank(loaded):
    assert loaded.load(b"\0" * 100) == layout.STATUS_REFUSED
    assert "no synchronization word" in loaded.log[-1]
    assert loaded.read(Register.INFO) == 0


def test_bitstream_files(tmp_path):
    made = make_bitstream(tmp_path / "a.bin", TINY, "hls", sources=77)
    data = (tmp_path / "a.bin").read_bytes()
    assert b"\x66\x55\x99\xaa" in data
    assert read_bin(data) == made == VirtualBitstream(TINY, 77, "hls")
    make_bitstream(tmp_path / "a.bit", TINY, "hls", sources=77)
    bit = (tmp_path / "a.bit").read_bytes()
    assert b"xczu9eg-ffvb1156-2-e\0" in bit
    body = bit[bit.index(b"\xff" * 8) :]
    assert np.frombuffer(body, ">u4").astype("<u4").tobytes() == data
    with pytest.raises(FormatError, match="convert it"):
        read_bin(bit)
    with pytest.raises(InputError, match=r"\.bit or \.bin"):
        make_bitstream(tmp_path / "a.xsa", TINY, "hls")


def test_damaged_bitstreams_are_refused_and_foreign_ones_taken():
    data = VirtualBitstream(TINY, 77, "hls").to_bin()
    assert read_bin(data[:52] + bytes(2000)) is None
    # Behind the padding, the synchronization word and the mark.
    for at in range(52 + 16, len(data) - 4, 5):
        with pytest.raises(FormatError):
            read_bin(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])


def test_module_and_host_agree_on_the_mailbox():
    text = (VIRTUAL_DIR / "module" / "xlic_virtual_pl.c").read_text("utf-8")
    assert text.startswith("// SPDX-License-Identifier: GPL-2.0")
    defined = dict(re.findall(r"#define (\w+) (\w+)\n", text))
    ours = {
        name: int(value, 0)
        for name, value in defined.items()
        if name.startswith(("MAILBOX_", "COMMAND_LOAD", "STATUS_"))
    }
    assert len(ours) >= 8
    assert ours == {name: getattr(layout, name) for name in ours}


def test_regions_lie_apart_and_inside_of_memory():
    regions = [layout.REGISTERS, layout.MAILBOX, layout.STAGING, layout.BUFFER]
    for one, next_one in pairwise(regions):
        assert one.end <= next_one.address
    assert layout.BUFFER.end == layout.RAM_BYTES


def test_archives_are_the_kernel_s_format(tmp_path):
    if tools.shutil.which("cpio") is None:
        pytest.skip("needs cpio: apt-get install cpio")
    archive = Archive()
    archive.add_file("a/b/file", b"content", 0o755)
    archive.add_link("a/link", "b/file")
    subprocess.run(["cpio", "-idm", "--quiet"], input=archive.finish(), cwd=tmp_path, check=True)
    assert (tmp_path / "a" / "link").read_bytes() == b"content"
    assert (tmp_path / "a/b/file").stat().st_mode & 0o777 == 0o755


def test_keys_differ_from_run_to_run():
    one, other = make_keys(), make_keys()
    assert one.client != other.client
    assert one.hosts["ed25519"] != other.hosts["ed25519"]
    assert one.known_hosts(2222).count("[127.0.0.1]:2222 ") == 2


def test_a_missing_tool_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingToolError, match=r"apt-get install .* qemu-system-arm") as error:
        tools.require_tools()
    assert "device-tree-compiler" in str(error.value)
    assert tools.missing() == str(error.value)


def test_a_damaged_package_is_not_used(tmp_path):
    (tmp_path / "a.deb").write_bytes(b"something else")
    entry = packages.Package("a", "1", "arm64", "a.deb", "0" * 64)
    found = packages.Packages(tmp_path, "6.1", (entry,))
    with pytest.raises(Exception, match="fetch --update"):
        found.path("a")


def test_an_interrupt_line_waits_for_nobody_and_ends_as_it_should_be():
    ours, qemu = socket.socketpair()
    line = InterruptLine(ours)
    begin = time.monotonic()
    line.set(1)
    assert qemu.recv(256).endswith(b" 1\n")
    # It stands still, while the line falls, rises and falls.
    for level in (0, 1, 0):
        line.set(level)
    assert time.monotonic() - begin < 1
    assert line.awaited == [ours]
    qemu.setblocking(False)
    with pytest.raises(BlockingIOError):
        qemu.recv(256)
    qemu.sendall(b"OK\n")
    line.turn()
    assert qemu.recv(256).endswith(b" 0\n")
    qemu.sendall(b"OK\n")
    line.turn()
    assert line.awaited == []
    qemu.close()
    with pytest.raises(OSError, match="Broken pipe"):
        line.set(1)
