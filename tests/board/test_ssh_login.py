"""Logging in: what is read from where, and what is the user's to mend and not infrastructure."""

from __future__ import annotations

import socket
import sys
import textwrap
import threading
import time

import pytest

from tests.board.local import limit
from tests.board.sshd import MISSING, SSHD, Server
from xlic.board.config import Board, read_board
from xlic.board.errors import HostKeyError, InfrastructureError
from xlic.board.ssh import Link
from xlic.board.ssh_options import ssh_options
from xlic.errors import InputError

paramiko = pytest.importorskip("paramiko")
pytestmark = pytest.mark.board
with_server = pytest.mark.skipif(SSHD is None, reason=MISSING)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("sshd"))
    yield server
    server.stop()


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Writes an SSH configuration; there are no other keys, and no agent."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)

    def write(*lines: str) -> str:
        path = tmp_path / "config"
        path.write_text("\n".join(lines) + "\n")
        return str(path)

    return write


def reach(server, *lines: str) -> tuple[str, ...]:
    """Lines of a configuration that lead to the server."""
    where = ("HostName 127.0.0.1", f"Port {server.port}", f"User {server.board().user}")
    return ("Host zcu102", *where, *lines)


# ---- what is the user's to mend


def test_a_key_that_is_not_there_is_named():
    with pytest.raises(InputError, match="/absent/key is not there; is key_file right"):
        Link(Board("x", key_file="/absent/key", ssh_config="/dev/null"))


@with_server
def test_a_key_that_is_none_is_the_users_to_mend(server, tmp_path):
    (tmp_path / "key").write_text("no key at all\n")
    with pytest.raises(InputError, match="does not let"):
        Link(server.board(key_file=str(tmp_path / "key")))


@with_server
def test_no_key_at_all_is_the_users_to_mend(server, config):
    path = config(*reach(server, f"UserKnownHostsFile {server.known_hosts}"))
    with pytest.raises(InputError, match="give a key by"):
        Link(Board("zcu102", ssh_config=path))


@with_server
def test_a_server_that_hangs_up_on_too_many_wrong_keys_has_refused(config, tmp_path):
    strict = Server(tmp_path / "strict", "MaxAuthTries 2")
    for name in "abcd":
        strict.make_key(name)
    keys = [f"IdentityFile {strict.folder}/{name}" for name in "abcd"]
    path = config(*reach(strict, *keys, f"UserKnownHostsFile {strict.known_hosts}"))
    with pytest.raises(InputError, match="does not let"):
        Link(Board("zcu102", ssh_config=path))
    strict.stop()


def test_nothing_that_a_server_says_reaches_the_terminal_as_it_is():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            peer, _ = listener.accept()
            peer.sendall(b"SSH-3.0\x1b]0;evil\x07-x\r\n")
            peer.close()

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(InfrastructureError) as caught:
            Link(Board("127.0.0.1", port=listener.getsockname()[1], ssh_config="/dev/null"))
        thread.join()
    assert str(caught.value).isprintable()


@with_server
def test_a_link_that_goes_while_logging_in_is_infrastructure(server, monkeypatch):
    def gone(self, *_):
        self.close()
        raise paramiko.AuthenticationException("transport shut down or saw EOF")

    monkeypatch.setattr(paramiko.Transport, "auth_publickey", gone)
    with pytest.raises(InfrastructureError, match="cannot connect"):
        Link(server.board())


@pytest.mark.parametrize(
    ("reason", "error"),
    [(socket.EAI_NONAME, InputError), (socket.EAI_AGAIN, InfrastructureError)],
)
def test_a_host_that_there_is_not_is_told_from_a_name_server_that_is_silent(
    monkeypatch, reason, error
):
    def unknown(*_, **__):
        raise socket.gaierror(reason, "name")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(error, match=r"no host zcu201|cannot connect to zcu201"):
        Link(Board("zcu201", ssh_config="/dev/null"))


def test_what_can_be_no_name_of_a_host_is_refused():
    with pytest.raises(InputError, match=r"there is no host a\.\.b"):
        Link(Board("a..b", ssh_config="/dev/null"))


def test_a_home_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such home"):
        Link(Board("x", key_file="~nobody-is-called-so/key", ssh_config="/dev/null"))
    (tmp_path / "b.toml").write_text('host = "x"\nbitstream = "~nobody-is-called-so/x.bit"')
    with pytest.raises(InputError, match="no such home"):
        read_board(tmp_path / "b.toml")


# ---- keys


@with_server
def test_keys_of_the_configuration_that_are_not_there_are_passed_over(server, config):
    keys = ("IdentityFile /absent/key", f"IdentityFile {server.folder}/client")
    path = config(*reach(server, *keys, f"UserKnownHostsFile {server.known_hosts}"))
    board = Board("zcu102", ssh_config=path)
    assert ssh_options(board).key_files == (f"{server.folder}/client",)
    with Link(board) as link:
        assert link.run("echo hello", limit()).output == "hello\n"


