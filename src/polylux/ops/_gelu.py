"""The Gaussian error linear unit, exact and in its tanh approximation."""

from __future__ import annotations

import math
from typing import Any

from polylux.arrays import array_namespace
from polylux.dtypes import kind_of
from polylux.ops._elementwise import sigmoid
from polylux.ops._limits import split_at
from polylux.ops._native import native
from polylux.rules import custom_rule, with_slope

# exp(z**2) * erfc(z) * (1 + 2 z) for z >= 0, as a polynomial in u = (z - K) / (z + K): the form of
# Shepherd & Laframboise (1981), whose Chebyshev series was computed anew with 40 digits, cut where
# its terms fall below 2**-54, and written in powers of u, lowest first (the test repeats that).
_K = 3.75
_COEFFICIENTS = (
    1.23751263083782758,
    -0.140240598585546962,
    0.00358541548546442937,
    0.0822767384901452077,
    -0.108803930141748857,
    0.0923043211603774778,
    -0.0586933985896367741,
    0.0283622774189564043,
    -0.00974657955802927553,
    0.00175562585289529536,
    0.00029371366559134482,
    -0.000290154080540841711,
    0.0000516490988926824034,
    0.0000223842391550822298,
    -0.0000114441462377005234,
    -9.73559896736774934e-7,
    1.75163764884906214e-6,
    -5.72182306032240875e-8,
    -2.58668507161558854e-7,
    2.32635087088591237e-8,
    3.86753342422223568e-8,
    -3.74421008096201864e-9,
    -5.17399021401130963e-9,
    3.1114333809799252e-10,
    4.25147144479638978e-10,
)

# Beyond these the normal tail, or its approximation, is 0 in float64.
_FAR = 40.0
_FAR_APPROXIMATE = 30.0


@native()
def gelu(x: Any, /, approximate: bool = False) -> Any:
    """`x` times the normal distribution function at `x`, elementwise.

    Parameters
    ----------
    x : array of a real floating dtype
    approximate : bool
        Use the tanh approximation, off by up to 5e-4, that some published models were trained
        with.

    Returns
    -------
    array of the same shape and dtype
        0 at -inf, inf at inf.

    References
    ----------
    D. Hendrycks and K. Gimpel, Gaussian Error Linear Units, arXiv:1606.08415, section 2.
    M. M. Shepherd and J. G. Laframboise, Chebyshev approximation of (1 + 2x) exp(x²) erfc x in
    0 ≤ x < ∞, Math. Comp. 36 (1981) 249-253.

    Examples
    --------
    >>> import numpy as np
    >>> gelu(np.asarray([-1.0, 0.0, 1.0]))
    array([-0.15865525,  0.        ,  0.84134475])
    """
    xp = array_namespace(x)
    wide = xp.astype(x, xp.float32) if kind_of(x) == "low" else x
    if approximate:
        near, beyond = split_at(_FAR_APPROXIMATE, wide)
        # (1 + tanh(v)) / 2 is sigmoid(2 v), which keeps its digits where tanh is close to -1.
        share = sigmoid.neutral(math.sqrt(8 / math.pi) * (near + 0.044715 * near * near * near))
        value = beyond + near * share
    else:
        value = _exact(wide)
    return xp.astype(value, x.dtype, copy=False)


@with_slope
def _exact(x: Any) -> tuple[Any, Any]:
    near, beyond = split_at(_FAR, x)
    share = _normal_probability(near)
    return beyond + near * share, share + near * _density(share, near)


def _density(_: Any, x: Any) -> Any:
    """Of the normal distribution."""
    return _gauss(array_namespace(x), x) / math.sqrt(2 * math.pi)


@custom_rule(derivative=_density)
def _normal_probability(x: Any) -> Any:
    """Probability that a normal variable is below `x`, for -40 <= x <= 40."""
    xp = array_namespace(x)
    z = xp.where(x >= 0, x, -x) / math.sqrt(2)
    u = (z - _K) / (z + _K)
    scaled = xp.full_like(x, _COEFFICIENTS[-1])
    for coefficient in _COEFFICIENTS[-2::-1]:
        scaled = scaled * u + coefficient
    tail = _gauss(xp, x) * scaled / (2 * (1 + 2 * z))
    return xp.where(x >= 0, 1 - tail, tail)


def _gauss(xp: Any, x: Any) -> Any:
    """exp(-x**2 / 2) in two factors.

    x rounded to sixteenths has an exact square, and the rest of the exponent is small, so that
    neither is off by more than its own rounding (Cody 1969).
    """
    coarse = xp.round(x * 16) / 16
    return xp.exp(-coarse * coarse / 2) * xp.exp((coarse - x) * (coarse + x) / 2)
