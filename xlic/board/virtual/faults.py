"""What can be made to go wrong with the virtual board.

Each is a context manager: the fault begins when it is entered, is undone when it is left, and
leaving does no harm where the board was reset or switched off in between. Undoing takes the cause
away, as a technician would; what it has broken (a run that hangs, a connection that is lost) is for
whoever recovers.
"""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from xlic.board.virtual.errors import VirtualBoardError
from xlic.board.virtual.qemu import NETWORK

if TYPE_CHECKING:
    from xlic.board.virtual.machine import VirtualBoard

OTHER_SOURCES = 0x0123_4567_89AB_CDEF
"""Hash of sources that do not exist."""

_DELAY = "xlic-delay"
_SFTP = "/usr/lib/openssh/sftp-server"
_PANIC = "Kernel panic - not syncing"
_BAD_SHELL = "/bin/sh.bad"
_LOOK = 0.005


class Faults:
    """Faults of one board.

    Args:
        board: to be damaged.
    """

    def __init__(self, board: VirtualBoard) -> None:
        self._board = board

    # The link.

    @contextmanager
    def link_down(self) -> Iterator[None]:
        """The Ethernet cable is pulled. Connections to the host's port are taken, and stay mute.

        Neither reset nor power puts it back.
        """
        self._plug(False)
        try:
            yield
        finally:
            self._plug(True)

    @contextmanager
    def link_flapping(self, up: float = 1.5, down: float = 1.5) -> Iterator[None]:
        """A loose contact: the link is down and up for so many seconds each, in turn.

        The kernel looks at the link once a second; packets are lost at any rate.
        """
        over = threading.Event()

        def flap() -> None:
            while not over.is_set():
                # The board may be switched off and on meanwhile.
                with suppress(VirtualBoardError):
                    self._plug(False)
                over.wait(down)
                with suppress(VirtualBoardError):
                    self._plug(True)
                over.wait(up)

        thread = threading.Thread(target=flap, name="xlic-flapping", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self._plug(True)

    @contextmanager
    def slow_network(self, milliseconds: int = 50) -> Iterator[None]:
        """Packets wait up to that long, in both directions."""
        self._qmp(
            "object-add",
            **{"qom-type": "filter-buffer", "id": _DELAY, "netdev": NETWORK, "queue": "all"},
            interval=milliseconds * 1000,
        )
        try:
            yield
        finally:
            with self._undoing():
                if any(entry["name"] == _DELAY for entry in self._qmp("qom-list", path="/objects")):
                    self._qmp("object-del", id=_DELAY)

    # The processor.

    @contextmanager
    def hang(self) -> Iterator[None]:
        """The processor stands still. A reset gets it going; so does leaving."""
        self._qmp("stop")
        try:
            yield
        finally:
            with self._undoing():
                self._qmp("cont")

    @contextmanager
    def kernel_panic(self) -> Iterator[None]:
        """The kernel dies, which the console tells.

        Leaving resets a board that nobody has reset.
        """
        since = self._console_bytes()
        # The shell that does it never answers.
        with suppress(VirtualBoardError):
            self._board.service("echo c > /proc/sysrq-trigger", deadline=1)
        end = self._board.wait_for_console(_PANIC, 20, since=since)
        try:
            yield
        finally:
            told = self._board.console_log.read_bytes()[end:]
            if b"--- reset ---" not in told and b"--- power on ---" not in told:
                self._board.reset()
                self._board.wait_for_ssh()

    @contextmanager
    def reset_in_run(self) -> Iterator[None]:
        """The board resets itself in the middle of the next run, which does not end before.

        Leaving waits until it is there again; without a run within, nothing happens.
        """
        before = self._logic_faults()
        self._set_logic_faults({**before, "hang": True})
        over = threading.Event()
        struck = threading.Event()

        def strike() -> None:
            while not over.wait(_LOOK):
                with suppress(VirtualBoardError):
                    if self._board.status().get("pl", {}).get("running"):
                        self._set_logic_faults(before)
                        self._board.reset()
                        struck.set()
                        return

        thread = threading.Thread(target=strike, name="xlic-reset", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            if struck.is_set():
                self._board.wait_for_ssh()
            else:
                self._set_logic_faults(before)

    # The programmable logic.

    @contextmanager
    def stale_bitstream(self, sources: int = OTHER_SOURCES) -> Iterator[None]:
        """The accelerator tells that it was made from other sources."""
        with self._logic(stale=sources):
            yield

    @contextmanager
    def never_finishes(self) -> Iterator[None]:
        """Runs that are started never end.

        One that hangs goes on hanging afterwards: load the bitstream again.
        """
        with self._logic(hang=True):
            yield

    @contextmanager
    def lost_interrupts(self) -> Iterator[None]:
        """The interrupt line stays low; status registers tell the truth."""
        with self._logic(lose_interrupts=True):
            yield

    @contextmanager
    def wrong_output(self) -> Iterator[None]:
        """One bit of each run's last output is wrong."""
        with self._logic(flip=True):
            yield

    # The system on it.

    @contextmanager
    def full_disk(self, folder: str = "/tmp") -> Iterator[None]:
        """No room is left in ``/tmp``, ``/run``, or ``/`` (that is /lib/firmware and /root)."""
        quoted = shlex.quote(folder)
        # Blocks in use, but not 0, which would mean that there is no limit.
        self._service(
            f"set -- $(stat -f -c '%b %f %S' {quoted}); used=$(( ($1 - $2) * $3 / 1024 )); "
            f"mount -o remount,size=$(( used > 4 ? used : 4 ))k {quoted} && "
            f"dd if=/dev/zero of={quoted}/.full bs=4k 2>/dev/null; true"
        )
        try:
            yield
        finally:
            self._undo(f"rm -f {quoted}/.full; mount -o remount,size=50% {quoted}")

    @contextmanager
    def no_sftp(self) -> Iterator[None]:
        """There is no SFTP server, as on many a small system."""
        self._service(f"mv {_SFTP} {_SFTP}.off")
        try:
            yield
        finally:
            self._undo(f"[ ! -e {_SFTP}.off ] || mv {_SFTP}.off {_SFTP}")

    @contextmanager
    def corrupt_upload(self) -> Iterator[None]:
        """Files that are sent arrive with a byte too much; there is no SFTP server meanwhile.

        For connections that are made within.
        """
        with self.no_sftp():
            # A login shell that adds to what a file without SFTP is written by.
            lines = (
                "#!/bin/sh",
                'case "$2" in "exec sh -c \'cat > "*)',
                'target=${2##*> }; busybox sh -c "$2"; printf x >> "${target%\\\'}"; exit;;',
                'esac; exec busybox sh "$@"',
            )
            text = " ".join(shlex.quote(line) for line in lines)
            self._service(
                f"printf '%s\\n' {text} > {_BAD_SHELL} && chmod 755 {_BAD_SHELL} && "
                f"cp /etc/passwd /etc/passwd.good && echo {_BAD_SHELL} >> /etc/shells && "
                f"sed -i 's#^\\(root:.*:\\)[^:]*$#\\1{_BAD_SHELL}#' /etc/passwd"
            )
            try:
                yield
            finally:
                self._undo(
                    "[ ! -e /etc/passwd.good ] || mv /etc/passwd.good /etc/passwd; "
                    f"sed -i '\\#{_BAD_SHELL}#d' /etc/shells"
                )

    @contextmanager
    def rsa_only(self) -> Iterator[None]:
        """The SSH server has an RSA host key and no other."""
        self._service("/etc/sshd start rsa")
        try:
            yield
        finally:
            self._undo("/etc/sshd start")

    @contextmanager
    def clock_skew(self, seconds: float = 86400.0) -> Iterator[None]:
        """The board's clock is ahead, or (negative) behind."""
        set_clock = "date -u -s @{:.0f} > /dev/null"
        self._service(set_clock.format(time.time() + seconds))
        try:
            yield
        finally:
            self._undo(set_clock.format(time.time()))

    @contextmanager
    def _logic(self, **changes: Any) -> Iterator[None]:
        before = self._logic_faults()
        self._set_logic_faults({**before, **changes})
        try:
            yield
        finally:
            others = {k: v for k, v in self._logic_faults().items() if k not in changes}
            back = {k: v for k, v in before.items() if k in changes}
            self._set_logic_faults({**others, **back})

    def _logic_faults(self) -> dict[str, Any]:
        faults: dict[str, Any] = self._board.request("faults")["faults"]
        return faults

    def _set_logic_faults(self, faults: dict[str, Any]) -> None:
        self._board.request("faults", set=faults)

    def _plug(self, plugged: bool) -> None:
        self._board.request("cable", plugged=plugged)

    def _qmp(self, command: str, **arguments: Any) -> Any:
        return self._board.request("qmp", execute=command, **arguments)["result"]

    def _service(self, command: str) -> None:
        self._board.service(command)

    def _undo(self, command: str) -> None:
        with self._undoing():
            self._service(command)

    @contextmanager
    def _undoing(self) -> Iterator[None]:
        """A board without power has lost the fault too."""
        try:
            yield
        except VirtualBoardError:
            if self._board.alive() and self._board.status()["power"]:
                raise

    def _console_bytes(self) -> int:
        return self._board.console_log.stat().st_size
