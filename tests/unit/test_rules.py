"""custom_rule: every backend obeys it, in both modes, to any order, and inside its own tracing."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
import torch

import polylux
from polylux import (
    AutoAutograd,
    AutoJax,
    AutoTorch,
    SecondOrder,
    array_namespace,
    custom_rule,
    gradient,
    hessian,
    selector_of,
    to_backend,
    to_host,
    value_and_gradient,
)
from polylux.errors import ArrayMixError, OptionError, ShapeError
from polylux.registry import resolve

POINT = np.asarray([0.3, -0.7, 1.9])
DIRECTION = np.asarray([1.0, 2.0, -0.5])


# Rules whose slopes no framework would find: an obeyed rule cannot be mistaken for the plain one.


@custom_rule(derivative=lambda y, x: 3 * x * x)
def flat_cube(x: Any) -> Any:
    """Rounded to an integer, with the slope of a cube."""
    return array_namespace(x).round(x)


@custom_rule(derivative=lambda y, x: 1 - y * y)
def tanh(x: Any) -> Any:
    return array_namespace(x).tanh(x)


def _sum_pullback(residuals: Any, g: Any, *, scale: float = 1.0) -> Any:
    x, y = residuals
    return 2 * scale * g * y, -5 * g * x * x


@custom_rule(pullback=_sum_pullback)
def weighted(x: Any, y: Any, *, scale: float = 1.0) -> Any:
    """A dot product whose pullback is made up: 2 scale y for x, -5 x**2 for y."""
    return scale * array_namespace(x).sum(x * y), (x, y)


def _norm_pullback(residuals: Any, g: Any) -> Any:
    x, length = residuals
    xp = array_namespace(x)
    return g * x / xp.where(length == 0, xp.ones_like(length), length)


@custom_rule(pullback=_norm_pullback)
def norm(x: Any) -> Any:
    xp = array_namespace(x)
    length = xp.sqrt(xp.sum(x * x))
    return length, (x, length)


def _parts_pullback(residuals: Any, g: Any) -> Any:
    (x,) = residuals
    first, second = g
    return 2 * x * first + second * 7


@custom_rule(
    pullback=_parts_pullback,
    pushforward=lambda residuals, t: (2 * residuals[0] * t, 7 * t),
)
def parts(x: Any) -> Any:
    """Two outputs; the slope of the second is made up."""
    return (x * x, x + 1), (x,)


def along(f: Any, selector: polylux.ADType, x: Any, direction: Any) -> Any:
    """The derivative of `f` at `x` along a direction, by the backend's pushforward."""
    backend, selector = resolve(selector)
    x, direction = to_backend((x, direction), selector)
    with backend.precision_scope((x,)) or contextlib.nullcontext():
        _, (tangent,), _ = backend.pushforward(
            lambda x: ((f(x),), ()), (x,), (direction,), selector
        )
    return to_host(tangent)


def total(f: Any) -> Any:
    def summed(x: Any) -> Any:
        y = f(x)
        return array_namespace(y).sum(y)

    return summed


def test_an_elementwise_rule_gives_the_gradient(selector: polylux.ADType) -> None:
    found = to_host(gradient(total(flat_cube), selector, POINT))
    np.testing.assert_allclose(found, 3 * POINT**2, rtol=4e-16)


def test_an_elementwise_rule_gives_the_pushforward(selector: polylux.ADType) -> None:
    found = along(total(flat_cube), selector, POINT, DIRECTION)
    np.testing.assert_allclose(found, 3 * POINT**2 @ DIRECTION, rtol=1e-15)


def test_a_derivative_is_differentiated_itself(selector: polylux.ADType) -> None:
    def squares(x: Any) -> Any:
        g = gradient(total(flat_cube), selector_of(x), x)
        return array_namespace(x).sum(g * g)

    found = to_host(gradient(squares, selector, POINT))
    np.testing.assert_allclose(found, 36 * POINT**3, rtol=1e-15)


def test_a_derivative_by_the_output_obeys_the_rule_at_second_order(
    selector: polylux.ADType,
) -> None:
    def squares(x: Any) -> Any:
        g = gradient(total(tanh), selector_of(x), x)
        return array_namespace(x).sum(g)

    y = np.tanh(POINT)
    found = to_host(gradient(squares, selector, POINT))
    np.testing.assert_allclose(found, -2 * y * (1 - y * y), rtol=1e-14)


