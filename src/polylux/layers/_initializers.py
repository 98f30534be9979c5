"""Initial values of parameters: functions of a generator and a shape."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from polylux.errors import ShapeError

Initializer: TypeAlias = Callable[[np.random.Generator, tuple[int, ...]], Any]
"""`initializer(rng, shape)` returns a host array of that shape; it is cast to float32."""


def glorot_uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Uniform on ±sqrt(6 / (n + m)), for a weight of shape (n, m).

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        Inputs first, outputs second.

    Returns
    -------
    float32 array

    References
    ----------
    X. Glorot and Y. Bengio, Understanding the difficulty of training deep feedforward neural
    networks, AISTATS 2010, equation 16. It was the default of Lux's Dense before its version 1.

    Examples
    --------
    >>> import numpy as np
    >>> weight = glorot_uniform(np.random.default_rng(0), (3, 3))
    >>> weight.shape, bool(abs(weight).max() <= 1)
    ((3, 3), True)
    """
    bound = math.sqrt(6 / (shape[0] + shape[1]))
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Zeros in float32; draws nothing.

    Examples
    --------
    >>> import numpy as np
    >>> zeros(np.random.default_rng(0), (2,))
    array([0., 0.], dtype=float32)
    """
    return np.zeros(shape, dtype=np.float32)


def draw(
    initializer: Initializer, rng: np.random.Generator, shape: tuple[int, ...], what: str
) -> NDArray[np.float32]:
    """What `initializer` gives, as a new float32 host array of that shape."""
    array = np.array(initializer(rng, shape), dtype=np.float32)
    if array.shape != shape:
        raise ShapeError(f"{what} must return an array of shape {shape}, got shape {array.shape}")
    return array
