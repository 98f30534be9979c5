"""A linear least-squares problem with a closed-form gradient, as every training test uses it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from polylux import TrainState
from polylux.optimizers import SGD


def linear(x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
    """`x @ w + b`."""
    return x @ ps["w"] + ps["b"], st


def squares(model: Any, ps: Any, st: Any, data: Any) -> tuple[Any, Any, Any]:
    """Sum of squares over the number of rows."""
    x, y = data
    prediction, st = model(x, ps, st)
    residual = prediction - y
    return (residual * residual).sum() / x.shape[0], st, {"rows": x.shape[0]}


@dataclasses.dataclass
class Problem:
    """Data, parameters, and what the least-squares objective and its gradient are at them."""

    ps: dict[str, np.ndarray]
    x: np.ndarray
    y: np.ndarray

    @property
    def batch(self) -> tuple[np.ndarray, np.ndarray]:
        return self.x, self.y

    @property
    def residual(self) -> np.ndarray:
        return self.x @ self.ps["w"] + self.ps["b"] - self.y

    @property
    def loss(self) -> float:
        return float((self.residual**2).sum() / len(self.x))

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        r = 2 * self.residual / len(self.x)
        return {"w": self.x.T @ r, "b": r.sum(axis=0)}

    def state(self, rule: Any = SGD(0.1), states: Any = None) -> TrainState:
        return TrainState(linear, self.ps, {} if states is None else states, rule)


def make_problem(dtype: str = "float64", seed: int = 0) -> Problem:
    rng = np.random.default_rng(seed)
    ps = {"w": rng.normal(size=(4, 3)).astype(dtype), "b": rng.normal(size=3).astype(dtype)}
    return Problem(ps, rng.normal(size=(8, 4)).astype(dtype), rng.normal(size=(8, 3)).astype(dtype))


@pytest.fixture
def problem() -> Problem:
    return make_problem()


@pytest.fixture
def objective() -> Any:
    return squares


@pytest.fixture(params=["float32", "float64"])
def typed_problem(request: pytest.FixtureRequest) -> Problem:
    return make_problem(request.param)
