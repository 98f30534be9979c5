"""The stored cases, and how they become losses and arrays."""

from __future__ import annotations

import functools
import gzip
import importlib
import json
from importlib import resources
from typing import Any

import numpy as np

from polylux import array_namespace, losses
from polylux_conformance.oracle._case import Case, Host

STORED = "cases.json.gz"
STORED_TRAJECTORIES = "trajectories.json"
_TARGETS: dict[str, Any] = {"float": np.float64, "int": np.int64, "bool": np.bool_}


def cases(*, loss: str | None = None, dtype: str | None = None) -> tuple[Case, ...]:
    """The stored cases, all or those of one loss or one dtype.

    Parameters
    ----------
    loss : str, optional
        The class's name.
    dtype : str, optional
        Of the prediction.

    Examples
    --------
    >>> case = cases(loss="MSELoss", dtype="float64")[0]
    >>> case.value_error(case.value)
    0.0
    """
    return tuple(
        case for case in _all() if loss in (None, case.loss) and dtype in (None, case.dtype)
    )


def build(case: Case) -> Any:
    """The loss object of a case.

    Examples
    --------
    >>> build(cases(loss="MSELoss", dtype="float64")[0])
    MSELoss()
    """
    options = dict(case.options)
    if options.get("agg") == "squares":
        options["agg"] = squares
    return getattr(losses, case.loss)(**options)


def squares(items: Any) -> Any:
    """Half the sum of the squared items: an `agg` of which derivatives depend on the items."""
    return array_namespace(items).sum(items * items) / 2


def arrays(case: Case) -> tuple[Host, Host, Host | None]:
    """Prediction, target and sample weight (or None) on the host, in their dtypes."""
    dtype = case.dtype
    if dtype == "bfloat16":
        dtype = importlib.import_module("ml_dtypes").bfloat16
    target, weight = case.target, case.sample_weight
    return (
        case.prediction.astype(dtype),
        target.astype(dtype) if target.dtype == np.float64 else target,
        None if weight is None else weight.astype(dtype),
    )


@functools.cache
def trajectories() -> dict[str, Any]:
    """Losses, parameters and the last state of each problem of `scenarios._problems`, by its name.

    Examples
    --------
    >>> len(trajectories()["MSELoss"]["losses"])
    8
    """
    stored = resources.files(__package__).joinpath(STORED_TRAJECTORIES)
    return dict(json.loads(stored.read_text(encoding="utf-8")))


@functools.cache
def _all() -> tuple[Case, ...]:
    packed = resources.files(__package__).joinpath(STORED).read_bytes()
    return tuple(map(_case, json.loads(gzip.decompress(packed))))


def _case(fields: dict[str, Any]) -> Case:
    kinds: dict[str, Any] = dict.fromkeys(("prediction", "value", "gradient"), np.float64)
    kinds["target"] = _TARGETS[fields.pop("target_kind")]
    weight = fields.pop("sample_weight", None)
    arguments: dict[str, Any] = {
        name: np.asarray(value, kinds[name]) if name in kinds else value
        for name, value in fields.items()
    }
    return Case(
        sample_weight=None if weight is None else np.asarray(weight, np.float64), **arguments
    )
