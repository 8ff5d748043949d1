"""The virtual ZCU102, booted once: what Linux shows on it is what a real one shows."""

from __future__ import annotations

import re
import select
import socket
import subprocess
import time

import numpy as np
import pytest

from tests.board.test_virtual_support import (
    MANAGER,
    connected,
    load,
    place,
    put,
    run,
    start_command,
    wrong_tensors,
)
from tests.hls.programs import TINY
from xlic.board.config import Board
from xlic.board.virtual import layout
from xlic.board.virtual.bitstream import VirtualBitstream, current_hash
from xlic.errors import MissingToolError

paramiko = pytest.importorskip("paramiko", reason="needs paramiko: pip install paramiko")
pytestmark = pytest.mark.board


@pytest.fixture
def ssh(virtual_board):
    with connected(virtual_board) as client:
        yield client


def state(ssh) -> str:
    return run(ssh, f"cat {MANAGER}/state")[1].strip()


def test_is_an_arm_board_with_the_run_s_host_key(ssh):
    assert run(ssh, "uname -m; id -un") == (0, "aarch64\nroot\n")
    assert ssh.get_transport().get_remote_server_key().get_name() == "ssh-ed25519"


def test_no_other_key_and_no_password_opens_it(virtual_board, tmp_path):
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    for options in ({"key_filename": str(other)}, {"key_filename": None, "password": ""}):
        client = paramiko.SSHClient()
        client.load_host_keys(str(virtual_board.known_hosts))
        with pytest.raises(paramiko.SSHException):
            client.connect(
                *virtual_board.ssh_address,
                username="root",
                allow_agent=False,
                look_for_keys=False,
                timeout=10,
                **options,
            )
        client.close()


def test_is_reached_from_this_machine_only(virtual_board):
    ports = {virtual_board.ssh_address[1], int(virtual_board.serial_url.rpartition(":")[2])}
    listening = [line.split()[1:4] for line in open("/proc/net/tcp")][1:]  # noqa: PTH123, SIM115
    found = {address for address, _, kind in listening if kind == "0A"}
    for port in ports:
        assert {entry for entry in found if entry.endswith(f":{port:04X}")} == {
            f"0100007F:{port:04X}"
        }


def test_has_no_way_out(ssh):
    with socket.create_server(("127.0.0.1", 0)) as door:
        # Where QEMU would let it in to this machine.
        port = door.getsockname()[1]
        status, text = run(ssh, f"ip route; nc -w 2 10.0.2.2 {port} </dev/null")
        assert not select.select([door], [], [], 0)[0], "somebody knocked"
    assert status != 0
    assert "default" not in text


def test_key_is_private_and_folder_too(virtual_board):
    assert virtual_board.key_file.stat().st_mode & 0o077 == 0
    assert virtual_board.folder.stat().st_mode & 0o077 == 0


def received(console) -> bytes:
    part = console.recv(4096)
    assert part, "the console hung up"
    return part


def test_console_takes_a_login(virtual_board):
    since = virtual_board.console_log.stat().st_size
    host, _, port = virtual_board.serial_url.removeprefix("socket://").partition(":")
    with socket.create_connection((host, int(port)), 5) as console:
        console.settimeout(15)
        for line in (b"\n", b"root\n", b"echo al''ive; exit\n"):
            console.sendall(line)
            time.sleep(0.5)
        text = b""
        while b"alive" not in text:
            text += received(console)
    virtual_board.wait_for_console("alive", 5, since=since)
    lines = virtual_board.console_log.read_text("utf-8", "replace").splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} ", line) for line in lines)


def test_console_has_many_readers(virtual_board):
    host, _, port = virtual_board.serial_url.removeprefix("socket://").partition(":")
    clients = [socket.create_connection((host, int(port)), 5) for _ in range(3)]
    time.sleep(0.3)
    virtual_board.service("echo everybody > /dev/ttyPS0")
    for client in clients:
        client.settimeout(10)
        text = b""
        while b"everybody" not in text:
            text += received(client)
        client.close()
        assert b"everybody" in text


