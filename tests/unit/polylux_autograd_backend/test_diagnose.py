"""What numpy's, torch's and JAX's errors become when they meet an autograd array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from polylux.errors import ArrayMixError, LeakedTracerError
from polylux.selectors import AutoAutograd
from polylux_autograd import array_api as xp
from polylux_autograd._backend import AutogradBackend

BACKEND = AutogradBackend()
X = xp.ones(3)


def raised(function: Callable[[Any], Any], traced: bool = True) -> Exception:
    def differentiated() -> Any:
        BACKEND.value_and_gradient(lambda x: (xp.sum(function(x)), ()), (X,), AutoAutograd())

    with pytest.raises(Exception) as caught:
        differentiated() if traced else function(X)
    return caught.value


@pytest.mark.parametrize("traced", [True, False], ids=["traced", "plain"])
@pytest.mark.parametrize("function", [np.exp, np.sum], ids=["exp", "sum"])
def test_a_numpy_function_says_how_to_write_it(function: Any, traced: bool) -> None:
    found = BACKEND.diagnose(raised(function, traced))
    assert isinstance(found, ArrayMixError)
    assert "xp = array_namespace(x)" in str(found)


MIXED = {
    "torch": [
        lambda x, ones, module: x * ones,
        lambda x, ones, module: ones + x,
        lambda x, ones, module: module.exp(x),
    ],
    "jax.numpy": [
        lambda x, ones, module: x * ones,
        lambda x, ones, module: ones @ x,
        lambda x, ones, module: module.exp(x),
    ],
}


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("module", MIXED)
def test_an_array_of_another_library_is_a_mix(module: str, which: int) -> None:
    library = pytest.importorskip(module)
    function, ones = MIXED[module][which], library.ones(3)
    found = BACKEND.diagnose(raised(lambda x: function(x, ones, library)))
    assert isinstance(found, ArrayMixError)
    assert "to_backend(constant, AutoAutograd())" in str(found)


def test_a_leaked_value_is_named_so_at_once() -> None:
    kept = []

    def keep(x: Any) -> Any:
        kept.append(x)
        return xp.sum(x), ()

    BACKEND.value_and_gradient(keep, (X,), AutoAutograd())
    with pytest.raises(LeakedTracerError, match="return it from the differentiated function"):
        _ = kept[0] + 1


@pytest.mark.parametrize("function", [
    pytest.param(lambda x: x + None, id="None"),
    pytest.param(lambda x: {}["key"], id="no matter of arrays"),
    pytest.param(lambda x: len(5), id="a TypeError of another kind"),  # type: ignore[arg-type]
])  # fmt: skip
def test_a_users_own_mistake_is_left_as_it_is(function: Any) -> None:
    assert BACKEND.diagnose(raised(function)) is None
