"""Activations by name."""

from __future__ import annotations

import pytest

from polylux import ops
from polylux.errors import OptionError


@pytest.mark.parametrize(
    "name", ["relu", "tanh", "sigmoid", "gelu", "silu", "softplus", "identity"]
)
def test_activation_is_the_function_of_that_name(name: str) -> None:
    assert ops.activation(name) is getattr(ops, name)


def test_identity_is_its_argument() -> None:
    argument = object()
    assert ops.identity(argument) is argument


def test_unknown_name_lists_the_nearest() -> None:
    with pytest.raises(OptionError, match="unknown activation 'rellu'; did you mean 'relu'"):
        ops.activation("rellu")


def test_name_that_is_no_string_is_an_error() -> None:
    with pytest.raises(OptionError, match=r"unknown activation \['relu'\]"):
        ops.activation(["relu"])  # type: ignore[arg-type]
