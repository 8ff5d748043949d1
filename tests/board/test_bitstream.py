"""Bitstreams: parsing, byte order, loading by an FPGA manager made of plain files."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.board.local import LocalShell, limit
from xlic.board.bitstream import (
    SYNC,
    Bitstream,
    load_bitstream,
    parse_bitstream,
    read_bitstream,
    swap_words,
)
from xlic.board.errors import InfrastructureError, LeaseLostError
from xlic.board.transfer import Store
from xlic.errors import FormatError

pytestmark = pytest.mark.board

PART = "xczu9eg-ffvb1156-2-e"
words = st.lists(st.integers(0, 2**32 - 1), max_size=40)


def configuration(body=(), dummies: int = 8) -> bytes:
    """As in a .bit file: dummy words, synchronization, the rest."""
    rest = struct.pack(f">{len(body)}I", *body)
    return b"\xff" * 4 * dummies + SYNC + rest


def bit_file(data: bytes, part: str = PART, length: int | None = None) -> bytes:
    out = bytes.fromhex("00090ff00ff00ff00ff0000001")
    for key, text in {"a": "top;UserID=0", "b": part, "c": "2024/01/02", "d": "03:04:05"}.items():
        value = text.encode() + b"\0"
        out += key.encode() + struct.pack(">H", len(value)) + value
    return out + b"e" + struct.pack(">I", len(data) if length is None else length) + data


@given(words, st.integers(0, 30))
def test_bit_and_bin_of_the_same_design_are_the_same(body, dummies):
    data = configuration(body, dummies)
    from_bit = parse_bitstream(bit_file(data))
    assert from_bit.data == swap_words(data)
    assert from_bit.part == PART
    assert parse_bitstream(from_bit.data).data == from_bit.data, "a .bin stays as it is"
    assert parse_bitstream(data).data == from_bit.data, "a headless .bit is turned around"


@given(words)
def test_turning_words_around_twice_changes_nothing(body):
    data = struct.pack(f"<{len(body)}I", *body)
    assert swap_words(swap_words(data)) == data
    assert swap_words(data) == struct.pack(f">{len(body)}I", *body)


# Pieces of real files, so that damage reaches every part of the parser.
MAGIC = bytes.fromhex("00090ff00ff00ff00ff0000001")
PIECES = st.sampled_from([MAGIC, SYNC, SYNC[::-1], b"a", b"e", b"\0\1", b"\0\0\0\4"])


@given(st.lists(PIECES | st.binary(max_size=20)).map(b"".join))
def test_anything_else_is_refused_not_crashed_on(data):
    try:
        parsed = parse_bitstream(data)
    except FormatError:
        return
    assert SYNC[::-1] in parsed.data


@given(st.integers(0, 200))
def test_a_truncated_file_is_refused(cut):
    whole = bit_file(configuration(range(20)))
    with pytest.raises(FormatError):
        parse_bitstream(whole[: min(cut, len(whole) - 1)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "synchronization"),
        (b"PK\x03\x04" * 100, "synchronization"),
        (bit_file(swap_words(configuration())), "turned around"),
        (bit_file(configuration(), length=5), "header says 5"),
        (configuration() + b"xyz", "whole words"),
        (b"\0" + configuration(), "synchronization"),
    ],
)
def test_what_is_wrong_is_said(content, message):
    with pytest.raises(FormatError, match=message):
        parse_bitstream(content)


def test_a_bitstream_for_another_part_is_refused(tmp_path):
    (tmp_path / "x.bit").write_bytes(bit_file(configuration(), part="xc7z020clg484-1"))
    with pytest.raises(FormatError, match="for the part xc7z020clg484-1, the board has xczu9eg"):
        read_bitstream(tmp_path / "x.bit", "xczu9eg")


class Manager:
    """Files of an FPGA manager. It does nothing: ``state`` is what loading will have led to."""

    def __init__(self, folder, state: str = "operating") -> None:
        self.folder = folder / "sys/class/fpga_manager/fpga0"
        self.folder.mkdir(parents=True)
        (self.folder / "state").write_text(f"{state}\n")
        (self.folder / "flags").write_text("ffff\n")
        (self.folder / "firmware").write_text("")

    def asked_for(self) -> str:
        """What was to be loaded since the last question."""
        name = (self.folder / "firmware").read_text().strip()
        (self.folder / "firmware").write_text("")
        return name


@pytest.fixture
def load(tmp_path):
    shell = LocalShell()
    store = Store(shell, str(tmp_path / "board"))
    data = swap_words(configuration(range(9)))

    def run(manager="fpga0", **more):
        return load_bitstream(
            shell, store, Bitstream(data), manager, str(tmp_path / "board"), limit(),
            firmware=str(tmp_path / "firmware"), sysfs=str(tmp_path / "sys"), **more,
        )  # fmt: skip

    return run


def test_it_is_copied_flagged_named_and_checked(load, tmp_path):
    manager = Manager(tmp_path)
    assert load()
    (file,) = (tmp_path / "firmware").iterdir()
    assert parse_bitstream(file.read_bytes()).data == file.read_bytes()
    assert (manager.folder / "flags").read_text() == "0\n"
    assert manager.asked_for() == file.name
    assert not load(), "the same one again is not needed"
    assert manager.asked_for() == ""
    assert load(force=True)
    assert manager.asked_for() == file.name


def test_another_state_than_operating_is_an_error(load, tmp_path):
    manager = Manager(tmp_path, "write error")
    with pytest.raises(InfrastructureError, match="ended in state 'write error'"):
        load()
    assert manager.asked_for()
    with pytest.raises(InfrastructureError, match="no FPGA manager fpga7"):
        load(manager="fpga7")


def test_nothing_is_loaded_without_the_lease(load, tmp_path):
    manager = Manager(tmp_path)
    with pytest.raises(LeaseLostError):
        load(guard="exit 75")
    assert not (tmp_path / "firmware").exists()
    assert manager.asked_for() == ""
