"""Write :mod:`xlic.accelerator.isa` as a SystemVerilog package and as a C++ header.

``python -m xlic.accelerator.generate`` writes both files into the repository, ``--check`` says
whether they are as it would write them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from enum import IntEnum
from pathlib import Path

from xlic.accelerator import isa
from xlic.entry_point import run
from xlic.exit_status import ExitStatus
from xlic.files import write_text
from xlic.sources import HLS_DIR, ROOT, RTL_DIR, require_checkout

_CONSTANTS = (
    "MAGIC",
    "INTERFACE_VERSION",
    "BEAT_BYTES",
    "CHANNEL_BLOCK",
    "WINDOW_OFFSETS",
    "MAX_LAYERS",
    "HEADER_BEATS",
    "LAYER_BEATS",
    "FURTHEST",
    "MAX_SHIFT",
    "MAX_GDN_SHIFT",
    "MAX_SYMBOL_SHIFT",
    "WATCHDOG_CYCLES",
    "SKIP_LANE",
    "INFO_WORDS",
    "COUNTER_WORDS",
)

# Enumeration, prefix of its members, their width in bits: that of the field that holds them.
_ENUMS: tuple[tuple[type[IntEnum], str, int], ...] = (
    (isa.InFormat, "IN", isa.LAYER.fields["in_format"].bits),
    (isa.Destination, "DEST", isa.PASS.fields["destination"].bits),
    (isa.ErrorCode, "ERR", 4),
    (isa.Register, "REG", 12),
    (isa.Control, "CONTROL", 4),
    (isa.Info, "INFO", 5),
    (isa.Counter, "COUNTER", 3),
)

_SV_HEXADECIMAL = "32'h"

_HEAD = """\
// Records, registers and error codes of the accelerator; docs/accelerator.md says what they mean.
// Written by `python -m xlic.accelerator.generate` from xlic/accelerator/isa.py: change that.
"""


def system_verilog() -> str:
    """The package ``xlic_isa_pkg``.

    Of the parameters of a design it holds ``NAME_CHOICES``, a bit for each value that is one, or
    ``NAME_LEAST`` and ``NAME_MOST``.
    Of every field of a record it holds ``RECORD_FIELD_LSB``, counted in bits from bit 0 of the
    record's first word, and ``RECORD_FIELD_BITS``. Members of enumerations are as wide as the
    field or port that holds them.
    """
    return _HEAD + "\n".join(_system_verilog_lines()) + "\n"


def cpp_header() -> str:
    """The header with namespace ``xlic::isa``: constants, enumerations, records, decoders.

    The constants are those of the package.
    """
    return _HEAD + "\n".join(_cpp_lines()) + "\n"


FILES: dict[Path, Callable[[], str]] = {
    RTL_DIR / "xlic_isa_pkg.sv": system_verilog,
    HLS_DIR / "xlic_isa.h": cpp_header,
}
"""What is written, and by whom."""


def outdated() -> list[Path]:
    """Those of :data:`FILES` that are absent or differ from what would be written."""
    return [
        path
        for path, text in FILES.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text()
    ]


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` compare them; returns the exit status."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m xlic.accelerator.generate [--check]", file=sys.stderr)
        return ExitStatus.INPUT
    if not arguments:
        require_checkout("writing what the RTL and the HLS C++ share with Python")
    changed = outdated()
    for path in changed:
        name = path.relative_to(ROOT)
        if arguments:
            print(f"{name} is not what xlic/accelerator/isa.py says; run {_HEAD.split('`')[1]}")
        else:
            write_text(path, FILES[path]())
            print(f"wrote {name}")
    return ExitStatus.INPUT if arguments and changed else ExitStatus.DONE


def _constants() -> Iterator[tuple[str, int]]:
    for name in _CONSTANTS:
        yield name, int(getattr(isa, name))
    for record in isa.RECORDS:
        yield f"{record.name.upper()}_RECORD_WORDS", record.words
    for name, choices in isa.DESIGN_CHOICES.items():
        yield f"{name}_CHOICES", sum(1 << choice for choice in choices)
    for name, (least, most) in isa.DESIGN_RANGES.items():
        yield f"{name}_LEAST", least
        yield f"{name}_MOST", most


def _fields() -> Iterator[tuple[str, isa.Field]]:
    for record in isa.RECORDS:
        for name, field in record.fields.items():
            yield f"{record.name}_{name}".upper(), field


def _system_verilog_lines() -> Iterator[str]:
    yield "/* verilator lint_off UNUSEDPARAM */"
    yield "package xlic_isa_pkg;"
    for name, value in _constants():
        yield f"  localparam int {name} = {_literal(value, _SV_HEXADECIMAL)};"
    for enum, prefix, bits in _ENUMS:
        yield f"\n  // {enum.__name__}"
        for member in enum:
            literal = f"{bits}'h{member:x}"
            yield f"  localparam logic [{bits - 1}:0] {prefix}_{member.name} = {literal};"
    yield "\n  // Fields of the records"
    for name, field in _fields():
        lsb = 32 * field.word + field.low
        signed = "  // signed" if field.signed else ""
        yield f"  localparam int {name}_LSB = {lsb};{signed}"
        yield f"  localparam int {name}_BITS = {field.bits};"
    yield "endpackage"
    yield "/* verilator lint_on UNUSEDPARAM */"


def _cpp_lines() -> Iterator[str]:
    yield "#ifndef XLIC_ISA_H"
    yield "#define XLIC_ISA_H"
    yield "\n#include <cstdint>"
    yield "\nnamespace xlic {\nnamespace isa {\n"
    for name, value in _constants():
        yield f"constexpr std::uint32_t {name} = {_literal(value, '0x')}u;"
    for enum, prefix, _ in _ENUMS:
        yield f"\nenum {enum.__name__} : std::uint32_t {{"
        yield from (f"  {prefix}_{member.name} = 0x{member:x}u," for member in enum)
        yield "};"
    yield _CPP_HELPERS
    for record in isa.RECORDS:
        yield from _cpp_record(record)
    yield "}  // namespace isa\n}  // namespace xlic"
    yield "\n#endif"


_CPP_HELPERS = """
// `bits` bits of a record from bit `lsb` on; a field spans two words at most.
template <unsigned lsb, unsigned bits>
inline std::uint64_t field(const std::uint32_t* words) {
  static_assert(bits >= 1 && lsb % 32 + bits <= 64, "a field spans two words at most");
  std::uint64_t wide = words[lsb / 32];
  if (lsb % 32 + bits > 32) wide |= std::uint64_t(words[lsb / 32 + 1]) << 32;
  return (wide >> (lsb % 32)) & (~std::uint64_t(0) >> (64 - bits));
}

