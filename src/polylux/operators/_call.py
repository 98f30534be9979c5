"""Call: the arguments of one call of an operator, and the operator as a function of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from polylux import arrays, tree
from polylux.backend import Backend
from polylux.cache import OPERATORS, Cache, Entry
from polylux.errors import OptionError, ShapeError, TreeError
from polylux.flat import Layout
from polylux.operators._levels import Arrays, Level
from polylux.operators._routes import resolve
from polylux.operators._task import Task
from polylux.operators._trees import (
    NO_STRUCTURE,
    Cotangent,
    Returned,
    cast,
    flatten_untied,
    lay_out_point,
    numbers_as_arrays,
    require_one_length,
    require_shape,
)
from polylux.running import require_real_scalar, run
from polylux.selectors import ADType
from polylux.tree import Structure
from polylux.typing import PyTree

if TYPE_CHECKING:
    from polylux.operators._operator import Operator

Groups = tuple[Arrays, Arrays, Arrays, Arrays]
"""Arrays of the point that are differentiated, its others, of the directions, and constants."""


class Call:
    """The arguments of one call of an operator, moved to the backend and flattened.

    Of the operator's results the call gives the last `count`.
    """

    __slots__ = (
        "backend", "batched", "constants", "constants_structure", "count", "direction_structure",
        "directions", "f", "fixed", "given_selector", "has_aux", "is_of_one_array", "layout",
        "levels", "operator", "selector", "trainable",
    )  # fmt: skip

    def __init__(
        self,
        operator: Operator,
        count: int,
        f: Callable[..., Any],
        selector: ADType,
        x: PyTree,
        rest: tuple[Any, ...],
        has_aux: bool,
        batched: bool,
    ) -> None:
        if not callable(f):
            raise OptionError(
                f"expected a callable as the first argument, got {f!r}; the order is "
                f"({', '.join(_order(operator))})"
            )
        if operator.direction and not rest:
            raise OptionError(
                f"{operator.name} takes a direction after the point x; the order is "
                f"({', '.join(_order(operator))})"
            )
        backend, concrete, outer, inner = resolve(selector, operator.name, operator.order)
        found, layout = lay_out_point(x)
        if operator.of_a_number:
            _require_number(operator.name, found, layout)
        direction: PyTree = ()
        if operator.direction:
            direction, *constants = rest
        else:
            constants = list(rest)
        self.operator = operator
        self.count = count
        self.f = f
        self.given_selector = selector
        self.selector = concrete
        self.backend: Backend = backend
        inner_level = Level(backend, concrete, inner)
        self.levels = (
            inner_level if outer is inner else Level(backend, concrete, outer),
            inner_level,
        )
        self.layout = layout
        self.is_of_one_array = _is_one_array(layout)
        self.has_aux = has_aux
        self.batched = batched
        self.trainable, self.fixed = layout.split(arrays.move(found, backend, concrete))
        given, self.direction_structure = self._flatten_direction(direction)
        self.directions = arrays.move(given, backend, concrete)
        others, self.constants_structure = tree.flatten(tuple(constants), arrays.is_array)
        self.constants = arrays.move(others, backend, concrete)
        if operator.direction == "x":
            for array, leaf, path in zip(
                self.directions, self.trainable, layout.paths(), strict=True
            ):
                require_shape(array, leaf, batched, f"direction{path and ' at ' + path}")
            require_one_length(self.directions, batched)

    def staged(self) -> tuple[Cache, Entry] | None:
        """The entry of the cache that has the staged function; None where nothing is staged."""
        backend, selector = self.backend, self.selector
        if not backend.is_staged(selector) or backend.is_tracing():
            # Inside a trace the function may have captured traced values, which no cache may keep.
            return None
        name = self.operator.name
        # Under SecondOrder the outer mode is no part of the backend's own selector.
        outer = self.levels[0].means.asked
        kind = (name, self.count, selector, outer, self.has_aux, self.batched)
        cache = OPERATORS.of(self.f, kind)
        parts = (name, self.f, self.layout, self.direction_structure, self.constants_structure)
        entry = cache.find(parts)
        if entry is None:
            names = ("operator", "function", "x", "direction", "constants")
            entry = Entry(names, parts, backend.stage(self.function(), selector))
            cache.add(entry, is_staged=True)
        return cache, entry

    def results(
        self, function: Callable[..., Any], groups: Groups | None = None
    ) -> tuple[Any, ...]:
        """What `function` gives for the arrays of this call, or for others in their place.

        As trees, with the auxiliary output last if there is one.
        """
        if groups is None:
            groups = (self.trainable, self.fixed, self.directions, self.constants)
        scope = self.backend.precision_scope(groups[0] + groups[1] + groups[2] + groups[3])
        found: tuple[Any, ...] = run(self.backend, scope, self._trees, function, groups)
        return found

    def short_results(
        self, short: Callable[..., Any], f: Callable[..., Any], groups: Groups
    ) -> tuple[Any, ...]:
        """What `short` gives for `f` by its one array, as `results` would."""
        backend, selector = self.backend, self.selector
        (leaf,), _, _, constants = groups

        def function(x: Any) -> tuple[Any, Arrays]:
            value = f(x, *constants)
            require_real_scalar(value, backend, selector, "the value of f")
            return value, ()

        scope = backend.precision_scope((leaf, *constants))
        found: tuple[Any, ...] = run(backend, scope, short, self.levels[1], function, leaf)
        return found[-self.count :]

    def function(self, other: Callable[..., Any] | None = None) -> Callable[..., Any]:
        """The operator as a function of groups of arrays, which holds none of them.

        That of another function in place of the call's, if there is one.
        """
        f = other or self.f
        operator, layout, constants, count = (
            self.operator, self.layout, self.constants_structure, self.count,
        )  # fmt: skip
        backend, selector, has_aux, several = (
            self.backend, self.selector, self.has_aux, self.batched,
        )  # fmt: skip
        outer, inner = self.levels
        cotangent = Cotangent(self.direction_structure, several)
        takes_tangents = operator.direction == "x"
        xp = backend.namespace

        def function(trainable: Any, fixed: Any, directions: Any, others: Any) -> Any:
            rest = constants.unflatten(others)
            returned = Returned(backend, selector, has_aux, operator.is_scalar)

            def flat(*leaves: Any) -> tuple[Arrays, Arrays]:
                return returned.take(f(layout.unflatten(leaves, fixed), *rest))

            def cotangents(outputs: Arrays) -> Arrays:
                return cotangent.beside(returned, directions, outputs, xp)

            tangents: Arrays = ()
            if takes_tangents:
                tangents = tuple(map(cast, directions, trainable, [xp] * len(directions)))
            task = Task(outer, inner, flat, trainable, tangents, cotangents, several, xp)
            found, aux = operator.kernel(task)
            # The others too would each cost a compiled function a buffer, and work to fill it.
            return (found[-count:], aux), (returned.outputs, returned.aux)

        return function

    def with_arrays(self, trainable: Arrays, directions: Arrays, constants: Arrays) -> Call:
        """The same call of other arrays, where none is an integer array of the point."""
        call = Call.__new__(Call)
        for name in Call.__slots__:  # copy.copy takes four times as long
            setattr(call, name, getattr(self, name))
        call.trainable, call.fixed = trainable, ()
        call.directions, call.constants = directions, constants
        return call

    def forget_arrays(self) -> None:
        """Keep only what tells this call from others."""
        self.trainable = self.fixed = self.directions = self.constants = ()

    def _trees(self, function: Callable[..., Any], groups: Groups) -> tuple[Any, ...]:
        (found, aux), (outputs, aux_structure) = function(*groups)
        cut = len(outputs.fixed)
        if self.is_of_one_array and _is_one_array(outputs):
            results = [_only(group) for group in found]
        else:
            trainable, fixed, directions, constants = groups
            call = self if fixed else self.with_arrays(trainable, directions, constants)
            results = [
                make(group, call, outputs, aux[:cut])
                for make, group in zip(self.operator.trees[-self.count :], found, strict=True)
            ]
        if self.has_aux:
            results.append(aux_structure.unflatten(aux[cut:]))
        return tuple(results)

    def _flatten_direction(self, direction: PyTree) -> tuple[list[Any], Structure]:
        """The arrays of a direction, and the structure that tells their places."""
        if not self.operator.direction:
            return [], NO_STRUCTURE
        if self.operator.direction == "output":
            return flatten_untied(numbers_as_arrays(direction))
        structure = self.layout.structure
        found = tree.flatten_like(
            numbers_as_arrays(direction), structure, "the direction is a tree like x", _equal
        )
        paths = structure.paths()
        for place in self.layout.trainable:
            if not arrays.is_array(found[place]):
                at = f" at {paths[place]}" if paths[place] else ""
                raise TreeError(
                    f"the direction has {found[place]!r}{at}, and x has an array there; use zeros "
                    "where it is not to move"
                )
        return [found[place] for place in self.layout.trainable], NO_STRUCTURE


def _is_one_array(layout: Layout) -> bool:
    """Whether the tree is an array itself, and that is differentiated."""
    return layout.trainable == (0,) and layout.structure.treedef.is_leaf()


def _only(group: Any) -> Any:
    """The one array in nested tuples of one item."""
    while type(group) is tuple:
        (group,) = group
    return group


def _order(operator: Operator) -> list[str]:
    direction = {"x": ["direction"], "output": ["cotangent"], "": []}[operator.direction]
    return ["f", "selector", "x", *direction, "*constants"]


def _equal(a: Any, b: Any) -> bool:
    return bool((arrays.host_arrays([a])[0] == arrays.host_arrays([b])[0]).all())


def _require_number(name: str, found: Arrays, layout: Layout) -> None:
    if len(layout.structure.slots) > 1 or layout.structure.treedef.num_nodes > 1 or found[0].shape:
        raise ShapeError(
            f"{name} takes a function of one number, and x is {layout.structure.treedef} with "
            f"shapes {[tuple(a.shape) for a in found]}; use jacobian, or gradient for a scalar "
            "function"
        )
