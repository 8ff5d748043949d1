"""An OpenSSH server of the test's own on loopback, and a wire to it that can be cut."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

from xlic.board.config import Board, Limits

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
MISSING = "needs sshd: apt-get install openssh-server"


class Server:
    def __init__(self, folder: Path, *options: str, sftp: bool = True) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("host", "other", "client"):
            self.make_key(name)
        (folder / "authorized").write_bytes((folder / "client.pub").read_bytes())
        self.port = _free_port()
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {folder}/host",
            f"AuthorizedKeysFile {folder}/authorized",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "UsePAM no",
            "StrictModes no",
            "PermitRootLogin yes",
            f"PidFile {folder}/pid",
            *(["Subsystem sftp internal-sftp"] if sftp else []),
            *options,
        ]
        (folder / "config").write_text("\n".join(lines) + "\n")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", folder / "config"], stderr=(folder / "log").open("wb")
        )
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                break
            time.sleep(0.02)
        self.known_hosts = folder / "known_hosts"
        self.trust("host")

    def trust(self, name: str, port: int | None = None) -> None:
        kind, key, *_ = (self.folder / f"{name}.pub").read_text().split()
        self.known_hosts.write_text(f"[127.0.0.1]:{port or self.port} {kind} {key}\n")

    def board(self, port: int | None = None, **changes: object) -> Board:
        values = {
            "host": "127.0.0.1",
            "port": port or self.port,
            "user": getpass.getuser(),
            "key_file": str(self.folder / "client"),
            "known_hosts": str(self.known_hosts),
            "ssh_config": "/dev/null",
            "limits": Limits(connect=5, command=5),
        }
        return Board(**values | changes)  # type: ignore[arg-type]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)

    def make_key(self, name: str) -> None:
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name], check=True
        )


class Wire:
    """Forwards connections to a port, until told to swallow everything or to cut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.swallow = False
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._open.append(near)
                if self.swallow:
                    continue
                far = socket.create_connection(("127.0.0.1", self._target))
                self._open.append(far)
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not self.swallow:
                    sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
