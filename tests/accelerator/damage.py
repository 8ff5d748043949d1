"""Programs with single faults whose checksums are right again."""

from __future__ import annotations

import zlib

import numpy as np

from xlic.accelerator import isa
from xlic.accelerator.program import Program

RECORDS = {"layers": isa.LAYER, "passes": isa.PASS, "taps": isa.TAP, "params": isa.PARAM}


def with_fields(program: Program, section: str, index: int, **values: int) -> bytes:
    """The program's bytes with fields of one record (or of the header) changed."""
    words = np.frombuffer(program.to_bytes(), "<u4").copy()
    record = isa.HEADER if section == "header" else RECORDS[section]
    first = index * record.words
    if section != "header":
        number = list(RECORDS).index(section)
        first += 4 * program.sections.tables[number].start
    place = slice(first, first + record.words)
    words[place] = record.encode(record.decode(words[place]) | values)
    if "tables_crc" not in values:
        end = program.sections.tables[3].stop
        covered = np.concatenate([words[:12], words[16 : 4 * end]]).tobytes()
        words[isa.HEADER.fields["tables_crc"].word] = zlib.crc32(covered)
    return words.tobytes()
