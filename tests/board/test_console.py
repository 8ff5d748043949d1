"""The serial console, against a socket."""

from __future__ import annotations

import re
import socket
import threading
import time

import pytest

from xlic.board.console import Console, command, login
from xlic.board.deadline import Deadline
from xlic.board.errors import DeadlineError, InfrastructureError
from xlic.errors import MissingToolError

pytest.importorskip("serial")
pytestmark = pytest.mark.board


SHELL = (rb":; echo xlic.*", b":; echo xlic-'status'=$?\r\nxlic-status=0\r\n# ")
"""How a shell answers the question whether it is one."""


class Port:
    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.got = b""
        self.answers: list[tuple[bytes, bytes]] = []
        self.peer: socket.socket | None = None
        self.ready = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"socket://127.0.0.1:{self.listener.getsockname()[1]}"

    def say(self, data: bytes) -> None:
        assert self.ready.wait(5)
        self.peer.sendall(data)

    def _serve(self) -> None:
        self.peer, _ = self.listener.accept()
        self.ready.set()
        while data := self.peer.recv(100):
            self.got += data
            for line in data.splitlines(keepends=True):
                if self.answers and re.fullmatch(self.answers[0][0], line.strip()):
                    self.peer.sendall(self.answers.pop(0)[1])


@pytest.fixture
def port():
    port = Port()
    yield port
    port.listener.close()
    if port.peer:
        port.peer.close()


@pytest.fixture
def console(port, tmp_path):
    with Console(port.url, 115200, tmp_path / "console.log") as console:
        yield console


def soon(seconds: float = 3) -> Deadline:
    return Deadline(seconds, "test")


def test_everything_is_kept_with_the_time(port, console):
    port.say(b"U-Boot 2020.01\r\nloading\r\n")
    assert console.expect(r"loading", soon())
    lines = console.log.read_text().splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00 U-Boot 2020.01", lines[0])


def test_what_came_between_two_looks_is_not_lost(port, console):
    port.say(b"one\ntwo\n")
    time.sleep(0.3)
    assert console.expect("one", soon())
    assert console.expect("two", soon())
    with pytest.raises(DeadlineError):
        console.expect("one", soon(0.2))


def test_a_deadline_quotes_the_last_lines_and_names_the_log(port, console):
    port.say(b"\n".join(b"line %d" % index for index in range(20)) + b"\nKernel panic\n")
    with pytest.raises(DeadlineError, match=r"login.*Kernel panic; log: .*console\.log"):
        console.expect("login: ", soon(0.5))


def test_a_port_that_closes_is_infrastructure(port, console):
    port.say(b"bye\n")
    console.expect("bye", soon())
    port.peer.shutdown(socket.SHUT_RDWR)
    port.peer.close()
    with pytest.raises(InfrastructureError, match="is gone"):
        console.expect("more", soon())


def test_a_port_that_is_not_there_is_infrastructure(tmp_path):
    with pytest.raises(InfrastructureError, match="cannot open the console"):
        Console("socket://127.0.0.1:1", 115200, tmp_path / "log")
    with pytest.raises(InfrastructureError):
        Console("/dev/nonexistent", 115200, tmp_path / "log")


def test_login_asks_for_what_it_is_asked_and_hides_the_password(port, console):
    port.answers = [
        (rb"", b"\r\nzcu102 login: "),
        (rb"root", b"root\r\nPassword: "),
        (rb"hunter2", b"hunter2\r\nLast login\r\nroot@zcu102:~# "),
        SHELL,
        (rb"ip link.*", b"ip link; echo xlic-'status'=$?\r\nxlic-status=4\r\n# "),
    ]
    login(console, "root", "hunter2", soon(5))
    assert command(console, "ip link", soon()) == 4
    assert b"hunter2\n" in port.got
    log = console.log.read_text()
    assert "hunter2" not in log
    assert ">>> (hidden)" in log
    assert "hunter2" not in " ".join(console.last_lines())


def test_login_where_a_shell_runs_already_needs_no_name(port, console):
    port.answers = [(rb"", b"\r\n# "), SHELL]
    login(console, "root", None, soon(5))
    assert b"root" not in port.got


@pytest.mark.parametrize("prompt", [b"~ # \x1b[6n", b"\x1b[32m$ \x1b[0m"])
def test_a_prompt_is_seen_where_the_shell_asks_for_more_behind_it(port, console, prompt):
    port.answers = [(rb"", b"x login: "), (rb"root", b"hello\r\n" + prompt), SHELL]
    login(console, "root", None, soon(3))
    assert port.answers == []


def test_login_asks_for_another_prompt_where_something_was_said_behind_it(
    port, console, monkeypatch
):
    monkeypatch.setattr("xlic.board.console._STEP", 0.3)
    port.answers = [(rb"", b"\r\n# [  12.3] usb 1-1: new device"), (rb"", b"\r\n# "), SHELL]
    login(console, "root", None, soon(5))
    assert port.answers == []


def test_what_only_looks_like_a_prompt_is_not_taken_for_a_shell(port, console, monkeypatch):
    monkeypatch.setattr("xlic.board.console._STEP", 0.3)
    # A program that says a number sign at the end of each line, and obeys nothing.
    port.answers = [(rb".*", b"\r\nticket #")] * 100
    with pytest.raises(DeadlineError):
        login(console, "root", None, soon(2))


def test_login_without_the_password_asked_for_says_what_to_set(port, console):
    port.answers = [(rb"", b"x login: "), (rb"root", b"Password: ")]
    with pytest.raises(InfrastructureError, match="serial_password_env"):
        login(console, "root", None, soon(5))


def test_a_status_is_not_taken_for_its_first_digit(port, console):
    def say() -> None:
        # Before the command nothing is an answer to it.
        while b"\n" not in port.got:
            time.sleep(0.01)
        for part in (b"xlic-status=7", b"6", b"\r\n# "):
            port.say(part)
            time.sleep(0.3)

    thread = threading.Thread(target=say)
    thread.start()
    assert command(console, "x", soon()) == 76
    thread.join()


def test_a_silent_console_ends_the_login(console):
    begin = time.monotonic()
    with pytest.raises(DeadlineError):
        login(console, "root", None, soon(0.5))
    assert time.monotonic() - begin < 2


def test_control_characters_do_not_reach_the_terminal(port, console):
    port.say(b"\x1b]0;evil\x07 done\n")
    console.expect("done", soon())
    assert "\x1b" not in console.log.read_text()
    assert "\x1b" not in console.last_lines()[-1]


def test_without_pyserial_the_remedy_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("xlic.board.console.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match="pip install"):
        Console("/dev/null", 115200, tmp_path / "log")
