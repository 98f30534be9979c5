"""Python's operators on Array and Box, and a few methods, in terms of the namespace's functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import _arithmetic as ar
from . import _elementwise as el
from . import _reductions as re
from ._array import Array, ArrayMethods, Box
from ._indexing import getitem
from ._linear_products import matmul, matrix_transpose, transpose_all
from ._manipulation import reshape
from ._rules import name_it

_KNOWN = frozenset({Array, Box, float, int, bool, complex, np.ndarray})


def _operator(name: str, function: Callable[..., Any]) -> None:
    """Give both types the operator, its reflected form and its "in-place" form, which rebinds."""
    forward = getattr(function, "forward", None)

    def operate(self: Any, other: Any, /) -> Any:
        if type(self) is Array and type(other) is Array and forward is not None:
            a, b = self._data, other._data
            if a.dtype is b.dtype:
                return Array(forward(a, b))
        if type(other) in _KNOWN or isinstance(other, (np.generic, np.ndarray, float, int)):
            return function(self, other)
        return NotImplemented

    def reflect(self: Any, other: Any, /) -> Any:
        if type(other) in _KNOWN or isinstance(other, (np.generic, np.ndarray, float, int)):
            return function(other, self)
        return NotImplemented

    setattr(ArrayMethods, f"__{name}__", name_it(operate, f"__{name}__", function.__doc__))
    setattr(ArrayMethods, f"__r{name}__", name_it(reflect, f"__r{name}__", function.__doc__))
    setattr(ArrayMethods, f"__i{name}__", name_it(operate, f"__i{name}__", function.__doc__))


def _comparison(name: str, function: Callable[..., Any]) -> None:
    def compare(self: Any, other: Any, /) -> Any:
        if type(other) in _KNOWN or isinstance(other, (np.generic, np.ndarray, float, int)):
            return function(self, other)
        return NotImplemented

    setattr(ArrayMethods, f"__{name}__", name_it(compare, f"__{name}__", function.__doc__))


def _reduction(name: str, function: Callable[..., Any]) -> None:
    """Give both types a reduction as a method, which numpy's, PyTorch's and JAX's arrays have.

    The standard knows functions only, but objectives are full of `(x * x).sum()`, which runs on
    those three: it had better run here.
    """

    def method(self: Any, axis: Any = None, **kwargs: Any) -> Any:
        return function(self, axis=axis, **kwargs)

    setattr(ArrayMethods, name, name_it(method, name, function.__doc__))


def _reshape(x: Any, /, *shape: Any) -> Any:
    """`x.reshape(2, 3)` or `x.reshape((2, 3))`."""
    return reshape(x, shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape)


def _item(x: Any, /) -> Any:
    """The one element as a Python number."""
    return x._concrete().item()


def _tolist(x: Any, /) -> Any:
    """The elements as nested lists of Python numbers."""
    return x._concrete().tolist()


def _install() -> None:
    for name, function in {
        "add": ar.add, "sub": ar.subtract, "mul": ar.multiply, "truediv": ar.divide,
        "floordiv": ar.floor_divide, "mod": ar.remainder, "pow": ar.pow, "matmul": matmul,
        "and": ar.bitwise_and, "or": ar.bitwise_or, "xor": ar.bitwise_xor,
        "lshift": ar.bitwise_left_shift, "rshift": ar.bitwise_right_shift,
    }.items():
        _operator(name, function)
    for name, function in {
        "eq": ar.equal, "ne": ar.not_equal, "lt": ar.less, "le": ar.less_equal,
        "gt": ar.greater, "ge": ar.greater_equal,
    }.items():
        _comparison(name, function)
    for name, function in {
        "neg": el.negative, "pos": el.positive, "abs": el.abs, "invert": el.bitwise_invert,
    }.items():
        setattr(ArrayMethods, f"__{name}__", function)
    for name, attribute in {
        "__getitem__": getitem,
        "T": property(transpose_all, doc="The transpose of a two-dimensional array."),
        "mT": property(matrix_transpose, doc="The last two axes exchanged."),
    }.items():
        setattr(ArrayMethods, name, attribute)
    for name, function in {
        "sum": re.sum, "mean": re.mean, "prod": re.prod, "max": re.max, "min": re.min,
        "all": re.all, "any": re.any, "std": re.std, "var": re.var,
    }.items():
        _reduction(name, function)
    for name, method in {"reshape": _reshape, "item": _item, "tolist": _tolist}.items():
        setattr(ArrayMethods, name, name_it(method, name, method.__doc__))


_install()
