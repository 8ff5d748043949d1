"""Faults that a photograph does not show: the made case must show each of them."""

from __future__ import annotations

import pytest

from tests.limits import mutants
from xlic.limits.run import run_made

pytestmark = pytest.mark.selfcheck


@pytest.fixture(scope="module")
def hls(tmp_path_factory):
    return mutants.hls_rung_of(tmp_path_factory.mktemp("hls"))


@pytest.fixture(scope="module")
def rtl(verilator, tmp_path_factory):
    folder, working = (tmp_path_factory.mktemp(name) for name in ("rtl", "awake"))
    return mutants.rtl_rung_of(folder, working)


@pytest.mark.hls
def test_hls_with_all_faults_asleep_equals_the_simulation(hls):
    rung_of, wake = hls
    wake(0)
    assert run_made(rung_of).differences == ()


@pytest.mark.hls
@pytest.mark.parametrize("mutant", mutants.HLS)
def test_a_fault_of_the_hls_is_seen(mutant, hls):
    rung_of, wake = hls
    wake([*mutants.HLS].index(mutant) + 1)
    try:
        assert run_made(rung_of).differences
    finally:
        wake(0)


@pytest.mark.rtl
def test_rtl_with_all_faults_asleep_equals_the_simulation(rtl):
    rung_of, wake = rtl
    wake(0)
    assert run_made(rung_of).differences == ()


# One of each kind; the others cost seconds of simulation each, and differ by a bit.
EACH_TIME = {
    "drain clips above one late",
    "multiplier clips above one late",
    "divider clips below one late",
    "the least normalizer is 2",
    "normalizers are clipped one late",
    "rows that are not stored are counted",
    "the accumulator has 32 bits",
    "latents clip above one late",
    "pictures clip to 254",
}
assert mutants.RTL.keys() >= EACH_TIME


@pytest.mark.rtl
@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param(name, marks=() if name in EACH_TIME else pytest.mark.nightly)
        for name in mutants.RTL
    ],
)
def test_a_fault_of_the_rtl_is_seen(mutant, rtl):
    rung_of, wake = rtl
    wake([*mutants.RTL].index(mutant) + 1)
    assert run_made(rung_of).differences
