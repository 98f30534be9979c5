"""checkpoint on the tape of autograd: what is kept, and every order of nesting."""

from __future__ import annotations

import threading
import weakref
from typing import Any

import numpy as np
import pytest

from polylux import AutoAutograd, array_namespace, checkpoint, gradient, selector_of, to_host
from polylux_autograd import _gradient, _transforms
from polylux_autograd.array_api._array import Array

X = np.asarray([0.3, -1.2, 2.0])


def total(x: Any) -> Any:
    return array_namespace(x).sum(x)


def squares(x: Any) -> Any:
    """sin(x)**2, whose derivatives are sin(2x) and 2 cos(2x)."""
    return array_namespace(x).sin(x) ** 2


def plain(x: Any) -> Any:
    while hasattr(x, "_value"):
        x = x._value
    return x


@pytest.mark.parametrize("is_checkpointed", [False, True])
def test_values_inside_are_kept_only_without_it(is_checkpointed: bool) -> None:
    inside: list[Any] = []
    alive = []

    def block(x: Any) -> Any:
        y = array_namespace(x).sin(x)
        inside.append(weakref.ref(plain(y)))
        return y * y

    def f(x: Any) -> Any:
        y = (checkpoint(block) if is_checkpointed else block)(x)
        alive.append(inside[0]() is not None)
        return total(y)

    gradient(f, AutoAutograd(), X)
    assert alive == [not is_checkpointed]


def pushed(f: Any, x: Any) -> Any:
    outputs, tangents, _ = _gradient.pushforward(
        lambda y: ((f(y),), ()), (x,), (Array(np.ones(3)),)
    )
    return outputs[0], tangents[0]


def test_forward_mode() -> None:
    value, tangent = pushed(checkpoint(squares), Array(X))
    np.testing.assert_allclose(to_host(value), np.sin(X) ** 2, rtol=1e-15)
    np.testing.assert_allclose(to_host(tangent), np.sin(2 * X), rtol=1e-15)


def test_forward_over_reverse() -> None:
    def slope(x: Any) -> Any:
        return gradient(lambda y: total(checkpoint(squares)(y)), selector_of(x), x)

    _, tangent = pushed(slope, Array(X))
    np.testing.assert_allclose(to_host(tangent), 2 * np.cos(2 * X), rtol=1e-14)


def test_reverse_over_forward() -> None:
    got = gradient(lambda x: total(pushed(checkpoint(squares), x)[1]), AutoAutograd(), X)
    np.testing.assert_allclose(to_host(got), 2 * np.cos(2 * X), rtol=1e-14)


def test_forward_over_forward() -> None:
    _, tangent = pushed(lambda x: pushed(checkpoint(squares), x)[1], Array(X))
    np.testing.assert_allclose(to_host(tangent), 2 * np.cos(2 * X), rtol=1e-14)


def test_reverse_over_forward_keeps_nothing_either() -> None:
    inside: list[Any] = []
    alive = []

    def block(x: Any) -> Any:
        y = array_namespace(x).sin(x)
        inside.append(weakref.ref(plain(y)))
        return y * y

    def f(x: Any) -> Any:
        tangent = pushed(checkpoint(block), x)[1]
        alive.append(inside[0]() is not None)
        return total(tangent)

    gradient(f, AutoAutograd(), X)
    assert alive == [False]


def test_one_second_run_for_all_outputs() -> None:
    runs = []

    def block(x: Any) -> Any:
        runs.append(1)
        xp = array_namespace(x)
        return xp.sin(x), xp.cos(x), xp.exp(x)

    got = gradient(lambda x: total(sum(checkpoint(block)(x))), AutoAutograd(), X)
    np.testing.assert_allclose(to_host(got), np.cos(X) - np.sin(X) + np.exp(X), rtol=1e-14)
    assert len(runs) == 2


def test_what_is_captured_in_forward_mode() -> None:
    _, tangent = pushed(lambda x: checkpoint(lambda y: y * x)(x), Array(X))
    np.testing.assert_allclose(to_host(tangent), 2 * X, rtol=1e-15)


def test_two_threads_at_once() -> None:
    wrong = []

    def work() -> None:
        for _ in range(50):
            got = gradient(lambda x: total(checkpoint(squares)(x)), AutoAutograd(), X)
            if not np.allclose(to_host(got), np.sin(2 * X), rtol=1e-14):
                wrong.append(got)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_without_boxes_it_is_the_function() -> None:
    (out,) = _transforms.checkpoint(lambda x: (x * x,), (Array(X),))
    np.testing.assert_array_equal(out._data, X * X)
