"""log(1 + x) on numpy arrays, at the speed of the logarithm."""

from __future__ import annotations

from typing import Any

import numpy as np

Data = np.ndarray[Any, Any]


def _is_vectorized(name: str) -> bool:
    """Whether numpy has code for this processor's vectors, and not for one number at a time."""
    try:
        found = np.lib.introspect.opt_func_info(func_name=f"^{name}$", signature="float32")
        return all("baseline" not in kind["current"] for kind in found[name].values())
    except (AttributeError, KeyError, TypeError):
        return False


_HAS_LOG1P = _is_vectorized("log1p")


def log1p(x: Data, out: Data | None = None) -> Data:
    """log(1 + x) for finite `x` above -1; at -1 and infinity it may be NaN.

    Where numpy's own goes one number at a time, the logarithm of the rounded sum, and what the sum
    has lost over the sum: the next term of the series is the square of that, and out of reach.
    """
    if _HAS_LOG1P:
        return np.log1p(x, out=out)
    total = x + 1
    lost = np.subtract(x, total - 1)
    lost /= total
    result: Data = np.log(total, out=total if out is None else out)
    result += lost
    return result
