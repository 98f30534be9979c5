"""TreeFunction: a function of trees, as the function of arrays that a backend transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from polylux import arrays, tree
from polylux.backend import Backend
from polylux.errors import ArrayMixError
from polylux.tree import Structure
from polylux.typing import PyTree


class TreeFunction:
    """`f(*args, **kwargs)` as a function of the arrays among its arguments.

    Parameters
    ----------
    f : callable
    structure : Structure
        Of `(args, kwargs)`.
    backend : Backend
        Which has to own the arrays that `f` returns.
    what : str
        Names `f` in messages.
    """

    def __init__(
        self, f: Callable[..., PyTree], structure: Structure, backend: Backend, what: str
    ) -> None:
        self._f = f
        self._structure = structure
        self._backend = backend
        self._what = what
        self._returned: Structure | None = None

    def __call__(self, *found: Any) -> tuple[Any, ...]:
        args, kwargs = self._structure.unflatten(found)
        outputs, self._returned = tree.flatten(self._f(*args, **kwargs), arrays.is_array)
        accepted = arrays.owners_accepted_by(self._backend)
        for place, array in enumerate(outputs):
            if arrays.owner_of(type(array)) not in accepted:
                path = self._returned.paths()[place]
                raise ArrayMixError(
                    f"{self._what} returned a {type(array).__module__}.{type(array).__qualname__}"
                    f"{' at ' + path if path else ''}, and its arguments are arrays of "
                    f"{self._backend.name!r}; make constants with xp = array_namespace(x); "
                    "xp.asarray(constant, dtype=x.dtype)"
                )
        return outputs

    def result(self, outputs: Sequence[Any]) -> PyTree:
        """What `f` returned in its latest run, with these arrays in it."""
        assert self._returned is not None
        return self._returned.unflatten(outputs)
