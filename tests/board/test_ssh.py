"""SSH against an OpenSSH server on loopback: host keys, hangs, dropped links, no SFTP."""

from __future__ import annotations

import errno
import hashlib
import io
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.board.local import limit
from tests.board.sshd import MISSING, SSHD, Server, Wire
from xlic.board.config import Board, Limits
from xlic.board.deadline import Deadline
from xlic.board.errors import DeadlineError, HostKeyError, InfrastructureError
from xlic.board.jobs import start_job, wait_job
from xlic.board.lease import read_holder
from xlic.board.policy import attempt
from xlic.board.reconnect import Reconnecting
from xlic.board.recovery import Recovery
from xlic.board.ssh import Link
from xlic.board.ssh_options import ssh_options
from xlic.board.transfer import Store
from xlic.cli.board_commands import board as board_commands
from xlic.errors import DiskFullError, InputError, MissingToolError

pytest.importorskip("paramiko")
pytestmark = [pytest.mark.board, pytest.mark.skipif(SSHD is None, reason=MISSING)]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("sshd"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("bare"), sftp=False)
    yield server
    server.stop()


@pytest.fixture
def wire(server):
    wire = Wire(server.port)
    server.trust("host", wire.port)
    yield wire
    server.trust("host")
    wire.close()


def test_a_command_runs_in_sh_with_status_and_both_outputs(server):
    with Link(server.board()) as link:
        done = link.run("echo out; echo \"$0\" 'it'\"'\"'s' >&2; exit 5", limit())
        assert (done.status, done.output) == (5, "out\n")
        assert done.errors == "sh it's\n"
        assert link.run("cat", limit()).output == "", "input is at its end"


def test_output_without_an_end_is_cut_off(server):
    with Link(server.board()) as link, pytest.raises(InfrastructureError, match="more than 1000"):
        link.run("yes", limit(), limit=1000)


def test_an_unknown_host_key_is_refused_unless_it_is_to_be_accepted(server, tmp_path):
    board = server.board(known_hosts=str(tmp_path / "new" / "known"))
    with pytest.raises(HostKeyError, match=r"unknown \(ssh-ed25519 SHA256:.*--accept-new-host-key"):
        Link(board)
    assert not (tmp_path / "new").exists()
    Link(board, accept_new_host_key=True).close()
    assert f"[127.0.0.1]:{server.port} ssh-ed25519" in (tmp_path / "new/known").read_text()
    Link(board).close()


def test_a_changed_host_key_is_refused_in_any_case(server, tmp_path):
    server.trust("other")
    try:
        for accept in (False, True):
            with pytest.raises(HostKeyError, match="another host key"):
                Link(server.board(), accept_new_host_key=accept)
    finally:
        server.trust("host")


def test_who_is_not_let_in_is_told_so(server):
    with pytest.raises(InputError, match="does not let"):
        Link(server.board(key_file=str(server.folder / "other")))


def test_a_password_is_named_by_its_variable_and_never_shown(server, monkeypatch):
    board = server.board(key_file=None, password_env="XLIC_TEST_PASSWORD")
    with pytest.raises(InputError, match="XLIC_TEST_PASSWORD is not set"):
        Link(board)
    monkeypatch.setenv("XLIC_TEST_PASSWORD", "hunter2")
    with pytest.raises(InputError) as caught:
        Link(board)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(board)


def test_no_server_is_infrastructure():
    with pytest.raises(InfrastructureError, match="cannot connect"):
        Link(Board("127.0.0.1", port=1, ssh_config="/dev/null"))


def test_a_server_that_says_nothing_does_not_hang(server, wire):
    wire.swallow = True
    begin = time.monotonic()
    with pytest.raises(InfrastructureError):
        Link(server.board(wire.port, limits=Limits(connect=1)))
    assert time.monotonic() - begin < 4


def test_a_command_that_does_not_end_is_a_deadline(server):
    begin = time.monotonic()
    with Link(server.board()) as link, pytest.raises(DeadlineError, match=r"within 0\.5 s"):
        link.run("sleep 20", Deadline(0.5, "sleeping"))
    assert time.monotonic() - begin < 4


@pytest.mark.parametrize("action", ["run", "upload", "download"])
def test_a_link_that_hangs_is_a_deadline_everywhere(server, wire, tmp_path, action):
    (tmp_path / "big").write_bytes(bytes(1 << 20))
    with Link(server.board(wire.port)) as link:
        link.run("true", limit())
        wire.swallow = True
        begin = time.monotonic()
        soon = Deadline(0.7, action)
        size = 1 << 20
        actions = {
            "run": lambda: link.run("echo hello", soon),
            "upload": lambda: link.upload(
                io.BytesIO(bytes(size)), size, str(tmp_path / "to"), soon
            ),
            "download": lambda: link.download(str(tmp_path / "big"), io.BytesIO(), size, soon),
        }
        with pytest.raises(DeadlineError):
            actions[action]()
        assert time.monotonic() - begin < 4


def test_a_dropped_link_is_infrastructure_and_the_next_call_too(server, wire):
    with Link(server.board(wire.port)) as link:
        wire.cut()
        with pytest.raises(InfrastructureError):
            link.run("true", limit(2))
        with pytest.raises(InfrastructureError):
            link.run("true", limit(2))
        assert not link.alive


