"""The board's serial console: everything it says is kept, with the time; nothing secret is.

A thread reads all the time, so that nothing is lost between two calls.
"""

from __future__ import annotations

import importlib.util
import re
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from xlic.board.deadline import Deadline
from xlic.board.errors import DeadlineError, InfrastructureError
from xlic.errors import InputError, MissingToolError
from xlic.remedies import install

if TYPE_CHECKING:
    import serial

KEPT_BYTES = 1 << 20
"""As much of the end is searched; the log has everything."""
LOG_LIMIT = 256 << 20
_QUOTED_LINES = 8
_POLL = 0.1
_HIDDEN = "(hidden)"
_STEP = 10.0
# Behind it some shells (busybox's) ask where the cursor is, and others reset colours.
_PROMPT = r"[#$] ?(?:\x1b\[[\d;?]*[A-Za-z])*\Z"


class Console:
    """A serial console.

    Args:
        port: a device, or a URL as pyserial takes it (``socket://host:port``).
        baud: of a device.
        log: file that everything is added to.

    Raises:
        InfrastructureError: the port cannot be opened.
        MissingToolError: pyserial is not installed.
        InputError: the log cannot be written.
    """

    def __init__(self, port: str, baud: int, log: Path) -> None:
        if importlib.util.find_spec("serial") is None:
            raise MissingToolError(f"a serial console needs pyserial: {install('board')}")
        import serial

        self.log = log
        self.port = port
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.touch(mode=0o600)
            self._file = log.open("a", encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot write {log}: {error.strerror or error}") from error
        try:
            self._serial: serial.Serial = serial.serial_for_url(
                port, baudrate=baud, timeout=_POLL, write_timeout=5
            )
        except (serial.SerialException, ValueError, OSError) as error:
            self._file.close()
            raise InfrastructureError(f"cannot open the console {port}: {error}") from error
        self._changed = threading.Condition()
        self._buffer = ""
        self._line = ""
        self._seen = 0
        self._written = log.stat().st_size
        self._secrets: list[str] = []
        self._failure: str | None = None
        self._stop = False
        self._thread = threading.Thread(target=self._read, name="xlic-console", daemon=True)
        self._thread.start()

    def send(self, text: str, *, secret: bool = False) -> None:
        """Type a line.

        Args:
            text: without the line's end.
            secret: it is never logged, nor where the board repeats it.

        Raises:
            InfrastructureError: the port is gone.
        """
        with self._changed:
            if secret and text:
                self._secrets.append(text)
            self._note(f">>> {_HIDDEN if secret else text}")
        try:
            self._serial.write(text.encode() + b"\n")
        except OSError as error:
            raise InfrastructureError(f"the console {self.port} is gone: {error}") from error

    def expect(self, pattern: str, deadline: Deadline) -> re.Match[str]:
        """Wait until something comes that was not looked at before.

        Args:
            pattern: regular expression; ``^`` and ``$`` match at lines.
            deadline: until when.

        Raises:
            DeadlineError: it did not come; quotes the last lines.
            InfrastructureError: the port is gone.
        """
        wanted = re.compile(pattern, re.MULTILINE)
        with self._changed:
            while True:
                match = wanted.search(self._buffer, self._seen)
                if match:
                    self._seen = match.end()
                    return match
                if self._failure is not None:
                    raise InfrastructureError(f"{self._failure}; {self._context()}")
                if deadline.over:
                    raise DeadlineError(
                        f"{deadline.what}: the console did not say {pattern!r} within "
                        f"{deadline.seconds:g} s; {self._context()}"
                    )
                self._changed.wait(min(_POLL, deadline.left + 0.001))

    def take(self, seconds: float) -> str:
        """What came since the last look, after waiting that long for something."""
        with self._changed:
            if self._seen == len(self._buffer):
                self._changed.wait(seconds)
            text = self._buffer[self._seen :]
            self._seen = len(self._buffer)
            if not text and self._failure is not None:
                raise InfrastructureError(f"{self._failure}; {self._context()}")
            return "\n".join(self._clean(line) for line in text.split("\n"))

    def skip(self) -> None:
        """Look only at what comes from now on."""
        with self._changed:
            self._seen = len(self._buffer)

    def last_lines(self, count: int = _QUOTED_LINES) -> list[str]:
        """The last lines that came."""
        with self._changed:
            lines = [line for line in self._buffer.splitlines() if line.strip()]
            return [self._clean(line)[:200] for line in lines[-count:]]

    def close(self) -> None:
        """Stop reading."""
        self._stop = True
        self._thread.join(5)
        self._serial.close()
        with self._changed:
            if self._line:
                self._note(self._line)
            self._file.close()

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _context(self) -> str:
        lines = " | ".join(self.last_lines()) or "it said nothing"
        return f"last lines: {lines}; log: {self.log}"

    def _read(self) -> None:
        while not self._stop:
            try:
                data = self._serial.read(max(1, min(4096, self._serial.in_waiting)))
            except (OSError, TypeError) as error:
                # pyserial raises TypeError where the port is closed under it.
                with self._changed:
                    self._failure = f"the console {self.port} is gone: {error}"
                    self._changed.notify_all()
                return
            if data:
                self._take(data.decode("utf-8", "replace").replace("\r", ""))

    def _take(self, text: str) -> None:
        with self._changed:
            self._buffer += text
            surplus = len(self._buffer) - KEPT_BYTES
            if surplus > 0:
                self._buffer = self._buffer[surplus:]
                self._seen = max(0, self._seen - surplus)
            *lines, self._line = (self._line + text).split("\n")
            for line in lines:
                self._note(line)
            self._changed.notify_all()

    def _note(self, line: str) -> None:
        if self._file.closed or self._written > LOG_LIMIT:
            return
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._written += self._file.write(f"{stamp} {self._clean(line)}\n")
        self._file.flush()

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        # A log is looked at in terminals.
        return "".join(char if char.isprintable() or char == "\t" else "·" for char in text)


def login(console: Console, user: str, password: str | None, deadline: Deadline) -> None:
    """Get a shell's prompt, whatever state the console is in.

    Raises:
        InfrastructureError: there is none to be had.
    """
    while True:
        try:
            if _log_in(console, user, password, deadline):
                return
            time.sleep(_POLL)
        except DeadlineError:
            # Something may have been said behind the prompt, by the kernel say: ask for another.
            if deadline.over:
                raise


def _log_in(console: Console, user: str, password: str | None, deadline: Deadline) -> bool:
    """One try; whether there is a prompt."""
    console.skip()
    console.send("")
    step = deadline.within(_STEP, "logging in on the console")
    match = console.expect(rf"(?i)(login: ?\Z)|(password: ?\Z)|{_PROMPT}", step)
    if match[2]:
        # Somebody else's try: an empty password ends it.
        return False
    if match[1]:
        console.send(user)
        step = deadline.within(_STEP, "logging in on the console")
        if console.expect(rf"(?i)(password: ?\Z)|{_PROMPT}", step)[1]:
            if password is None:
                raise InfrastructureError(
                    f"the console asks for {user}'s password; set serial_password_env"
                )
            console.send(password, secret=True)
            console.expect(_PROMPT, deadline.within(2 * _STEP, "logging in on the console"))
    # Much looks like a prompt, in the middle of a line at least: only a shell obeys.
    return command(console, ":", deadline.within(_STEP, "logging in on the console")) == 0


def command(console: Console, line: str, deadline: Deadline) -> int:
    """Run a line of shell on a console with a prompt; returns its exit status.

    Raises:
        InfrastructureError: it does not end in time.
    """
    console.skip()
    # The mark is not in the line as it is echoed.
    console.send(f"{line}; echo xlic-'status'=$?")
    # Its last digit may come later than the first.
    return int(console.expect(r"xlic-status=(\d+)\n", deadline)[1])
