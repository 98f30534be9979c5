"""What runs at which level: the tables of docs/explanation/conformance.md, from the checks."""

from __future__ import annotations

from polylux_conformance._check import LEVELS
from polylux_conformance.checks import CHECKS


def families() -> str:
    """How many checks of each family there are at each level, in Markdown."""
    counts: dict[str, dict[str, int]] = {}
    for check in CHECKS:
        row = counts.setdefault(check.id.partition("/")[0], dict.fromkeys(LEVELS, 0))
        row[check.level] += 1
    rows = [
        [family, *(str(n) if n else "-" for n in row.values())] for family, row in counts.items()
    ]
    return _table(["checks", *LEVELS], rows)


def modifiers() -> str:
    """Every way of asking for a derivative, with its level, in Markdown."""
    rows = [
        [check.id.partition("/")[2], check.level, check.about]
        for check in CHECKS
        if check.id.startswith(("modifier/", "objective/", "purity/", "threads/", "error/"))
    ]
    return _table(["modifier", "level", "what holds"], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"
