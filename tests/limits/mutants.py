"""Faults in copies of the RTL and of the HLS C++, all in one build: a number says which is awake.

A fault replaces an expression by ``mutant == number ? wrong : right``, so that a few seconds of
simulation judge each, not a build.
"""

from __future__ import annotations

import contextlib
import ctypes
from dataclasses import dataclass
from pathlib import Path

from xlic.accelerator.design import SMALL
from xlic.accelerator.native import NativeDevice
from xlic.accelerator.native_library import build_library as build_hls
from xlic.accelerator.native_library import hls_sources
from xlic.accelerator.sources import rtl_sources
from xlic.accelerator.verilated import VerilatedDevice
from xlic.accelerator.verilated_library import Rtl, build_library
from xlic.rungs.accelerator import AcceleratorRung

AWAKE = "awake_mutant"
"""File in the working folder with the number of the fault that the RTL shall have; 0 none."""


@dataclass(frozen=True)
class Mutant:
    """A fault.

    Attributes:
        file: without suffix for RTL.
        context: the text around it, ``@`` in its place; occurs once.
        right: the expression that stands there.
        wrong: what shall.
    """

    file: str
    context: str
    right: str
    wrong: str


RTL = {
    "drain clips above one late": Mutant(
        "drain", "value[x*16 +: 16] <= fine[x] > @ ? 16'h7FFF", "48'sd32767", "48'sd32768"
    ),
    "drain clips above to 32766": Mutant(
        "drain", "value[x*16 +: 16] <= fine[x] > 48'sd32767 ? @\n", "16'h7FFF", "16'h7FFE"
    ),
    "drain clips below one late": Mutant(
        "drain", ": fine[x] < @ ? 16'h8000 : fine[x][15:0];", "-48'sd32768", "-48'sd32769"
    ),
    "drain counts clips one late": Mutant(
        "drain", "&& (fine[x] > @ ||", "48'sd32767", "48'sd32768"
    ),
    "multiplier clips above one late": Mutant(
        "multiplier", "y_o       <= fine > @ ?", "48'sd32767", "48'sd32768"
    ),
    "multiplier clips below one late": Mutant(
        "multiplier", "16'sh7FFF : fine < @ ?", "-48'sd32768", "-48'sd32769"
    ),
    "multiplier counts clips one late": Mutant(
        "multiplier", "clipped_o <= fine > @ ||", "48'sd32767", "48'sd32768"
    ),
    "divider clips above one early": Mutant("divider", "16'h8000 : @);", "16'h7FFF", "16'h7FFE"),
    "divider clips below one late": Mutant("divider", "? @ : 16'h7FFF", "16'h8000", "16'h8001"),
    "divider overlooks wide quotients": Mutant(
        "divider",
        "beyond[0] = @;",
        "dividend[51:16] >= {12'b0, n1}",
        "dividend[40:16] >= {1'b0, n1}",
    ),
    "divider rounds down": Mutant("divider", "{29'b0, @}", "n0[23:1]", "23'd0"),
    "divider's k loses its last bit": Mutant(
        "divider", "magnitude} << @;", "k_i", "{1'b0, k_i[4:0]}"
    ),
    "the least normalizer is 2": Mutant("drain", "fine[x] < 48'sd1 ? @\n", "24'd1", "24'd2"),
    "the greatest normalizer is 2^23": Mutant(
        "drain", ": fine[x] > 48'sd16777215 ? @ :", "24'hFFFFFF", "24'h7FFFFF"
    ),
    "normalizers are clipped one late": Mutant(
        "drain", ": fine[x] > @ ? 24'hFFFFFF", "48'sd16777215", "48'sd16777216"
    ),
    "clips of normalizers are counted one late": Mutant(
        "drain", "norm_clipped[x]  <= fine[x] > @;", "48'sd16777215", "48'sd16777216"
    ),
    "rows that are not stored are counted": Mutant(
        "drain", "counted[0] <= @ ? col_ok : '0;", "row_ok[row_o]", "1'b1"
    ),
    "columns that are not stored are counted": Mutant(
        "drain", "counted[0] <= row_ok[row_o] ? @ : '0;", "col_ok", "{POX{1'b1}}"
    ),
    "the accumulator has 32 bits": Mutant(
        "mac_array",
        "sum_d[o*P+p] = @;",
        "(first[2] ? 48'sd0 : sum[o*P+p]) + 48'(product[o*P+p])",
        "48'($signed(32'((first[2] ? 48'sd0 : sum[o*P+p]) + 48'(product[o*P+p]))))",
    ),
    "the shift loses its last bit": Mutant(
        "drain", "biased[x] >>> {@, 3'b0};", "shift[1][5:3]", "{1'b0, shift[1][4:3]}"
    ),
    "latents clip above one late": Mutant(
        "window_loader", "latent_clipped = latent > @ ?", "34'sd32767", "34'sd32768"
    ),
    "latents clip below one late": Mutant(
        "window_loader", ": latent < @ ? 16'sh8000", "-34'sd32768", "-34'sd32769"
    ),
    "clips of latents are counted one late": Mutant(
        "window_loader", "clips = latent > @ ||", "34'sd32767", "34'sd32768"
    ),
    "symbols are counted by each tile": Mutant(
        "window_loader", "r >= 16'(core_y) && r < @\n", "16'(core_y) + 16'(POY)", "rows"
    ),
    "symbols are clipped before the offset": Mutant(
        "window_loader",
        "latent   <= (34'(@) <<<",
        "symbol18",
        "(symbol18 > 18'sd32767 ? 18'sd32767 : symbol18)",
    ),
    "pictures clip to 254": Mutant("drain", "fine[x] > 48'sd255 ? @ :", "16'd255", "16'd254"),
    "pictures clip one late": Mutant("drain", ": fine[x] > @ ? 16'd255", "48'sd255", "48'sd256"),
    "pictures clip below one late": Mutant("drain", "<= fine[x] < @ ? 16'd0", "48'sd0", "-48'sd1"),
}