def test_third_derivatives(selector: polylux.ADType) -> None:
    def once(x: Any) -> Any:
        return array_namespace(x).sum(gradient(total(tanh), selector_of(x), x))

    def twice(x: Any) -> Any:
        return array_namespace(x).sum(gradient(once, selector_of(x), x))

    y = np.tanh(POINT)
    found = to_host(gradient(twice, selector, POINT))
    np.testing.assert_allclose(found, (1 - y * y) * (6 * y * y - 2), rtol=1e-13)


def test_a_pullback_gives_the_gradient_by_each_operand(selector: polylux.ADType) -> None:
    x, y = POINT, DIRECTION
    by_x, by_y = gradient(lambda xy: weighted(*xy, scale=1.5), selector, (x, y))
    np.testing.assert_allclose(to_host(by_x), 3 * y, rtol=4e-16)
    np.testing.assert_allclose(to_host(by_y), -5 * x * x, rtol=4e-16)


def test_a_pullback_without_pushforward_is_transposed(selector: polylux.ADType) -> None:
    found = along(lambda x: weighted(x, x), selector, POINT, DIRECTION)
    np.testing.assert_allclose(found, (2 * POINT - 5 * POINT**2) @ DIRECTION, rtol=1e-14)


def test_a_pullback_is_differentiated_through_its_residuals(selector: polylux.ADType) -> None:
    def first(x: Any) -> Any:
        return gradient(norm, selector_of(x), x)[0]

    x, r = POINT, np.linalg.norm(POINT)
    expected = -x * x[0] / r**3
    expected[0] += 1 / r
    np.testing.assert_allclose(to_host(gradient(first, selector, x)), expected, rtol=1e-14)


def test_a_pullback_holds_at_a_kink(selector: polylux.ADType) -> None:
    value, slope = value_and_gradient(norm, selector, np.zeros(3))
    assert float(value) == 0
    assert to_host(slope).tolist() == [0, 0, 0]


def test_a_pushforward_of_a_gradient_sees_the_residuals_move(selector: polylux.ADType) -> None:
    def first(x: Any) -> Any:
        return gradient(norm, selector_of(x), x)[0]

    x, r = POINT, np.linalg.norm(POINT)
    expected = DIRECTION[0] / r - x[0] * (x @ DIRECTION) / r**3
    np.testing.assert_allclose(along(first, selector, x, DIRECTION), expected, rtol=1e-14)


def test_a_gradient_of_a_pushforward_sees_the_residuals_move(selector: polylux.ADType) -> None:
    def slope(x: Any) -> Any:
        backend, inner = resolve(selector_of(x))
        xp = array_namespace(x)
        ones = xp.ones_like(x)
        return backend.pushforward(lambda x: ((norm(x),), ()), (x,), (ones,), inner)[1][0]

    x, r = POINT, np.linalg.norm(POINT)
    expected = 1 / r - x * x.sum() / r**3
    np.testing.assert_allclose(to_host(gradient(slope, selector, x)), expected, rtol=1e-13)


@custom_rule(pullback=lambda r, g: 3 * g * r[1])
def steep(x: Any) -> Any:
    """exp with the made-up slope 3 exp(x), by a residual that is neither operand nor output."""
    xp = array_namespace(x)
    return xp.exp(x), (x, xp.exp(x))


@custom_rule(pullback=lambda r, g: 3 * g * r[0], pushforward=lambda r, t: 3 * t * r[0])
def steep_by_output(x: Any) -> Any:
    y = array_namespace(x).exp(x)
    return y, (y,)