@pytest.mark.parametrize("kind", ["server", "bare"])
def test_files_go_there_and_back_with_and_without_sftp(request, kind, tmp_path):
    server = request.getfixturevalue(kind)
    data = bytes(range(256)) * 2000 + b"end"
    with Link(server.board()) as link:
        store = Store(link, str(tmp_path / "it's here"))
        path = store.put(data, limit())
        digest = hashlib.sha256(data).hexdigest()
        store.fetch(path, tmp_path / "back", len(data), digest, limit())
        assert (tmp_path / "back").read_bytes() == data
        with pytest.raises(InfrastructureError):
            link.download(path, io.BytesIO(), len(data) - 1, limit())
        with pytest.raises(InfrastructureError):
            link.download(path + "x", io.BytesIO(), 5, limit())
        with pytest.raises(InfrastructureError):
            link.upload(io.BytesIO(b"x"), 1, str(tmp_path / "absent/x"), limit())
        assert link.run("echo still here", limit()).output == "still here\n"


def test_a_job_outlives_the_connection(server, wire, tmp_path):
    with Link(server.board(wire.port)) as link:
        job = start_job(link, "sleep 0.5; echo done", str(tmp_path / "run"), limit())
        wire.cut()
    with Link(server.board(wire.port)) as link:
        assert wait_job(link, job, limit()).output == "done\n"


def test_recovery_connects_again_and_says_what_it_did(server, wire):
    board = server.board(wire.port)
    link = Link(board)
    done = []

    def recover(error):
        nonlocal link
        recovered = Recovery(board, lambda deadline: Link(board, deadline=deadline)).recover()
        link = recovered.link
        done.extend(recovered.done)
        return recovered.done

    wire.cut()
    attempted = attempt(lambda: link.run("echo hello", limit()).output, recover, 3)
    assert attempted.value == "hello\n"
    assert len(attempted.failures) == 1
    assert done == ["ssh: helped"]
    link.close()


def test_heartbeats_have_a_connection_of_their_own_that_comes_back(server, wire):
    way = Reconnecting(lambda deadline: Link(server.board(wire.port), deadline=deadline))
    assert way.run("echo 1", limit()).output == "1\n"
    wire.cut()
    time.sleep(0.3)
    assert way.run("echo 2", limit()).output == "2\n"
    way.close()
    assert way.run("echo 3", limit()).output == "3\n"
    way.close()


def test_a_lease_by_hand_outlives_its_connection(server, wire, tmp_path):
    file = tmp_path / "board.toml"
    file.write_text(
        f'host = "127.0.0.1"\nport = {wire.port}\nuser = "{server.board().user}"\n'
        f'key_file = "{server.folder}/client"\nknown_hosts = "{server.known_hosts}"\n'
        f'ssh_config = "/dev/null"\nfolder = "{tmp_path}/board"\n[lease]\nexpiry = 6\n'
        f'folder = "{tmp_path}/lease"\n'
    )

    def cut() -> None:
        while not list(tmp_path.glob("lease/lease.*")):
            time.sleep(0.05)
        time.sleep(1)
        wire.cut()

    timer = threading.Thread(target=cut)
    timer.start()
    # Longer than a lease that nobody renews.
    result = CliRunner().invoke(
        board_commands, ["lease", "--board", str(file), "--minutes", "0.14"]
    )
    timer.join()
    assert (result.exit_code, result.exception) == (0, None)
    with Link(server.board(wire.port)) as link:
        assert read_holder(link, f"{tmp_path}/lease") is None, "it was given back"


def test_a_name_of_the_ssh_configuration_is_enough(server, tmp_path):
    config = tmp_path / "config"
    config.write_text(
        f"Host zcu102\n  HostName 127.0.0.1\n  Port {server.port}\n  User {server.board().user}\n"
        f"  IdentityFile {server.folder}/client\n  UserKnownHostsFile {server.known_hosts}\n"
    )
    board = Board("zcu102", ssh_config=str(config))
    assert ssh_options(board).key_name == f"[127.0.0.1]:{server.port}"
    with Link(board) as link:
        assert link.run("echo hello", limit()).output == "hello\n"


def test_without_paramiko_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr("xlic.board.ssh_options.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match="pip install"):
        Link(Board("x"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("kind", ["server", "bare"])
def test_a_full_disk_here_is_no_failure_of_the_link_and_not_tried_again(request, kind, tmp_path):
    there = tmp_path / "there"
    there.write_bytes(bytes(100_000))
    tries = []
    with Link(request.getfixturevalue(kind).board()) as link:

        def fetch():
            tries.append(1)
            with Path("/dev/full").open("wb", buffering=0) as full:
                link.download(str(there), full, 100_000, limit())

        with pytest.raises(DiskFullError, match="cannot write into /dev: No space left on device"):
            attempt(fetch, lambda error: (str(error),), 3)
        assert link.run("echo alive", limit()).output == "alive\n"
    assert len(tries) == 1


@pytest.mark.parametrize("kind", ["server", "bare"])
def test_a_file_here_that_cannot_be_read_is_no_failure_of_the_link(request, kind, tmp_path):
    class Broken(io.BytesIO):
        name = "/disk/file"

        def read(self, size=-1):
            raise OSError(errno.EIO, "Input/output error")

    with (
        Link(request.getfixturevalue(kind).board()) as link,
        pytest.raises(InputError, match="cannot read /disk/file: Input/output error"),
    ):
        link.upload(Broken(), 100, str(tmp_path / "there"), limit())
