"""What the dispatch doctor looks at in a training run: dtypes from call to call, and traces.

Each look costs time only where Python runs anyhow: while a step is traced, or beside the array
operations of an eager one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from polylux.doctor import Findings
from polylux.dtypes import dtype_name
from polylux.errors import DTypeDriftWarning, RetraceWarning
from polylux.flat import Layout
from polylux.preferences import DISPATCH_DOCTOR_LAYERS, DISPATCH_DOCTOR_TRAINING
from polylux.tree import Structure

Arrays = tuple[Any, ...]
Signature = tuple[tuple[tuple[int | None, ...], str], ...]

_SIGNATURES_BEFORE_WARNING = 5
"""A full batch, a short one, and the same of another length: four are no reason to complain."""

_SIGNATURES_KEPT = 64


def check_states(
    findings: Findings, structure: Structure, before: Sequence[Any], after: Sequence[Any]
) -> None:
    """Report states that came back from the objective in another dtype."""
    _check_dtypes(findings, "states", structure.paths, before, after, "the objective returns it")


def check_parameters(findings: Findings, layout: Layout, before: Arrays, after: Arrays) -> None:
    """Report parameters that came back from the optimizer in another dtype."""
    are_joined = len(after) < len(layout.trainable)  # then no array is one parameter's
    paths = (lambda: [""] * len(after)) if are_joined else layout.paths
    _check_dtypes(findings, "parameters", paths, before, after, "the optimizer makes it")


def _check_dtypes(
    findings: Findings,
    what: str,
    paths: Callable[[], list[str]],
    before: Sequence[Any],
    after: Sequence[Any],
    who: str,
) -> None:
    for place, (old, new) in enumerate(zip(before, after, strict=True)):
        if old.dtype != new.dtype:
            path = f"{what}{paths()[place]}"
            was, is_ = dtype_name(old.dtype), dtype_name(new.dtype)
            findings.report(
                DISPATCH_DOCTOR_LAYERS,
                DTypeDriftWarning,
                f"{path} was {was}, and {who} {is_}: later calls compute in another dtype, and "
                f"compiled ones are compiled anew; cast it, with xp.astype(new, old.dtype), or "
                f"start with {is_}",
                f"{path} {was} {is_}",
            )


def watched(
    function: Callable[..., Any],
    findings: Findings,
    layout: Layout,
    states: Structure,
    data: Structure,
) -> Callable[..., Any]:
    """The function to be staged, reporting when it is traced for ever new shapes or dtypes.

    Its first group are the trainable arrays; its last three are the fixed ones, states and data.
    """
    seen: dict[Signature, None] = {}

    def paths() -> list[str]:
        parameters = layout.structure.paths()
        return [
            *(f"parameters{parameters[i]}" for i in (*layout.trainable, *layout.fixed)),
            *(f"states{path}" for path in states.paths()),
            *(f"data{path}" for path in data.paths()),
        ]

    def look(*groups: Any) -> Any:
        signature = _signature([a for group in (groups[0], *groups[-3:]) for a in group])
        if signature not in seen and len(seen) < _SIGNATURES_KEPT:
            if len(seen) + 1 >= _SIGNATURES_BEFORE_WARNING:
                _complain(findings, [*seen, signature], paths())
            seen[signature] = None
        return function(*groups)

    return look


def _signature(arrays: list[Any]) -> Signature:
    return tuple(
        # A symbolic length would become a constant of the trace, if it were looked at.
        (tuple(n if type(n) is int else None for n in a.shape), dtype_name(a.dtype))
        for a in arrays
    )


def _complain(findings: Findings, seen: list[Signature], paths: list[str]) -> None:
    columns = [list(dict.fromkeys(column)) for column in zip(*seen, strict=True)]
    worst = max(range(len(columns)), key=lambda i: len(columns[i]))
    came = [f"{dtype} {shape}" for shape, dtype in columns[worst]]
    listed = ", ".join(came[:3]) + (", ..." if came[3:] else "")
    findings.report(
        DISPATCH_DOCTOR_TRAINING,
        RetraceWarning,
        f"this step was traced for {len(seen)} combinations of shapes and dtypes: {paths[worst]} "
        f"came as {listed}; each is compiled anew: bring the data to one shape and dtype (pad it, "
        "or leave a short last batch out)",
        f"shapes of {paths[worst]}",
    )
