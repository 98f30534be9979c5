"""Definitions that are compiled as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from polylux import ops
from polylux_jax import _compiled

X = jnp.arange(12.0).reshape(2, 6)
ROW = jnp.ones(6)

CALLS: dict[str, Callable[[Any], Any]] = {
    "softmax": lambda x: ops.softmax(x, dim=0),
    "log_softmax": ops.log_softmax,
    "logsumexp": lambda x: ops.logsumexp(x, 0),
    "gelu": lambda x: ops.gelu(x, approximate=True),
    "layer_norm": lambda x: ops.layer_norm(x, ROW, None, 1, 1e-5),
    "rms_norm": lambda x: ops.rms_norm(x, ROW, 1, 1e-5),
    "group_norm": lambda x: ops.group_norm(x, None, ROW, 2, 1e-5),
    "batch_norm": lambda x: ops.batch_norm(x, ROW, ROW, ROW, ROW, 0.1, 1e-5),
    "normalize": lambda x: ops.normalize(x, None, None, ROW, ROW, 1e-5),
}


def test_each_has_a_call() -> None:
    assert set(CALLS) == set(_compiled.KERNELS)


@pytest.mark.parametrize("name", CALLS)
def test_outside_of_a_jit_one_call_goes_to_the_device(name: str) -> None:
    (only,) = jax.make_jaxpr(CALLS[name])(X).eqns
    assert only.primitive.name in ("jit", "pjit")


def test_settings_are_not_mixed_up() -> None:
    for dim in (0, 1, -1):
        np.testing.assert_allclose(ops.softmax(X, dim=dim).sum(axis=dim), 1, rtol=1e-6)
    exact, approximate = ops.gelu(X), ops.gelu(X, approximate=True)
    assert 0 < jnp.abs(exact - approximate).max() < 5e-4
