"""The logarithm of one and a number more, in either of its two ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polylux_autograd import _logarithms


@pytest.mark.parametrize("has_log1p", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_digits_are_right_from_tiny_to_huge(
    has_log1p: bool, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_logarithms, "_HAS_LOG1P", has_log1p)
    sizes = 10.0 ** np.linspace(-30, 30, 4001)
    below = -(1 - 10.0 ** np.linspace(-6, -1e-3, 1001))
    x = np.concatenate([sizes, -sizes[sizes < 0.9], below]).astype(dtype)
    true = np.log1p(x.astype(np.longdouble))
    found = _logarithms.log1p(x)
    assert found.dtype == dtype
    assert np.max(np.abs(found - true) / np.spacing(np.abs(true).astype(dtype))) <= 3
    _logarithms.log1p(x, out=x)
    np.testing.assert_array_equal(x, found)


def test_numpy_tells_what_it_runs_on_this_processor() -> None:
    found = np.lib.introspect.opt_func_info(func_name="^log1p$", signature="float32")
    assert all("current" in kind for kind in found["log1p"].values())
    assert len(found["log1p"]) == 1
    assert not _logarithms._is_vectorized("no such function")
