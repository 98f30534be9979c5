"""docs/support.md: what runs on which backend, written from the results of the suite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from polylux_conformance._report import Report, Result

HEAD = """# What runs on which backend

This page is written from the results of the conformance suite, by
`python -m polylux_conformance --read results.json --support docs/support.md`; do not edit it by
hand. A number is the worst error of a family of checks in units in the last place (ulps); the last
column of a failure or of a known gap is its reason.
"""


def write_support(reports: Sequence[Report], path: str | Path) -> None:
    """Write the page for these reports."""
    Path(path).write_text(support(reports), encoding="utf-8")


def support(reports: Sequence[Report]) -> str:
    """The page's text, in Markdown."""
    parts = [HEAD, _backends(reports), _capabilities(reports), _families(reports)]
    told = _exceptions(reports)
    return "\n".join([*parts, *([told] if told else [])])


def _backends(reports: Sequence[Report]) -> str:
    rows = [
        [
            f"`{r.selector}`",
            ", ".join(f"{name} {version}" for name, version in r.versions.items()),
            ", ".join(r.levels),
            str(r.count("passed")),
            str(r.count("failed")),
            str(r.count("known gap")),
            str(r.count("not applicable")),
        ]
        for r in reports
    ]
    head = ["selector", "versions", "levels", "passed", "failed", "known gaps", "not applicable"]
    machine = f"\nRun on {reports[0].machine}.\n" if reports else ""
    return "## Backends\n\n" + _table(head, rows) + machine


def _capabilities(reports: Sequence[Report]) -> str:
    names = sorted({name for r in reports for name in r.capabilities})
    rows = [[name, *("yes" if name in r.capabilities else "-" for r in reports)] for name in names]
    head = ["capability", *(f"`{r.selector}`" for r in reports)]
    return "## Capabilities\n\n" + _table(head, rows)


def _families(reports: Sequence[Report]) -> str:
    names = dict.fromkeys(result.id.partition("/")[0] for r in reports for result in r.results)
    rows = []
    for name in names:
        row = [name]
        for report in reports:
            own = [r for r in report.results if r.id.partition("/")[0] == name]
            row.append(_told(own))
        rows.append(row)
    head = ["checks", *(f"`{r.selector}`" for r in reports)]
    return "## Families of checks\n\n" + _table(head, rows)


def _told(results: Sequence[Result]) -> str:
    ran = [r for r in results if r.status != "not applicable"]
    if not ran:
        return "-"
    failed = sum(r.status == "failed" for r in ran)
    if failed:
        return f"{failed} of {len(ran)} failed"
    worst = max((r.ulps for r in ran if r.ulps is not None and r.status == "passed"), default=0.0)
    gaps = sum(r.status == "known gap" for r in ran)
    return f"{len(ran)}, {worst:.2g} ulps" + (f", {gaps} known gaps" if gaps else "")


def _exceptions(reports: Sequence[Report]) -> str:
    rows = [
        [f"`{report.selector}`", f"`{r.id}`", r.status, r.reason.replace("|", "\\|")]
        for report in reports
        for r in report.results
        if r.status in ("failed", "known gap")
    ]
    if not rows:
        return ""
    head = ["selector", "check", "result", "reason"]
    return "## Failures and known gaps\n\n" + _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"
