"""The report as one self-contained page: a matrix of checks and backends, and their deviations."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from polylux_conformance._deviations import pairs
from polylux_conformance._page import PAGE
from polylux_conformance._report import Report, Result


def write_html(reports: Sequence[Report], path: str | Path) -> None:
    """Write the page for these reports; it needs no network and no other file."""
    Path(path).write_text(page(reports), encoding="utf-8")


def page(reports: Sequence[Report]) -> str:
    """The page's text."""
    # "</" would end the script element, wherever in a string it stands.
    data = json.dumps(_data(reports), separators=(",", ":")).replace("</", "<\\/")
    return PAGE.replace("__DATA__", data)


def _data(reports: Sequence[Report]) -> dict[str, Any]:
    about: dict[str, tuple[str, str]] = {}
    for report in reports:
        for result in report.results:
            about.setdefault(result.id, (result.level, result.about))
    return {
        "backends": [
            {
                "selector": report.selector,
                "versions": dict(report.versions),
                "machine": report.machine,
                "claims": list(report.capabilities),
                "seconds": round(report.seconds, 1),
                "levels": list(report.levels),
            }
            for report in reports
        ],
        "checks": [
            {"id": id_, "level": level, "about": text} for id_, (level, text) in about.items()
        ],
        "cells": [{result.id: _cell(result) for result in report.results} for report in reports],
        "pairs": [
            {
                "first": pair.first,
                "second": pair.second,
                "compared": pair.compared,
                "failed": pair.failed,
                "ulps": _number(pair.ulps),
                "top": [[d.where, _number(d.ulps), _number(d.units)] for d in pair.top],
            }
            for pair in pairs(reports)
        ],
    }


def _cell(result: Result) -> dict[str, Any]:
    extremes = [c for c in (result.worst, result.largest) if c is not None]
    shown = [*result.failures] or list(dict.fromkeys(extremes))
    return {
        "status": result.status,
        "reason": result.reason,
        "count": result.comparisons,
        "failed": result.failed,
        "ulps": None if result.ulps is None else _number(result.ulps),
        "seconds": round(result.seconds, 3),
        "shown": [
            {
                "what": c.what,
                "point": c.point,
                "expected": c.expected,
                "found": c.found,
                "ulps": _number(c.ulps),
                "units": _number(c.units),
            }
            for c in shown
        ],
    }


def _number(value: float) -> float | str:
    """A number that JSON can hold, with three digits."""
    return float(f"{value:.3g}") if math.isfinite(value) else "inf"
