"""Sensors as sysfs has them."""

from __future__ import annotations

import math

import pytest

from tests.board.local import LocalShell, limit
from xlic.board.sensors import parse_sensors, read_sensors

pytestmark = pytest.mark.board

FILES = {
    # The monitor of a ZynqMP, as Linux shows it.
    "bus/iio/devices/iio:device0/name": "ams",
    "bus/iio/devices/iio:device0/in_temp0_ps_temp_raw": "41500",
    "bus/iio/devices/iio:device0/in_temp0_ps_temp_offset": "-36058",
    "bus/iio/devices/iio:device0/in_temp0_ps_temp_scale": "7.771514892",
    "bus/iio/devices/iio:device0/in_voltage1_raw": "18500",
    "bus/iio/devices/iio:device0/in_voltage_scale": "0.045776367",
    # A power monitor.
    "class/hwmon/hwmon0/name": "ina226_u76",
    "class/hwmon/hwmon0/in1_input": "851",
    "class/hwmon/hwmon0/power1_input": "1250000",
    "class/hwmon/hwmon0/curr1_input": "1469",
    "class/hwmon/hwmon0/temp1_input": "45500",
    "class/hwmon/hwmon0/temp1_label": "near the fan",
}


def test_both_kinds_are_read_in_units_of_people(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    found = read_sensors(LocalShell(), limit(), str(tmp_path))
    assert found == pytest.approx(
        {
            "ams temp0_ps_temp": (41500 - 36058) * 7.771514892 / 1000,
            "ams voltage1": 18500 * 0.045776367 / 1000,
            "ina226_u76 in1": 0.851,
            "ina226_u76 power1": 1.25,
            "ina226_u76 curr1": 1.469,
            "ina226_u76 near_the_fan": 45.5,
        }
    )


def test_a_board_without_sensors_has_none(tmp_path):
    assert read_sensors(LocalShell(), limit(), str(tmp_path)) == {}
    assert read_sensors(LocalShell(), limit(), str(tmp_path / "absent")) == {}


@pytest.mark.parametrize(
    "line",
    [
        "class/hwmon/hwmon0/temp1_input\tnan",
        "class/hwmon/hwmon0/temp1_input\tinf",
        "class/hwmon/hwmon0/temp1_input\t",
        "class/hwmon/hwmon0/temp1_input\tmany",
        "bus/iio/devices/iio:device0/in_temp0_raw\t100",
        "class/hwmon/hwmon0/temp1_input",
        "\t",
    ],
)
def test_what_makes_no_sense_is_left_out(line):
    assert parse_sensors(line + "\nclass/hwmon/hwmon1/in0_input\t1000\n") == {"hwmon1 in0": 1.0}


def test_a_board_cannot_flood_the_report():
    lines = [f"class/hwmon/hwmon{n}/temp1_input\t{n}" for n in range(10_000)]
    found = parse_sensors("\n".join(lines))
    assert 0 < len(found) <= 256
    assert all(math.isfinite(value) for value in found.values())
