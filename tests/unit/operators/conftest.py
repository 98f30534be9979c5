"""Functions whose derivatives are known in closed form, and how near to them results have to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
import pytest

from polylux import ADType, AutoAutograd, AutoJax, AutoTorch, array_namespace, to_host

EPSILON = np.finfo(np.float64).eps

Close = Callable[[Any, Any, Any], None]


@pytest.fixture
def close() -> Close:
    """`close(got, expected, terms)`: within 8 ulp times the condition number.

    `terms` is the sum of the absolute values of what the closed form adds up: over the result
    itself that is the condition number of the sum, and times the result what is compared with.
    """

    def check(got: Any, expected: Any, terms: Any) -> None:
        got, expected = np.asarray(to_host(got)), np.asarray(expected)
        assert got.dtype == np.float64
        assert got.shape == expected.shape
        assert np.all(np.abs(got - expected) <= 8 * EPSILON * np.asarray(terms)), (got, expected)

    return check


MODES = {
    f"{name}-{mode or 'either'}": make(mode=mode)
    for name, make in (("torch", AutoTorch), ("jax", AutoJax), ("autograd", AutoAutograd))
    for mode in (None, "forward", "reverse")
}


@pytest.fixture(params=MODES.values(), ids=MODES.keys())
def in_mode(request: pytest.FixtureRequest) -> ADType:
    """Each backend's selector in each mode."""
    return request.param  # type: ignore[no-any-return]


class Scalar:
    """f = a0 a1 b + sin(a0) + sin(a1) + b**3, of a tree that also has an integer leaf and text."""

    a = np.asarray([0.5, -1.2])
    b = np.asarray(0.7)
    point: ClassVar = {"a": a, "b": b, "n": np.asarray([3]), "name": "energy"}
    direction: ClassVar = {"a": np.asarray([1.0, 2.0]), "b": np.asarray(-1.0), "n": 0, "name": ""}

    def __call__(self, p: Any) -> Any:
        a, b = p["a"], p["b"]
        xp = array_namespace(a)
        return a[0] * a[1] * b + xp.sum(xp.sin(a)) + b**3

    def gradient_terms(self) -> Iterator[list[np.ndarray]]:
        (a0, a1), b = self.a, self.b
        yield [np.asarray([a1 * b, a0 * b]), np.cos(self.a)]
        yield [np.asarray(a0 * a1), np.asarray(3 * b**2)]

    @property
    def gradient(self) -> np.ndarray:
        return np.concatenate([np.ravel(sum(t)) for t in self.gradient_terms()])

    @property
    def gradient_size(self) -> np.ndarray:
        return np.concatenate([np.ravel(sum(map(np.abs, t))) for t in self.gradient_terms()])

    @property
    def hessian(self) -> np.ndarray:
        (a0, a1), b = self.a, self.b
        return np.asarray([[-np.sin(a0), b, a1], [b, -np.sin(a1), a0], [a1, a0, 6 * b]])

    @property
    def along(self) -> np.ndarray:
        return np.asarray([1.0, 2.0, -1.0])


class Vector:
    """g = (u, w): u = (a b, a**2) of shape (2, 2), w = a0 b; and an integer array."""

    point: ClassVar = {"a": Scalar.a, "b": Scalar.b}

    def __call__(self, p: Any) -> Any:
        a, b = p["a"], p["b"]
        xp = array_namespace(a)
        return {"u": xp.stack([a * b, a**2]), "w": (a[0] * b, None), "k": xp.asarray([1, 2])}

    def blocks(self) -> dict[str, Any]:
        (a0, a1), b = Scalar.a, Scalar.b
        return {
            "u": {
                "a": np.asarray([[[b, 0], [0, b]], [[2 * a0, 0], [0, 2 * a1]]]),
                "b": np.asarray([[a0, a1], [0, 0]]),
            },
            "w": {"a": np.asarray([b, 0]), "b": np.asarray(a0)},
        }

    @property
    def matrix(self) -> np.ndarray:
        """Rows u (4) and w, columns a (2) and b."""
        blocks = self.blocks()
        rows = [
            np.hstack([blocks["u"]["a"].reshape(4, 2), blocks["u"]["b"].reshape(4, 1)]),
            np.hstack([blocks["w"]["a"].reshape(1, 2), blocks["w"]["b"].reshape(1, 1)]),
        ]
        return np.vstack(rows)


@pytest.fixture
def scalar() -> Scalar:
    return Scalar()


@pytest.fixture
def vector() -> Vector:
    return Vector()


def flat(tree: Any) -> np.ndarray:
    """The entries of `a` and `b`, one after the other."""
    tree = to_host(tree)
    return np.concatenate([np.ravel(tree["a"]), np.ravel(tree["b"])])


def matrix(tree: Any) -> np.ndarray:
    """A tree like the point of trees like the point, as one matrix."""
    host = to_host(tree)
    top = np.hstack([host["a"]["a"], host["a"]["b"].reshape(2, 1)])
    bottom = np.hstack([host["b"]["a"].reshape(1, 2), host["b"]["b"].reshape(1, 1)])
    return np.vstack([top, bottom])


@pytest.fixture(name="flat")
def flat_fixture() -> Callable[[Any], np.ndarray]:
    return flat


@pytest.fixture(name="matrix")
def matrix_fixture() -> Callable[[Any], np.ndarray]:
    return matrix
