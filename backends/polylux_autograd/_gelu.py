"""The Gaussian error linear unit as one node of the tape, exact and in its tanh approximation.

The exact one has a polynomial of degree 24, which is some 200 operations when it is recorded.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from polylux_autograd import array_api
from polylux_autograd._fused import fused

Data = np.ndarray[Any, Any]

# The neutral definition's numbers, there is the derivation: exp(z**2) * erfc(z) * (1 + 2 z) as a
# polynomial in u = (z - K) / (z + K), lowest power first (Shepherd & Laframboise 1981).
_K = 3.75
_COEFFICIENTS = (
    1.23751263083782758, -0.140240598585546962, 0.00358541548546442937, 0.0822767384901452077,
    -0.108803930141748857, 0.0923043211603774778, -0.0586933985896367741, 0.0283622774189564043,
    -0.00974657955802927553, 0.00175562585289529536, 0.00029371366559134482,
    -0.000290154080540841711, 0.0000516490988926824034, 0.0000223842391550822298,
    -0.0000114441462377005234, -9.73559896736774934e-7, 1.75163764884906214e-6,
    -5.72182306032240875e-8, -2.58668507161558854e-7, 2.32635087088591237e-8,
    3.86753342422223568e-8, -3.74421008096201864e-9, -5.17399021401130963e-9,
    3.1114333809799252e-10, 4.25147144479638978e-10,
)  # fmt: skip
_FAR = 40.0
_FAR_APPROXIMATE = 30.0
_CUBIC = 0.044715
_FULL = frozenset({np.dtype(np.float32), np.dtype(np.float64)})


def _gelu(x: Any, approximate: bool = False) -> Any:
    xp = array_api
    wide = xp.astype(x, xp.float32) if x.dtype == xp.float16 else x
    top = xp.full_like(wide, _FAR_APPROXIMATE if approximate else _FAR)
    near = xp.where(wide > top, top, xp.where(wide < -top, -top, wide))
    if approximate:
        inner = math.sqrt(8 / math.pi) * (near + _CUBIC * near * near * near)
        positive = inner >= 0
        decay = xp.exp(-xp.where(positive, inner, -inner))
        share = xp.where(positive, xp.ones_like(decay), decay) / (1 + decay)
    else:
        positive = near >= 0
        tail, _ = _tail_and_gauss(xp, xp.where(positive, near, -near))
        share = xp.where(positive, 1 - tail, tail)
    # In two summands, as inf * 0 would be NaN in a value or a derivative.
    beyond = xp.where(wide > top, wide - top, xp.zeros_like(wide))
    return xp.astype(beyond + near * share, x.dtype, copy=False)


def _tail_and_gauss(xp: Any, x: Any) -> tuple[Any, Any]:
    """Probability that a normal variable exceeds `x`, for 0 <= x <= 40, and exp(-x**2 / 2)."""
    z = x / math.sqrt(2)
    u = (z - _K) / (z + _K)
    scaled = xp.full_like(x, _COEFFICIENTS[-1])
    for coefficient in _COEFFICIENTS[-2::-1]:
        scaled = scaled * u + coefficient
    # Sixteenths have exact squares, and the rest of the exponent is small (Cody 1969).
    coarse = xp.round(x * 16) / 16
    gauss = xp.exp(-coarse * coarse / 2) * xp.exp((coarse - x) * (coarse + x) / 2)
    return gauss * scaled / (2 * (1 + 2 * z)), gauss


def _forward(x: Data, approximate: bool = False) -> Any:
    if not x.ndim or x.dtype not in _FULL:
        return None
    with np.errstate(under="ignore"):
        return (_forward_approximate if approximate else _forward_exact)(x)


def _forward_exact(x: Data) -> tuple[Data, Data]:
    tail, gauss = _tail_and_gauss(np, np.minimum(np.abs(x), _FAR))
    # What is left of x: the tail, or all but it.
    share = np.abs((x >= 0) - tail)
    # x times the density; beyond _FAR it is 0 in any dtype, and an infinite x must not make NaN.
    gauss *= np.clip(x, -_FAR, _FAR)
    gauss *= 1 / math.sqrt(2 * math.pi)
    return np.maximum(x, -_FAR) * share, share + gauss


def _forward_approximate(x: Data) -> tuple[Data, Data]:
    scale = math.sqrt(8 / math.pi)
    near = np.clip(x, -_FAR_APPROXIMATE, _FAR_APPROXIMATE)
    square = near * near
    # In the reference's order: the exponential makes up to 50 roundings of one made here.
    inner = scale * (near + _CUBIC * near * near * near)
    decay = np.exp(-np.abs(inner))
    total = 1 + decay
    share = np.maximum(decay, inner >= 0) / total
    steepness = decay / total / total
    slope = share + near * steepness * (scale * (1 + 3 * _CUBIC * square))
    return np.maximum(x, -_FAR_APPROXIMATE) * share, slope


def _pullback(g: Data, slope: Any, needed: Any, x: Data, approximate: bool = False) -> Any:
    return (slope * g, None)[: len(needed)]


gelu = fused("gelu", reference=_gelu, forward=_forward, pullback=_pullback)