def test_the_agent_is_asked_unless_a_key_is_chosen(config, tmp_path):
    (tmp_path / "key").touch()
    path = config(f"IdentityFile {tmp_path}/key", "Host only", "IdentitiesOnly yes")
    assert ssh_options(Board("any", ssh_config=path)).agent
    assert not ssh_options(Board("only", ssh_config=path)).agent
    assert not ssh_options(Board("any", ssh_config=path, key_file=str(tmp_path / "key"))).agent
    assert not ssh_options(Board("any", ssh_config=path, password_env="X")).agent


# ---- host keys


@with_server
def test_host_keys_of_the_whole_machine_count_too(server, config, tmp_path):
    lines = (f"IdentityFile {server.folder}/client", f"UserKnownHostsFile {tmp_path}/none")
    path = config(*reach(server, *lines, f"GlobalKnownHostsFile {server.known_hosts}"))
    with Link(Board("zcu102", ssh_config=path)) as link:
        assert link.run("echo hello", limit()).output == "hello\n"
    assert not (tmp_path / "none").exists()


@with_server
def test_a_new_host_key_goes_on_a_line_of_its_own(server, tmp_path):
    file = tmp_path / "known"
    known = server.known_hosts.read_text().partition(" ")[2].strip()
    # As some editors leave it: without an end of the last line.
    file.write_text(f"elsewhere {known}")
    Link(server.board(known_hosts=str(file)), accept_new_host_key=True).close()
    assert file.read_text() == f"elsewhere {known}\n[127.0.0.1]:{server.port} {known}\n"
    Link(server.board(known_hosts=str(file))).close()


@pytest.mark.parametrize("content", [b"host ssh-rsa AAAAB\n", b"\xff\xfe\x80\n"])
def test_host_keys_that_cannot_be_read_are_named(tmp_path, content):
    (tmp_path / "known").write_bytes(content)
    with pytest.raises((InputError, HostKeyError), match=r"cannot read the host keys in .*known"):
        Link(Board("127.0.0.1", known_hosts=str(tmp_path / "known"), ssh_config="/dev/null"))


# ---- the way there


@pytest.mark.parametrize(
    ("line", "port", "proxy"),
    [
        ("ProxyJump gate", None, "ssh -o BatchMode=yes {F} -W '[zcu102]:22' -- gate"),
        ("ProxyJump gate", 2222, "ssh -o BatchMode=yes {F} -W '[zcu102]:2222' -- gate"),
        (
            "ProxyJump me@gate:2200",
            None,
            "ssh -o BatchMode=yes {F} -l me -p 2200 -W '[zcu102]:22' -- gate",
        ),
        (
            "ProxyJump a:1,b@c,ssh://d@[::1]:9",
            None,
            "ssh -o BatchMode=yes {F} -l d -p 9 -J a:1,b@c -W '[zcu102]:22' -- ::1",
        ),
        ("ProxyJump none", None, None),
        ("ProxyCommand nc %h %p", None, "nc zcu102 22"),
        ("ProxyCommand none", None, None),
        ("Port 22", None, None),
    ],
)
def test_the_way_through_other_hosts_is_that_of_the_configuration(config, line, port, proxy):
    path = config("Host zcu102", line)
    wanted = None if proxy is None else proxy.format(F=f"-F {path}")
    assert ssh_options(Board("zcu102", port=port, ssh_config=path)).proxy == wanted


def test_a_jump_that_makes_no_sense_is_refused(config):
    with pytest.raises(InputError, match="ProxyJump"):
        ssh_options(Board("zcu102", ssh_config=config("Host zcu102", "ProxyJump a@b@c:x")))


_FORWARD = """
    import os, socket, sys, threading
    stream = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    def back():
        while data := stream.recv(65536):
            os.write(1, data)
        os._exit(0)
    threading.Thread(target=back, daemon=True).start()
    while data := os.read(0, 65536):
        stream.sendall(data)
"""


@with_server
def test_a_proxy_command_leads_to_the_board_and_is_run_by_a_shell(server, config, tmp_path):
    (tmp_path / "forward.py").write_text(textwrap.dedent(_FORWARD))
    lines = (
        f"IdentityFile {server.folder}/client",
        f"UserKnownHostsFile {server.known_hosts}",
        f"ProxyCommand {sys.executable} {tmp_path}/forward.py %h %p 2> /dev/null",
    )
    with Link(Board("zcu102", ssh_config=config(*reach(server, *lines)))) as link:
        assert link.run("echo hello", limit()).output == "hello\n"


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        ("no-such-command %h", InputError, "cannot be run: no-such-command zcu102"),
        ("sh {late} 127", InputError, "cannot be run: sh"),
        ("sh {late} 255", InfrastructureError, "late.sh 255: no way there"),
    ],
)
def test_a_proxy_command_that_ends_says_why_at_once(config, tmp_path, line, error, message):
    (tmp_path / "late.sh").write_text("sleep 0.3; echo no way there >&2; exit $1\n")
    command = line.format(late=tmp_path / "late.sh")
    begin = time.monotonic()
    with pytest.raises(error, match=message):
        Link(Board("zcu102", ssh_config=config("Host zcu102", f"ProxyCommand {command}")))
    assert time.monotonic() - begin < 8