def test_fpga_manager_tells_states_and_errors_as_linux_does(ssh, tmp_path):
    assert run(ssh, f"cat {MANAGER}/name")[1] == "Xilinx ZynqMP FPGA Manager\n"
    load(ssh, tmp_path)
    assert state(ssh) == "operating"
    assert run(ssh, f"cat {MANAGER}/flags")[1] == "0\n"

    status, text = run(ssh, f"echo absent.bin > {MANAGER}/firmware")
    assert status != 0
    assert "No such file or directory" in text
    assert state(ssh) == "firmware request error"

    status, text = run(
        ssh,
        f"echo 1 > {MANAGER}/flags; echo xlic.bin > {MANAGER}/firmware; r=$?; "
        f"cat {MANAGER}/flags; echo 0 > {MANAGER}/flags; exit $r",
    )
    assert status != 0
    assert "Invalid argument" in text
    assert state(ssh) == "write init error"
    assert run(ssh, f"echo no number > {MANAGER}/flags")[0] != 0

    status, _ = run(ssh, f"echo xlic.bin > {MANAGER}/firmware")
    assert (status, state(ssh)) == (0, "operating")


@pytest.mark.parametrize("damage", ["bit", "noise", "crc", "empty"])
def test_fpga_manager_refuses_what_is_no_bin_file(ssh, virtual_board, damage):
    bitstream = VirtualBitstream(TINY)
    good = bitstream.to_bin()
    data = {
        "bit": bitstream.to_bit(),
        "noise": bytes(range(256)) * 20,
        "crc": good[:-12] + bytes([good[-12] ^ 1]) + good[-11:],
        "empty": b"\0",
    }[damage]
    put(ssh, data, "/lib/firmware/bad.bin")
    status, text = run(ssh, f"echo bad.bin > {MANAGER}/firmware")
    assert status != 0
    assert "Invalid argument" in text
    assert state(ssh) == "write error"
    log = virtual_board.pl_log.read_text("utf-8")
    assert "refused" in log.splitlines()[-1]
    if damage == "bit":
        assert "convert it to .bin" in log.splitlines()[-1]


def test_another_s_bitstream_loads_and_answers_nothing(ssh, virtual_board):
    foreign = b"\xff" * 64 + b"\x66\x55\x99\xaa" + bytes(4000)
    put(ssh, foreign, "/lib/firmware/foreign.bin")
    assert run(ssh, f"echo foreign.bin > {MANAGER}/firmware")[0] == 0
    assert state(ssh) == "operating"
    assert not virtual_board.region(layout.REGISTERS).any()


def test_buffer_is_seen_from_both_sides(ssh, virtual_board):
    folder = "/sys/class/u-dma-buf/udmabuf0"
    text = run(ssh, f"cat {folder}/phys_addr {folder}/size")[1].split()
    assert [int(word, 0) for word in text] == [layout.BUFFER.address, layout.BUFFER.bytes]
    page = np.random.default_rng(1).integers(0, 256, 4096).astype(np.uint8)
    at = layout.BUFFER.bytes - 4096
    virtual_board.buffer[at:] = page
    command = f"dd if=/dev/udmabuf0 bs=4096 skip={at // 4096} 2>/dev/null | sha256sum"
    import hashlib

    assert run(ssh, command)[1].split()[0] == hashlib.sha256(page.tobytes()).hexdigest()
    run(ssh, "printf 'from the board' | dd of=/dev/udmabuf0 bs=1 seek=4096 2>/dev/null")
    assert virtual_board.buffer[4096:4110].tobytes() == b"from the board"


def test_uio_shows_a_page_of_registers(ssh):
    maps = "/sys/class/uio/uio0/maps/map0"
    text = run(ssh, f"cat /sys/class/uio/uio0/name {maps}/addr {maps}/size")[1].split()
    assert text[0] == "xlic"
    assert [int(word, 0) for word in text[1:]] == [layout.REGISTERS.address, 4096]


