"""Nothing of a framework's global state is changed by a training run."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from polylux import single_train_step_
from polylux.optimizers import Adam


def settings() -> dict[str, object]:
    jax, torch = pytest.importorskip("jax"), pytest.importorskip("torch")
    return {
        "x64": jax.config.jax_enable_x64,
        "jax dtype": str(jax.numpy.asarray(1.0).dtype),
        "debug nans": jax.config.jax_debug_nans,
        "torch dtype": torch.get_default_dtype(),
        "torch device": torch.get_default_device(),
        "grad mode": torch.is_grad_enabled(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "torch random": torch.random.get_rng_state().sum().item(),
        "numpy errors": np.geterr(),
        "numpy random": np.random.get_state()[1].sum(),  # noqa: NPY002  # the global one is the point
        "filters": list(warnings.filters),
    }


def test_a_run_changes_no_global_setting(selector, objective, typed_problem):
    before = settings()
    ts = typed_problem.state(Adam(0.1))
    for _ in range(3):
        *_, ts = single_train_step_(selector, objective, typed_problem.batch, ts)
    assert settings() == before


def test_a_failed_step_changes_no_global_setting(selector, typed_problem):
    def broken(model, ps, st, data):
        raise KeyError("the user's own")

    before = settings()
    with pytest.raises(KeyError):
        single_train_step_(selector, broken, typed_problem.batch, typed_problem.state())
    assert settings() == before


def test_a_user_s_no_grad_does_not_stop_the_gradient(objective, problem):
    torch = pytest.importorskip("torch")
    from polylux import AutoTorch, compute_gradients, to_host

    with torch.no_grad():
        grads = compute_gradients(AutoTorch(), objective, problem.batch, problem.state()).grads
    np.testing.assert_allclose(to_host(grads)["w"], problem.gradients["w"], atol=1e-13)
