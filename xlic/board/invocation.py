"""How ``xlic-board`` is called for a compiled program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xlic.accelerator.compiler import Compiled
from xlic.board.config import Board

RESULT = "result.json"


@dataclass(frozen=True)
class Invocation:
    """A run on the board.

    Attributes:
        executable: path on the board; likewise ``program`` and ``source``, the input's bytes.
        folder: of the run on the board.
        names: tensors to fetch, into ``0.bin`` and so on.
        repeat: times.
        source_hash: that the accelerator told when it was identified.
    """

    executable: str
    program: str
    source: str
    folder: str
    names: Sequence[str]
    repeat: int
    source_hash: int

    def words(self, compiled: Compiled, board: Board) -> list[str]:
        """The command line."""
        memory = compiled.memory
        options = {
            "--program": self.program,
            "--offset": memory.program,
            "--window": memory.beats,
            "--load": f"{memory.input.offset}:{self.source}",
            "--expect-array": compiled.design.array,
            "--expect-hash": f"{self.source_hash:016x}",
            "--expect-program": compiled.program.identity,
            "--timeout-ms": max(1, round(1000 * board.limits.run)),
            "--repeat": self.repeat,
            "--json": f"{self.folder}/{RESULT}",
        }
        words = [self.executable, "run", *device_options(board)]
        words += [str(word) for pair in options.items() for word in pair]
        for tensor in memory.tensors.values():
            words += ["--poison", f"{tensor.offset}:{tensor.beats}"]
        for index, name in enumerate(self.names):
            tensor = memory.tensor(name)
            words += ["--fetch", f"{tensor.offset}:{tensor.beats}:{self.file(index)}"]
        return words

    def file(self, index: int) -> str:
        """Where a tensor is on the board afterwards."""
        return f"{self.folder}/{index}.bin"


def device_options(board: Board) -> list[str]:
    """Options that say where the accelerator is."""
    if board.mem is None:
        return ["--uio", board.uio, "--udmabuf", board.udmabuf]
    values = (board.registers_address, board.window_address, board.window_bytes)
    names = ("--registers", "--window-address", "--window-bytes")
    pairs = [word for pair in zip(names, map(str, values), strict=True) for word in pair]
    return ["--mem", board.mem, *pairs]