@pytest.mark.parametrize("mode", ["", "poll"])
@pytest.mark.parametrize("kind", ["hls", "rtl"])
def test_runs_a_program(ssh, virtual_board, tmp_path, kind, mode):
    try:
        load(ssh, tmp_path, kind)
    except MissingToolError as error:
        pytest.skip(str(error))
    program = place(virtual_board)
    status, text = run(ssh, start_command(program, 60, mode))
    assert status == 0, text
    layers = len(program.layers)
    assert re.fullmatch(rf"error 0 layers {layers} cycles \d+ status 1 hash \w+\n", text)
    assert int(text.split()[-1], 16) == current_hash(kind)
    assert wrong_tensors(virtual_board, program) == []


def test_every_run_gives_one_interrupt(ssh, virtual_board, tmp_path):
    load(ssh, tmp_path)
    program = place(virtual_board)
    count = "cat /sys/class/uio/uio0/event"
    before = int(run(ssh, count)[1])
    again = "; ".join([start_command(program)] * 10)
    text = run(ssh, again)[1]
    assert text.count("error 0") == 10
    assert int(run(ssh, count)[1]) - before == 10


def test_an_error_of_the_accelerator_is_told(ssh, virtual_board, tmp_path):
    load(ssh, tmp_path)
    program = place(virtual_board)
    virtual_board.buffer[program.memory.program * 16] ^= 1
    status, text = run(ssh, start_command(program))
    assert status == 0
    assert text.startswith("error 1 ")


def test_reset_clears_logic_and_files(virtual_board, tmp_path):
    with connected(virtual_board) as client:
        load(client, tmp_path)
    virtual_board.reset()
    assert virtual_board.wait_for_ssh() < 60
    with connected(virtual_board) as client:
        assert state(client) == "unknown"
        assert run(client, "ls /lib/firmware")[1] == ""
    assert not virtual_board.status()["pl"]["loaded"]


def test_reboot_from_within_is_a_reset_too(virtual_board, tmp_path):
    with connected(virtual_board) as client:
        load(client, tmp_path)
        since = virtual_board.console_log.stat().st_size
        client.exec_command("reboot -f")
    virtual_board.wait_for_console("--- reset ---", 20, since=since)
    virtual_board.wait_for_ssh()
    assert not virtual_board.status()["pl"]["loaded"]


def test_power_cycle_keeps_ports_and_keys_and_loses_memory(virtual_board):
    before = virtual_board.ssh_address, virtual_board.serial_url
    virtual_board.buffer[:5] = 7
    virtual_board.power_off()
    assert virtual_board.status() == {"power": False}
    virtual_board.power_cycle()
    assert virtual_board.wait_for_ssh() < 60
    assert (virtual_board.ssh_address, virtual_board.serial_url) == before
    with connected(virtual_board) as client:
        assert run(client, "hostname") == (0, "zcu102\n")
    assert not virtual_board.buffer[:5].any()


def test_commands_of_a_board_file_press_button_and_switch(virtual_board):
    for command, mark in (
        (virtual_board.reset_command, "--- reset ---"),
        (virtual_board.power_command, "--- power on ---"),
    ):
        since = virtual_board.console_log.stat().st_size
        subprocess.run(command, check=True, timeout=60)
        virtual_board.wait_for_console(mark, 10, since=since)
        virtual_board.wait_for_ssh()


def test_dhcp_brings_a_lost_address_back(virtual_board):
    virtual_board.service("ip addr flush dev eth0; ip link set eth0 down")
    assert "inet " not in virtual_board.service("ip addr show dev eth0")
    virtual_board.service("ip link set eth0 up; udhcpc -n -q -i eth0")
    assert "inet 10.0.2.15" in virtual_board.service("ip addr show dev eth0")
    virtual_board.wait_for_ssh(20)


def test_is_a_board_by_its_options(virtual_board):
    board = Board(**virtual_board.options)
    assert (board.host, board.port) == virtual_board.ssh_address


def test_takes_little_of_the_host(virtual_board):
    from pathlib import Path

    pids = [*virtual_board.status()["processes"].values(), virtual_board._pid]
    pages = 0
    for pid in pids:
        text = Path(f"/proc/{pid}/status").read_text("utf-8")
        pages += int(re.search(r"VmRSS:\s+(\d+)", text)[1])
    assert pages < 1.5e6
