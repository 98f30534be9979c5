"""Arguments for the functions that a backend may have kernels for: one tuple of them for each."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from polylux import custom_rule
from polylux_conformance.scenarios._smooth import normal


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """A call of an overridable function.

    Attributes
    ----------
    function : str
        Its name, as in `polylux.ops.natives()`.
    about : str
    arrays : tuple
        Host arrays (float64 ones are cast), or None where an array is left out. The function is
        differentiated by the floating ones, up to `differentiated`.
    settings : tuple
        Further positional arguments.
    by_entry : bool
        Whether each entry of the result is right to its own rounding.
    slopes_by_entry : bool
        Whether each entry of a derivative is.
    differentiated : int
        So many of the arrays from the first.
    condition : float
        See `allowed_ulps`.
    is_large : bool
        More entries than a kernel takes at once: says nothing about the neutral code.
    """

    function: str
    about: str
    arrays: tuple[Any, ...]
    settings: tuple[Any, ...] = ()
    by_entry: bool = False
    slopes_by_entry: bool = False
    differentiated: int = 9
    condition: float = 1.0
    is_large: bool = False


TAILS = np.asarray(
    [-80.0, -30.0, -12.0, -8.0, -5.0, -3.0, -1.5, -1.0, -0.5, -0.015625, -1e-6, -0.0, 0.0, 1e-6,
     0.015625, 0.5, 1.0, 1.5, 3.0, 5.0, 8.0, 12.0, 30.0, 80.0]
)  # fmt: skip
"""Both tails, the middle and the kink; float32 holds the functions' values at all of them."""

_LANES = np.asarray([[0.0, 1.0, -2.0], [40.0, -40.0, 39.0], [5.0, 5.0, 5.0], [-80.0, 0.5, 80.0]])
_ONE_HOT = np.eye(3)[[0, 1, 2, 1]]
_SOFT = np.asarray([[0.25, 0.5, 0.25], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.25, 0.75]])
_MANY = normal(301, 67), normal(301, 67)  # more than kernels take at once
_INTS = np.asarray([1, 2], np.int32)


def _elementwise(name: str, settings: tuple[Any, ...] = ()) -> tuple[Sample, ...]:
    exact_slopes = name not in _CANCELLING
    long = normal(7, 37) * 4
    shown = f" {settings}" if settings else ""
    return (
        Sample(name, f"tails{shown}", (TAILS,), settings, True, exact_slopes,
               # The normal tail at x changes by x**2 times a relative change of x.
               condition=900.0 if name == "gelu" else 1.0),
        Sample(name, f"a large array{shown}", (long,), settings, is_large=True),
        Sample(name, f"a number{shown}", (np.asarray(-0.75),), settings),
        Sample(name, f"no entry{shown}", (np.zeros((0, 3)),), settings),
        # In the tails' shape, for which eager frameworks have compiled the operations already.
        Sample(name, f"infinities{shown}", (np.resize([np.inf, -np.inf], TAILS.shape),), settings,
               differentiated=0),
        Sample(name, f"NaN{shown}", (np.resize([np.nan, 1.0], TAILS.shape),), settings,
               differentiated=0),
    )  # fmt: skip


# Their derivatives are differences of numbers of the size of 1.
_CANCELLING = ("tanh", "silu", "gelu", "sigmoid", "log_sigmoid", "softplus")


def _lanes(name: str) -> tuple[Sample, ...]:
    return tuple(
        Sample(name, f"{about}, dim {dim}", (array,), (dim,))
        for about, array in (("lanes", _LANES), ("three axes", normal(2, 3, 4)), ("one", normal(1)))
        for dim in ((-1, 0) if array.ndim > 1 else (0,))
    )


def _cross_entropy(name: str) -> tuple[Sample, ...]:
    return (
        Sample(name, "one-hot", (_LANES, _ONE_HOT), (-1,), differentiated=1),
        Sample(name, "soft targets", (_LANES, _SOFT), (-1,), differentiated=1),
        Sample(name, "classes first", (_LANES.T.copy(), _SOFT.T.copy()), (0,), differentiated=1),
        Sample(name, "three axes", (normal(2, 3, 4), np.abs(normal(2, 3, 4))), (1,),
               differentiated=1),
    )  # fmt: skip


def _labels(name: str) -> tuple[Sample, ...]:
    labels = np.asarray([0, 1, 2, 1], np.int32)
    return (
        Sample(name, "labels", (_LANES, labels), (-1,), differentiated=1),
        Sample(name, "labels known to be in range", (_LANES, labels), (-1, _are_known),
               differentiated=1),
        Sample(name, "classes first", (_LANES.T.copy(), labels), (0,), differentiated=1),
        Sample(name, "a label of no class", (_LANES, labels + 1), (-1,), differentiated=0),
    )  # fmt: skip


def _are_known() -> bool:
    return True


_CUBE = custom_rule(
    lambda p, t: (p - t) ** 3, derivative=lambda items, p, t: (3 * (p - t) ** 2, None)
)

_PAIR = ((1, 1), (0, 1))

