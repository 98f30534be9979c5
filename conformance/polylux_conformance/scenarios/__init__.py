"""Scenarios: functions, points and true derivatives, as data."""

from polylux_conformance.scenarios._edges import EDGES
from polylux_conformance.scenarios._hard import HARD
from polylux_conformance.scenarios._scenario import Scenario, cast_float
from polylux_conformance.scenarios._shapes import SHAPES
from polylux_conformance.scenarios._smooth import SMOOTH

SCENARIOS: tuple[Scenario, ...] = (*SMOOTH, *SHAPES, *HARD, *EDGES)
"""Every scenario of a gradient; a new one is added to its file's tuple."""

__all__ = ["SCENARIOS", "Scenario", "cast_float"]