HLS = {
    "clips above one late": Mutant(
        "xlic_arith.hpp", "if (value > @) {\n    ++clipped;\n    return pixel_t(PIXEL_MAX)",
        "PIXEL_MAX", "PIXEL_MAX + 1",
    ),
    "clips above to 32766": Mutant(
        "xlic_arith.hpp", "return pixel_t(@);\n  }\n  return pixel_t(value)",
        "PIXEL_MAX", "PIXEL_MAX - 1",
    ),
    "clips below one late": Mutant(
        "xlic_arith.hpp", "if (value < @) {", "PIXEL_MIN", "PIXEL_MIN - 1"
    ),
    "the least normalizer is 2": Mutant(
        "xlic_arith.hpp", "value < 1 ? @ : norm_t(value)", "norm_t(1)", "norm_t(2)"
    ),
    "the greatest normalizer is 2^23": Mutant(
        "xlic_arith.hpp", "return norm_t(@);", "NORM_MAX", "NORM_MAX >> 1"
    ),
    "normalizers are clipped one early": Mutant(
        "xlic_arith.hpp", "if (value > acc_t(@)) {", "NORM_MAX", "NORM_MAX - 1"
    ),
    "rows that are not stored are counted": Mutant(
        "xlic_drain.cpp", "channel < layer.out_channels && @;",
        "row_stored(layer, pass, tile, y)", "true",
    ),
    "columns that are not stored are counted": Mutant(
        "xlic_drain.cpp", "if (row_counts && @) {", "col_stored(layer, pass, tile, x)", "true"
    ),
    "the accumulator has 32 bits": Mutant(
        "xlic_array.cpp",
        "sums[lane][position] += @;",
        "product(operands[position], weight[lane])",
        "std::int32_t(sums[lane][position] + product(operands[position], weight[lane]))"
        " - sums[lane][position]",
    ),
    "the shift loses its last bit": Mutant(
        "xlic_arith.hpp", ">> @);\n}\n\n// Of a symbol", "param.shift", "(param.shift & 31u)"
    ),
    "the division rounds down": Mutant(
        "xlic_arith.hpp", "(k & 63u)) + @);", "(norm >> 1)", "norm_t(0)"
    ),
    "wide quotients wrap": Mutant(
        "xlic_arith.hpp", "quotient > @ ?", "dividend_t(1u << 16)", "dividend_t(1ull << 40)"
    ),
    "symbols are counted by each tile": Mutant(
        "xlic_window.cpp", "if (@) count += clipped;", "core", "true"
    ),
    "pictures clip to 254": Mutant(
        "xlic_arith.hpp", "return pixel_t(@);\n  return pixel_t(value);\n}\n\n// min(max(v, 1)",
        "255", "254",
    ),
    "pictures clip one late": Mutant(
        "xlic_arith.hpp", "if (value > @) return pixel_t(255)", "255", "256"
    ),
}  # fmt: skip


