"""compact: a layer written as one function of its values."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

from polylux.errors import OptionError, TreeError
from polylux.layers._base import HasSetup, Layer
from polylux.layers._compact_namespace import Namespace, new_states
from polylux.layers._compact_source import source_of
from polylux.layers._compact_values import Classified, outline_of_value, text_of
from polylux.layers._printing import Outline, render
from polylux.layers._wrapped import name_of, precision_of
from polylux.typing import PyTree

Forward = Callable[..., Any]


def compact(*forward: Forward, name: str | None = None, dispatch: Any = None, **values: Any) -> Any:
    """A layer from a function and the values that it uses: arrays to train, layers, and the rest.

    Also a decorator: without a function it returns one that takes the function.

    Parameters
    ----------
    *forward : callable
        One function, `forward(s, x) -> y`, or `forward(s, x, p)` with all parameters as `p`. It
        finds the values as attributes of `s`: arrays as they are, layers to be called with the
        input alone, `s.dense(x)`. Assigning to a state, `s.count = s.count + 1`, changes the
        returned states; assigning to a parameter holds to the end of the call.
    name : str, optional
        Printed in place of the layer.
    dispatch : any, optional
        A mark, which is the attribute `dispatch` of the layer.
    **values : any
        By name; what each of them is follows from its value:

        * a layer is a sub-layer; so are those in a list or a tuple, with the keys `"1"`, `"2"`,
          ..., and those in a dict or a namedtuple, with its own. In `forward` they stand in a
          tuple or a dict.
        * an array of numbers is a **parameter**, and so is a list or a tuple of them; setup copies
          them.
        * `init_fn(f)` and `init_fn(f, kind="state")` are drawn at every setup.
        * `non_trainable(v)` and everything else is a **state**: numbers, booleans, functions,
          strings, dicts, namedtuples. No derivative goes through the states that a call begins
          with.

    Returns
    -------
    Layer or decorator
        Compared by identity: make it once, before the loop.

    Raises
    ------
    OptionError
        Without a function or values; for a function of other arguments than above; if a list holds
        layers and other values.
    TreeError
        When called with the parameters or states of another model.
    AttributeError
        In `forward`, for a name without a value.

    References
    ----------
    `@compact` of the Utilities page.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.layers import Dense, setup
    >>> from polylux.ops import relu
    >>> rng = np.random.default_rng(0)
    >>> scale = compact(lambda s, x: s.w * x, w=np.ones(3))
    >>> scale(np.asarray([1.0, 2.0, 3.0]), *setup(rng, scale))
    (array([1., 2., 3.]), {})

    An affine map; the activation is one state:

    >>> @compact(W=np.ones((5, 3)), b=np.zeros(3), act=relu)
    ... def affine(s, x):
    ...     return s.act(x @ s.W + s.b)
    >>> print(affine)
    @compact(
        W=<float64 array of shape (5, 3)>,
        b=<float64 array of shape (3,)>,
        act=relu,
    )  # Total: 18 parameters, plus 1 states
    def affine(s, x):
        return s.act(x @ s.W + s.b)
    >>> affine(np.ones((2, 5)), *setup(rng, affine))[0]
    array([[5., 5., 5.],
           [5., 5., 5.]])

    A perceptron, of layers that are not called by hand with parameters and states:

    >>> @compact(
    ...     w1=Dense(1, 128),
    ...     w2=[Dense(128, 128) for _ in range(3)],
    ...     w3=Dense(128, 1),
    ...     act=relu,
    ... )
    ... def perceptron(s, x):
    ...     h = s.act(s.w1(x))
    ...     for w in s.w2:
    ...         h = s.act(w(h))
    ...     return s.w3(h)
    >>> print(perceptron)
    @compact(
        w1=Dense(1, 128),     # 256 parameters
        w2=[
            Dense(128, 128),  # 16,512 parameters
            Dense(128, 128),  # 16,512 parameters
            Dense(128, 128),  # 16,512 parameters
        ],
        w3=Dense(128, 1),     # 129 parameters
        act=relu,
    )                         # Total: 49,921 parameters, plus 1 states
    def perceptron(s, x):
        h = s.act(s.w1(x))
        for w in s.w2:
            h = s.act(w(h))
        return s.w3(h)
    >>> x = np.ones((32, 1), dtype=np.float32)
    >>> perceptron(x, *setup(rng, perceptron))[0].shape
    (32, 1)

    A name to print, and a state that changes:

    >>> print(compact(lambda s, x: s.w @ x, w=rng.random(3), name="Linear(3 => 1)"))
    Linear(3 => 1)  # 3 parameters
    >>> @compact(count=0)
    ... def counter(s, x):
    ...     s.count = s.count + 1
    ...     return x
    >>> counter(np.ones(2), *setup(rng, counter))[1]
    {'count': 1}
    """
    if name is not None and not isinstance(name, str):
        raise OptionError(
            f"compact(name=...) is what is printed, a string, got {name!r}; "
            "give a value of the layer another name"
        )
    if len(forward) > 1:
        raise OptionError(
            f"compact takes one function and values by keyword, got {len(forward)} positional "
            f"arguments; write compact(forward, w={text_of(forward[-1])})"
        )
    if not values:
        raise OptionError(
            "compact needs values by keyword, such as compact(forward, w=np.ones(3)); "
            "for a function without any use WrappedFunction"
        )
    for key in values:
        if key.startswith("_"):
            raise OptionError(f"compact takes names without a leading underscore, got {key!r}")
    classified = Classified(values)
    if forward:
        return Compact(forward[0], values, classified, name, dispatch)
    return lambda function: Compact(function, values, classified, name, dispatch)


class Compact(Layer):
    """The layer that `compact` makes; compared by identity."""

    forward: Forward
    name: str | None
    dispatch: Any
    _values: dict[str, Any]
    _classified: Classified
    _takes_parameters: bool

    def __init__(
        self,
        forward: Forward,
        values: Mapping[str, Any],
        classified: Classified,
        name: str | None,
        dispatch: Any,
        /,
    ) -> None:
        put = object.__setattr__
        put(self, "forward", forward)
        put(self, "name", name)
        put(self, "dispatch", dispatch)
        put(self, "_values", dict(values))
        put(self, "_classified", classified)
        put(self, "_takes_parameters", _takes_parameters(forward))

    def __call__(self, x: Any, ps: PyTree, st: PyTree, /) -> tuple[Any, PyTree]:
        try:
            s = Namespace(self._classified, ps, st)
        except (KeyError, TypeError, IndexError) as error:
            self._explain(error, ps, st)
            raise
        further = (ps,) if self._takes_parameters else ()
        scope = precision_of(x, ps)
        if scope is None:
            y = self.forward(s, x, *further)
        else:
            with scope:
                y = self.forward(s, x, *further)
        if y is None:
            raise OptionError(
                f"the function of {self!r} returned None; end it with the output, 'return y'"
            )
        return y, new_states(s, st)

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        return {name: make(rng) for name, make in self._classified.parameters.items()}

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        return {name: make(rng) for name, make in self._classified.states.items()}

    def preserves_state_type(self) -> bool:
        return self._classified.preserves_state_type()

    def _explain(self, error: Exception, ps: PyTree, st: PyTree) -> None:
        classified = self._classified
        for what, found, expected in [
            ("parameters", ps, classified.parameters),
            ("states", st, classified.states),
        ]:
            if not isinstance(found, dict) or not set(expected) <= set(found):
                got = f"keys {list(found)}" if isinstance(found, dict) else repr(type(found))
                raise TreeError(
                    f"{self!r} needs {what} with the keys {list(expected)}, got {got}; "
                    "setup(rng, model) makes them"
                ) from error

    def __reduce_ex__(self, protocol: Any, /) -> Any:
        # A decorated function is found by its name, as a plain one is: pickling it as it is would
        # look for the function there and find the layer.
        module, name = (getattr(self.forward, key, None) for key in ("__module__", "__qualname__"))
        if module in sys.modules and name and _look_up(module, name) is self:
            return _look_up, (module, name)
        return super().__reduce_ex__(protocol)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise dataclasses.FrozenInstanceError(f"cannot assign to {name!r} of a compact layer")

    def __repr__(self) -> str:
        if self.name is not None:
            return self.name
        shown = [name_of(self.forward)]
        shown += [f"{name}={text_of(value)}" for name, value in self._values.items()]
        return f"compact({', '.join(shown)})"

    def __str__(self) -> str:
        outline = self._outline()
        source = source_of(self.forward)
        if source is None or not outline.parts:
            return render(outline)
        if source.startswith("lambda"):
            first = ("", Outline(source, is_layer=False))
            return render(dataclasses.replace(outline, parts=(first, *outline.parts[1:])))
        decorator = dataclasses.replace(outline, opening="@compact(", parts=outline.parts[1:])
        return f"{render(decorator)}\n{source}"

    def _outline(self) -> Outline:
        counts = self.parameter_count(), self.state_count()
        if self.name is not None:
            return Outline(self.name, *counts)
        parts = [("", Outline(name_of(self.forward), is_layer=False))]
        parts += [(f"{name}=", outline_of_value(value)) for name, value in self._values.items()]
        return Outline("compact(", *counts, tuple(parts), ")")


def _look_up(module: str, name: str) -> Any:
    """What a module has under a dotted name; None where it has nothing."""
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _takes_parameters(forward: Any) -> bool:
    """Whether a forward function takes all parameters as its third argument."""
    if not callable(forward) or isinstance(forward, type | HasSetup):
        raise OptionError(
            f"compact needs a function forward(s, x) that returns the output, got {forward!r}"
        )
    try:
        signature = inspect.signature(forward)
    except (TypeError, ValueError):  # a builtin without one
        return False
    for arguments in (("s", "x"), ("s", "x", "p")):
        with contextlib.suppress(TypeError):
            signature.bind(*arguments)
            return len(arguments) == 3
    raise OptionError(
        "the function of compact takes (s, x), or (s, x, p) with all parameters as p; got "
        f"{name_of(forward)}{signature}"
    )
