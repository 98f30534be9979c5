"""eachslice: the slices of an array along one axis; and which axis is time."""

from __future__ import annotations

import dataclasses
import operator
from typing import Any, TypeAlias

from polylux.arrays import array_namespace, common_owner
from polylux.errors import OptionError, ShapeError
from polylux.ops._native import in_precision
from polylux.spec import Spec


@dataclasses.dataclass(frozen=True, repr=False)
class TimeFirst(Spec):
    """Sequences of shape (time, batch, ...): time is axis 0.

    References
    ----------
    `TimeLastIndex` of the Utilities page, whose axes run the other way.

    Examples
    --------
    >>> TimeFirst()
    TimeFirst()
    """

    def axis(self, ndim: int) -> int:
        """The time axis of an array with so many axes."""
        return 0


@dataclasses.dataclass(frozen=True, repr=False)
class BatchFirst(Spec):
    """Sequences of shape (batch, time, ...): time is axis 1.

    A matrix has no batch: its time is axis 0.

    References
    ----------
    `BatchLastIndex` of the Utilities page, whose axes run the other way.

    Examples
    --------
    >>> BatchFirst().axis(3)
    1
    """

    def axis(self, ndim: int) -> int:
        """The time axis of an array with so many axes."""
        return 1 if ndim > 2 else 0


Ordering: TypeAlias = TimeFirst | BatchFirst


def eachslice(x: Any, dim: int | Ordering, /) -> list[Any]:
    """The slices of `x` along one axis, which they lack.

    Parameters
    ----------
    x : array
    dim : int, TimeFirst or BatchFirst
        The axis; negative ones count from the last.

    Returns
    -------
    list of arrays
        Views where the library has views. A slice that nothing depends on has a derivative of
        zeros, whatever the others have.

    Raises
    ------
    OptionError
        If `dim` is none of these.
    ShapeError
        If `x` has no such axis.

    References
    ----------
    `eachslice` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.asarray([[1, 2, 3], [4, 5, 6]])
    >>> eachslice(x, 0)
    [array([1, 2, 3]), array([4, 5, 6])]
    >>> len(eachslice(x, -1)), eachslice(np.ones((8, 5, 2)), BatchFirst())[0].shape
    (3, (8, 2))
    """
    axis = _axis(x, dim)
    return in_precision(lambda array: list(array_namespace(array).unstack(array, axis=axis)), x)


def _axis(x: Any, dim: Any) -> int:
    common_owner((x,), "eachslice")
    ndim = len(x.shape)
    if isinstance(dim, TimeFirst | BatchFirst):
        axis = dim.axis(ndim)
    else:
        try:
            axis = operator.index(dim)
        except TypeError:
            raise OptionError(
                f"eachslice takes an int, TimeFirst() or BatchFirst() as dim, got {dim!r}"
            ) from None
    if not -ndim <= axis < ndim:
        raise ShapeError(f"eachslice(x, {dim!r}) needs that axis, and x has shape {tuple(x.shape)}")
    return axis
