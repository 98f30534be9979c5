"""Running checks on a backend: levels, known gaps, progress, and the report that comes out."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

import numpy as np

from polylux import ADType
from polylux_conformance._check import Check, levels_up_to
from polylux_conformance._findings import Findings
from polylux_conformance._gaps import Gap, gap_for, gaps_of, unmatched
from polylux_conformance._report import Report, Result
from polylux_conformance._subject import Subject
from polylux_conformance.checks import CHECKS

Progress = Callable[[int, int, Result], None]


def checks_at(levels: Iterable[str] = ("core",), only: Sequence[str] = ()) -> tuple[Check, ...]:
    """The checks of these levels, whose ids match one of the patterns `only` (if there are any).

    Raises
    ------
    ValueError
        For a level that does not exist.
    """
    wanted = levels_up_to(levels)
    return tuple(
        check
        for check in CHECKS
        if check.level in wanted and (not only or any(fnmatchcase(check.id, p) for p in only))
    )


def run_check(check: Check, subject: Subject, gaps: Sequence[Gap] = ()) -> Result:
    """The verdict of one check on one backend."""
    reason = check.not_applicable(subject)
    gap = gap_for(check, gaps)
    if reason is not None:
        return Result.of(check, "not applicable", reason=reason)
    findings = Findings(subject)
    begin = time.perf_counter()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # Overflow and invalid operations are among what is tested.
        warnings.simplefilter("ignore")
        try:
            check.body(subject, findings)
        except Exception as error:  # noqa: BLE001  # whatever a backend raises is a finding
            findings.crash(error)
    seconds = time.perf_counter() - begin
    status = "failed" if findings.failed or not findings.count else "passed"
    reason = "" if findings.count else "the check compared nothing"
    if gap is not None:
        reason = f"known gap: {gap.reason} ({gap.link})"
        if status == "failed":
            status = "known gap"
        else:
            status = "failed"
            reason = f"passes, and is listed as a {reason}; delete the entry"
    return Result.of(check, status, reason=reason, findings=findings, seconds=seconds)


def check_backend(
    selector: ADType,
    *,
    level: str | Iterable[str] = "core",
    only: Sequence[str] = (),
    gaps: Sequence[Gap] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Run the suite on one backend, without pytest.

    Parameters
    ----------
    selector : ADType
        Such as `AutoTorch()`, or `Auto("name")`.
    level : str or several
        `"core"`, `"oracle"`, `"training"`, `"second"`, or `"all"`.
    only : sequence of str
        Patterns such as `"gradient/*"`: run the checks whose ids match one of them.
    gaps : sequence of Gap, optional
        Checks that are known to fail; by default those that the plugin ships, see `read_gaps`.
    progress : callable, optional
        `progress(done, total, result)` after each check.

    Returns
    -------
    Report
        `report.passed` says whether all is well, `print(report)` what is not.

    Raises
    ------
    ValueError
        For a level that does not exist.
    polylux.errors.BackendError
        If the backend cannot be loaded.

    Examples
    --------
    >>> from polylux import AutoAutograd
    >>> report = check_backend(AutoAutograd(), only=["gradient/quadratic*"])
    >>> report.passed
    True
    """
    levels = (level,) if isinstance(level, str) else tuple(level)
    checks = checks_at(levels, only)
    subject = Subject(selector)
    gaps = gaps_of(subject) if gaps is None else tuple(gaps)
    begin = time.perf_counter()
    results = []
    with subject.preferred():
        for done, check in enumerate(checks, start=1):
            result = run_check(check, subject, gaps)
            results.append(result)
            if progress is not None:
                progress(done, len(checks), result)
    if not only:
        results.append(gaps_result(subject, gaps))
    return Report.of(subject, levels_up_to(levels), results, time.perf_counter() - begin)


def gaps_result(subject: Subject, gaps: Sequence[Gap]) -> Result:
    """The verdict on the list of known gaps: each speaks of a check that applies to the backend."""
    applying = [check for check in CHECKS if check.not_applicable(subject) is None]
    lost = unmatched(gaps, applying)
    check = Check("suite/known gaps", "core", "Every known gap names a check.", lambda s, f: None)
    if lost:
        names = ", ".join(repr(gap.test) for gap in lost)
        return Result.of(check, "failed", reason=f"no check that applies is called {names}")
    return Result.of(check, "passed")
