"""The resource estimate: its bounds on the default design, and that it can be trusted to scale."""

from __future__ import annotations

import importlib.util

import pytest

from xlic.accelerator.design import SMALL, Design
from xlic.accelerator.estimate import estimate
from xlic.accelerator.resources import Resources, fitted
from xlic.accelerator.yosys import find_yosys
from xlic.errors import MissingToolError

pytestmark = pytest.mark.rtl

DSP, BRAM36, LUT_SHARE = 1400, 800, 0.6
"""Bounds on the default design, of the XCZU9EG's 2520, 912 and 274,080."""


@pytest.fixture(scope="module", autouse=True)
def yosys():
    try:
        return find_yosys()
    except MissingToolError as error:
        pytest.skip(str(error))


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_the_default_design_fits_the_zcu102_s_part():
    found = estimate(Design())
    total = found.total
    assert 1024 <= total.dsp <= DSP
    assert 450 <= total.bram36 <= BRAM36
    assert 20_000 <= total.lut <= LUT_SHARE * found.device.has.lut
    assert not found.exceeded()


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_a_quarter_of_the_lanes_takes_a_quarter_of_the_multipliers():
    small = estimate(SMALL)
    blocks = {block.block.name: block.total for block in small.blocks}
    assert blocks["mac_array"].dsp == SMALL.macs
    assert small.total.dsp < 0.2 * 1024


@pytest.mark.selfcheck
def test_amounts_are_extrapolated_along_a_line():
    def amounts(n):
        return Resources(dsp=4 * n, lut=100 + 30 * n, ff=7, bram36=0.5 * n)

    found = fitted([1.0, 2.0], [amounts(1), amounts(2)], 16.0)
    assert found.values() == pytest.approx(amounts(16).values())


def test_yosys_that_is_absent_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda *args, **kwargs: None)
    with pytest.raises(MissingToolError, match="pip install"):
        find_yosys()
