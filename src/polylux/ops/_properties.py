"""Questions to states and other records: getproperty, istraining."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from polylux.errors import OptionError

_MISSING: Any = object()


def getproperty(x: Any, name: str, /) -> Any:
    """The entry `name` of a mapping, or the attribute of any other object; None if there is none.

    Parameters
    ----------
    x : mapping or object
        Of a mapping only the keys count: `getproperty({}, "items")` is None.
    name : str

    Returns
    -------
    any
        An entry that is there and None is None, too. What an attribute's own code raises passes.

    Raises
    ------
    OptionError
        If `name` is no string.

    References
    ----------
    `getproperty` of the Utilities page.

    Examples
    --------
    >>> getproperty({"rate": 0.5}, "rate"), getproperty({"rate": 0.5}, "items")
    (0.5, None)
    >>> getproperty(3 + 4j, "imag"), getproperty(3 + 4j, "angle")
    (4.0, None)
    """
    if not isinstance(name, str):
        raise OptionError(f"getproperty takes a string as the name, got {name!r}")
    if isinstance(x, Mapping):
        return x[name] if name in x else None  # noqa: SIM401  # a defaultdict's get is no entry
    try:
        return getattr(x, name)
    except AttributeError:
        # A property that is there, and whose own code has failed, is not missing.
        if inspect.getattr_static(x, name, _MISSING) is not _MISSING:
            raise
        return None


def istraining(x: Any, /) -> bool:
    """Whether states, or a flag itself, say that the model is being trained.

    Parameters
    ----------
    x : bool, or mapping, namedtuple or object with an entry `training`
        Only the top level is looked at; without the entry the answer is False.

    Returns
    -------
    bool
        A Python one, of the trace's time under jit: a model is traced once for each mode.

    Raises
    ------
    OptionError
        If the flag is no bool, or `x` is no record.

    References
    ----------
    `istraining` of the Utilities page.

    Examples
    --------
    >>> istraining({"training": True, "mean": 0.0}), istraining({"mean": 0.0}), istraining(False)
    (True, False, False)
    """
    if isinstance(x, bool | np.bool_):
        return bool(x)
    if x is None or isinstance(x, int | float | complex | str | bytes | list) or type(x) is tuple:
        raise OptionError(f"istraining takes a bool or states with an entry 'training', got {x!r}")
    flag = getproperty(x, "training")
    if flag is None:
        return False
    if not isinstance(flag, bool | np.bool_):
        raise OptionError(
            f"the entry 'training' must be True or False, got {type(flag).__name__}; "
            "an array's value is not known under jit, so keep a Python bool in the states"
        )
    return bool(flag)
