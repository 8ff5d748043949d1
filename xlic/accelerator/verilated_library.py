"""The RTL as a shared library: verilated together with ``rtl_sim/sim`` and loaded by ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xlic.accelerator.builds import cached_build, digest_of
from xlic.accelerator.design import Design
from xlic.accelerator.sources import rtl_sources, source_hash
from xlic.accelerator.verilator import (
    LOG,
    Verilator,
    find_verilator,
    require_trace_libraries,
    run_verilator,
)
from xlic.disk import require_room
from xlic.errors import MissingToolError
from xlic.files import LongPhase, Progress
from xlic.sources import RTL_DIR, RTL_TOP, SIM_DIR

INTERFACE = 1
"""Of ``xlic_sim.hpp``; raised there and here with every change."""
OPTIMIZE = "-O3 -march=native"
LIBRARY = "libxlic_sim.so"
_ROOM = 150_000_000
"""Bytes that a build takes on its way, nearly all of them precompiled headers."""

_ARGUMENTS = (
    *("--cc", "--exe", "--build", "-j", "2", "-O3"),
    # State that no reset sets begins at random values: what depends on it differs between seeds.
    *("--x-assign", "unique", "--x-initial", "unique"),
    # Linting is a test of its own; exports of other tools are full of warnings.
    *("--assert", "-Wno-fatal", "-Wno-lint", "-Wno-style", "-Wno-SYMRSVDWORD"),
    *("--prefix", "Vtop", "-Mdir", ".", "-o", LIBRARY),
    # Without unique symbols, several libraries in one process keep their statics apart.
    *("-CFLAGS", "-fPIC -fno-gnu-unique -std=gnu++17 -DVL_USER_STOP -DVL_USER_FATAL"),
    *("-LDFLAGS", "-shared -Wl,-Bsymbolic"),
)


@dataclass(frozen=True)
class Rtl:
    """Sources to simulate.

    Attributes:
        sources: files, packages first.
        top: name of the top module.
        parameters: of the top module.
    """

    sources: tuple[Path, ...]
    top: str = RTL_TOP
    parameters: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, design: Design, folder: Path = RTL_DIR) -> Rtl:
        """The accelerator's own RTL, for a design."""
        sources = rtl_sources(folder)
        return cls(sources, RTL_TOP, rtl_parameters(design, source_hash(sources)))

    def generics(self) -> list[str]:
        """The parameters as Verilator takes them."""
        return [f"-G{name}={_literal(value)}" for name, value in self.parameters.items()]


def rtl_parameters(design: Design, sources_hash: int) -> dict[str, int]:
    """Parameters of ``xlic_accel``."""
    names = ("pof", "poy", "pox", "input_words", "weight_words", "param_words", "pass_words")
    sizes = {name.upper(): getattr(design, name) for name in (*names, "tap_words", "channels")}
    return sizes | {"SOURCE_HASH": sources_hash}


def build_library(
    rtl: Rtl,
    *,
    traced: bool = False,
    optimize: str = OPTIMIZE,
    progress: Progress | None = None,
) -> Path:
    """Verilate and compile, unless that was done before.

    Args:
        rtl: what to build.
        traced: with waveforms, which slows every cycle down.
        optimize: compiler options; less of it builds faster and runs slower.
        progress: told when a build begins and ends.

    Returns:
        Path of the shared library.

    Raises:
        MissingToolError: Verilator or what it needs is absent.
        BuildError: the sources are refused.
    """
    verilator = find_verilator()
    if traced:
        require_trace_libraries()
    sim = sorted(SIM_DIR.glob("*.[ch]pp"))
    facts = [rtl.top, *rtl.generics(), *_ARGUMENTS, optimize, str(traced), *verilator.facts()]

    def build(folder: Path) -> None:
        require_room(folder.parent, _ROOM, "XDG_CACHE_HOME")
        phase = LongPhase(
            f"building {rtl.top} with Verilator", "half a minute to two minutes, once per design"
        )
        _tell(progress, phase, 0)
        _verilate(verilator, rtl, traced, optimize, folder)
        _tell(progress, phase, 1)

    return cached_build("rtl", digest_of([*rtl.sources, *sim], facts), build) / LIBRARY


