"""Keys of one run of the virtual board: made when it starts, gone when it ends."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from xlic.board.virtual.cpio import Archive
from xlic.board.virtual.tools import require_modules

_RSA_BITS = 3072
_CLIENT = "client_key"
_KNOWN_HOSTS = "known_hosts"


@dataclass(frozen=True)
class Keys:
    """Keys of a run.

    Attributes:
        client: private key that the board lets in, in OpenSSH's format.
        authorized: the line that says so.
        hosts: public keys of the board, by kind, as ``known_hosts`` has them.
        dropbear: private keys of the board, by kind, in dropbear's format.
    """

    client: bytes
    authorized: str
    hosts: dict[str, str]
    dropbear: dict[str, bytes]

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write the client's key; returns its path, and that of the host keys to come."""
        file = folder / _CLIENT
        file.touch(0o600)
        file.write_bytes(self.client)
        return file, folder / _KNOWN_HOSTS

    def known_hosts(self, port: int) -> str:
        """Lines for a ``known_hosts`` file, for a board at this port of the host."""
        return "".join(f"[127.0.0.1]:{port} {key}\n" for key in self.hosts.values())

    def archive(self) -> bytes:
        """What is appended to the first file system."""
        archive = Archive()
        for kind, data in self.dropbear.items():
            archive.add_file(f"etc/dropbear/{kind}", data, 0o600)
        archive.add_file("root/.ssh/authorized_keys", self.authorized.encode(), 0o600)
        return archive.finish()


def make_keys() -> Keys:
    """New keys.

    Raises:
        MissingToolError: the Python package that makes them is absent.
    """
    require_modules()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    def public_line(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> str:
        openssh = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        return key.public_key().public_bytes(*openssh).decode()

    client, host = (ed25519.Ed25519PrivateKey.generate() for _ in range(2))
    old = rsa.generate_private_key(65537, _RSA_BITS)
    private = client.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    raw = serialization.Encoding.Raw
    seed = host.private_bytes(raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    point = host.public_key().public_bytes(raw, serialization.PublicFormat.Raw)
    numbers = old.private_numbers()
    public = numbers.public_numbers
    integers = (public.e, public.n, numbers.d, numbers.p, numbers.q)
    return Keys(
        client=private,
        authorized=f"{public_line(client)} xlic\n",
        hosts={"ed25519": public_line(host), "rsa": public_line(old)},
        dropbear={
            "ed25519": _string(b"ssh-ed25519") + _string(seed + point),
            "rsa": _string(b"ssh-rsa") + b"".join(_integer(value) for value in integers),
        },
    )


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _integer(value: int) -> bytes:
    # With a leading zero bit, as numbers are signed.
    return _string(value.to_bytes(value.bit_length() // 8 + 1, "big"))
