"""The explanation of a program agrees with what the machine then does."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.accelerator.chains import Shape, random_spec, run_compiled
from tests.sim.models import random_model
from xlic.accelerator.compiler import compile_layers, compile_transform
from xlic.accelerator.design import SMALL, Design
from xlic.accelerator.explain import explain, explanation_lines, explanation_table
from xlic.accelerator.isa import InFormat
from xlic.architecture import symbol_size
from xlic.cli.common import console, print_table

pytestmark = pytest.mark.sim


def compiled_for(transform, size=(33, 47), design=SMALL, keep=()):
    model = random_model(2, 8)
    compiled = compile_transform(model, transform, size, design, keep)
    rng = np.random.default_rng(0)
    if transform == "encode":
        return compiled, rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    return compiled, rng.integers(-9, 9, (*symbol_size(*size), 8))


@pytest.mark.parametrize("design", [SMALL, Design()], ids=["small", "default"])
@pytest.mark.parametrize("transform", ["encode", "decode"])
@pytest.mark.parametrize("size", [(1, 1), (33, 47), (70, 3)])
def test_traffic_and_cycles_are_those_of_the_machine(transform, design, size):
    compiled, values = compiled_for(transform, size, design)
    _, results = run_compiled(compiled, values)
    for layer, result in zip(explain(compiled).layers, results, strict=True):
        assert layer.bytes_read == 16 * result.reads.sum()
        assert layer.bytes_written == 16 * result.writes.sum()
        assert layer.compute_cycles == result.cycles
        per_tile = sum(group.cycles for group in layer.groups)
        assert layer.compute_cycles == per_tile * layer.tiles[0] * layer.tiles[1]
        assert layer.utilization == layer.macs / (result.cycles * design.macs)


@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize("in_format", [InFormat.I16, InFormat.U8])
def test_windows_that_skip_or_end_before_samples_are_counted_right(direction, in_format):
    for kernel, stride in ((1, 4), (3, 2), (9, 3)):
        for width in range(1, 40, 3):
            rng = np.random.default_rng(width)
            spec = random_spec(rng, 0, Shape(direction, kernel, stride, 1), 3, False)
            compiled = compile_layers([spec], (3, width, 3), SMALL, input_format=in_format)
            values = np.ones((3, width, 3), np.uint8)
            _, (result,) = run_compiled(compiled, values)
            assert explain(compiled).layers[0].bytes_read == 16 * result.reads.sum()


def test_weights_are_counted_where_they_are_first_used():
    compiled, _ = compiled_for("encode", keep=["ana_0", "ana_1"])
    layers = explain(compiled).layers
    # POF 4, 8 filters: two lane groups.
    assert [layer.weight_words for layer in layers] == [486, 16, 400, 16, 400]
    assert [layer.weight_bytes for layer in layers] == [8 * layer.weight_words for layer in layers]
    assert sum(layer.weight_words for layer in layers) == len(compiled.program.weights)
    assert [layer.extra for layer in layers] == [True, False, True, False, False]


def test_passes_are_grouped_by_what_they_do():
    compiled, _ = compiled_for("decode", design=Design())
    syn_0, _, syn_2 = explain(compiled).layers
    assert [str(group) for group in syn_0.groups] == [
        "1 × 9 taps × 8 → HOLD",
        "4 × γ 8 → OUT_IGDN",
        "1 × 6 taps × 8 → HOLD",
        "1 × 6 taps × 8 → HOLD",
        "1 × 4 taps × 8 → HOLD",
    ]
    assert syn_0.groups[1].phases == ((0, 0), (0, 1), (1, 0), (1, 1))
    assert [len(group.taps) for group in syn_2.groups] == [4, 6, 9]
    assert syn_0.window == (6, 18, 8)
    assert syn_0.input_shape == (3, 3, 8)
    assert syn_2.output_shape == (33, 47, 3)


class TestRendering:
    def test_as_json_holds_everything(self):
        compiled, _ = compiled_for("decode")
        facts = json.loads(json.dumps(explain(compiled, [5, 6, 7]).as_dict()))
        assert facts["identity"] == compiled.program.identity
        assert facts["sections"]["passes"] == [len(compiled.program.passes), 512]
        assert facts["memory"]["symbols"][0] == compiled.memory.input.offset
        assert facts["window_bytes"] == compiled.memory.bytes
        assert [layer["predicted_cycles"] for layer in facts["layers"]] == [5, 6, 7]
        assert facts["layers"][0]["groups"][0]["taps"][0] == [0, 0, 0]

    def test_as_a_table_has_a_line_per_layer_and_the_sum(self, capsys):
        compiled, _ = compiled_for("encode", keep=["ana_0"])
        print_table(explanation_table(explain(compiled)))
        text = capsys.readouterr().out
        for part in ("ana_0 *", "gdn_0", "gdn_1", "ana_2", "total", "9×12×8", "2×8 positions"):
            assert part in text
        assert "predicted" not in text
        assert console().width >= 40

    def test_as_a_table_shows_predictions_where_there_are_some(self, capsys):
        compiled, _ = compiled_for("encode")
        print_table(explanation_table(explain(compiled, [1000, 2000, 4500])))
        text = capsys.readouterr().out
        assert "predicted" in text
        assert "7.5" in text

    def test_as_lines_lists_passes_buffers_and_memory(self):
        compiled, _ = compiled_for("encode", keep=["ana_0"])
        text = "\n".join(explanation_lines(explain(compiled)))
        assert "ana_0 (asked for): window 13×37×3, 256 of 1024 input words, 486 new words" in text
        assert "  2 × 81 taps × 3 → OUT_I16" in text
        assert "weights: 1318 of 16384" in text
        assert f"window: {compiled.memory.bytes} bytes" in text
        assert f"program: byte {16 * compiled.memory.program:#x}, " in text

    def test_needs_a_prediction_for_every_layer(self):
        compiled, _ = compiled_for("encode")
        with pytest.raises(ValueError, match="zip"):
            explain(compiled, [1])
