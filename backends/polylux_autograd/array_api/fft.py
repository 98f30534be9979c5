"""The Fourier transform extension of the standard.

The transform matrix is symmetric, so that a transform is its own adjoint; the real transforms are
written as complex ones when they are traced.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._array import Array, lift
from ._casting import astype
from ._creation import _require_cpu
from ._dtypes import as_dtype
from ._elementwise import conj, real
from ._manipulation import concat, flip
from ._numpy import npx
from ._rules import fit, linear

__all__ = [
    "fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft", "irfft",
    "irfftn", "rfft", "rfftfreq", "rfftn",
]


def _resize(x: Any, n: int, axis: int) -> Any:
    """Cut or zero-pad an axis to length n."""
    axis = axis % x.ndim
    have = x.shape[axis]
    before = (slice(None),) * axis
    if have > n:
        return x[(*before, slice(0, n))]
    if have < n:
        shape = (*x.shape[:axis], n - have, *x.shape[axis + 1 :])
        return concat([x, Array(np.zeros(shape, x.dtype))], axis=axis)
    return x


_fft: Any = linear(
    "fft",
    lambda x, *, axis, norm: npx.fft.fft(x, axis=axis, norm=norm),
    lambda g, x, *, axis, norm: fit(_fft(g, axis=axis, norm=norm), x),
)
_ifft: Any = linear(
    "ifft",
    lambda x, *, axis, norm: npx.fft.ifft(x, axis=axis, norm=norm),
    lambda g, x, *, axis, norm: fit(_ifft(g, axis=axis, norm=norm), x),
)


def _complex(x: Any) -> Any:
    x = lift(x)
    if x.dtype.kind == "c":
        return x
    return astype(x, "complex64" if x.dtype == np.float32 else "complex128")


def fft(x: Any, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Any:
    """Discrete Fourier transform along an axis."""
    x = lift(x)
    if type(x) is Array:
        return Array(npx.fft.fft(x._data, n=n, axis=axis, norm=norm))
    return _fft(_resize(_complex(x), n or x.shape[axis], axis), axis=axis, norm=norm)


def ifft(x: Any, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Any:
    """Inverse of `fft`."""
    x = lift(x)
    if type(x) is Array:
        return Array(npx.fft.ifft(x._data, n=n, axis=axis, norm=norm))
    return _ifft(_resize(_complex(x), n or x.shape[axis], axis), axis=axis, norm=norm)


def _axes_and_sizes(
    x: Any, s: Sequence[int] | None, axes: Sequence[int] | None
) -> list[tuple[int, int]]:
    if axes is None:
        axes = range(x.ndim) if s is None else range(x.ndim - len(s), x.ndim)
    sizes = [x.shape[a] for a in axes] if s is None else list(s)
    return list(zip(axes, sizes, strict=True))


def fftn(
    x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None,
    norm: str = "backward",
) -> Any:
    """Discrete Fourier transform along several axes."""
    x = lift(x)
    if type(x) is Array:
        return Array(npx.fft.fftn(x._data, s=s, axes=axes, norm=norm))
    for axis, n in reversed(_axes_and_sizes(x, s, axes)):
        x = fft(x, n=n, axis=axis, norm=norm)
    return x


def ifftn(
    x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None,
    norm: str = "backward",
) -> Any:
    """Inverse of `fftn`."""
    x = lift(x)
    if type(x) is Array:
        return Array(npx.fft.ifftn(x._data, s=s, axes=axes, norm=norm))
    for axis, n in reversed(_axes_and_sizes(x, s, axes)):
        x = ifft(x, n=n, axis=axis, norm=norm)
    return x


def rfft(x: Any, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Any:
    """The non-redundant half of the transform of real data."""
    x = lift(x)
    if type(x) is Array:
        return Array(npx.fft.rfft(x._data, n=n, axis=axis, norm=norm))
    n = n or x.shape[axis]
    return _resize(fft(x, n=n, axis=axis, norm=norm), n // 2 + 1, axis)


def irfft(x: Any, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Any:
    """Inverse of `rfft`: `n` real numbers from the half of their transform."""
    x = lift(x)
    if type(x) is Array:
        return Array(npx.fft.irfft(x._data, n=n, axis=axis, norm=norm))
    axis = axis % x.ndim
    n = n or 2 * (x.shape[axis] - 1)
    half = _resize(_complex(x), n // 2 + 1, axis)
    mirrored = half[(slice(None),) * axis + (slice(1, (n + 1) // 2),)]
    whole = concat([half, conj(flip(mirrored, axis=axis))], axis=axis)
    return real(ifft(whole, n=n, axis=axis, norm=norm))


def rfftn(
    x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None,
    norm: str = "backward",
) -> Any:
    """`rfft` along the last axis, `fft` along the others."""
    x = lift(x)
    if type(x) is Array:
        return Array(npx.fft.rfftn(x._data, s=s, axes=axes, norm=norm))
    *others, (last, n) = _axes_and_sizes(x, s, axes)
    x = rfft(x, n=n, axis=last, norm=norm)
    for axis, m in reversed(others):
        x = fft(x, n=m, axis=axis, norm=norm)
    return x


def irfftn(
    x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None,
    norm: str = "backward",
) -> Any:
    """Inverse of `rfftn`."""
    x = lift(x)
    if type(x) is Array:
        return Array(npx.fft.irfftn(x._data, s=s, axes=axes, norm=norm))
    *others, (last, n) = _axes_and_sizes(x, s, axes)
    for axis, m in others:
        x = ifft(x, n=m, axis=axis, norm=norm)
    return irfft(x, n=n if s is not None else None, axis=last, norm=norm)


_OPPOSITE = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def hfft(x: Any, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Any:
    """Transform of data whose transform is real."""
    x = lift(x)
    if type(x) is Array:
        return Array(npx.fft.hfft(x._data, n=n, axis=axis, norm=norm))
    return irfft(conj(_complex(x)), n=n, axis=axis, norm=_OPPOSITE[norm])


def ihfft(x: Any, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Any:
    """Inverse of `hfft`."""
    x = lift(x)
    if type(x) is Array:
        return Array(npx.fft.ihfft(x._data, n=n, axis=axis, norm=norm))
    return conj(rfft(x, n=n, axis=axis, norm=_OPPOSITE[norm]))


def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Array:
    """Frequencies of the elements of `fft`'s result."""
    _require_cpu(device)
    return Array(npx.fft.fftfreq(n, d=d, dtype=as_dtype(dtype)))


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Array:
    """Frequencies of the elements of `rfft`'s result."""
    _require_cpu(device)
    return Array(npx.fft.rfftfreq(n, d=d, dtype=as_dtype(dtype)))


_shift: Any = linear(
    "fftshift", lambda x, *, axes: np.fft.fftshift(x, axes=axes),
    lambda g, x, *, axes: _unshift(g, axes=axes),
)
_unshift: Any = linear(
    "ifftshift", lambda x, *, axes: np.fft.ifftshift(x, axes=axes),
    lambda g, x, *, axes: _shift(g, axes=axes),
)


def fftshift(x: Any, /, *, axes: int | Sequence[int] | None = None) -> Any:
    """The frequency 0 moved to the middle."""
    return _shift(lift(x), axes=axes)


def ifftshift(x: Any, /, *, axes: int | Sequence[int] | None = None) -> Any:
    """Inverse of `fftshift`."""
    return _unshift(lift(x), axes=axes)