SAMPLES: tuple[Sample, ...] = (
    *(sample for name in ("relu", "tanh", "sigmoid", "silu", "softplus", "log_sigmoid")
      for sample in _elementwise(name)),
    *_elementwise("gelu", (False,)),
    *_elementwise("gelu", (True,)),
    Sample("rsqrt", "positive", (np.abs(TAILS) + 0.25,), (), by_entry=True,
           slopes_by_entry=True),
    *(sample for name in ("softmax", "log_softmax", "logsumexp") for sample in _lanes(name)),
    *(sample for name in ("softmax_cross_entropy", "softmax_cross_entropy_mean")
      for sample in _cross_entropy(name)),
    *(sample for name in ("softmax_cross_entropy_labels", "softmax_cross_entropy_labels_mean")
      for sample in _labels(name)),
    *(
        Sample("mean_of_items", f"{about}, dim {dim}", (p, t), (_CUBE, *dim), differentiated=1,
               is_large=about == "many")
        for dim in ((), (-1,), (0,))
        for about, p, t in (("few", normal(3, 4), normal(3, 4)), ("many", *_MANY))
    ),
    Sample("mse", "matrices", (normal(3, 4), normal(3, 4)), differentiated=1),
    Sample("mse", "numbers", (normal(), normal()), differentiated=1),
    Sample("dice_mean", "matrices", (np.abs(normal(5, 4)), np.abs(normal(5, 4))), (1.0,),
           differentiated=1),
    Sample("dice_mean", "one sample", (np.abs(normal(5)), np.abs(normal(5))), (0.5,),
           differentiated=1),
    Sample("dense", "with a bias", (normal(5, 3), normal(3, 4), normal(4))),
    Sample("dense", "without a bias", (normal(5, 3), normal(3, 4), None)),
    Sample("dense", "three axes", (normal(2, 5, 3), normal(3, 4), normal(4))),
    Sample("dense", "one sample", (normal(3), normal(3, 4), normal(4))),
    Sample("scale", "with a bias", (normal(5, 3), normal(3), normal(3))),
    Sample("scale", "without a bias", (normal(2, 5, 3), normal(5, 3), None)),
    Sample("bilinear", "with a bias", (normal(5, 2), normal(5, 3), normal(6, 4), normal(4))),
    Sample("lstm", "all steps",
           (normal(3, 2, 4), normal(4, 12), normal(3, 12), normal(12), normal(12)), (True,)),
    Sample("lstm", "one sample, without biases",
           (normal(3, 4), normal(4, 12), normal(3, 12), None, None), (False,)),
    Sample("gru", "all steps",
           (normal(3, 2, 4), normal(4, 9), normal(3, 9), normal(9), normal(9)), (True,)),
    Sample("gru", "one sample, without biases",
           (normal(3, 4), normal(4, 9), normal(3, 9), None, None), (False,)),
    Sample("embedding", "repeated rows",
           (normal(4, 2), np.asarray([[0, 3, 3], [1, 0, 3]], np.int32))),
    Sample("convolution", "one axis, strided",
           (normal(2, 3, 9), normal(4, 3, 3), normal(4)), ((2,), ((1, 2),), (1,), 1)),
    Sample("convolution", "two axes, dilated, in groups",
           (normal(2, 4, 6, 7), normal(6, 2, 2, 3), None), ((1, 2), _PAIR, (2, 1), 2)),
    Sample("convolution", "three axes",
           (normal(1, 2, 3, 4, 3), normal(2, 2, 2, 2, 2), normal(2)),
           ((1, 1, 1), ((0, 0), (0, 0), (1, 0)), (1, 1, 1), 1)),
    Sample("max_pool", "two axes", (normal(2, 3, 6, 5),), ((2, 3), (2, 1), ((0, 0), (1, 1)))),
    Sample("max_pool", "equal entries", (np.ones((1, 1, 6)),), ((3,), (2,), ((1, 1),))),
    Sample("mean_pool", "two axes", (normal(2, 3, 6, 5),), ((2, 3), (2, 1), ((0, 0), (1, 1)))),
    Sample("dropout", "a third", (normal(6, 7), _INTS, np.asarray([3], np.int32)), (0.375,),
           by_entry=True, slopes_by_entry=True, differentiated=1),
    Sample("layer_norm", "one axis", (normal(4, 5), normal(5), normal(5)), (1, 1e-5)),
    Sample("layer_norm", "two axes, plain", (normal(2, 3, 4), None, None), (2, 1e-5)),
    Sample("rms_norm", "one axis", (normal(4, 5), normal(5)), (1, 1e-5)),
    Sample("group_norm", "two groups", (normal(3, 4, 5), normal(4), normal(4)), (2, 1e-5)),
    Sample("batch_norm", "running",
           (normal(6, 3), normal(3), normal(3), normal(3), np.abs(normal(3))), (0.125, 1e-5),
           differentiated=3),
    Sample("batch_norm", "without statistics", (normal(4, 3, 2), None, None, None, None),
           (0.125, 1e-5), differentiated=3),
    Sample("normalize", "three axes",
           (normal(2, 3, 4), normal(3), normal(3), normal(3), np.abs(normal(3)) + 0.5), (1e-5,),
           differentiated=3),
)  # fmt: skip
"""Each overridable function has a sample; the suite's own tests see to that."""

WITHOUT_SAMPLES = frozenset({"scan"})
"""Takes a function; its layers are checked instead."""
