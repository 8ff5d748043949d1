"""Bitstreams: reading .bit and .bin files, and having the board's FPGA manager load one.

Linux takes a ``.bin``: no header, and each 32-bit word turned around compared with a ``.bit``. The
synchronization word tells which order a file has.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from xlic.board.deadline import Deadline
from xlic.board.errors import InfrastructureError
from xlic.board.shell import Shell, quoted, require_lease
from xlic.board.transfer import Store
from xlic.errors import FormatError
from xlic.files import read_bytes

SYNC = b"\xaa\x99\x55\x66"
"""Synchronization word as in a .bit file."""
FIRMWARE = "/lib/firmware"
MAX_BYTES = 128 << 20
_MAGIC = bytes.fromhex("00090ff00ff00ff00ff0000001")
_SEARCHED = 1 << 14
_TEXT_FIELDS = {b"a": "design", b"b": "part", b"c": "date", b"d": "time"}


@dataclass(frozen=True)
class Bitstream:
    """A bitstream.

    Attributes:
        data: as Linux takes it.
        design: its name, of a .bit file's header; empty without one.
        part: likewise.
        date: likewise.
        time: likewise.
    """

    data: bytes
    design: str = ""
    part: str = ""
    date: str = ""
    time: str = ""

    @property
    def sha256(self) -> str:
        """Of :attr:`data`."""
        return hashlib.sha256(self.data).hexdigest()


def parse_bitstream(content: bytes) -> Bitstream:
    """Read a .bit or .bin file's contents, whatever the name says.

    Raises:
        FormatError: it is none, truncated, or of no clear byte order.
    """
    if content.startswith(_MAGIC):
        fields, data = _header(content)
        if _order(data) != "bit":
            raise FormatError("a .bit file with its words turned around; write it again")
        return Bitstream(swap_words(data), **fields)
    order = _order(content)
    return Bitstream(content if order == "bin" else swap_words(content))


def read_bitstream(path: str | Path, part: str = "") -> Bitstream:
    """Read a file.

    Args:
        path: .bit or .bin.
        part: how the part's name must begin, where the file names one.

    Raises:
        InputError: it cannot be read.
        FormatError: it is no bitstream, or for another part.
    """
    try:
        bitstream = parse_bitstream(read_bytes(path, MAX_BYTES))
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
    if bitstream.part and not bitstream.part.startswith(part):
        raise FormatError(
            f"{path} is for the part {bitstream.part}, the board has {part}; build it for that"
        )
    return bitstream


def swap_words(data: bytes) -> bytes:
    """Each 32-bit word turned around.

    Raises:
        FormatError: no whole words.
    """
    if len(data) % 4:
        raise FormatError(f"a bitstream of {len(data)} bytes has no whole words; is it truncated?")
    count = len(data) // 4
    return struct.pack(f"<{count}I", *struct.unpack(f">{count}I", data))


def load_bitstream(
    shell: Shell,
    store: Store,
    bitstream: Bitstream,
    manager: str,
    folder: str,
    deadline: Deadline,
    *,
    guard: str = ":",
    force: bool = False,
    firmware: str = FIRMWARE,
    sysfs: str = "/sys",
) -> bool:
    """Configure the board's logic; whether that was needed.

    It is not if the same bitstream was loaded since the board started.

    Args:
        shell: the way to the board.
        store: of files on the board.
        bitstream: to load.
        manager: name of the FPGA manager.
        folder: of the leases on the board, which is told of there.
        deadline: of all of it.
        guard: shell that must succeed right before.
        force: load it again in any case.
        firmware: where Linux looks for it.
        sysfs: root of the board's sysfs.

    Raises:
        InfrastructureError: the FPGA manager is absent or refuses it.
    """
    control = f"{sysfs}/class/fpga_manager/{manager}"
    marker = _marker(folder)
    mark = f'"{bitstream.sha256} $(cat /proc/sys/kernel/random/boot_id)"'
    if not force:
        script = (
            f'[ "$(cat {quoted(marker)} 2> /dev/null)" = {mark} ] && '
            f'[ "$(cat {quoted(control)}/state)" = operating ]'
        )
        if shell.run(script, deadline).status == 0:
            return False
    source = store.put(bitstream.data, deadline)
    name = f"xlic-{bitstream.sha256[:16]}.bin"
    script = (
        f"{guard}\n"
        f"cd {quoted(control)} || exit 5\n"
        f"rm -f {quoted(marker, f'{marker}.in-run')} {firmware}/xlic-*.bin; mkdir -p {firmware}\n"
        f"cp {quoted(source, f'{firmware}/{name}')} || exit 6\n"
        # A full bitstream, not a partial one.
        f"echo 0 > flags || exit 7\n"
        f"echo {name} > firmware; wrote=$?; cat state\n"
        f'[ $wrote = 0 ] && [ "$(cat state)" = operating ] || exit 8\n'
        f"echo {mark} > {quoted(marker)}"
    )
    done = shell.run(script, deadline)
    reasons = {
        5: f"there is no FPGA manager {manager}; does the board's Linux have the driver?",
        6: f"{firmware} cannot be written; is there room?",
        7: "its flags cannot be set; log in as root",
        8: f"it ended in state {_state(done.output)!r}; is the bitstream for this part?",
    }
    if done.status in reasons:
        raise InfrastructureError(f"loading the bitstream failed: {reasons[done.status]}")
    require_lease(done, "loading the bitstream")
    if done.status:
        raise InfrastructureError(f"loading the bitstream failed: {done.last_error()}")
    return True


def forget_bitstream(shell: Shell, folder: str, deadline: Deadline, guard: str = ":") -> None:
    """Have whoever comes next load a bitstream anew: the logic is in a state that nobody knows.

    Args:
        shell: the way to the board.
        folder: of the leases on the board, which is told of there.
        deadline: until when.
        guard: shell that must succeed right before.

    Raises:
        InfrastructureError: the link failed.
    """
    marker = _marker(folder)
    shell.run(f"{guard}\nrm -f {quoted(marker, f'{marker}.in-run')}", deadline)


def doubted(folder: str) -> str:
    """Shell before a run: until somebody has seen its end, nobody knows what the logic does."""
    marker = _marker(folder)
    return f"mv -f {quoted(marker, f'{marker}.in-run')} 2> /dev/null || :"


def known_again(folder: str) -> str:
    """Shell after a run whose end was seen: what was loaded before it is loaded still."""
    marker = _marker(folder)
    return f"mv -f {quoted(f'{marker}.in-run', marker)} 2> /dev/null || :"


def _marker(folder: str) -> str:
    """File on the board that names what is loaded, beside the leases: one for all who share it."""
    return f"{folder}/bitstream"


def _state(output: str) -> str:
    text = output.strip().splitlines()[-1] if output.strip() else "unknown"
    return re.sub(r"[^\w ]", "?", text)[:40]


def _header(content: bytes) -> tuple[dict[str, str], bytes]:
    fields: dict[str, str] = {}
    at = len(_MAGIC)
    try:
        while (key := content[at : at + 1]) != b"e":
            (length,) = struct.unpack_from(">H", content, at + 1)
            text = content[at + 3 : at + 3 + length]
            if key not in _TEXT_FIELDS or len(text) != length:
                raise FormatError("the header of this .bit file is damaged")
            fields[_TEXT_FIELDS[key]] = text.rstrip(b"\0").decode("ascii", "replace")
            at += 3 + length
        (length,) = struct.unpack_from(">I", content, at + 1)
    except struct.error as error:
        raise FormatError("the header of this .bit file is truncated") from error
    data = content[at + 5 :]
    if len(data) != length:
        raise FormatError(
            f"this .bit file has {len(data)} bytes of configuration, its header says {length}"
        )
    return fields, data


def _order(data: bytes) -> str:
    """``bit`` or ``bin``: in which order the words are, by the first synchronization word."""
    begin = data[:_SEARCHED]
    places = {
        kind: next((at for at in _all(begin, sync) if at % 4 == 0), None)
        for kind, sync in (("bit", SYNC), ("bin", SYNC[::-1]))
    }
    found = {kind: at for kind, at in places.items() if at is not None}
    if not found:
        raise FormatError("no bitstream: there is no synchronization word")
    if len(data) % 4:
        raise FormatError(f"a bitstream of {len(data)} bytes has no whole words; is it truncated?")
    return min(found, key=lambda kind: found[kind])


def _all(data: bytes, wanted: bytes) -> list[int]:
    return [match.start() for match in re.finditer(b"(?=" + re.escape(wanted) + b")", data)]
