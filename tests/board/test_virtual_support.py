"""Helpers of the tests of the virtual board; there are no tests in here."""

from __future__ import annotations

import functools
from contextlib import contextmanager

from tests.hls.programs import TINY, compiled, values
from xlic.accelerator.driver import Driver
from xlic.accelerator.native import NativeDevice
from xlic.board.virtual.bitstream import make_bitstream

MANAGER = "/sys/class/fpga_manager/fpga0"


@contextmanager
def connected(board, **options):
    """An SSH connection with the run's keys."""
    import paramiko

    client = paramiko.SSHClient()
    client.load_host_keys(str(board.known_hosts))
    defaults = {"timeout": 10, "banner_timeout": 10, "auth_timeout": 10}
    try:
        client.connect(
            *board.ssh_address,
            username="root",
            key_filename=str(board.key_file),
            allow_agent=False,
            look_for_keys=False,
            **(defaults | options),
        )
        yield client
    finally:
        client.close()


def run(client, command: str, timeout: float = 30.0) -> tuple[int, str]:
    """Exit status and output of a command."""
    _, out, _ = client.exec_command(f"{{ {command}; }} 2>&1", timeout=timeout)
    text = out.read().decode()
    return out.channel.recv_exit_status(), text


def put(client, content: bytes, target: str) -> None:
    # Not by SFTP: dropbear closes the channel that is opened while that of SFTP is being closed.
    stdin, out, _ = client.exec_command(f"cat > {target}", timeout=30)
    stdin.write(content)
    stdin.channel.shutdown_write()
    assert out.channel.recv_exit_status() == 0


def load(client, folder, kind: str = "hls", **options) -> None:
    """Load a bitstream of the small design."""
    make_bitstream(folder / "xlic.bin", TINY, kind, **options)
    put(client, (folder / "xlic.bin").read_bytes(), "/lib/firmware/xlic.bin")
    status, text = run(client, f"echo 0 > {MANAGER}/flags; echo xlic.bin > {MANAGER}/firmware")
    assert status == 0, text


@functools.cache
def expected(transform: str = "encode"):
    """All tensors of the small program, from the compiled HLS C++ on its own."""
    program = compiled(transform)
    device = NativeDevice(TINY, program.memory.bytes)
    Driver(device).execute(program, values(transform))
    return {name: program.read(device.memory, name).copy() for name in program.memory.tensors}


def place(board, transform: str = "encode"):
    """Put the small program with its input into the board's buffer, from the host's side."""
    program = compiled(transform)
    program.write_program(board.buffer)
    program.write_input(board.buffer, values(transform))
    program.poison(board.buffer)
    return program


def start_command(program, seconds: int = 20, mode: str = "") -> str:
    return f"pl_run {program.memory.program} {program.memory.beats} {seconds} {mode}"


def wrong_tensors(board, program) -> list[str]:
    """Tensors in the board's buffer that are not as they should be."""
    wanted = expected()
    found = {name: program.read(board.buffer, name) for name in wanted}
    return [name for name in wanted if (found[name] != wanted[name]).any()]
