"""Loss, the base of all losses: the two ways to call one, and what they do to their arrays."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias

import numpy as np

from polylux.arrays import array_namespace, common_owner, is_array, owner_of
from polylux.errors import (
    ArrayMixError,
    DTypeError,
    ObjectiveError,
    OptionError,
    ShapeError,
    nearest,
)
from polylux.ops import MACHINE_EPSILON, TRAITS, detach, dtype_name, keeping_precision, kind_of
from polylux.spec import Spec

Aggregation: TypeAlias = str | Callable[[Any], Any] | None
_NAMED = ("mean", "sum", "none")


class Targets(NamedTuple):
    """Targets in the prediction's shape and dtype, and what labels say of the items."""

    target: Any
    weights: Any = None
    """Weight of each item in the mean; None for equal ones."""
    kept: Any = None
    """Whether an item counts at all; None if all do."""


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class Loss(Spec, ABC):
    """A frozen, hashable loss with its options.

    `loss(prediction, target)` is the aggregated value. `loss(model, ps, st, (x, target))` calls
    the model first and returns `(value, st, {})`: so every loss is an objective.

    The target is a constant for every derivative. It has the prediction's shape, or is a number;
    integers, booleans and other floats are cast to the prediction's dtype, which is also that of
    the result. float16 and bfloat16 are computed in float32 and rounded once. A prediction of
    integers is computed in the target's floating dtype, or else in its library's default one.

    Both forms take `sample_weight=`, an array of the items' shape, constant for derivatives too:
    each item is multiplied by its weight, and the mean is `sum(weight * item) / sum(weight)`, as
    `torch.nn.CrossEntropyLoss` has it for the weights of classes.

    Parameters
    ----------
    agg : "mean", "sum", "none", None or callable
        What is done with the unreduced items; `"none"` and None return them. A function gets the
        array of items, and returns anything.
    """

    # Whether the mean over items of equal weight, none left out, may go to `_mean`.
    _fused: bool = dataclasses.field(default=False, init=False, repr=False, compare=False)
    agg: Aggregation = "mean"

    needs: ClassVar[str] = "a target of the prediction's shape, or a number"
    positional: ClassVar[int] = 0

    def __new__(cls, *args: Any, **options: Any) -> Self:
        if len(args) > cls.positional:
            raise OptionError(
                f"{cls.__name__} takes its options by keyword, got {args[cls.positional]!r}; "
                f"to compute a loss, call {cls.__name__}()(prediction, target)"
            )
        return super().__new__(cls, **options)

    def __post_init__(self) -> None:
        if isinstance(self.agg, str) and self.agg not in _NAMED:
            raise OptionError(
                f"{type(self).__name__}(agg={self.agg!r}) is unknown; {nearest(self.agg, _NAMED)}"
            )
        if not (self.agg is None or isinstance(self.agg, str) or callable(self.agg)):
            raise OptionError(
                f"{type(self).__name__}(agg=...) takes 'mean', 'sum', 'none', None or a function "
                f"of the items, got {self.agg!r}"
            )
        if self.agg == "none":
            object.__setattr__(self, "agg", None)

    def __call__(self, *arguments: Any, sample_weight: Any = None) -> Any:
        """`loss(prediction, target) -> value`, or `loss(model, ps, st, (x, target))`."""
        if len(arguments) == 2:
            return self._value(*arguments, sample_weight)
        if len(arguments) != 4:
            raise OptionError(
                f"{type(self).__name__}() takes (prediction, target) or (model, ps, st, "
                f"(x, target)), got {len(arguments)} arguments"
            )
        model, ps, st, data = arguments
        if not (isinstance(data, tuple | list) and len(data) == 2):
            raise ObjectiveError(
                f"{type(self).__name__}() as an objective needs data of the form (x, target), "
                f"got {_describe(data)}"
            )
        output = model(data[0], ps, st)
        if not (isinstance(output, tuple) and len(output) == 2):
            raise ObjectiveError(
                f"a model must return (y, st), but {model!r} returned {_describe(output)}"
            )
        return self._value(output[0], data[1], sample_weight), output[1], {}

    # --- what a loss is: the first is required ------------------------------------------------

    @abstractmethod
    def _items(self, xp: Any, prediction: Any, target: Any, epsilon: float) -> Any:
        """Unreduced items, for arrays of one shape and dtype.

        `epsilon` is the option of that name, by default the machine epsilon of the dtype in which
        the prediction was given; 0 for losses without that option.
        """

    def _mean(self, prediction: Any, target: Any) -> Any:
        """Mean of the items, by one fused kernel; asked for where `_fused` is set."""
        raise NotImplementedError

    def _labels(self, prediction: Any, target: Any) -> Any:
        """Integers as labels that `_mean` takes as they are, or None if they are to be cast."""
        return None

    def _fit(self, xp: Any, prediction: Any, target: Any, dtype: Any) -> Targets:
        """The target as an array of the prediction's shape and of `dtype`."""
        if not is_array(target):
            return Targets(xp.full_like(prediction, float(target), dtype=dtype))
        if kind_of(target) in ("complex", "other"):
            raise DTypeError(f"{type(self).__name__} needs a real target, got {target.dtype}")
        if target.shape != prediction.shape and target.ndim:
            raise ShapeError(
                f"{type(self).__name__} needs {self.needs}; got a prediction of shape "
                f"{tuple(prediction.shape)} and a target of shape {tuple(target.shape)}"
            )
        cast = xp.astype(target, dtype, copy=False)
        return Targets(cast if target.ndim else xp.broadcast_to(cast, prediction.shape))

    # --- the value ----------------------------------------------------------------------------

    def _value(self, prediction: Any, target: Any, sample_weight: Any) -> Any:
        # What a training step takes; the rest of this method finds the same, at more cost.
        owner, kinds, constant, scope = TRAITS[type(prediction)]
        if (
            sample_weight is None
            and (type(target) is type(prediction) or TRAITS[type(target)].owner == owner)
            and owner not in (None, "foreign")
            and scope is None
            and kinds[prediction.dtype] == "float"
        ):
            if target.dtype == prediction.dtype and target.shape == prediction.shape:
                target = constant(target)
                if self._fused:
                    return self._mean(prediction, target)
                xp = array_namespace(prediction)
                return self._aggregate(
                    xp, self._items(xp, prediction, target, self._epsilon(prediction.dtype))
                )
            if self._fused and kinds[target.dtype] == "integer":
                labels = self._labels(prediction, target)
                if labels is not None:
                    return self._mean(prediction, labels)
        if isinstance(target, np.generic):
            target = target.item()  # a number, of no library
        name = type(self).__name__
        present = [a for a in (prediction, target, sample_weight) if a is not None]
        if len(set(map(type, present))) > 1:
            common_owner(present, name)
        if owner_of(type(prediction)) is None:
            raise ArrayMixError(
                f"{name} needs an array as its prediction, got {prediction!r}; "
                "make one first, for example with np.asarray"
            )
        context = keeping_precision(*present)
        if context is None:
            return self._in_scope(prediction, target, sample_weight)
        with context:
            return self._in_scope(prediction, target, sample_weight)

    def _in_scope(self, prediction: Any, target: Any, sample_weight: Any) -> Any:
        xp = array_namespace(prediction)
        kind = kind_of(prediction)
        if kind == "integer":
            prediction = xp.astype(prediction, _floating(xp, target))
            kind = kind_of(prediction)
        if kind not in ("float", "low"):
            raise DTypeError(
                f"{type(self).__name__} needs a prediction of real numbers, got "
                f"{prediction.dtype}; cast it first, for example with "
                "xp.astype(prediction, xp.float32)"
            )
        dtype = xp.float32 if kind == "low" else prediction.dtype
        targets = self._fit(xp, prediction, detach(target), dtype)
        if (
            self._fused
            and kind == "float"
            and sample_weight is None
            and targets.weights is None
            and targets.kept is None
        ):
            return self._mean(prediction, targets.target)
        items = self._items(
            xp,
            xp.astype(prediction, dtype, copy=False),
            targets.target,
            self._epsilon(prediction.dtype),
        )
        if targets.kept is not None:
            items = xp.where(targets.kept, items, 0.0)
        if sample_weight is not None:
            sample_weight = self._fitting_weight(xp, items, sample_weight)
        value = self._aggregate(xp, items, targets.weights, sample_weight)
        if kind == "low" and is_array(value):
            return xp.astype(value, prediction.dtype)
        return value

    def _epsilon(self, dtype: Any) -> float:
        epsilon: float | None = getattr(self, "epsilon", 0.0)
        return MACHINE_EPSILON[dtype_name(dtype)] if epsilon is None else epsilon

    def _fitting_weight(self, xp: Any, items: Any, weight: Any) -> Any:
        name = type(self).__name__
        if not is_array(weight):
            raise ArrayMixError(
                f"{name}()(..., sample_weight=...) takes an array, got {weight!r}; make one of "
                f"shape {tuple(items.shape)}, a weight for each item"
            )
        if kind_of(weight) in ("complex", "other"):
            raise DTypeError(f"{name} needs a real sample_weight, got {weight.dtype}")
        if weight.shape != items.shape:
            raise ShapeError(
                f"{name} needs a sample_weight of the items' shape {tuple(items.shape)}, "
                f"got {tuple(weight.shape)}"
            )
        return xp.astype(detach(weight), items.dtype, copy=False)

    def _aggregate(
        self, xp: Any, items: Any, weights: Any = None, sample_weight: Any = None
    ) -> Any:
        if sample_weight is not None:
            items = items * sample_weight
            weights = sample_weight if weights is None else weights * sample_weight
        if self.agg is None:
            return items
        if self.agg == "mean":
            return xp.mean(items) if weights is None else xp.sum(items) / xp.sum(weights)
        if self.agg == "sum":
            return xp.sum(items)
        assert callable(self.agg)
        return self.agg(items)


def _floating(xp: Any, target: Any) -> Any:
    """The dtype in which integers are computed."""
    if is_array(target) and kind_of(target) in ("float", "low"):
        return target.dtype
    return xp.__array_namespace_info__().default_dtypes()["real floating"]


def _describe(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"
