"""Programs with faults whose checksums are right again, and what the machine makes of them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from tests.accelerator import machine
from tests.accelerator.chains import Shape, random_input, random_spec, random_symbols
from xlic.accelerator import isa
from xlic.accelerator.compiler import Compiled, compile_layers
from xlic.accelerator.design import Design
from xlic.accelerator.driver import Driver
from xlic.accelerator.isa import BEAT_BYTES, Control, ErrorCode, Info, InFormat, Register
from xlic.accelerator.program import Program
from xlic.errors import InputError

RECORDS = {"layers": isa.LAYER, "passes": isa.PASS, "taps": isa.TAP, "params": isa.PARAM}
ODD = Design(
    pof=4,
    poy=2,
    pox=8,
    input_words=1 << 14,
    weight_words=8192,
    param_words=251,
    pass_words=100,
    tap_words=301,
    channels=72,
)
"""Few multipliers; buffers of odd sizes, or so large that fields might wrap."""
MEMORY_BYTES = 1 << 19
MOST_WORK = 20_000
"""Cycles that an accepted program may take, about."""


def with_fields(program: Program, section: str, index: int, **values: int) -> bytes:
    """The program's bytes with fields of one record (or of the header) changed."""
    return Tables(program).set(section, index, values).to_bytes(fresh="tables_crc" not in values)


