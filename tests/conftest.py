"""Fixtures for all tests: every selector that can run here."""

from __future__ import annotations

import pytest

import polylux
from polylux import AutoAutograd, AutoJax, AutoTorch

EAGER_AND_JITTED = {
    "torch": AutoTorch(),
    "jax": AutoJax(),
    "jax-eager": AutoJax(jit=False),
    "autograd": AutoAutograd(),
}


@pytest.fixture(params=EAGER_AND_JITTED.values(), ids=EAGER_AND_JITTED.keys())
def selector(request: pytest.FixtureRequest) -> polylux.ADType:
    """Each first-party selector; compiled torch has tests of its own, since it takes seconds."""
    return request.param  # type: ignore[no-any-return]
