"""All losses against exact values: some of the oracle's cases under every selector."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import polylux
from polylux import losses
from polylux_conformance.oracle import Case, arrays, cases
from polylux_conformance.oracle._formulas import FORMULAS, exactly
from polylux_conformance.oracle._report import run

NAMES = sorted({case.loss for case in cases()})


def _some(loss: str, dtype: str, count: int | None) -> list[Case]:
    """Cases of different kinds first: points with one sort of trouble, and the same options."""
    kinds: dict[Any, list[Case]] = {}
    for case in cases(loss=loss, dtype=dtype):
        about = case.name.split("-", 2)[2].rpartition("-")[0]
        options = {k: str(v) for k, v in case.options.items() if k not in ("agg", "dim")}
        kinds.setdefault((about, *sorted(options.items())), []).append(case)
    columns = max(map(len, kinds.values()))
    turns = [kind[i] for i in range(columns) for kind in kinds.values() if i < len(kind)]
    return turns[:count]


@pytest.mark.parametrize("name", NAMES)
def test_losses_are_right_to_the_last_digits(name: str, selector: polylux.ADType) -> None:
    # All on autograd. A compiled case costs a compilation, an eager one of JAX many small ones.
    eager = selector == polylux.AutoJax(jit=False)
    count = 1 if eager else {"torch": 40, "jax": 2}.get(selector.backend)
    for dtype in ("float64",) if eager else ("float64", "float32"):
        for case in _some(name, dtype, count):
            finding = run(case, selector)
            assert finding.holds, (
                f"{case.name}: {finding.value:.3g} and {finding.gradient:.3g} units in the last "
                f"place, {case.bar} are allowed"
            )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_losses_of_16_bits_are_rounded_once(name: str, dtype: str) -> None:
    for case in _some(name, dtype, 30):
        assert run(case, polylux.AutoTorch()).holds, case.name


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in cases(loss="CrossEntropyLoss", dtype="float64")
        if "confident" in case.name and case.options.get("logits")
    ],
    ids=lambda case: case.name,
)
def test_neutral_cross_entropy_keeps_all_digits_of_a_confident_lane(case: Case) -> None:
    strict = dataclasses.replace(case, value_floor=0.0, gradient_floor=0.0)
    z, t, _ = (None if a is None else polylux.to_backend(a, polylux.AutoAutograd())
               for a in arrays(case))  # fmt: skip

    def total(z: Any) -> Any:
        lanes = losses.softmax_cross_entropy.neutral(z, t, -1)
        return polylux.array_namespace(lanes).sum(lanes)

    value, gradient = polylux.to_host(polylux.value_and_gradient(total, polylux.AutoAutograd(), z))
    if case.options.get("agg") == "none":
        value = polylux.to_host(losses.softmax_cross_entropy.neutral(z, t, -1))
    elif len(case.prediction) > 1:
        pytest.skip("a mean, of which the sum is compared elsewhere")
    assert strict.value_error(value) <= 8
    assert strict.gradient_error(gradient) <= 8


# --- the oracle itself ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_formulas_have_the_derivatives_that_differences_give(name: str) -> None:
    with mp.workdps(60):
        for case in [
            c for c in _some(name, "float64", 12) if "random" in c.name or "dim" in c.name
        ]:
            options = {**case.options, "epsilon": mp.mpf(case.options.get("epsilon", 2.0**-52))}
            p, t = exactly(case.prediction), exactly(case.target)

            def total(p: Any, t: Any = t, options: Any = options) -> Any:
                return np.sum(FORMULAS[name](p, t, options).items)

            slopes = FORMULAS[name](p, t, options).slopes
            for place in list(np.ndindex(p.shape))[:3]:
                assert mp.almosteq(slopes[place], _difference(total, p, place), 1e-25, 1e-25)


def _difference(total: Callable[[Any], Any], p: Any, place: tuple[int, ...]) -> Any:
    step = mp.mpf(10) ** -18
    up, down = p.copy(), p.copy()
    up[place], down[place] = p[place] + step, p[place] - step
    return (total(up) - total(down)) / (2 * step)


def test_an_error_is_counted_in_units_in_the_last_place() -> None:
    case = cases(loss="MSELoss", dtype="float64")[0]
    assert case.value_error(case.value) == 0
    assert case.value_error(np.nextafter(case.value, np.inf)) == 1
    assert case.value_error(np.nan) == np.inf
    assert case.gradient_error(case.gradient[:-1]) == np.inf