def mutated(text: str, file: str, mutants: dict[str, Mutant], awake: str) -> str:
    """The source with all its faults, each asleep unless ``awake`` is its number (from 1)."""
    places: dict[tuple[int, int], str] = {}
    for number, mutant in enumerate(mutants.values(), 1):
        if mutant.file != file:
            continue
        whole = mutant.context.replace("@", mutant.right)
        assert text.count(whole) == 1, f"{file} has changed: choose another fault than {mutant}"
        start = text.index(whole) + mutant.context.index("@")
        place = (start, start + len(mutant.right))
        asleep = places.get(place, f"({mutant.right})")
        places[place] = f"({awake} == {number} ? ({mutant.wrong}) : {asleep})"
    for (start, end), choice in sorted(places.items(), reverse=True):
        text = text[:start] + choice + text[end:]
    return text


def rtl_rung_of(folder: Path, working: Path):
    """Builds the RTL with all faults; returns what makes a rung, and what wakes a fault.

    Which fault is awake is read from :data:`AWAKE` in ``working`` at each device's start. (A path
    in the source would make each build another.)
    """
    for source in rtl_sources():
        text = source.read_text()
        if source.stem == "xlic_isa_pkg":
            text = text.replace("\nendpackage", "\n  int mutant;\nendpackage")
        if source.stem == "xlic_accel":
            start = f'''  initial begin
    int file, found;
    file = $fopen("{AWAKE}", "r");
    found = $fscanf(file, "%d", xlic_isa_pkg::mutant);
    $fclose(file);
  end
'''
            at = text.rindex("endmodule")
            text = text[:at] + start + text[at:]
        (folder / source.name).write_text(mutated(text, source.stem, RTL, "xlic_isa_pkg::mutant"))
    library = build_library(Rtl.of(SMALL, folder), optimize="-O1")

    def wake(number: int) -> None:
        (working / AWAKE).write_text(str(number))

    def device(size: int) -> VerilatedDevice:
        with contextlib.chdir(working):
            return VerilatedDevice(library, size)

    return (lambda model: AcceleratorRung("rtl", model, device, SMALL)), wake


def hls_rung_of(folder: Path):
    """Builds the HLS C++ with all faults; returns what makes a rung, and what wakes a fault."""
    for source in hls_sources():
        text = mutated(source.read_text(), source.name, HLS, "xlic_mutant")
        if source.name == "xlic_types.hpp":
            text = text.replace("#include <cstdint>", "#include <cstdint>\nextern int xlic_mutant;")
        if source.name == "xlic_drain.cpp":
            text += "\nint xlic_mutant = 0;\n"
        (folder / source.name).write_text(text)
    library = ctypes.CDLL(str(build_hls(SMALL, folder)))
    awake = ctypes.c_int.in_dll(library, "xlic_mutant")

    def wake(number: int) -> None:
        awake.value = number

    def rung_of(model):
        return AcceleratorRung("hls", model, lambda size: NativeDevice(SMALL, size, folder), SMALL)

    return rung_of, wake
