"""init_fn and non_trainable: values for compact that say what they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from polylux.errors import DomainError, OptionError
from polylux.layers._base import HasSetup
from polylux.typing import PyTree

Maker = Callable[[np.random.Generator], PyTree]
Kind = Literal["parameter", "state"]


@dataclasses.dataclass(frozen=True, eq=False)
class InitFn:
    """A value that is made anew at every setup."""

    function: Maker
    kind: Kind


@dataclasses.dataclass(frozen=True, eq=False)
class NonTrainable:
    """A value that is a state, whatever it is."""

    value: Any


def init_fn(f: Maker, /, kind: Kind = "parameter") -> Any:
    """A value for `compact` that is `f(rng)`, anew at every setup.

    Parameters
    ----------
    f : callable
        Takes a `numpy.random.Generator`, and returns a tree of host arrays.
    kind : {"parameter", "state"}
        What the value is.

    Returns
    -------
    InitFn
        To be given to `compact` under a name.

    Raises
    ------
    OptionError
        If `f` is no function.
    DomainError
        If the kind is another one.

    References
    ----------
    `@init_fn` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.layers import compact, setup
    >>> model = compact(
    ...     lambda s, x: x @ s.w + s.b,
    ...     w=init_fn(lambda rng: rng.standard_normal((3, 2))),
    ...     b=init_fn(lambda rng: rng.standard_normal(2), kind="state"),
    ... )
    >>> ps, st = setup(np.random.default_rng(0), model)
    >>> ps["w"].shape, st["b"].shape
    ((3, 2), (2,))
    """
    if not callable(f) or isinstance(f, type | HasSetup):
        raise OptionError(f"init_fn takes a function of a generator, got {f!r}")
    if kind not in ("parameter", "state"):
        raise DomainError(f"init_fn(kind=...) is 'parameter' or 'state', got {kind!r}")
    return InitFn(f, kind)


def non_trainable(v: Any, /) -> Any:
    """A value for `compact` that is a state, though it is an array.

    Parameters
    ----------
    v : any
        As a rule an array, or a list of arrays.

    Returns
    -------
    NonTrainable
        To be given to `compact` under a name.

    Raises
    ------
    OptionError
        If it is a layer, which has parameters of its own.

    References
    ----------
    `@non_trainable` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.layers import compact, setup
    >>> model = compact(
    ...     lambda s, x: (s.w * x + s.w_fixed).sum(),
    ...     w=np.ones(3),
    ...     w_fixed=non_trainable(np.asarray([0.5, 0.25, 0.25])),
    ... )
    >>> ps, st = setup(np.random.default_rng(0), model)
    >>> list(ps), list(st)
    (['w'], ['w_fixed'])
    >>> y, new = model(np.ones(3), ps, st)
    >>> float(y), new is st
    (4.0, True)
    """
    if isinstance(v, HasSetup | InitFn):
        what = "init_fn(f, kind='state')" if isinstance(v, InitFn) else "the layer itself"
        raise OptionError(f"non_trainable takes a value such as an array, got {v!r}; give {what}")
    return NonTrainable(v)
