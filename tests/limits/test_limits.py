"""The list of limits, what sees them reached, and the made case that reaches all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.sim import oracle
from xlic.accelerator.design import SMALL
from xlic.architecture import ANALYSIS_NAMES, SYNTHESIS_NAMES
from xlic.images import read_image
from xlic.limits.contract import KIND_OF, KINDS, KINDS_OF, LIMITS
from xlic.limits.made import FILTERS, SIZE, made_case
from xlic.limits.observe import LimitObserver
from xlic.limits.operands import Grid, Latents, Normalization, Products, Rounding
from xlic.limits.run import LimitsReport, MadeResult, run_made
from xlic.quantization.model import load_quantized
from xlic.rungs.int16 import Int16Rung
from xlic.shipped import model_path, photo_path

pytestmark = pytest.mark.sim


def observed(model, picture, symbols):
    observer = LimitObserver(model)
    sim = Int16Rung(model, observer)
    sim.analyze(picture)
    sim.synthesize(symbols, picture.shape[:2])
    return observer.reached


@pytest.fixture(scope="module")
def reached():
    case = made_case()
    return observed(case.model, case.picture, case.symbols)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_the_made_case_reaches(limit, reached):
    assert limit in reached
    assert reached.tensors[limit.name] <= {*KIND_OF}


def test_every_limit_has_a_name_of_its_own_and_a_reason():
    assert len({limit.name for limit in LIMITS}) == len(LIMITS)
    assert all(limit.why for limit in LIMITS)
    assert (
        {limit.kind for limit in LIMITS} == {*KINDS} == {*KINDS_OF["encode"], *KINDS_OF["decode"]}
    )


def test_the_simulation_computes_the_made_case_as_the_oracle_does():
    case = made_case()
    sim = Int16Rung(case.model)
    for run, (tensors, counts) in (
        (sim.analyze(case.picture, keep=ANALYSIS_NAMES), oracle.analyze(case.picture, case.model)),
        (
            sim.synthesize(case.symbols, SIZE, keep=SYNTHESIS_NAMES),
            oracle.synthesize(case.symbols, SIZE, case.model),
        ),
    ):
        for name, tensor in run.tensors.items():
            assert np.array_equal(tensor, tensors[name]), name
        assert run.saturations == counts


def test_the_made_case_is_always_the_same():
    case = made_case()
    made_case.cache_clear()
    again = made_case()
    assert again is not case
    assert again.model.identity == case.model.identity
    assert np.array_equal(again.picture, case.picture)
    assert np.array_equal(again.symbols, case.symbols)


def test_an_observer_changes_nothing():
    case = made_case()
    plain = Int16Rung(case.model)
    seen = Int16Rung(case.model, LimitObserver(case.model))
    for one, other in (
        (plain.analyze(case.picture), seen.analyze(case.picture)),
        (plain.synthesize(case.symbols, SIZE), seen.synthesize(case.symbols, SIZE)),
    ):
        assert np.array_equal(one.output, other.output)
        assert one.saturations == other.saturations


def test_a_photograph_reaches_few():
    model = load_quantized(model_path())
    pixels = read_image(photo_path("coffee")).pixels[:96, :128]
    reached = observed(model, pixels, Int16Rung(model).analyze(pixels).output)
    names = {limit.name for limit in LIMITS if limit in reached}
    assert "down: negative × negative" in names
    assert (
        "picture: 255, the last that stays" in names or "picture: 0, the last that stays" in names
    )
    assert not any("clips beyond" in name or "32 bits" in name for name in names)
    assert len(names) < len(LIMITS) / 3


def without(case, kind):
    """The made case with one kind of step made tame, so that it meets none of its ends."""
    convs, gdns = dict(case.model.convs), dict(case.model.gdns)
    for name in KINDS[kind]:
        if name in convs:
            conv = convs[name]
            tame = np.full_like(conv.shift, 30)
            convs[name] = replace(conv, bias=np.zeros_like(conv.bias), shift=tame)
        if name in gdns:
            gdn = gdns[name]
            tame = np.full_like(gdn.beta, 1000 << 30)
            shift = np.full_like(gdn.norm_shift, 30)
            gdns[name] = replace(gdn, beta=tame, norm_shift=shift, out_shift=np.full_like(shift, 9))
    return replace(case.model, convs=convs, gdns=gdns)


@pytest.mark.selfcheck
@pytest.mark.parametrize("kind", ["down", "gdn", "symbols", "up", "igdn", "picture"])
def test_a_limit_that_is_not_reached_is_told(kind):
    case = made_case()
    reached = observed(without(case, kind), case.picture, case.symbols)
    missed = {limit.name for limit in LIMITS if limit.kind == kind and limit not in reached}
    assert {f"{kind}: shift 1", f"{kind}: shift 47"} <= missed
    assert len(missed) >= 5


@pytest.mark.selfcheck
def test_tame_symbols_reach_no_limit_of_the_latents():
    case = made_case()
    flat = np.full_like(case.model.latent_offset, 3)
    bits = {**case.model.fraction_bits, "latents": flat}
    model = replace(case.model, latent_offset=flat, fraction_bits=bits)
    reached = observed(model, case.picture, case.symbols % 100)
    assert not [limit for limit in LIMITS if limit.kind == "latents" and limit in reached]


class TestConditions:
    """Each kind of operand, by hand."""

    def where(self, name, operands):
        (limit,) = [limit for limit in LIMITS if limit.name == name]
        return np.asarray(limit.where(operands))

    def test_ties_are_exact_halves_inside_the_clip(self):
        o = Rounding(np.array([4, 12, 5, -4, -12, 1 << 21]), np.array(0), np.array(3))
        assert self.where("down: tie above an even number", o).tolist() == [
            *(True, False, False, False, False, False)
        ]
        assert self.where("down: tie below zero", o).tolist() == [
            *(False, False, False, True, True, False)
        ]

    def test_bounds_of_sat16_are_exact(self):
        o = Rounding(np.array([32767, 32768, -32768, -32769]) * 2, np.array(0), np.array(1))
        assert self.where("up: 32767, the last that stays", o).tolist() == [1, 0, 0, 0]
        assert self.where("up: 32768, the first that is clipped", o).tolist() == [0, 1, 0, 0]
        assert self.where("up: -32768, the last that stays", o).tolist() == [0, 0, 1, 0]
        assert self.where("up: -32769, the first that is clipped", o).tolist() == [0, 0, 0, 1]

    def test_sums_beyond_32_bits_are_those_of_the_products_alone(self):
        o = Rounding(np.array([1 << 31, -1, 0]), np.array(1 << 40), np.array(20))
        assert self.where("symbols: sum above 32 bits", o).tolist() == [True, False, False]

    def test_a_division_by_an_odd_normalizer_has_two_sides(self):
        o = Normalization(np.array([2, 3, 2]), np.array([5, 5, 4]), np.array(0))
        below = self.where("gdn: just less than half of an odd n left", o)
        above = self.where("gdn: just more than half of an odd n left", o)
        assert (below.tolist(), above.tolist()) == ([True, False, False], [False, True, False])
        tie = self.where("gdn: half of an even n left, above an even number", o)
        assert tie.tolist() == [False, False, True]

    def test_a_product_of_extremes_must_meet(self):
        (layer,) = [x for x in Int16Rung(made_case().model)._analysis if x.layer.name == "ana_1"]
        x = np.zeros((4, 4, FILTERS), np.int16)
        kernel = np.zeros(layer.layer.kernel_shape, np.int16)
        x[0, 0, 3], kernel[:, :, 4, 0] = -32768, -32768
        name = "down: -32768 × -32768"
        assert not self.where(name, Products(x, kernel, layer.layer)).any()
        kernel[1, 1, 3, 0] = -32768
        # At this stride, the corner's sample meets taps in even rows and columns alone.
        assert not self.where(name, Products(x, kernel, layer.layer)).any()
        kernel[2, 2, 3, 0] = -32768
        assert self.where(name, Products(x, kernel, layer.layer)).any()

    def test_symbols_between_tiles_lie_at_multiples_of_the_largest_array(self):
        wide = np.zeros((9, 3, 1), np.int64)
        wide[6] = 1 << 20
        latents = Latents(wide, wide, np.array([0]), np.array([0]))
        assert not self.where("latents: clip in a row that two tiles read", latents).any()
        wide[8] = 1 << 20
        assert self.where("latents: clip in a row that two tiles read", latents).any()

    def test_a_map_of_even_size_leaves_nothing_beyond(self):
        clips = np.array([False, True])
        assert not self.where("igdn: clips beyond the last row", Grid(8, 9, clips)).any()
        assert self.where("igdn: clips beyond the last column", Grid(8, 9, clips)).any()


class TestReports:
    def test_say_what_the_picture_missed_and_that_the_made_one_was_left_out(self, reached):
        report = LimitsReport(("encode",), reached, None)
        assert report.mismatch is None
        assert "75 of 75 reached; " in report.line()
        assert "left out (--no-limits)" in report.line()
        missed = dict(reached.tensors)
        missed["gdn: shift 1"] = frozenset()
        report = LimitsReport(
            ("encode",), replace(reached, tensors=missed), MadeResult(reached, ())
        )
        assert "74 of 75 reached (not 1 of gdn); 75 by the made picture" in report.line()
        (entry,) = [x for x in report.as_dict()["limits"] if x["name"] == "gdn: shift 1"]
        assert (entry["picture"], bool(entry["made_picture"])) == ([], True)

    @pytest.mark.selfcheck
    def test_a_rung_that_counts_wrongly_is_a_mismatch(self):
        class Miscounting(Int16Rung):
            def analyze(self, *args, **kwargs):
                run = super().analyze(*args, **kwargs)
                return replace(run, saturations={**run.saturations, "gdn_1": 5})

        result = run_made(Miscounting)
        assert [each.tensor for each in result.differences] == ["gdn_1"]
        report = LimitsReport(("encode",), result.reached, result)
        assert "gdn_1 counts 5 saturations, the simulation" in report.mismatch
        assert "NOT equal" in report.line()


def test_the_made_model_fits_the_smallest_design():
    from xlic.accelerator.compiler import TRANSFORMS, compile_transform

    case = made_case()
    for transform in TRANSFORMS:
        assert compile_transform(case.model, transform, SIZE, SMALL, ()).design == SMALL
