"""setup and the base of layers: what is drawn, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polylux
from polylux.errors import OptionError
from polylux.layers import Dense, Layer, parameter_count, setup


def test_setup_is_at_the_front_door() -> None:
    assert polylux.setup is setup


@pytest.mark.parametrize(
    ("rng", "mend"),
    [(0, "default_rng(0)"), (42, "default_rng(42)"), (None, "default_rng(0)")],
    ids=str,
)
def test_what_is_no_generator_is_an_error_with_the_mend(rng: Any, mend: str) -> None:
    with pytest.raises(OptionError) as caught:
        setup(rng, Dense(2, 3))
    assert str(caught.value) == (
        f"setup needs a numpy.random.Generator, got {rng!r}; write setup(np.random.{mend}, model)"
    )


def test_model_without_the_two_methods_is_an_error_with_the_mend() -> None:
    with pytest.raises(OptionError, match=r"setup needs a model with .*Layer, or build its param"):
        setup(np.random.default_rng(0), lambda x, ps, st: (x, st))


def test_class_of_a_layer_is_an_error() -> None:
    with pytest.raises(OptionError, match=r"got the class Dense; make one: Dense\(...\)"):
        setup(np.random.default_rng(0), Dense)


def test_layer_has_neither_parameters_nor_states_unless_it_says_so() -> None:
    class Same(Layer):
        def __call__(self, x: Any, ps: Any, st: Any) -> Any:
            return x, st

    assert setup(np.random.default_rng(0), Same()) == ({}, {})


def test_layer_without_a_call_cannot_be_made() -> None:
    class Nothing(Layer):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Nothing()  # type: ignore[abstract]


def test_parameter_count_counts_a_tied_array_once() -> None:
    weight = np.ones((2, 3))
    assert parameter_count({"a": weight, "b": [weight, np.ones(4)], "name": "model"}) == 10
