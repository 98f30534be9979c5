"""The suite in several processes at once, each of which loads the backend for itself."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import multiprocessing
import time
from collections.abc import Iterable, Sequence
from concurrent.futures.process import BrokenProcessPool

from polylux import ADType
from polylux_conformance._check import levels_up_to
from polylux_conformance._gaps import Gap, gaps_of
from polylux_conformance._report import Report, Result
from polylux_conformance._runner import Progress, checks_at, gaps_result, run_check
from polylux_conformance._subject import Subject
from polylux_conformance.checks import CHECKS

AT_ONCE = 12
"""Checks that a process takes at a time: neighbours share much of what a framework compiles."""

_SUBJECTS: list[Subject] = []
"""That of a process which runs checks for another one."""


class ProcessDiedError(RuntimeError):
    """A process that ran checks came to its end before they did."""


def check_in_processes(
    selector: ADType,
    jobs: int,
    *,
    level: str | Iterable[str] = "core",
    only: Sequence[str] = (),
    gaps: Sequence[Gap] | None = None,
    progress: Progress | None = None,
) -> Report:
    """What `check_backend` reports, by that many processes.

    Each is started anew, imports what the selector needs, and runs a few checks at a time.

    Raises
    ------
    ProcessDiedError
        If a process dies.
    ValueError, polylux.errors.BackendError
        As `check_backend` does.
    """
    levels = (level,) if isinstance(level, str) else tuple(level)
    ids = [check.id for check in checks_at(levels, only)]
    groups = [ids[k : k + AT_ONCE] for k in range(0, len(ids), AT_ONCE)]
    begin = time.perf_counter()
    found: dict[str, Result] = {}
    with concurrent.futures.ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), _start, (selector,)
    ) as pool:
        frame = pool.submit(_frame, levels, gaps, is_whole=not only)
        try:
            for future in concurrent.futures.as_completed(
                [pool.submit(_results, group, gaps) for group in groups]
            ):
                for result in future.result():
                    found[result.id] = result
                    if progress is not None:
                        progress(len(found), len(ids), result)
            report = frame.result()
        except BrokenProcessPool:
            waiting = next((group for group in groups if group[0] not in found), ids)
            raise ProcessDiedError(
                f"a process that ran checks on {selector!r} died, at or after {waiting[0]}; run "
                "with --jobs 1 to see where"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)
    results = (*[found[name] for name in ids], *report.results)
    return dataclasses.replace(report, results=results, seconds=time.perf_counter() - begin)


def _start(selector: ADType) -> None:
    subject = Subject(selector)
    subject.preferred().__enter__()  # for as long as the process lives
    _SUBJECTS.append(subject)


def _results(ids: Sequence[str], gaps: Sequence[Gap] | None) -> list[Result]:
    (subject,) = _SUBJECTS
    known = gaps_of(subject) if gaps is None else gaps
    by_id = {check.id: check for check in CHECKS}
    return [run_check(by_id[name], subject, known) for name in ids]


def _frame(levels: Sequence[str], gaps: Sequence[Gap] | None, *, is_whole: bool) -> Report:
    """The report without the checks' results."""
    (subject,) = _SUBJECTS
    known = gaps_of(subject) if gaps is None else gaps
    results = [gaps_result(subject, known)] if is_whole else []
    return Report.of(subject, levels_up_to(levels), results, 0.0)
