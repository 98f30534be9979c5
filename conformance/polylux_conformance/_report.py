"""Report: the verdicts of a run, as text and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from polylux_conformance._check import Check
from polylux_conformance._compare import Comparison
from polylux_conformance._findings import Findings
from polylux_conformance._sample import Sample
from polylux_conformance._subject import Subject

FORMAT = 2
"""Version of the JSON."""

STATUSES = ("passed", "failed", "known gap", "not applicable")


@dataclasses.dataclass(frozen=True)
class Result:
    """What one check found on one backend.

    Attributes
    ----------
    id, level, about : str
        Of the check.
    status : str
        `"passed"`, `"failed"`, `"known gap"` or `"not applicable"`.
    reason : str
        Why it does not apply, is a known gap, or failed without a comparison.
    comparisons, failed : int
        How many were made, and how many failed.
    worst : Comparison or None
        The one with the largest error in units of its tolerance.
    largest : Comparison or None
        The one with the largest error in units in the last place.
    failures : tuple of Comparison
        The first few.
    seconds : float
    samples : mapping of Sample
        Numbers found, for comparing backends with each other.
    """

    id: str
    level: str
    about: str
    status: str
    reason: str = ""
    comparisons: int = 0
    failed: int = 0
    worst: Comparison | None = None
    largest: Comparison | None = None
    failures: tuple[Comparison, ...] = ()
    seconds: float = 0.0
    samples: Mapping[str, Sample] = dataclasses.field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        check: Check,
        status: str,
        *,
        reason: str = "",
        findings: Findings | None = None,
        seconds: float = 0.0,
    ) -> Result:
        """The result of a check with these findings."""
        if findings is None:
            return cls(check.id, check.level, check.about, status, reason)
        return cls(
            check.id, check.level, check.about, status, reason, findings.count, findings.failed,
            findings.worst, findings.largest, tuple(findings.failures), seconds, findings.samples,
        )  # fmt: skip

    @property
    def ulps(self) -> float | None:
        """The largest error in units in the last place; None where nothing was compared."""
        return None if self.largest is None else self.largest.ulps

    def explain(self, backend: str) -> str:
        """Several lines: scenario, backend, point, expected, found, ulps and units of tolerance."""
        lines = [f"{self.status.upper()}  {self.id}  on {backend}", f"    {self.about}"]
        if self.reason:
            lines.append(f"    {self.reason}")
        for failure in self.failures:
            at = f" at the point {failure.point!r}" if failure.point else ""
            lines += [
                f"    {failure.what}{at}",
                f"        expected {failure.expected}",
                f"        found    {failure.found}",
            ]
            if math.isfinite(failure.ulps):
                lines.append(
                    f"        error    {failure.ulps:.3g} ulps, {failure.units:.3g} times the "
                    "tolerance"
                )
        if self.failed > len(self.failures):
            lines.append(f"    and {self.failed - len(self.failures)} further failures")
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class Report:
    """The results of one backend.

    Attributes
    ----------
    backend, selector : str
        Registered name, and the selector's `repr`.
    levels : tuple of str
    versions : mapping
        Of polylux, numpy and the framework.
    machine : str
        Python, system and processor.
    capabilities : tuple of str
        What the backend claims.
    seconds : float
    results : tuple of Result

    Examples
    --------
    >>> from polylux import AutoAutograd
    >>> from polylux_conformance import check_backend
    >>> report = check_backend(AutoAutograd(), only=["gradient/linear*"])
    >>> print(report.summary())
    AutoAutograd(): 2 passed, 0 failed
    """

    backend: str
    selector: str
    levels: tuple[str, ...]
    versions: Mapping[str, str]
    machine: str
    capabilities: tuple[str, ...]
    seconds: float
    results: tuple[Result, ...]

    @classmethod
    def of(
        cls, subject: Subject, levels: tuple[str, ...], results: Sequence[Result], seconds: float
    ) -> Report:
        """The report on a subject."""
        machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
        claims = tuple(sorted(c.value for c in subject.backend.capabilities))
        return cls(
            subject.backend.name, subject.label, levels, subject.versions(), machine, claims,
            seconds, tuple(results),
        )  # fmt: skip

    @property
    def passed(self) -> bool:
        """Whether no check failed, and at least one passed."""
        return not self.failures and any(r.status == "passed" for r in self.results)

    @property
    def failures(self) -> tuple[Result, ...]:
        """The results of the checks that failed."""
        return tuple(r for r in self.results if r.status == "failed")

    def count(self, status: str) -> int:
        """How many checks ended like this."""
        return sum(r.status == status for r in self.results)

    def summary(self) -> str:
        """One line."""
        told = [f"{self.count('passed')} passed", f"{self.count('failed')} failed"]
        told += [
            f"{self.count(status)} {words}"
            for status, words in (("known gap", "known gaps"), ("not applicable", "not applicable"))
            if self.count(status)
        ]
        return f"{self.selector}: {', '.join(told)}"

    def __str__(self) -> str:
        parts = [result.explain(self.selector) for result in self.failures]
        gaps = [r for r in self.results if r.status == "known gap"]
        parts += [f"KNOWN GAP  {r.id}: {r.reason}" for r in gaps]
        return "\n\n".join([*parts, f"{self.summary()}, in {self.seconds:.0f} s"])

    def to_json(self) -> dict[str, Any]:
        """The report as values that `json` can write; infinities are the string "inf"."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        fields["results"] = [dataclasses.asdict(r) for r in self.results]
        fields["passed"] = self.passed
        return dict(_finite(fields))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Report:
        """The report that `to_json` wrote."""
        given = {k: v for k, v in values.items() if k != "passed"}
        results = []
        for entry in given["results"]:
            extremes = {
                name: _comparison(entry[name]) if entry[name] else None
                for name in ("worst", "largest")
            }
            failures = tuple(map(_comparison, entry["failures"]))
            samples = {k: Sample.from_json(s) for k, s in entry["samples"].items()}
            changed = {**extremes, "failures": failures, "samples": samples}
            results.append(Result(**{**entry, **changed}))
        return cls(**{
            **given,
            "results": tuple(results),
            "levels": tuple(given["levels"]),
            "capabilities": tuple(given["capabilities"]),
        })


def write_json(reports: Sequence[Report], path: str | Path) -> None:
    """Write reports into one file, which `read_json` reads."""
    content = {"format": FORMAT, "reports": [report.to_json() for report in reports]}
    Path(path).write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> list[Report]:
    """The reports in a file that `write_json` wrote.

    Raises
    ------
    ValueError
        If it has another format.
    """
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    if content.get("format") != FORMAT:
        raise ValueError(
            f"{path} has the format {content.get('format')!r}, expected {FORMAT}; write it anew"
        )
    return [Report.from_json(report) for report in content["reports"]]


def _finite(value: Any) -> Any:
    """The value without what JSON lacks."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value


def _comparison(values: Mapping[str, Any]) -> Comparison:
    numbers = {name: float(values[name]) for name in ("ulps", "units")}
    return Comparison(**{**values, **numbers})
