"""Integer class labels as targets: checked, made one-hot, with the weights of their items."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import array_api_compat

from polylux.arrays import host_arrays
from polylux.errors import DomainError, ShapeError
from polylux.losses._base import Targets


class Labels(NamedTuple):
    """Labels in place of the targets that they stand for."""

    places: Any
    check: Callable[[], bool]
    """As the kernels of labels take it."""


def from_labels(
    xp: Any,
    loss: Any,
    prediction: Any,
    labels: Any,
    dtype: Any,
    ignored: int | None,
    weights: tuple[float, ...] | None,
    *,
    are_kept: bool,
) -> Targets:
    """The targets of labels, which have the prediction's shape without the axis `dim`.

    One-hot, or `Labels` if they `are_kept`: a one-hot target takes as much memory as the logits.
    """
    axis = loss.dim % prediction.ndim
    classes = prediction.shape[axis]
    kept = None
    if ignored is not None:
        kept = labels != ignored
        labels = xp.where(kept, labels, xp.zeros_like(labels))
    checked = with_check(loss, labels, classes)
    each = None if kept is None else xp.astype(kept, dtype)
    if are_kept:
        return Targets(checked, each, kept)
    hot = one_hot(xp, labels, axis, classes, dtype, checked.check())
    if weights is not None:
        each_class = xp.sum(hot * along(xp, weights, prediction, axis, dtype), axis=axis)
        each = each_class if each is None else each * each_class
    return Targets(hot, each, kept)


def along(xp: Any, weights: tuple[float, ...], prediction: Any, axis: int, dtype: Any) -> Any:
    """The weights of the classes as an array that broadcasts along the axis of classes."""
    shape = [1] * prediction.ndim
    shape[axis] = len(weights)
    array = xp.asarray(weights, dtype=dtype, device=array_api_compat.device(prediction))
    return xp.reshape(array, tuple(shape))


def check_dim(loss: Any, prediction: Any) -> None:
    """Raise if the prediction has no axis `loss.dim`."""
    if not -prediction.ndim <= loss.dim < prediction.ndim:
        raise ShapeError(
            f"{type(loss).__name__}(dim={loss.dim}) got a prediction of shape "
            f"{tuple(prediction.shape)}, which has no axis {loss.dim}"
        )


def with_check(loss: Any, labels: Any, classes: int) -> Labels:
    """Labels, and the check that they are in range."""
    return Labels(labels, functools.partial(all_known, loss, labels, classes))


def all_known(loss: Any, labels: Any, classes: int) -> bool:
    """Whether the labels were seen to be in range; raises if they were seen not to be."""
    if not math.prod(labels.shape):
        return True
    try:
        (host,) = host_arrays([labels])
    except (TypeError, RuntimeError):
        return False  # a traced array has no values: JAX raises the one, torch the other
    # One pass: without their sign, negative numbers are larger than all others.
    if host.view(f"u{host.itemsize}").max() >= classes:
        low, high = int(host.min()), int(host.max())
        wrong = low if low < 0 else high
        mend = "" if loss.ignore_index is not None else f", or set ignore_index={wrong}"
        raise DomainError(
            f"{type(loss).__name__} needs class labels of 0 .. {classes - 1} in the target, as the "
            f"prediction has {classes} entries along dim={loss.dim}; got {wrong}; "
            f"correct the labels{mend}"
        )
    return True


def places_along(xp: Any, labels: Any, axis: int) -> Any:
    """Labels as indices, with an axis of one place for the classes."""
    indexing = xp.__array_namespace_info__().default_dtypes()["indexing"]
    return xp.astype(xp.expand_dims(labels, axis=axis), indexing, copy=False)


def is_label(xp: Any, places: Any, axis: int, classes: int, dtype: Any) -> Any:
    """Whether an entry along the axis stands at its lane's place; `dtype` is that of the entries.

    Compilers put a comparison of floats, unlike one of integers, into a loop over floats.
    """
    if classes * xp.finfo(dtype).eps >= 1:
        dtype = places.dtype
    lane = [1] * places.ndim
    lane[axis] = classes
    each = xp.arange(classes, dtype=dtype, device=array_api_compat.device(places))
    return xp.astype(places, dtype) == xp.reshape(each, tuple(lane))


def is_class(places: Any, classes: int) -> Any:
    """Whether each place is that of a class."""
    return (places >= 0) & (places < classes)


def one_hot(xp: Any, labels: Any, axis: int, classes: int, dtype: Any, known: bool) -> Any:
    """1 where the place along `axis` is the label, else 0; NaN for a label of no class."""
    places = places_along(xp, labels, axis)
    hot = xp.astype(is_label(xp, places, axis, classes, dtype), dtype)
    if known:
        return hot
    # Under a trace a wrong label cannot raise; it must not count as a lane without a class
    # either, whose loss would be 0.
    return xp.where(is_class(places, classes), hot, xp.full_like(hot, math.nan))
