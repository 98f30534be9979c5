"""The linear algebra extension of the standard."""

from __future__ import annotations

from ._decompositions import cholesky, eigh, eigvalsh, qr, svd, svdvals
from ._linear_products import matmul, matrix_transpose, outer, tensordot, vecdot
from ._norms import matrix_norm, vector_norm
from ._solvers import (
    cross,
    det,
    diagonal,
    inv,
    matrix_power,
    matrix_rank,
    pinv,
    slogdet,
    solve,
    trace,
)

__all__ = [
    "cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul", "matrix_norm",
    "matrix_power", "matrix_rank", "matrix_transpose", "outer", "pinv", "qr", "slogdet", "solve",
    "svd", "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
]