def load_library(path: Path) -> ctypes.CDLL:
    """Load a library that :func:`build_library` made."""
    library = ctypes.CDLL(str(path))
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, f"xlic_sim_{name}")
        function.restype, function.argtypes = result, arguments
    if library.xlic_sim_interface() != INTERFACE:
        raise MissingToolError(f"{path} is of another version; delete it, it is then built again")
    return library


class Structure(ctypes.Structure):
    """A struct of ``axi_memory.hpp``; all members are uint64."""

    def values(self) -> dict[str, int]:
        """The members by name."""
        return {name: getattr(self, name) for name, *_ in self._fields_}


def _members(*names: str) -> list[tuple[str, Any]]:
    return [(name, ctypes.c_uint64) for name in names]


class TimingStruct(Structure):
    """``xlic::Timing``."""

    _fields_ = _members(
        *("read_latency", "write_latency", "bytes_per_cycle", "outstanding"),
        *("stall_ar", "stall_r", "stall_aw", "stall_w", "stall_b", "seed"),
    )


class WindowStruct(Structure):
    """``xlic::Window``."""

    _fields_ = _members("base", "read_begin", "read_end", "write_begin", "write_end")


class FaultStruct(Structure):
    """``xlic::Fault``."""

    _fields_ = _members(
        *("read_begin", "read_end", "read_response"),
        *("write_begin", "write_end", "write_response"),
        *("hang_after_reads", "hang_after_writes"),
    )


class TrafficStruct(Structure):
    """``xlic::Traffic``."""

    _fields_ = _members(
        *("read_bursts", "read_beats", "write_bursts", "write_beats", "most_reads", "most_writes")
    )


_SIM, _U32, _U64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "interface": (_U32, []),
    "new": (_SIM, [_U32]),
    "free": (None, [_SIM]),
    "error": (ctypes.c_char_p, [_SIM]),
    "memory": (None, [_SIM, ctypes.c_void_p, _U64]),
    "timing": (None, [_SIM, _U32, ctypes.POINTER(TimingStruct)]),
    "window": (None, [_SIM, _U32, ctypes.POINTER(WindowStruct)]),
    "fault": (None, [_SIM, _U32, ctypes.POINTER(FaultStruct)]),
    "traffic": (None, [_SIM, _U32, ctypes.POINTER(TrafficStruct), _U32]),
    "open": (_U64, [_SIM, _U32]),
    "reset": (ctypes.c_int, [_SIM, _U32]),
    "write": (ctypes.c_int, [_SIM, _U32, _U32]),
    "read": (ctypes.c_int, [_SIM, _U32, ctypes.POINTER(ctypes.c_uint32)]),
    "run": (ctypes.c_int, [_SIM, _U64]),
    "step": (ctypes.c_int, [_SIM, _U64]),
    "cycles": (_U64, [_SIM]),
    "interrupt": (_U32, [_SIM]),
    "findings": (_U64, [_SIM]),
    "first_finding": (ctypes.c_char_p, [_SIM]),
    "can_trace": (_U32, []),
    "trace": (ctypes.c_int, [_SIM, ctypes.c_char_p, _U64, _U64]),
}


def _literal(value: int) -> str:
    # Plain decimals are 32 bit to Verilog.
    return str(value) if value < 1 << 31 else f"{value.bit_length()}'h{value:x}"


def _tell(progress: Progress | None, what: str, done: int) -> None:
    if progress:
        progress(what, done, 1)


def _verilate(verilator: Verilator, rtl: Rtl, traced: bool, optimize: str, folder: Path) -> None:
    trace = ("--trace-fst",) if traced else ()
    arguments = [*_ARGUMENTS, *trace, "--top-module", rtl.top, *rtl.generics()]
    files = [str(file) for file in (*rtl.sources, SIM_DIR / "xlic_sim.cpp")]
    run_verilator(verilator, [*arguments, *files], folder, optimize)
    for file in folder.iterdir():
        if file.name not in (LIBRARY, LOG):
            file.unlink()
