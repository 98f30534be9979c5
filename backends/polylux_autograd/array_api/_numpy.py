"""numpy in the standard's spelling, without static types: its stubs do not know these names."""

from __future__ import annotations

from typing import Any

import array_api_compat.numpy
import numpy as np

__all__ = ["npx", "sum_over"]

npx: Any = array_api_compat.numpy
#: `np.sum` without its argument handling, a microsecond faster
sum_over: Any = np.add.reduce
