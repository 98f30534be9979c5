"""Which of two backends owns the arrays that both claim."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polylux import arrays, registry
from polylux.backend import HostBackend


class Own:
    """An array type that two backends claim."""


class First(HostBackend):
    """Claims it, and is loaded first."""

    name = "first"

    def owns(self, array_type: type) -> bool:
        return array_type is Own


class Second(First):
    """Claims it too."""

    name = "second"


@pytest.fixture(autouse=True)
def _both_loaded(own_registry: Any) -> None:
    own_registry.loaded = {"first": First(), "second": Second()}
    own_registry.generation += 1


def test_arrays_of_two_backends_belong_to_the_preferred_one() -> None:
    assert arrays.owner_of(Own) == "first"
    with registry.preferring("second"):
        assert arrays.owner_of(Own) == "second"
        assert arrays.owner_of(np.ndarray) == "host"
    assert arrays.owner_of(Own) == "first"


def test_the_order_comes_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), registry.preferring("second"):
        raise ZeroDivisionError
    assert arrays.owner_of(Own) == "first"
