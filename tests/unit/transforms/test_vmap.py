"""vmap: what a loop over the items gives, inside and around derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polylux
from polylux import (
    AutoAutograd,
    AutoJax,
    AutoTorch,
    array_namespace,
    checkpoint,
    gradient,
    selector_of,
    to_backend,
    to_host,
    vmap,
)
from polylux.errors import ArrayMixError, OptionError, ShapeError, UnsupportedError

X = np.asarray([[0.3, -1.2], [2.0, 0.5], [1.0, -1.0]])
SELECTORS = [AutoTorch(), AutoJax(), AutoJax(jit=False)]


@pytest.fixture(params=SELECTORS, ids=repr)
def able(request: pytest.FixtureRequest) -> polylux.ADType:
    return request.param  # type: ignore[no-any-return]


def total(x: Any) -> Any:
    return array_namespace(x).sum(x)


def cubes(x: Any) -> Any:
    return total(x**3)


def slopes(x: Any) -> Any:
    return gradient(cubes, selector_of(x), x)


def test_trees_in_and_out(able: polylux.ADType) -> None:
    def of_one(ps: Any, c: Any) -> Any:
        assert ps["w"].shape == (2,)
        assert ps["name"] == "dense"
        return {"sum": total(ps["w"]) * c, "rest": [ps["w"], ps["name"], 3.0, None]}

    ps, c = to_backend(({"w": X, "name": "dense"}, np.asarray([1.0, 2.0, 3.0])), able)
    got = to_host(vmap(of_one)(ps, c))
    np.testing.assert_allclose(got["sum"], X.sum(1) * [1, 2, 3], rtol=1e-15)
    np.testing.assert_array_equal(got["rest"][0], X)
    assert got["rest"][1:] == ["dense", 3.0, None]


def test_what_is_not_mapped_comes_whole(able: polylux.ADType) -> None:
    def of_one(w: Any, x: Any, *, b: Any) -> Any:
        assert w.shape == (4, 2)
        return array_namespace(x).matmul(w, x) + b

    w, b = np.arange(8.0).reshape(4, 2), np.arange(4.0)
    mapped = vmap(of_one, in_axes=(None, 0))
    got = mapped(to_backend(w, able), to_backend(X, able), b=to_backend(b, able))
    np.testing.assert_allclose(to_host(got), X @ w.T + b, rtol=1e-14)


def test_a_result_that_is_the_same_for_all_items_is_repeated(able: polylux.ADType) -> None:
    def of_one(x: Any) -> Any:
        return array_namespace(x).ones((2,), dtype=x.dtype)

    assert to_host(vmap(of_one)(to_backend(X, able))).tolist() == [[1, 1]] * 3


def test_no_items_give_no_results(able: polylux.ADType) -> None:
    got = vmap(lambda x: 2 * x)(to_backend(np.zeros((0, 3)), able))
    assert tuple(got.shape) == (0, 3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32])
def test_dtypes_are_kept(able: polylux.ADType, dtype: Any) -> None:
    got = vmap(lambda x: x * x)(to_backend(X.astype(dtype), able))
    assert to_host(got).dtype == dtype
    np.testing.assert_array_equal(to_host(got), X.astype(dtype) * X.astype(dtype))


def test_inside_a_derivative(able: polylux.ADType) -> None:
    got = gradient(lambda x: total(vmap(cubes)(x) ** 2), able, X)
    expected = 2 * np.sum(X**3, 1, keepdims=True) * 3 * X**2
    np.testing.assert_allclose(to_host(got), expected, rtol=1e-14)


def test_around_a_derivative(able: polylux.ADType) -> None:
    got = vmap(slopes)(to_backend(X, able))
    np.testing.assert_allclose(to_host(got), 3 * X**2, rtol=1e-15)


def test_around_a_derivative_with_another_selector_of_the_backend(able: polylux.ADType) -> None:
    staged = AutoTorch(compile=True) if able.backend == "torch" else AutoJax()
    got = vmap(lambda x: gradient(cubes, staged, x))(to_backend(X, able))
    np.testing.assert_allclose(to_host(got), 3 * X**2, rtol=1e-15)


def test_around_a_derivative_and_inside_another(able: polylux.ADType) -> None:
    got = gradient(lambda x: total(vmap(slopes)(x) ** 2), able, X)
    np.testing.assert_allclose(to_host(got), 36 * X**3, rtol=1e-14)


def test_second_derivatives_of_each_item(able: polylux.ADType) -> None:
    def curvature(x: Any) -> Any:
        return gradient(lambda y: total(slopes(y)), selector_of(x), x)

    np.testing.assert_allclose(to_host(vmap(curvature)(to_backend(X, able))), 6 * X, rtol=1e-14)


def test_inside_itself(able: polylux.ADType) -> None:
    got = vmap(vmap(slopes))(to_backend(X, able))
    np.testing.assert_allclose(to_host(got), 3 * X**2, rtol=1e-15)


def test_a_value_of_the_outer_derivative_that_it_captures(able: polylux.ADType) -> None:
    def f(ps: Any) -> Any:
        x, w = ps
        return total(vmap(lambda row: total(gradient(lambda y: total(y**2 * w), able, row)))(x))

    got = to_host(gradient(f, able, (X, np.asarray([1.0, 2.0]))))  # sum of 2 x w
    np.testing.assert_allclose(got[0], [[2.0, 4.0]] * 3, rtol=1e-15)
    np.testing.assert_allclose(got[1], 2 * X.sum(0), rtol=1e-14)


def test_around_a_checkpoint_and_inside_one(able: polylux.ADType) -> None:
    block = checkpoint(lambda x: array_namespace(x).sin(x) ** 2)
    for f in (vmap(block), checkpoint(vmap(block)), checkpoint(vmap(slopes))):
        expected = 6 * X if f.__name__ == "slopes" else np.sin(2 * X)
        got = gradient(lambda x, f=f: total(f(x)), able, X)
        np.testing.assert_allclose(to_host(got), expected, rtol=1e-14)


def test_the_users_exception_passes_unwrapped(able: polylux.ADType) -> None:
    def of_one(x: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        vmap(of_one)(to_backend(X, able))


@pytest.mark.parametrize("selector", [AutoAutograd(), polylux.NoAutoDiff()], ids=repr)
def test_a_backend_without_it_names_those_that_can(selector: polylux.ADType) -> None:
    with pytest.raises(UnsupportedError, match=r"has no vmap; use AutoTorch\(\) or AutoJax\(\)"):
        vmap(total)(to_backend(X, selector))


def test_an_unsupported_vmap_inside_a_derivative_says_so() -> None:
    with pytest.raises(UnsupportedError, match=r"AutoAutograd\(\) has no vmap"):
        gradient(lambda x: total(vmap(total)(x)), AutoAutograd(), X)


@pytest.mark.parametrize("axes", [1, -1, True, None, (None, None), (0, 1), ()], ids=repr)
def test_other_axes_are_refused(axes: Any) -> None:
    with pytest.raises(OptionError, match="in_axes"):
        vmap(total, in_axes=axes)


def test_as_many_axes_as_arguments() -> None:
    with pytest.raises(OptionError, match=r"got 1 positional arguments, .* for 2"):
        vmap(total, in_axes=(0, None))(to_backend(X, AutoTorch()))


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(OptionError, match=r"call it as vmap\(f\)\(x\)"):
        vmap(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (({"w": X}, X[:2]), r"argument 0\['w'\] has shape \(3, 2\), argument 1 has shape \(2, 2\)"),
        ((np.asarray(1.0), X), r"argument 0 has shape \(\), argument 1 has shape \(3, 2\)"),
        (("text", 3), "no array to map over"),
    ],
    ids=["lengths", "no axis", "no array"],
)
def test_lengths_that_differ_are_named(args: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        vmap(lambda a, b: a)(*to_backend(args, AutoTorch()))


def test_the_path_names_the_argument_that_is_mapped() -> None:
    x = to_backend(X, AutoTorch())
    with pytest.raises(ShapeError, match=r"argument 1 has .*, argument 2\[0\] has"):
        vmap(lambda a, b, c: a, in_axes=(None, 0, 0))(x, x, [x[:2]])


def test_a_result_of_another_library_is_named(able: polylux.ADType) -> None:
    with pytest.raises(ArrayMixError, match=r"the function of vmap returned a numpy\.ndarray"):
        vmap(lambda x: np.ones(2))(to_backend(X, able))
