"""The activations that have a name, for layers that take one as a string."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from polylux.errors import OptionError, nearest
from polylux.ops._elementwise import identity, relu, sigmoid, silu, softplus, tanh
from polylux.ops._gelu import gelu

ACTIVATIONS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "relu": relu,
        "tanh": tanh,
        "sigmoid": sigmoid,
        "gelu": gelu,
        "silu": silu,
        "softplus": softplus,
        "identity": identity,
    }
)


def activation(name: str) -> Callable[[Any], Any]:
    """The activation of that name.

    Parameters
    ----------
    name : str
        `"relu"`, `"tanh"`, `"sigmoid"`, `"gelu"` (the exact one), `"silu"`, `"softplus"` or
        `"identity"`.

    Returns
    -------
    callable

    Raises
    ------
    OptionError
        If there is none of that name; the message has the nearest names.

    Examples
    --------
    >>> activation("relu") is relu
    True
    """
    try:
        return ACTIVATIONS[name]
    except (KeyError, TypeError):
        raise OptionError(
            f"unknown activation {name!r}; {nearest(str(name), ACTIVATIONS)}"
        ) from None
