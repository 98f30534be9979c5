"""JAX's own kernels for neutral functions of the core."""
from typing import Any
KERNELS: dict[str, Any] = {}
