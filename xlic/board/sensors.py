"""Temperatures, voltages, currents and powers that the board's Linux knows, in SI units.

Two kinds of sysfs files: hwmon (``Documentation/hwmon/sysfs-interface``: millidegrees, millivolts,
milliamperes, microwatts) and IIO (``Documentation/ABI/testing/sysfs-bus-iio``: (raw + offset) ×
scale in millidegrees and millivolts), where ZynqMP's own monitor (ams) is.
"""

from __future__ import annotations

import math
import re

from xlic.board.deadline import Deadline
from xlic.board.shell import Shell, quoted

_HWMON_UNITS = {"temp": 1e-3, "in": 1e-3, "curr": 1e-3, "power": 1e-6}
_MILLI = 1e-3
_HWMON = re.compile(r"(temp|in|curr|power)(\d+)_(input|label)")
_IIO = re.compile(r"in_((?:temp|voltage)\d*\w*?)_(raw|scale|offset)")
_MOST = 256


def read_sensors(shell: Shell, deadline: Deadline, sysfs: str = "/sys") -> dict[str, float]:
    """What the sensors say now.

    Args:
        shell: the way to the board.
        deadline: until when.
        sysfs: root of the board's sysfs.

    Returns:
        Name (device, channel) → °C, V, A or W; nothing where there are no sensors.

    Raises:
        InfrastructureError: the board does not answer.
    """
    script = (
        f"cd {quoted(sysfs)} || exit 0\n"
        "for file in class/hwmon/hwmon*/name class/hwmon/hwmon*/*_input class/hwmon/hwmon*/*_label "
        "bus/iio/devices/iio:device*/name bus/iio/devices/iio:device*/in_*; do\n"
        # busybox may lack `head -c`.
        '  [ -f "$file" ] || continue; line=; IFS= read -r line < "$file" 2> /dev/null\n'
        '  printf "%s\\t%.64s\\n" "$file" "$line"\n'
        "done; exit 0"
    )
    return parse_sensors(shell.run(script, deadline).output)


def parse_sensors(text: str) -> dict[str, float]:
    """The same from lines of path, tab, contents. What makes no sense is left out."""
    devices: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        path, _, value = line.partition("\t")
        folder, _, name = path.rpartition("/")
        devices.setdefault(folder, {})[name] = value.strip()
    found: dict[str, float] = {}
    for folder, files in devices.items():
        device = _plain(files.get("name", "")) or folder.rpartition("/")[2]
        channels = _iio(files) if "/iio:" in folder else _hwmon(files)
        for channel, number in channels.items():
            if math.isfinite(number) and len(found) < _MOST:
                found[f"{device} {channel}"] = number
    return found


def _hwmon(files: dict[str, str]) -> dict[str, float]:
    channels = {}
    for name, value in files.items():
        match = _HWMON.fullmatch(name)
        if match and match[3] == "input":
            label = _plain(files.get(f"{match[1]}{match[2]}_label", "")) or match[1] + match[2]
            channels[label] = _number(value) * _HWMON_UNITS[match[1]]
    return channels


def _iio(files: dict[str, str]) -> dict[str, float]:
    channels = {}
    for name, value in files.items():
        match = _IIO.fullmatch(name)
        if match and match[2] == "raw":
            begin = f"in_{match[1]}"
            # A scale or offset of the kind holds for channels without their own.
            kind = re.sub(r"\d.*", "", begin)
            scale = files.get(f"{begin}_scale", files.get(f"{kind}_scale", "nan"))
            offset = files.get(f"{begin}_offset", files.get(f"{kind}_offset", "0"))
            channels[match[1]] = (_number(value) + _number(offset)) * _number(scale) * _MILLI
    return channels


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _plain(text: str) -> str:
    return re.sub(r"[^\w.+-]", "_", text)[:40]
