"""Windows, phases and taps of layers; the spreading of the picture over passes."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xlic.accelerator.geometry import (
    Phase,
    Place,
    VirtualOutput,
    geometry_of,
    group_outputs,
    places_of,
)
from xlic.architecture import ConvLayer, all_layers
from xlic.errors import InputError

pytestmark = pytest.mark.sim

SHAPES = [(k, s) for s in range(1, 7) for k in range(1, 3 * s + 1, 2)]


def layer(direction, kernel, stride, cin=1, cout=3):
    return ConvLayer("layer", direction, kernel, stride, cin, cout, True, None)


@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize(("kernel", "stride"), SHAPES)
class TestEveryLayer:
    def test_has_each_tap_of_the_kernel_once(self, direction, kernel, stride):
        geometry = geometry_of(layer(direction, kernel, stride))
        taps = [tap for phase in geometry.phases for tap in phase.taps.values()]
        assert sorted(taps) == list(np.ndindex(kernel, kernel))

    def test_has_operands_where_the_definition_of_the_layer_says(self, direction, kernel, stride):
        geometry = geometry_of(layer(direction, kernel, stride))
        for phase in geometry.phases:
            for place, (row, column) in phase.taps.items():
                for axis, (pair_part, step, tap, p) in enumerate(
                    (
                        (place.pair // geometry.stride, place.dy, row, phase.y),
                        (place.pair % geometry.stride, place.dx, column, phase.x),
                    )
                ):
                    # Sample of the input, from position 0, of this tap of output n.
                    sample = geometry.origin + step * geometry.stride + pair_part
                    n = p - geometry.lead
                    stuffed = n + tap - kernel // 2
                    expected = tap - kernel // 2 if direction == "down" else stuffed / stride
                    assert sample == expected, (axis, place)

    def test_has_windows_that_hold_all_operands(self, direction, kernel, stride):
        geometry = geometry_of(layer(direction, kernel, stride))
        for poy in (2, 4, 8):
            for phase in geometry.phases:
                for place in phase.taps:
                    row = (poy - 1 + place.dy) * geometry.stride + place.pair // geometry.stride
                    assert row < geometry.window(poy)
                    assert max(place.dy, place.dx) <= 2
            assert geometry.slots(poy) in (1, 2)

    def test_yields_all_outputs_from_its_grid(self, direction, kernel, stride):
        geometry = geometry_of(layer(direction, kernel, stride))
        for outputs in range(1, 30):
            last = geometry.upsampling * geometry.grid(outputs) - 1 - geometry.lead
            assert outputs - 1 <= last < outputs - 1 + geometry.upsampling


def test_lead_is_needed_only_where_phases_lie_unevenly():
    leads = {(k, s): geometry_of(layer("up", k, s)).lead for k, s in SHAPES}
    assert {shape: lead for shape, lead in leads.items() if lead} == {
        (9, 3): 1,
        (15, 5): 2,
        (11, 4): 1,
        (13, 5): 1,
        (15, 6): 1,
        (17, 6): 2,
    }


def test_layers_of_the_codec_need_no_lead_and_two_slots():
    for entry in all_layers(128):
        geometry = geometry_of(entry)
        assert geometry.lead == 0
        assert geometry.origin == (-(entry.kernel // 2) if entry.direction == "down" else -1)
        assert geometry.reach == (entry.kernel if entry.direction == "down" else 3)
        assert geometry.slots(4) == 2


@pytest.mark.parametrize(
    ("kernel", "stride", "message"),
    [
        (4, 2, "4×4 kernel at stride 2 has no centre"),
        (5, 1, "spans 5 strides, the accelerator takes at most 3; use a kernel of 3 or less"),
        (0, 1, "must be odd"),
        (3, 0, "strides positive"),
    ],
)
@pytest.mark.parametrize("direction", ["down", "up"])
def test_refuses_kernels_that_taps_cannot_address(direction, kernel, stride, message):
    with pytest.raises(InputError, match=message):
        geometry_of(layer(direction, kernel, stride))


def outputs_of(entry):
    phases = geometry_of(entry).phases
    return [VirtualOutput(phase, channel) for phase in phases for channel in range(entry.cout)]


def fewest_taps(outputs, lanes):
    """Least sum of taps over passes, by integer programming over all unions of tap sets."""
    kinds = sorted({output.places for output in outputs}, key=sorted)
    counts = np.array([sum(output.places == kind for output in outputs) for kind in kinds])
    unions = {
        frozenset().union(*chosen)
        for size in range(1, len(kinds) + 1)
        for chosen in combinations(kinds, size)
    }
    unions = sorted(unions, key=sorted)
    # Variables: passes of each union, then lanes of each kind within each union.
    shape = (len(unions), len(kinds))
    cost = np.concatenate([[len(union) for union in unions], np.zeros(np.prod(shape))])
    rows, low, high = [], [], []
    for k, count in enumerate(counts):
        row = np.zeros(shape)
        row[:, k] = [kinds[k] <= union for union in unions]
        rows.append(np.concatenate([np.zeros(len(unions)), row.ravel()]))
        low.append(count)
        high.append(count)
    for u in range(len(unions)):
        row = np.zeros(shape)
        row[u] = 1
        passes = np.zeros(len(unions))
        passes[u] = -lanes
        rows.append(np.concatenate([passes, row.ravel()]))
        low.append(-np.inf)
        high.append(0)
    # Half a second to import: not for those who select another test.
    from scipy.optimize import LinearConstraint, milp

    found = milp(
        cost,
        constraints=LinearConstraint(np.array(rows), low, high),
        integrality=np.ones(len(cost)),
        # SciPy 1.11, which TensorFlow 2.14 goes with, takes some for infeasible otherwise.
        options={"presolve": False},
    )
    assert found.success
    return round(found.fun)


def total_taps(groups):
    return sum(len(places_of(group)) for group in groups)


class TestThePictureLayer:
    @pytest.mark.parametrize(("lanes", "total"), [(16, 19), (8, 33), (4, 63)])
    def test_takes_the_fewest_taps_that_passes_can_have(self, lanes, total):
        outputs = outputs_of(layer("up", 9, 4))
        groups = group_outputs(outputs, lanes)
        assert total_taps(groups) == total == fewest_taps(outputs, lanes)

    def test_takes_4_6_and_9_taps_on_16_lanes(self):
        groups = group_outputs(outputs_of(layer("up", 9, 4)), 16)
        assert [len(places_of(group)) for group in groups] == [4, 6, 9]

    @pytest.mark.parametrize(("kernel", "stride"), [(k, s) for k, s in SHAPES if s <= 4])
    @pytest.mark.parametrize("lanes", [4, 8, 16])
    def test_of_any_shape_is_close_to_the_fewest(self, kernel, stride, lanes):
        outputs = outputs_of(layer("up", kernel, stride))
        fewest = fewest_taps(outputs, lanes)
        assert fewest <= total_taps(group_outputs(outputs, lanes)) <= fewest + 2


@given(
    st.lists(st.frozensets(st.integers(0, 8), max_size=5), min_size=1, max_size=40),
    st.sampled_from([4, 8, 16]),
)
def test_spreading_keeps_every_output_once_and_wastes_no_pass(sets, lanes):
    outputs = [
        VirtualOutput(Phase(0, index, {Place(0, p // 3, p % 3): (0, 0) for p in places}), 0)
        for index, places in enumerate(sets)
    ]
    groups = group_outputs(outputs, lanes)
    spread = [output.phase.x for group in groups for output in group]
    assert sorted(spread) == list(range(len(sets)))
    assert all(1 <= len(group) <= lanes for group in groups)
    assert len(groups) == -(-len(sets) // lanes)
    for group in groups:
        needed = frozenset().union(*(output.places for output in group))
        assert places_of(group) == tuple(sorted(needed))
