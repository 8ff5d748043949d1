"""The rung ``board``: compiled programs on a ZCU102, through a session with it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlic.accelerator.compiler import Compiled, Transform
from xlic.accelerator.driver import Driver, Execution
from xlic.board.session import BoardRun, BoardSession
from xlic.files import Progress
from xlic.quantization.model import QuantizedModel
from xlic.rungs.accelerator import AcceleratorRung
from xlic.rungs.interface import Run


class BoardRung(AcceleratorRung):
    """The codec on a board; see :class:`~xlic.rungs.accelerator.AcceleratorRung`.

    Programs are compiled for the design that the board's identity registers name.

    Args:
        model: the integers.
        session: with the board, open; it stays the caller's to close.
        repeat: times that each transform is run; see :attr:`last`.
    """

    def __init__(self, model: QuantizedModel, session: BoardSession, repeat: int = 1) -> None:
        design = session.identity.design
        super().__init__("board", model, _no_device, design, session.board.clock_hz)
        self.session = session
        self.repeat = repeat
        self._link = _SessionDriver(session)

    @property
    def last(self) -> BoardRun | None:
        """The last run, with latencies and hashes of its repeats."""
        return self._link.last

    @property
    def programs(self) -> list[Compiled]:
        """The programs that were compiled, the last used last."""
        return list(self._programs.values())

    def _run(
        self,
        transform: Transform,
        size: tuple[int, int],
        values: NDArray[Any],
        keep: Collection[str],
        progress: Progress | None,
        dtype: type[np.generic],
    ) -> Run:
        self._link.keep, self._link.repeat = tuple(keep), self.repeat
        return super()._run(transform, size, values, keep, progress, dtype)

    def _driver_for(self, compiled: Compiled) -> Driver:
        return self._link


class _SessionDriver(Driver):
    """Runs programs through a session; what was fetched lies in a window of the host's."""

    def __init__(self, session: BoardSession) -> None:
        # Driver's own would read registers, which only the board can.
        self.session = session
        self.identity = session.identity
        self.keep: tuple[str, ...] = ()
        self.repeat = 1
        self.last: BoardRun | None = None
        self.device = self._window = _Window()

    def execute(
        self, compiled: Compiled, values: NDArray[Any], cycle_limit: int | None = None
    ) -> Execution:
        self.require(compiled.design)
        names = (*self.keep, compiled.output)
        self.last = self.session.run(compiled, values, fetch=names, repeat=self.repeat)
        window = np.zeros(compiled.memory.bytes, np.uint8)
        for name, tensor in self.last.tensors.items():
            compiled.memory.tensor(name).write(window, tensor)
        self._window.memory = window
        return self.last.execution


class _Window:
    """Memory without an accelerator behind it."""

    window_address = 0

    def __init__(self) -> None:
        self.memory = np.zeros(0, np.uint8)

    def read(self, address: int) -> int:
        raise NotImplementedError("only the board reads its registers")

    def write(self, address: int, value: int) -> None:
        raise NotImplementedError("only the board writes its registers")

    def wait(self, cycles: int) -> bool:
        raise NotImplementedError("only the board waits for its interrupt")


def _no_device(size: int) -> Any:
    raise NotImplementedError("a board's memory is not the host's")


def board_rung_factory(session: BoardSession) -> Callable[[QuantizedModel], BoardRung]:
    """What makes the rung of a model, as the registry wants it."""
    return lambda model: BoardRung(model, session)
