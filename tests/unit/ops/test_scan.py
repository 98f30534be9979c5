"""scan: values, carry and gradients of a function applied along a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polylux
from polylux import ops
from polylux.errors import ShapeError


def _step(carry: Any, x: Any, weight: Any) -> Any:
    """h' = w h + x, and twice that: whole numbers stay whole."""
    h = weight * carry[0] + x
    return (h,), 2 * h


XS = np.asarray([1.0, 2.0, 4.0, 3.0])


@pytest.mark.parametrize("keep", [True, False], ids=["all", "last"])
def test_value_and_carry_are_those_of_the_loop(keep: bool, library: Any) -> None:
    y, carry = ops.scan(
        library.array(XS), (library.array(1.0),), _step, (library.array(3.0),), keep
    )
    # h: 3*1+1, 3*4+2, 3*14+4, 3*46+3
    expected = 2 * np.asarray([4.0, 14, 46, 141])
    np.testing.assert_array_equal(library.host(y), expected if keep else expected[-1])
    assert library.host(y).dtype == np.float64
    np.testing.assert_array_equal(library.host(carry[0]), 141)


def test_gradient_reaches_sequence_carry_and_constants(selector: Any) -> None:
    def last(ps: Any) -> Any:
        return ops.scan(ps["xs"], (ps["h"],), _step, (ps["w"],), False)[0]

    ps = polylux.to_backend({"xs": XS, "h": np.asarray(1.0), "w": np.asarray(3.0)}, selector)
    found = polylux.to_host(polylux.gradient(last, selector, ps))
    # y = 2 (w^4 h + w^3 x0 + w^2 x1 + w x2 + x3)
    np.testing.assert_array_equal(found["xs"], [54, 18, 6, 2])
    np.testing.assert_array_equal(found["h"], 162)
    np.testing.assert_array_equal(found["w"], 2 * (4 * 27 + 3 * 9 + 2 * 3 * 2 + 4))


def test_second_derivative_is_that_of_the_polynomial(differentiating: Any) -> None:
    selector = differentiating.selector
    xs, h = differentiating.array(XS), differentiating.array(1.0)

    def last(w: Any) -> Any:
        return ops.scan(xs, (h,), _step, (w,), False)[0]

    def slope(w: Any) -> Any:
        return polylux.gradient(last, selector, w)

    found = polylux.to_host(polylux.gradient(slope, selector, differentiating.array(3.0)))
    np.testing.assert_array_equal(found, 2 * (12 * 9 + 6 * 3 + 2 * 2))


def test_empty_sequence_is_an_error(library: Any) -> None:
    with pytest.raises(ShapeError, match=r"at least one entry along axis 0, got shape \(0, 2\)"):
        ops.scan(library.array(np.ones((0, 2))), (), _step, (), True)


@pytest.mark.parametrize("name", ["lstm", "gru"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_torchs_loops_have_the_derivatives_of_the_neutral_definition(dtype: Any, name: str) -> None:
    selector = polylux.AutoTorch()
    gates, rng = {"lstm": 4, "gru": 3}[name], np.random.default_rng(0)
    shapes = {"x": (3, 2, 4), "wi": (4, 3 * gates), "wh": (3, 3 * gates), "b": (3 * gates,)}
    host = {key: rng.normal(size=shape).astype(dtype) for key, shape in shapes.items()}
    ps = polylux.to_backend(host, selector)

    def orders(function: Any) -> Any:
        def total(ps: Any) -> Any:
            y = function(ps["x"], ps["wi"], ps["wh"], ps["b"], ps["b"], True)
            return polylux.array_namespace(y).sum(y * y)

        def slope(ps: Any) -> Any:
            found = polylux.gradient(total, selector, ps)["wh"]
            return polylux.array_namespace(found).sum(found)

        first, second = (polylux.gradient(f, selector, ps) for f in (total, slope))
        return polylux.to_host((first, second))

    op = getattr(ops, name)
    for kernel, neutral in zip(orders(op), orders(op.neutral), strict=True):
        for key, value in kernel.items():
            size = abs(neutral[key]).max()
            tolerance = 100 * np.finfo(dtype).eps * size  # some hundred roundings
            np.testing.assert_allclose(value, neutral[key], rtol=0, atol=tolerance, err_msg=key)
