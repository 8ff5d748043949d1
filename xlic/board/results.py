"""What ``xlic-board`` says, checked field by field: it comes from elsewhere."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from xlic.accelerator.design import Design
from xlic.accelerator.driver import Identity, LayerCounters
from xlic.accelerator.isa import COUNTER_WORDS, MAX_LAYERS, ErrorCode
from xlic.board.errors import (
    AcceleratorTimeoutError,
    IdentityError,
    InfrastructureError,
    LostInterruptError,
)
from xlic.board.shell import plain
from xlic.board.transfer import is_hash
from xlic.errors import AcceleratorError, InputError, XlicError

RESULT_LIMIT = 64 << 20
"""Bytes of the largest result: a hundred thousand repeats with hashes."""
_WORD = (1 << 32) - 1
_SIZES = ("input_words", "weight_words", "param_words", "pass_words", "tap_words", "channels")


class Outcome(IntEnum):
    """Exit status of ``xlic-board``; the same table is in board/program/failure.hpp."""

    OK = 0
    USAGE = 2
    NO_DEVICE = 10
    REFUSED = 11
    WINDOW = 12
    ACCELERATOR = 13
    TIMEOUT = 14
    IO = 15
    BUSY = 16
    LOST_INTERRUPT = 17
    BROKEN = 18


@dataclass(frozen=True)
class Repeat:
    """One start of the accelerator.

    Attributes:
        seconds: from the start until the end was noticed, by the board's clock.
        cycles: by the accelerator's counter.
        interrupted: whether its interrupt came.
        spurious: interrupts that came without a cause.
        counters: of each layer.
        hashes: SHA-256 of each stretch fetched.
    """

    seconds: float
    cycles: int
    interrupted: bool
    spurious: int
    counters: tuple[LayerCounters, ...]
    hashes: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """What a call of ``xlic-board`` came to.

    Attributes:
        outcome: how it ended.
        message: why, in its words.
        identity: of the accelerator, as far as it was read.
        rests: whether the accelerator is idle; False: only loading it again helps.
        error: of the accelerator.
        error_layer: where.
        layers_done: how many.
        repeats: of all runs.
        buffer_bytes: size of the shared buffer.
        holder: process on the board that has the device instead; 0 where there is none.
    """

    outcome: Outcome
    message: str
    identity: Identity | None
    rests: bool = True
    error: int = 0
    error_layer: int = 0
    layers_done: int = 0
    repeats: tuple[Repeat, ...] = ()
    buffer_bytes: int = 0
    holder: int = 0


def parse_result(data: bytes, status: int) -> Result:
    """Read the JSON object, which must fit the exit status.

    Raises:
        InfrastructureError: it is none, or contradicts itself.
    """
    try:
        value = json.loads(data)
        outcome = Outcome(status)
        _require(value["outcome"] == outcome.name.lower().replace("_", "-"))
        identity = _identity(value["identity"]) if "identity" in value else None
        started = "error" in value
        return Result(
            outcome,
            _text(value["message"]),
            identity,
            bool(_integer(value["rests"])) if started else True,
            _integer(value["error"]) if started else 0,
            _integer(value["error_layer"]) if started else 0,
            _integer(value["layers_done"]) if started else 0,
            tuple(_repeat(repeat) for repeat in value["repeats"]) if started else (),
            _integer(value["buffer_bytes"], 1 << 48),
            _integer(value.get("holder", 0)),
        )
    except (ValueError, KeyError, TypeError, RecursionError, InputError) as error:
        raise InfrastructureError(
            f"the program on the board left a result that makes no sense (status {status}): "
            f"{str(error)[:200]}"
        ) from error


def failure(result: Result) -> XlicError | None:
    """The error that a result stands for; None if all is well."""
    message = f"on the board, {result.message}"
    if result.outcome is Outcome.ACCELERATOR and result.error in tuple(ErrorCode):
        name = ErrorCode(result.error).name
        return AcceleratorError(f"{message} ({name})" if result.error else message)
    if result.outcome is Outcome.TIMEOUT:
        counters = result.repeats[-1].counters if result.repeats else ()
        done = f"{result.layers_done} layers done, counters {list(counters)}"
        return AcceleratorTimeoutError(f"{message}; {done}; it was left running: load it again")
    kinds: dict[Outcome, type[XlicError]] = {
        Outcome.USAGE: InfrastructureError,
        Outcome.NO_DEVICE: InfrastructureError,
        Outcome.REFUSED: IdentityError,
        Outcome.WINDOW: InputError,
        Outcome.ACCELERATOR: AcceleratorError,
        Outcome.IO: InfrastructureError,
        Outcome.BUSY: InfrastructureError,
        Outcome.LOST_INTERRUPT: LostInterruptError,
        Outcome.BROKEN: AcceleratorError,
    }
    remedies = {
        Outcome.NO_DEVICE: "; are the device-tree overlay and the udmabuf driver loaded?",
        Outcome.REFUSED: "; load the right bitstream, or compile for this one",
        Outcome.WINDOW: "; give the board a larger udmabuf, or use a smaller picture",
        Outcome.LOST_INTERRUPT: "; is the interrupt in the device tree that of the design?",
        Outcome.BROKEN: "; are addresses and sizes in the device tree those of the design?",
    }
    if result.outcome is Outcome.OK:
        return None
    return kinds[result.outcome](message + remedies.get(result.outcome, ""))


def require_design(found: Design, wanted: Design) -> None:
    """Refuse an accelerator that cannot run programs compiled for ``wanted``.

    Raises:
        IdentityError: another array, or smaller buffers.
    """
    small = [name for name in _SIZES if getattr(found, name) < getattr(wanted, name)]
    if found.array != wanted.array or small:
        raise IdentityError(
            f"the program is for {_described(wanted)}, the board has {_described(found)}; "
            "load the other bitstream, or compile for this design"
        )


def _described(design: Design) -> str:
    sizes = ", ".join(f"{name} {getattr(design, name)}" for name in _SIZES)
    return f"POF {design.pof}, POY {design.poy}, POX {design.pox} ({sizes})"


def _identity(value: dict[str, Any]) -> Identity:
    array = _integer(value["array"])
    sizes = {name: _integer(value[name]) for name in _SIZES}
    _require(re.fullmatch(r"[0-9a-f]{16}", value["hash"]) is not None)
    return Identity(
        _integer(value["version"]),
        Design(array & 0xFF, array >> 8 & 0xFF, array >> 16, **sizes),
        int(value["hash"], 16),
        _integer(value["layers"]),
    )


def _counters(value: Any) -> tuple[LayerCounters, ...]:
    _require(len(value) <= MAX_LAYERS and all(len(layer) == COUNTER_WORDS for layer in value))
    return tuple(LayerCounters(*(_integer(word) for word in layer)) for layer in value)


def _repeat(value: dict[str, Any]) -> Repeat:
    hashes = tuple(value["hashes"])
    _require(all(is_hash(text) for text in hashes))
    return Repeat(
        _integer(value["nanoseconds"], 1 << 62) / 1e9,
        _integer(value["cycles"]),
        bool(_integer(value["interrupted"])),
        _integer(value["spurious"]),
        _counters(value["counters"]),
        hashes,
    )


def _integer(value: Any, most: int = _WORD) -> int:
    _require(type(value) is int and 0 <= value <= most)
    return int(value)


def _text(value: Any) -> str:
    _require(isinstance(value, str))
    return plain(value, 500)


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError("a field is out of its range")
