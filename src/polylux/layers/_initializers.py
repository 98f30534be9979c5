"""Initial values of parameters: functions of a generator and a shape."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from polylux.errors import DomainError, ShapeError

Initializer: TypeAlias = Callable[[np.random.Generator, tuple[int, ...]], Any]
"""`initializer(rng, shape)` returns a host array of that shape; it is cast to float32."""


def fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """How many inputs reach one output of a weight of this shape, and the other way round.

    Two axes are (inputs, outputs); one axis is that of the outputs, of one input each. More are
    (outputs, inputs, *kernel), as in `Conv`, and count each place of the kernel.

    Examples
    --------
    >>> fans((3, 5)), fans((16, 8, 3, 3))
    ((3, 5), (72, 144))
    """
    if len(shape) == 2:
        return shape[0], shape[1]
    if len(shape) < 2:
        return 1, shape[0] if shape else 1
    places = math.prod(shape[2:])
    return shape[1] * places, shape[0] * places


def glorot_uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Uniform on ±sqrt(6 / (n + m)), for a weight with n inputs and m outputs.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        (inputs, outputs), or (outputs, inputs, *kernel), whose places count.

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
    bound = math.sqrt(6 / sum(fans(shape)))
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def glorot_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Normal of variance 2 / (n + m), for a weight with n inputs and m outputs.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        (inputs, outputs), or (outputs, inputs, *kernel), whose places count.

    Returns
    -------
    float32 array

    References
    ----------
    X. Glorot and Y. Bengio, AISTATS 2010, equation 12.

    Examples
    --------
    >>> import numpy as np
    >>> glorot_normal(np.random.default_rng(0), (8, 4, 3)).shape
    (8, 4, 3)
    """
    return (math.sqrt(2 / sum(fans(shape))) * rng.standard_normal(shape)).astype(np.float32)


def kaiming_uniform(
    rng: np.random.Generator, shape: tuple[int, ...], *, gain: float = math.sqrt(2)
) -> NDArray[np.float32]:
    """Uniform of variance gain² / n, for a weight with n inputs.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        (inputs, outputs), or (outputs, inputs, *kernel), whose places count.
    gain : float
        The square root of 2 suits relu; 1 a layer without activation.

    Returns
    -------
    float32 array

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun, Delving deep into rectifiers, ICCV 2015, equation 10.

    Examples
    --------
    >>> import numpy as np
    >>> weight = kaiming_uniform(np.random.default_rng(0), (6, 2))
    >>> bool(abs(weight).max() <= 1)
    True
    """
    bound = gain * math.sqrt(3 / fans(shape)[0])
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def kaiming_normal(
    rng: np.random.Generator, shape: tuple[int, ...], *, gain: float = math.sqrt(2)
) -> NDArray[np.float32]:
    """Normal of variance gain² / n, for a weight with n inputs.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        (inputs, outputs), or (outputs, inputs, *kernel), whose places count.
    gain : float
        The square root of 2 suits relu; 1 a layer without activation.

    Returns
    -------
    float32 array

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun, ICCV 2015, equation 10.

    Examples
    --------
    >>> import numpy as np
    >>> kaiming_normal(np.random.default_rng(0), (6, 2)).shape
    (6, 2)
    """
    deviation = gain / math.sqrt(fans(shape)[0])
    return (deviation * rng.standard_normal(shape)).astype(np.float32)


def normal(
    rng: np.random.Generator, shape: tuple[int, ...], *, deviation: float = 1.0
) -> NDArray[np.float32]:
    """Normal of mean 0.

    Examples
    --------
    >>> import numpy as np
    >>> normal(np.random.default_rng(0), (2, 3)).shape
    (2, 3)
    """
    return (deviation * rng.standard_normal(shape)).astype(np.float32)


def truncated_normal(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    *,
    deviation: float = 1.0,
    low: float = -2.0,
    high: float = 2.0,
) -> NDArray[np.float32]:
    """Normal of mean 0, drawn again where it is not from `low` to `high`.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
    deviation : float
        Standard deviation before the cut.
    low, high : float
        Bounds, in units of `deviation`.

    Returns
    -------
    float32 array

    Raises
    ------
    DomainError
        If less than a thousandth of all numbers would be kept.

    References
    ----------
    C. P. Robert, Simulation of truncated normal variables, Statistics and Computing 5 (1995)
    121-125, section 2: rejection.

    Examples
    --------
    >>> import numpy as np
    >>> weight = truncated_normal(np.random.default_rng(0), (100,), deviation=0.1)
    >>> bool(abs(weight).max() <= 0.2)
    True
    """
    kept = (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2
    if not kept > 1e-3:
        raise DomainError(
            f"truncated_normal needs bounds around likely numbers, got low={low} and high={high}, "
            "which keep less than one in a thousand"
        )
    found = rng.standard_normal(shape)
    outside = (found < low) | (found > high)
    while outside.any():
        found[outside] = rng.standard_normal(np.count_nonzero(outside))
        outside = (found < low) | (found > high)
    return (deviation * found).astype(np.float32)


def orthogonal(
    rng: np.random.Generator, shape: tuple[int, ...], *, gain: float = 1.0
) -> NDArray[np.float32]:
    """A random matrix whose rows, or columns if these are fewer, are orthonormal; times `gain`.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        At least two axes; from the second on they are one, as those of a kernel.
    gain : float

    Returns
    -------
    float32 array
        Uniform among all such matrices.

    Raises
    ------
    ShapeError
        If there is one axis only.

    References
    ----------
    A. M. Saxe, J. L. McClelland and S. Ganguli, Exact solutions to the nonlinear dynamics of
    learning in deep linear neural networks, ICLR 2014, section 3. F. Mezzadri, How to generate
    random matrices from the classical compact groups, Notices of the AMS 54 (2007), section 5.

    Examples
    --------
    >>> import numpy as np
    >>> weight = orthogonal(np.random.default_rng(0), (2, 3))
    >>> np.allclose(weight @ weight.T, np.eye(2), atol=1e-6)
    True
    """
    if len(shape) < 2:
        raise ShapeError(f"orthogonal needs a shape of at least two axes, got {shape}")
    rows, columns = shape[0], math.prod(shape[1:])
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    # QR leaves the sign of each column open; that of r's diagonal makes the matrix uniform.
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    matrix = q if rows >= columns else q.T
    return (gain * matrix).reshape(shape).astype(np.float32)


def zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Zeros in float32; draws nothing.

    Examples
    --------
    >>> import numpy as np
    >>> zeros(np.random.default_rng(0), (2,))
    array([0., 0.], dtype=float32)
    """
    return np.zeros(shape, dtype=np.float32)


def ones(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Ones in float32; draws nothing.

    Examples
    --------
    >>> import numpy as np
    >>> ones(np.random.default_rng(0), (2,))
    array([1., 1.], dtype=float32)
    """
    return np.ones(shape, dtype=np.float32)


def draw(
    initializer: Initializer, rng: np.random.Generator, shape: tuple[int, ...], what: str
) -> NDArray[np.float32]:
    """What `initializer` gives, as a new float32 host array of that shape."""
    array = np.array(initializer(rng, shape), dtype=np.float32)
    if array.shape != shape:
        raise ShapeError(f"{what} must return an array of shape {shape}, got shape {array.shape}")
    return array
