"""The RTL computes the same where what multicycle paths carry arrives late."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

from tests.sim.models import random_model
from xlic.accelerator.design import SMALL
from xlic.accelerator.sources import rtl_sources
from xlic.accelerator.verilated import ProtocolError, SimulationError, VerilatedDevice
from xlic.accelerator.verilated_library import Rtl, build_library
from xlic.errors import AcceleratorError
from xlic.rungs.accelerator import AcceleratorRung
from xlic.rungs.int16 import Int16Rung
from xlic.sources import RTL_TOP, VIVADO_DIR

pytestmark = pytest.mark.board


def constraints():
    """Instance and register of each end, cycles: of each exception for setup."""
    text = (VIVADO_DIR / "multicycle.xdc").read_text()
    return text, parse_constraints(text)


def parse_constraints(text):
    out = []
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pattern = (
        r"set_multicycle_path (\d) -(setup|hold) -from \[get_cells (.*?)\] -to \[get_cells (.*?)\]"
    )
    for line in lines:
        cycles, kind, *ends = re.fullmatch(pattern, line).groups()
        cells = [re.findall(r"core/(\w+)/(\w+)_reg\*", end) for end in ends]
        assert all(len(found) == end.count("core/") for found, end in zip(cells, ends, strict=True))
        out.append((int(cycles), kind, *cells))
    for setup, hold in zip(out[::2], out[1::2], strict=True):
        assert (setup[1], hold[1], setup[2:]) == ("setup", "hold", hold[2:]), "they come in pairs"
        assert hold[0] == setup[0] - 1, "hold stays at the edge where it was"
    return out[::2]


def make_late(constraint, folder):
    """Change the RTL in a folder: what the paths carry arrives as late as the constraint allows."""
    cycles, _, sources, sinks = constraint
    top = (folder / f"{RTL_TOP}.sv").read_text()
    [instance] = {instance for instance, _ in sinks}
    [module] = re.findall(rf"^  (\w+) #\([^;]*?\) {instance} \(", top, re.M)
    path = folder / f"{module}.sv"
    text = path.read_text()
    late = named = {name for source, name in sources if source == instance} - {"layer_o"}
    if ("u_control", "layer_o") in sources:
        late = late | set(re.findall(r"assign (\w+)\s*= layer_[io]\[", text))
    # Wires that are made of these alone carry them on.
    for name, expression in re.findall(r"assign (\w+)\s*= ([^;\[]+);", text):
        words = set(re.findall(r"\b[a-z]\w*", re.sub(r"\d*'\w+", "", expression)))
        if words and words <= late:
            late = late | {name}
    used = set()

    def delayed(word):
        if word[0] not in late:
            return word[0]
        used.add(word[0])
        return f"$past({word[0]}, {cycles - 1})"

    for _, sink in sinks:
        before = text
        text = re.sub(
            rf"(\b{sink}\s+<= )([^;]+);",
            lambda found: found[1] + re.sub(r"\b[a-z]\w*\b", delayed, found[2]) + ";",
            text,
        )
        assert text != before, f"{module} has no such path to {sink}"
    assert named <= used, f"{module} has no path from {named - used}"
    path.write_text(text)


def still_exact(folder):
    """Whether the RTL in a folder computes a picture's both ways as the simulation does."""
    library = build_library(Rtl.of(SMALL, folder))
    model, size = random_model(3, 9), (35, 50)
    rtl = AcceleratorRung("rtl", model, lambda memory: VerilatedDevice(library, memory), SMALL)
    sim = Int16Rung(model)
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    symbols = sim.analyze(pixels).output
    try:
        return np.array_equal(rtl.analyze(pixels).output, symbols) and np.array_equal(
            rtl.synthesize(symbols, size).output, sim.synthesize(symbols, size).output
        )
    except (AcceleratorError, ProtocolError, SimulationError):
        return False


@pytest.fixture
def rtl_copy(tmp_path):
    for source in rtl_sources():
        shutil.copy(source, tmp_path)
    return tmp_path


@pytest.mark.rtl
@pytest.mark.usefixtures("verilator")
class TestMulticyclePaths:
    def test_the_rtl_computes_the_same_with_what_they_carry_late(self, rtl_copy):
        for constraint in constraints()[1]:
            make_late(constraint, rtl_copy)
        assert still_exact(rtl_copy)

    @pytest.mark.selfcheck
    @pytest.mark.nightly
    @pytest.mark.parametrize(
        ("index", "old", "new"),
        [
            (0, "2 -setup", "3 -setup"),
            (1, "core/u_store/base_x_reg*", "core/u_store/y_reg*"),
            (2, "2 -setup", "9 -setup"),
        ],
        ids=["a_cycle_too_many", "a_path_of_one_cycle", "beyond_the_check"],
    )
    def test_a_wrong_one_is_noticed(self, rtl_copy, index, old, new):
        text = constraints()[0].replace(old, new)
        text = text.replace("x_product_reg", "row_product_reg") if index == 1 else text
        if "-setup" in old:
            text = text.replace("1 -hold", f"{int(new[0]) - 1} -hold")
        make_late(parse_constraints(text)[index], rtl_copy)
        assert not still_exact(rtl_copy)
