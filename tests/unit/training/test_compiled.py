"""AutoTorch(compile=True): the same numbers as eager, few compiles. One compile takes seconds."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from polylux import AutoTorch, single_train_step_, to_host
from polylux.optimizers import Adam

needs_compiler = pytest.mark.skipif(
    shutil.which("g++") is None and shutil.which("clang++") is None,
    reason="torch.compile needs a C++ compiler on CPU, and there is none",
)


@needs_compiler
def test_compiled_run_is_the_eager_run(objective, problem):
    ends = {}
    for selector in (AutoTorch(), AutoTorch(compile=True)):
        ts = problem.state(Adam(0.05), states={"name": "text", "n": np.asarray(0.0)})
        for i in range(6):
            ts = ts.replace(optimizer=Adam(0.05 / (1 + i)))  # a new learning rate at each step
            rows = (8, 8, 5, 5, 3, 8)[i]
            batch = (problem.x[:rows], problem.y[:rows])
            grads, loss, stats, ts = single_train_step_(selector, objective, batch, ts)
            assert stats == {"rows": rows}
        assert ts.states["name"] == "text"
        ends[selector] = to_host((ts.parameters, grads, loss))
    (ps, grads, loss), (cps, cgrads, closs) = ends.values()
    for name in ("w", "b"):
        np.testing.assert_allclose(cps[name], ps[name], rtol=1e-12)
        np.testing.assert_allclose(cgrads[name], grads[name], rtol=1e-10)
    np.testing.assert_allclose(closs, loss, rtol=1e-12)