# f = sum r**2 has f'' = 2 r'**2 + 2 r r'', with r' = 3 exp(x). A residual is differentiated as it
# was computed, so that r'' = 3 exp(x); one that is the output by the rule: r'' = 9 exp(x).
@pytest.mark.parametrize(
    ("rule", "factor"), [(steep, 18 + 6), (steep_by_output, 18 + 18), (tanh, None)]
)
@pytest.mark.parametrize("outer", ["forward", "reverse"])
@pytest.mark.parametrize("inner", ["forward", "reverse"])
@pytest.mark.parametrize("make", [AutoTorch, AutoJax, AutoAutograd], ids=lambda m: m.backend)
def test_the_output_obeys_the_rule_at_second_order(
    make: Any, outer: Any, inner: Any, rule: Any, factor: int | None
) -> None:
    selector = SecondOrder(make(mode=outer), make(mode=inner))
    found = to_host(hessian(lambda x: array_namespace(x).sum(rule(x) ** 2), selector, POINT))
    y = np.tanh(POINT)
    slope = 1 - y * y
    expected = 2 * slope * (1 - 3 * y * y) if factor is None else factor * np.exp(2 * POINT)
    np.testing.assert_allclose(found, np.diag(expected), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("selector", [AutoTorch(), AutoJax(), AutoAutograd()], ids=repr)
def test_a_kink_is_the_rule_s_at_second_order(selector: polylux.ADType) -> None:
    # norm**2 + x0, whose Hessian by the rule is 2 (dn dn' + n d2n) = 0 at 0, where sqrt has none.
    def f(x: Any) -> Any:
        return norm(x) ** 2 + x[0]

    np.testing.assert_array_equal(to_host(hessian(f, selector, np.zeros(2))), np.zeros((2, 2)))


@pytest.mark.parametrize("selector", [AutoTorch(), AutoJax(), AutoAutograd()], ids=repr)
@pytest.mark.parametrize(
    "pushforward", [None, lambda r, t: (5 * r[0] * t, None)], ids=["transposed", "pushforward"]
)
def test_an_integer_among_the_outputs(selector: polylux.ADType, pushforward: Any) -> None:
    @custom_rule(pullback=lambda r, g: 5 * r[0] * g[0], pushforward=pushforward)
    def largest(x: Any) -> Any:
        return (x * x, array_namespace(x).argmax(x)), (x,)

    def f(x: Any) -> Any:
        squares, place = largest(x)
        return array_namespace(x).sum(squares), place

    found, place = gradient(f, selector, POINT, has_aux=True)
    np.testing.assert_allclose(to_host(found), 5 * POINT, rtol=1e-15)
    assert int(to_host(place)) == 2
    matrix = to_host(hessian(lambda x: f(x)[0], selector, POINT))
    np.testing.assert_allclose(matrix, 5 * np.eye(3), rtol=1e-15)


def test_several_outputs(selector: polylux.ADType) -> None:
    def f(x: Any) -> Any:
        first, second = parts(x)
        return array_namespace(x).sum(first * second)

    # f = sum x**2 (x + 1), with the made-up slope 7 of the second factor
    expected = 2 * POINT * (POINT + 1) + 7 * POINT**2
    np.testing.assert_allclose(to_host(gradient(f, selector, POINT)), expected, rtol=1e-14)
    np.testing.assert_allclose(
        along(f, selector, POINT, DIRECTION), expected @ DIRECTION, rtol=1e-14
    )


def test_one_of_several_outputs(selector: polylux.ADType) -> None:
    found = gradient(lambda x: array_namespace(x).sum(parts(x)[1]), selector, POINT)
    assert to_host(found).tolist() == [7, 7, 7]


def test_operands_broadcast_and_numbers_are_operands(selector: polylux.ADType) -> None:
    product = custom_rule(lambda x, y: x * y, derivative=lambda out, x, y: (2 * y, 3 * x))

    def f(x: Any) -> Any:
        xp = array_namespace(x)
        return xp.sum(product(x[:, None], x[None, :])) + xp.sum(product(x, 4.0))

    expected = np.full(3, 5 * POINT.sum() + 8)
    np.testing.assert_allclose(to_host(gradient(f, selector, POINT)), expected, rtol=1e-14)


def test_none_stands_for_zeros(selector: polylux.ADType) -> None:
    product = custom_rule(lambda x, y: x * y, derivative=lambda out, x, y: (None, x))
    point = {"x": POINT, "y": DIRECTION}
    found = gradient(total(lambda p: product(p["x"], p["y"])), selector, point)
    assert to_host(found["x"]).tolist() == [0, 0, 0]
    np.testing.assert_array_equal(to_host(found["y"]), POINT)


def test_an_infinite_slope_of_a_constant_is_not_used(selector: polylux.ADType) -> None:
    rule = custom_rule(lambda x, y: x * y, derivative=lambda out, x, y: (_infinite(x), x))

    def f(y: Any) -> Any:
        xp = array_namespace(y)
        return xp.sum(rule(xp.ones_like(y), y))

    assert to_host(gradient(f, selector, POINT)).tolist() == [1, 1, 1]
    assert along(f, selector, POINT, DIRECTION) == DIRECTION.sum()


def _infinite(x: Any) -> Any:
    return array_namespace(x).full_like(x, float("inf"))


def test_integer_operands_have_no_derivative(selector: polylux.ADType) -> None:
    picked = custom_rule(
        lambda x, n: (array_namespace(x).sum(x * array_namespace(x).astype(n, x.dtype)), (x, n)),
        pullback=lambda r, g: (g * array_namespace(r[0]).astype(r[1], r[0].dtype), None),
    )
    n = np.asarray([1, 0, 2], dtype=np.int32)
    found = gradient(lambda x, n: picked(x, n), selector, POINT, n)
    assert to_host(found).tolist() == [1, 0, 2]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept(selector: polylux.ADType, dtype: Any) -> None:
    x = POINT.astype(dtype)
    assert to_host(gradient(total(flat_cube), selector, x)).dtype == dtype
    assert to_host(gradient(norm, selector, x)).dtype == dtype


def test_float64_is_kept_outside_of_any_objective() -> None:
    x = to_backend(POINT, AutoJax())
    assert to_host(tanh(x)).dtype == np.float64


def test_numpy_arrays_take_the_plain_function() -> None:
    np.testing.assert_array_equal(flat_cube(POINT), np.round(POINT))


def test_a_compiled_step_obeys_rules() -> None:
    found = to_host(gradient(total(flat_cube), AutoTorch(compile=True), POINT))
    np.testing.assert_allclose(found, 3 * POINT**2, rtol=1e-15)


def test_torch_func_obeys_rules() -> None:
    x = torch.asarray(POINT)
    r = np.linalg.norm(POINT)
    expected = np.eye(3) / r - np.outer(POINT, POINT) / r**3
    for second in (
        torch.func.hessian(norm),
        torch.func.jacrev(torch.func.jacrev(norm)),
        torch.func.jacrev(torch.func.jacfwd(norm)),
    ):
        np.testing.assert_allclose(second(x), expected, atol=1e-15)
    rows = torch.stack([x, 2 * x])
    np.testing.assert_allclose(
        torch.func.vmap(torch.func.grad(norm))(rows), np.stack([POINT, POINT]) / r, rtol=1e-15
    )


def test_torch_func_differentiates_a_rule_twice_in_forward_mode() -> None:
    x = torch.asarray(POINT)
    second = torch.func.jacfwd(torch.func.jacfwd(tanh))(x)
    y = np.tanh(POINT)
    np.testing.assert_allclose(second[0, 0, 0], (-2 * y * (1 - y * y))[0], rtol=1e-14)


# Dynamo looks at the attribute of a tensor that torch.func has made.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_torch_func_under_torch_compile_obeys_rules() -> None:
    # No derivative of x**3, so that what leaves the rule out is seen.
    rule = custom_rule(lambda x: x * x * x, derivative=lambda y, x: 0 * x + 7)
    x = torch.asarray(POINT)
    found = torch.compile(torch.func.jacrev(rule), backend="aot_eager")(x)
    np.testing.assert_array_equal(found, 7 * np.eye(3))


def test_torchs_own_checks_agree_with_a_rule() -> None:
    x = torch.asarray(POINT).requires_grad_()
    for rule in (tanh, norm):
        assert torch.autograd.gradcheck(rule, x, check_forward_ad=True, check_batched_grad=True)
        assert torch.autograd.gradgradcheck(rule, x, check_fwd_over_rev=True)


def test_jax_transformations_obey_rules() -> None:
    jax = pytest.importorskip("jax")
    r = np.linalg.norm(POINT)
    with jax.enable_x64():
        x = jax.numpy.asarray(POINT)
        found = jax.jit(jax.hessian(norm))(x)
        rows = jax.vmap(jax.grad(norm))(jax.numpy.stack([x, 2 * x]))
    expected = np.eye(3) / r - np.outer(POINT, POINT) / r**3
    np.testing.assert_allclose(found, expected, atol=1e-15)
    np.testing.assert_allclose(rows, np.stack([POINT, POINT]) / r, rtol=1e-15)


def test_a_backend_without_rules_differentiates_the_plain_function() -> None:
    # what `on` gives for a backend that claims nothing
    class Bare(type(resolve(AutoAutograd())[0])):  # type: ignore[misc]
        capabilities = frozenset()

    assert tanh.on(Bare()) is tanh.plain


def test_both_kinds_at_once_are_refused() -> None:
    with pytest.raises(OptionError, match="either derivative=.* or pullback=.*; got both"):
        custom_rule(lambda x: x, derivative=lambda y, x: x, pullback=lambda r, g: g)
    with pytest.raises(OptionError, match="got neither"):
        custom_rule(lambda x: x)


def test_a_pushforward_of_an_elementwise_rule_is_refused() -> None:
    with pytest.raises(OptionError, match="serves both modes"):
        custom_rule(lambda x: x, derivative=lambda y, x: x, pushforward=lambda r, t: t)


def test_options_must_be_functions() -> None:
    with pytest.raises(OptionError, match=r"custom_rule\(pullback=...\) takes a function, got 3"):
        custom_rule(lambda x: x, pullback=3)  # type: ignore[call-overload]


def test_too_few_cotangents_are_an_error(selector: polylux.ADType) -> None:
    wrong = custom_rule(lambda x, y: (x * y, (x, y)), pullback=lambda r, g: (g,), name="wrong")
    with pytest.raises(ShapeError, match="'wrong' returned 1 cotangents for 2 operands"):
        gradient(total(lambda x: wrong(x, x)), selector, POINT)


def test_a_cotangent_of_another_shape_is_an_error(selector: polylux.ADType) -> None:
    wrong = custom_rule(lambda x: (x * x, (x,)), pullback=lambda r, g: g[0], name="wrong")
    with pytest.raises(ShapeError, match=r"cotangent of shape \(\) for operand 0, .*\(3,\)"):
        gradient(total(wrong), selector, POINT)


def test_a_function_without_residuals_is_an_error(selector: polylux.ADType) -> None:
    wrong = custom_rule(lambda x: x, pullback=lambda r, g: g, name="wrong")
    with pytest.raises(ShapeError, match=r"must return \(output, residuals\)"):
        gradient(total(wrong), selector, POINT)


def test_too_few_slopes_are_an_error(selector: polylux.ADType) -> None:
    wrong = custom_rule(lambda x, y: x * y, derivative=lambda out, x, y: y, name="wrong")
    with pytest.raises(ShapeError, match="'wrong' returned 1 arrays for 2 operands"):
        gradient(total(lambda x: wrong(x, x)), selector, POINT)


def test_shapes_that_do_not_broadcast_are_an_error() -> None:
    product = custom_rule(lambda x, y: x * y, derivative=lambda out, x, y: (y, x), name="product")
    with pytest.raises(ShapeError, match=r"product is elementwise .* got \(2,\), \(3,\)"):
        product(np.ones(2), np.ones(3))


def test_what_is_no_array_is_an_error() -> None:
    with pytest.raises(ArrayMixError, match="tanh needs an array, got 'x'"):
        tanh("x")
    with pytest.raises(ArrayMixError, match="weighted needs at least one array"):
        weighted(1.0, 2.0)
    with pytest.raises(ArrayMixError, match="different libraries"):
        weighted(np.ones(2), torch.ones(2))


def test_a_users_exception_passes_through(selector: polylux.ADType) -> None:
    class Mine(Exception):
        pass

    def derivative(y: Any, x: Any) -> Any:
        raise Mine

    rule = custom_rule(lambda x: x * 1.0, derivative=derivative)
    with pytest.raises(Mine):
        gradient(total(rule), selector, POINT)


def test_it_shows_its_name() -> None:
    assert repr(norm) == "<custom rule norm>"
    assert norm.__name__ == "norm"
