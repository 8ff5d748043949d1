"""The interface in SystemVerilog and C++ is that of ``isa``."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np
import pytest

from xlic.accelerator import generate, isa
from xlic.exit_status import ExitStatus

pytestmark = pytest.mark.sim


def test_files_in_the_repository_are_up_to_date(capsys):
    if not any(path.parent.is_dir() for path in generate.FILES):
        pytest.skip("an installed package has no sources of hardware beside it")
    assert generate.outdated() == []
    assert generate.main(["--check"]) == 0
    assert capsys.readouterr().out == ""


class TestCommand:
    @pytest.fixture
    def files(self, tmp_path, monkeypatch):
        folder = {tmp_path / "a.sv": generate.system_verilog, tmp_path / "a.h": generate.cpp_header}
        monkeypatch.setattr(generate, "FILES", folder)
        monkeypatch.setattr(generate, "ROOT", tmp_path)
        return list(folder)

    def test_writes_what_is_missing_and_then_nothing(self, files, capsys):
        assert generate.main([]) == 0
        assert capsys.readouterr().out.splitlines() == ["wrote a.sv", "wrote a.h"]
        assert generate.main([]) == 0
        assert generate.main(["--check"]) == 0
        assert capsys.readouterr().out == ""

    def test_names_what_differs_and_leaves_it(self, files, capsys):
        generate.main([])
        files[0].write_text("changed")
        capsys.readouterr()
        assert generate.main(["--check"]) == ExitStatus.INPUT
        message = capsys.readouterr().out
        assert message.startswith("a.sv is not what xlic/accelerator/isa.py says; run python -m")
        assert files[0].read_text() == "changed"

    def test_refuses_other_arguments(self, capsys):
        assert generate.main(["--chek"]) == 2
        assert "usage: " in capsys.readouterr().err


def sv_values() -> dict[str, int]:
    pattern = r"localparam (?:int|logic \[\d+:0\]) (\w+) = (?:\d+'h([0-9a-f]+)|(\d+));"
    found = re.findall(pattern, generate.system_verilog())
    assert len(found) == generate.system_verilog().count("localparam ")
    assert len({name for name, _, _ in found}) == len(found), "every name once"
    return {name: int(wide, 16) if wide else int(plain) for name, wide, plain in found}


class TestSystemVerilog:
    def test_holds_every_constant(self):
        values = sv_values()
        named = [name for name in vars(isa) if name.isupper()]
        constants = {name: getattr(isa, name) for name in named}
        for name, value in constants.items():
            if isinstance(value, int):
                assert values[name] == value

    def test_holds_every_member_of_every_enumeration(self):
        values = sv_values()
        for enum, prefix, bits in generate._ENUMS:
            for member in enum:
                assert values[f"{prefix}_{member.name}"] == member
                assert 0 <= member < 1 << bits

    def test_holds_every_field(self):
        values = sv_values()
        for record in isa.RECORDS:
            assert values[f"{record.name.upper()}_RECORD_WORDS"] == record.words
            for name, field in record.fields.items():
                stem = f"{record.name}_{name}".upper()
                assert values[f"{stem}_LSB"] == 32 * field.word + field.low
                assert values[f"{stem}_BITS"] == field.bits


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++; install a C++ compiler")
def test_cpp_header_decodes_what_isa_encodes(tmp_path):
    rng = np.random.default_rng(0)
    lines, expected = [], []
    for record in isa.RECORDS:
        for sample in range(4):
            # The ends of every range, then anything in between.
            values = {
                name: field.range[sample]
                if sample < 2
                else int(rng.integers(*field.range, endpoint=True))
                for name, field in record.fields.items()
            }
            words = ", ".join(f"{word}u" for word in record.encode(values))
            lines.append(f"  {{ const std::uint32_t words[] = {{{words}}};")
            lines.append(f"    const auto r = decode_{record.name}(words);")
            lines += [f'    std::printf("%lld\\n", (long long)r.{name});' for name in values]
            lines.append("  }")
            expected += list(values.values())
    source = tmp_path / "check.cpp"
    body = "\n".join(lines)
    source.write_text(
        '#include <cstdio>\n#include "xlic_isa.h"\nusing namespace xlic::isa;\n'
        f'static_assert(REG_PROGRAM == {int(isa.Register.PROGRAM)} && MAGIC == {isa.MAGIC}, "");\n'
        f"int main() {{\n{body}\n}}\n"
    )
    (tmp_path / "xlic_isa.h").write_text(generate.cpp_header())
    flags = ["-std=c++14", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["g++", *flags, "-o", str(tmp_path / "check"), str(source)], check=True)
    done = subprocess.run([tmp_path / "check"], capture_output=True, text=True, check=True)
    assert [int(line) for line in done.stdout.split()] == expected