template <unsigned lsb, unsigned bits>
inline std::int64_t signed_field(const std::uint32_t* words) {
  const std::uint64_t sign = std::uint64_t(1) << (bits - 1);
  return std::int64_t((field<lsb, bits>(words) ^ sign) - sign);
}
"""


def _cpp_record(record: isa.Record) -> Iterator[str]:
    struct = record.name.capitalize()
    yield f"struct {struct} {{"
    for name, field in record.fields.items():
        yield f"  {_cpp_type(field)} {name};"
    yield "};\n"
    yield f"inline {struct} decode_{record.name}(const std::uint32_t* words) {{"
    yield f"  {struct} record;"
    for name, field in record.fields.items():
        getter = "signed_field" if field.signed else "field"
        value = f"{getter}<{32 * field.word + field.low}, {field.bits}>(words)"
        yield f"  record.{name} = {_cpp_type(field)}({value});"
    yield "  return record;"
    yield "}\n"


def _cpp_type(field: isa.Field) -> str:
    if field.bits == 1:
        return "bool"
    width = next(width for width in (8, 16, 32, 64) if field.bits <= width)
    return f"std::{'' if field.signed else 'u'}int{width}_t"


def _literal(value: int, prefix: str) -> str:
    if value >= 1 << 16:
        return f"{prefix}{value:x}"
    return f"{value}"


if __name__ == "__main__":
    sys.exit(run(main, sys.argv[1:]))