class Tables:
    """A program's words, to be changed."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.words = np.frombuffer(program.to_bytes(), "<u4").copy()

    def count(self, section: str) -> int:
        return len(getattr(self.program, section))

    def place(self, section: str, index: int) -> slice:
        record = isa.HEADER if section == "header" else RECORDS[section]
        first = index * record.words
        if section != "header":
            first += 4 * self.program.sections.tables[list(RECORDS).index(section)].start
        return slice(first, first + record.words)

    def get(self, section: str, index: int) -> dict[str, int]:
        record = isa.HEADER if section == "header" else RECORDS[section]
        return record.decode(self.words[self.place(section, index)])

    def set(self, section: str, index: int, values: dict[str, int]) -> Tables:
        record = isa.HEADER if section == "header" else RECORDS[section]
        whole = self.get(section, index) | values
        self.words[self.place(section, index)] = record.encode(whole)
        return self

    def to_bytes(self, *, fresh: bool = True) -> bytes:
        """The program, with a right checksum of its tables unless ``fresh`` is false."""
        if fresh:
            end = self.program.sections.tables[3].stop
            covered = np.concatenate([self.words[:12], self.words[16 : 4 * end]]).tobytes()
            self.words[isa.HEADER.fields["tables_crc"].word] = zlib.crc32(covered)
        return self.words.tobytes()


# Random programs, random damage ---------------------------------------------------------------


def random_program(rng: np.random.Generator, design: Design) -> tuple[Compiled, np.ndarray]:
    """A chain of one to three small layers of every kind, and its input."""
    while True:
        in_format = InFormat(int(rng.integers(3)))
        cin = int(rng.integers(1, 4 if in_format is InFormat.U8 else 20))
        shape = (int(rng.integers(1, 14)), int(rng.integers(1, 30)), cin)
        specs, symbols = [], None
        if in_format is InFormat.S32:
            symbols = random_symbols(rng, cin)
        layers = int(rng.integers(1, 4))
        for index in range(layers):
            picture = index == layers - 1 and bool(rng.random() < 0.3)
            stride = int(rng.choice([1, 2, 3, 4]))
            kernel = int(rng.choice([1, 3, 5, 9]))
            cout = int(rng.integers(1, 4 if picture else 14))
            normalized = not picture and bool(rng.random() < 0.5)
            kind = Shape(str(rng.choice(["down", "up"])), kernel, stride, cout, normalized, picture)
            try:
                from_bytes = index == 0 and in_format is InFormat.U8
                specs.append(random_spec(rng, index, kind, cin, from_bytes))
            except ValueError:
                break
            cin = cout
        try:
            compiled = compile_layers(specs, shape, design, input_format=in_format, symbols=symbols)
        except (InputError, ValueError):
            continue
        if compiled.memory.bytes <= MEMORY_BYTES and work(compiled.program) < MOST_WORK:
            return compiled, random_input(rng, in_format, shape)


def work(program: Program) -> int:
    return sum(layer_work(layer, program.passes) for layer in program.layers)


def layer_work(layer, passes) -> int:
    """About how many cycles a layer takes."""
    load = layer.rows * layer.cols * layer.in_blocks * 4
    array = sum(
        40 + (entry.count if entry.gamma else entry.count * entry.tap_count)
        for entry in passes[layer.pass_first :][: layer.pass_count]
    )
    return layer.tiles_y * layer.tiles_x * (load + array + 40 * layer.subrows * layer.out_run)


def random_value(rng: np.random.Generator, field: isa.Field, old: int, others: list[int]) -> int:
    """Anything that the field holds: near the old value, an end, a bit's worth, a neighbour's."""
    low, high = field.range
    value = (
        lambda: int(rng.integers(low, high, endpoint=True)),
        lambda: int(rng.integers(low, high, endpoint=True)) >> int(rng.integers(field.bits)),
        lambda: old + int(rng.integers(-3, 4)),
        lambda: old ^ 1 << int(rng.integers(field.bits)),
        lambda: int(rng.choice([low, high, 0, 1])),
        lambda: int(rng.choice(others)),
        lambda: old * int(rng.integers(2, 5)),
    )[int(rng.integers(7))]()
    return min(max(value, low), high)


def damage(rng: np.random.Generator, program: Program) -> tuple[bytes, str]:
    """One to three faults (now and then none); the bytes, and what was done."""
    tables, done = Tables(program), []
    if rng.random() < 0.05:
        name = str(rng.choice([name for name in isa.HEADER.fields if "identity" not in name]))
        old = tables.get("header", 0)[name]
        value = random_value(rng, isa.HEADER.fields[name], old, [0, 1, 8])
        tables.set("header", 0, {name: value})
        return tables.to_bytes(fresh=name != "tables_crc"), f"header.{name} = {value}"
    for _ in range(int(rng.choice([0, 1, 1, 1, 2, 3]))):
        section = str(rng.choice(list(RECORDS), p=[0.45, 0.35, 0.08, 0.12]))
        count = tables.count(section)
        index = int(rng.integers(count))
        if section != "layers" and rng.random() < 0.15:
            other = int(rng.integers(count))
            one, two = tables.get(section, index), tables.get(section, other)
            tables.set(section, index, two).set(section, other, one)
            done.append(f"{section}[{index}] <-> [{other}]")
            continue
        fields = RECORDS[section].fields
        name = str(rng.choice(list(fields)))
        values = [tables.get(section, i)[name] for i in range(count)]
        value = random_value(rng, fields[name], values[index], values)
        tables.set(section, index, {name: value})
        done.append(f"{section}[{index}].{name} {values[index]} -> {value}")
    return tables.to_bytes(), "; ".join(done)


@dataclass
class Case:
    """A damaged program in its window, and what must become of it.

    Attributes:
        what: the damage.
        before: the window, uint8.
        program: its first beat.
        code: how the run must end; ``layer`` says in which layer.
        after: the window then, where not ``unknown``.
        results: of the layers that ran.
    """

    what: str
    before: np.ndarray
    program: int
    code: ErrorCode
    layer: int
    after: np.ndarray
    unknown: np.ndarray
    results: list[machine.LayerResult]


def random_case(rng: np.random.Generator, design: Design = ODD) -> Case:
    """A damaged program of bounded work."""
    while True:
        compiled, values = random_program(rng, design)
        for _ in range(4):
            data, what = damage(rng, compiled.program)
            window = compiled.new_window()
            window[:] = rng.integers(0, 256, len(window), dtype=np.uint8)
            compiled.write_input(window, values)
            at = compiled.memory.program * BEAT_BYTES
            window[at : at + len(data)] = np.frombuffer(data, np.uint8)
            case = judged(window, compiled.memory.program, design, what)
            if case is not None:
                return case


def judged(window: np.ndarray, program: int, design: Design, what: str) -> Case | None:
    """What the machine makes of it, None if it takes too long."""
    after, results = window.copy(), []
    code, layer, unknown = ErrorCode.NONE, 0, np.zeros(len(window), bool)
    try:
        ran = machine.Machine(after, program, design)
        unknown = ran.unknown.reshape(-1)
        for index, record in enumerate(ran.layers):
            ran.select(index)
            ran.judge()
            if layer_work(record, ran.passes) > MOST_WORK:
                return None
            results.append(ran.run_layer(index))
    except machine.RefusalError as refusal:
        code, layer = refusal.code, refusal.layer
    return Case(what, window, program, code, layer, after, unknown, results)


def differences(case: Case, device) -> list[str]:
    """Run the case on a device of :data:`MEMORY_BYTES` and say what is not as it must be."""
    window = len(case.before)
    device.memory[:] = 0xA5
    device.memory[:window] = case.before
    driver = Driver(device)
    driver._prepare(case.program, window // BEAT_BYTES)
    device.write(Register.CONTROL, 1 << Control.START)
    if not device.wait(3_000_000):
        return ["it hangs"]
    device.read(Register.CONTROL)
    found = []
    code = ErrorCode(device.read(Register.INFO + 4 * Info.ERROR))
    layer = device.read(Register.INFO + 4 * Info.ERROR_LAYER)
    if code != case.code:
        return [f"ends with {code.name} in layer {layer}, not {case.code.name} in {case.layer}"]
    if layer != case.layer:
        found.append(f"{code.name} in layer {layer}, not {case.layer}")
    if code == ErrorCode.WEIGHTS_CRC:
        # The RTL loads weights while layers run: what these have written by then is open.
        return found
    wrong = (device.memory[:window] != case.after) & ~case.unknown
    if wrong.any():
        beats = np.unique(np.flatnonzero(wrong) // BEAT_BYTES)
        found.append(f"{wrong.sum()} bytes of memory differ, beats {beats[:5]} …")
    if (device.memory[window:] != 0xA5).any():
        found.append("it wrote outside of the window")
    if device.read(Register.INFO + 4 * Info.LAYERS_DONE) != len(case.results):
        found.append("another number of layers has run")
    for index, result in enumerate(case.results):
        counters = driver.counters(index)
        pairs = {"active": (counters.active, result.cycles)}
        if result.certain:
            for name in ("conv", "activation", "input"):
                name = f"{name}_saturations"
                pairs[name] = getattr(counters, name), getattr(result, name)
        for name, (got, wanted) in pairs.items():
            if got != wanted:
                found.append(f"layer {index}: {name} {got}, not {wanted}")
    return found
