"""Markers: ``xlic_NAME``, and ``NAME`` where :mod:`xlic.short` is loaded."""

from __future__ import annotations

PREFIX = "xlic_"
MARKERS = {
    "model": "TensorFlow and tensorflow-compression (skipped where they are absent)",
    "sim": "the INT16 simulation, float64 NumPy and all that needs neither TensorFlow nor hardware",
    "hls": "the HLS C++ design, compiled by the host compiler",
    "rtl": "the RTL in a simulator",
    "board": "a ZCU102, or the virtual one",
    "selfcheck": "faults put in on purpose, which must turn the right test red",
    "nightly": "too long for every change",
}
RUNGS_UNDER_TEST = ("model", "sim", "hls", "rtl", "board")
"""Rungs that a test which takes the ``rung`` fixture runs on, each under the marker of its name."""
