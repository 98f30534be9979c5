"""Level: first derivatives of functions of leaves, each from what the backend has.

Functions take the leaves as positional arguments and return `(outputs, aux)`, tuples of arrays; so
do those that a level is given by another one, and in this way second derivatives are taken.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from polylux.backend import Backend, Function, Map, Pull, each_unit_direction, unit_directions
from polylux.operators._routes import Means, Push, by_columns, needs_output_first, pushes
from polylux.operators._routes import Pull as PullBy
from polylux.running import value_and_gradient
from polylux.selectors import ADType

Arrays = tuple[Any, ...]
Blocks: TypeAlias = tuple[Arrays, ...]
"""Of a Jacobian: for each output, for each leaf, an array of shape `output.shape + leaf.shape`."""


class Level:
    """First derivatives on one backend, by given means.

    Parameters
    ----------
    backend : Backend
    selector : ADType
        In the backend's own class.
    means : Means
    """

    def __init__(self, backend: Backend, selector: ADType, means: Means) -> None:
        self.means = means
        self._backend = backend
        self._selector = selector
        self._xp = backend.namespace

    def gradient(self, function: Function, leaves: Arrays) -> tuple[Any, Arrays, Arrays]:
        """Value, gradient and auxiliary output of `function(*leaves) -> (value, aux)`."""
        return value_and_gradient(self._backend, function, leaves, self._selector)

    def push(
        self, function: Map, leaves: Arrays, tangents: Arrays, several: bool = False
    ) -> tuple[Arrays, Arrays, Arrays]:
        """Outputs, their derivatives along the tangents, and auxiliary output.

        With `several` the tangents, and so the derivatives, have a leading axis of directions.
        """
        if self.means.push is Push.ROWS:
            outputs, blocks, aux = self.jacobian(function, leaves)
            products = [
                self._sum(map(self._forward_product, row, tangents, itertools.repeat(several)))
                for row in blocks
            ]
            return outputs, self._cast(products, outputs), aux
        if self.means.push is Push.TRANSPOSED:
            outputs, pull, aux = self._pull(function, leaves)
            zeros = tuple(map(self._xp.zeros_like, outputs))
            _, push, _ = self._pull(lambda *cotangents: (pull(cotangents), ()), zeros)
            derivatives = self._pull_several(push, tangents) if several else push(tangents)
            return outputs, self._cast(derivatives, outputs), aux
        if not several:
            return self._backend.pushforward(function, leaves, tangents, self._selector)
        return self._push_several(function, leaves, tangents)

    def pull(
        self,
        function: Map,
        leaves: Arrays,
        cotangents: Callable[[Arrays], Arrays],
        several: bool = False,
    ) -> tuple[Arrays, Arrays, Arrays]:
        """Outputs, the leaves' cotangents, and auxiliary output.

        `cotangents(outputs)` gives one for each output; with `several` they, and so those of the
        leaves, have a leading axis.
        """
        if self.means.is_forward:
            outputs, blocks, aux = self.jacobian(function, leaves)
            given = cotangents(outputs)
            pulled = [
                self._sum(map(self._reverse_product, column, given, itertools.repeat(several)))
                for column in zip(*blocks, strict=True)
            ]
            return outputs, self._cast(pulled, leaves), aux
        outputs, pull, aux = self._pull(function, leaves)
        given = cotangents(outputs)
        return outputs, self._pull_several(pull, given) if several else pull(given), aux

    def jacobian(
        self, function: Map, leaves: Arrays, square: bool = False
    ) -> tuple[Arrays, Blocks, Arrays]:
        """Outputs, blocks of their Jacobian, and auxiliary output.

        By the shorter side, where the means leave the choice; `square` says that it is that of a
        gradient.
        """
        inputs = _total(leaves)
        pulled = None
        if square:
            columns = pushes(self.means, inputs)
        elif not needs_output_first(self.means, inputs):
            columns = self.means.push is Push.FORWARD
        else:
            # What this has traced is of no use for columns, and a compiler leaves it out.
            pulled = self._pull(function, leaves)
            columns = by_columns(self.means, inputs, _total(pulled[0]))
        if columns:
            return self._columns(function, leaves)
        return self._rows(leaves, *(pulled or self._pull(function, leaves)))

    def rows(self, function: Map, leaves: Arrays) -> tuple[Arrays, Blocks, Arrays]:
        """The same by pullbacks, whichever side is the shorter."""
        return self._rows(leaves, *self._pull(function, leaves))

    # --- the two sides of a Jacobian ------------------------------------------------------------

    def _columns(self, function: Map, leaves: Arrays) -> tuple[Arrays, Blocks, Arrays]:
        if _total(leaves) == 0:
            zeros = tuple(map(self._xp.zeros_like, leaves))
            outputs, _, aux = self.push(function, leaves, zeros)
            return outputs, self._empty(outputs, leaves), aux
        if self._is_batched(_total(leaves)):
            directions = unit_directions(self._xp, leaves)
            outputs, derivatives, aux = self._push_batched(function, leaves, directions)
        else:
            each = each_unit_direction(self._xp, leaves)
            outputs, derivatives, aux = self._push_one_by_one(function, leaves, each)
        xp, ends = self._xp, list(itertools.accumulate(map(_size, leaves)))
        blocks = []
        for output, derivative in zip(outputs, derivatives, strict=True):
            row = []
            for leaf, end in zip(leaves, ends, strict=True):
                part = xp.moveaxis(derivative[end - _size(leaf) : end, ...], 0, -1)
                row.append(xp.reshape(part, (*output.shape, *leaf.shape)))
            blocks.append(self._cast(row, leaves))
        return outputs, tuple(blocks), aux

    def _rows(
        self, leaves: Arrays, outputs: Arrays, pull: Pull, aux: Arrays
    ) -> tuple[Arrays, Blocks, Arrays]:
        if _total(outputs) == 0:
            return outputs, self._empty(outputs, leaves), aux
        if self._pulls_at_once(_total(outputs)):
            pulled = self._pull_several(pull, unit_directions(self._xp, outputs))
        else:
            pulled = self._stacked(map(pull, each_unit_direction(self._xp, outputs)))
        xp, ends = self._xp, itertools.accumulate(map(_size, outputs))
        blocks = []
        for output, end in zip(outputs, ends, strict=True):
            rows = [cotangent[end - _size(output) : end, ...] for cotangent in pulled]
            blocks.append(
                tuple(
                    xp.reshape(row, (*output.shape, *leaf.shape))
                    for row, leaf in zip(rows, leaves, strict=True)
                )
            )
        return outputs, tuple(blocks), aux

    def _empty(self, outputs: Arrays, leaves: Arrays) -> Blocks:
        """Blocks of a Jacobian without an entry; so none is broadcast to more than nothing."""
        return tuple(
            tuple(self._xp.broadcast_to(leaf, (*output.shape, *leaf.shape)) for leaf in leaves)
            for output in outputs
        )

    # --- several directions at once -------------------------------------------------------------

    def _is_batched(self, count: int) -> bool:
        return self.means.batched and count > 1

    def _pulls_at_once(self, count: int) -> bool:
        return self._is_batched(count) and self.means.pull is PullBy.REVERSE

    def _push_several(
        self, function: Map, leaves: Arrays, tangents: Arrays
    ) -> tuple[Arrays, Arrays, Arrays]:
        if self._is_batched(tangents[0].shape[0]):
            return self._push_batched(function, leaves, tangents)
        return self._push_one_by_one(function, leaves, _items(tangents))

    def _push_batched(
        self, function: Map, leaves: Arrays, tangents: Arrays
    ) -> tuple[Arrays, Arrays, Arrays]:
        count = 0

        def along(*direction: Any) -> Arrays:
            nonlocal count
            outputs, derivatives, aux = self._backend.pushforward(
                function, leaves, direction, self._selector
            )
            count = len(outputs)
            return (*derivatives, *outputs, *aux)

        stacked = self._backend.vmap(along, tangents, self._selector)
        # The same for each direction, and so stacked all the same.
        rest = tuple(array[0, ...] for array in stacked[count:])
        return rest[:count], stacked[:count], rest[count:]

    def _push_one_by_one(
        self, function: Map, leaves: Arrays, directions: Iterable[Arrays]
    ) -> tuple[Arrays, Arrays, Arrays]:
        found = [
            self._backend.pushforward(function, leaves, direction, self._selector)
            for direction in directions
        ]
        outputs, _, aux = found[0]
        return outputs, self._stacked(derivatives for _, derivatives, _ in found), aux

    def _pull_several(self, pull: Pull, cotangents: Arrays) -> Arrays:
        if self._pulls_at_once(cotangents[0].shape[0]):
            return self._backend.vmap(lambda *one: pull(one), cotangents, self._selector)
        return self._stacked(map(pull, _items(cotangents)))

    def _stacked(self, found: Iterable[Arrays]) -> Arrays:
        return tuple(map(self._xp.stack, zip(*found, strict=True)))

    # --- one primitive from another -------------------------------------------------------------

    def _pull(self, function: Map, leaves: Arrays) -> tuple[Arrays, Pull, Arrays]:
        """The backend's pullback, or gradients of the outputs times the cotangents."""
        if self.means.pull is not PullBy.GRADIENT:
            return self._backend.pullback(function, leaves, self._selector)
        outputs, aux = self._backend.value(lambda group: function(*group), (leaves,))

        def pull(cotangents: Arrays) -> Arrays:
            def product(*points: Any) -> tuple[Any, Arrays]:
                return self._product(function(*points)[0], cotangents), ()

            return self._backend.value_and_gradient(product, leaves, self._selector)[1]

        return outputs, pull, aux

    # --- sums over the entries of arrays --------------------------------------------------------

    def _product(self, arrays: Arrays, others: Arrays) -> Any:
        """The sum of the products of all entries, in the widest of the dtypes."""
        xp = self._xp
        wide = xp.result_type(*(array.dtype for array in arrays))
        return self._sum(
            xp.sum(xp.astype(array, wide) * xp.astype(other, wide))
            for array, other in zip(arrays, others, strict=True)
        )

    def _forward_product(self, block: Any, tangent: Any, several: bool) -> Any:
        """A block of a Jacobian times tangents of its leaf."""
        xp = self._xp
        several_axes, leaf = _split_shape(tangent, several)
        output = block.shape[: block.ndim - len(leaf)]
        matrix = xp.reshape(block, (math.prod(output), math.prod(leaf)))
        vectors = xp.reshape(tangent, (math.prod(several_axes), math.prod(leaf)))
        product = xp.astype(vectors, block.dtype) @ xp.matrix_transpose(matrix)
        return xp.reshape(product, (*several_axes, *output))

    def _reverse_product(self, block: Any, cotangent: Any, several: bool) -> Any:
        """Cotangents of an output times a block of the Jacobian."""
        xp = self._xp
        several_axes, output = _split_shape(cotangent, several)
        leaf = block.shape[len(output) :]
        matrix = xp.reshape(block, (math.prod(output), math.prod(leaf)))
        vectors = xp.reshape(cotangent, (math.prod(several_axes), math.prod(output)))
        product = xp.astype(vectors, block.dtype) @ matrix
        return xp.reshape(product, (*several_axes, *leaf))

    def _sum(self, terms: Iterable[Any]) -> Any:
        return functools.reduce(operator.add, terms)

    def _cast(self, arrays: Iterable[Any], like: Arrays) -> Arrays:
        return tuple(
            array if array.dtype == other.dtype else self._xp.astype(array, other.dtype)
            for array, other in zip(arrays, like, strict=True)
        )


def _items(several: Arrays) -> Iterator[Arrays]:
    """What stands at each place of the leading axis."""
    return (tuple(s[i, ...] for s in several) for i in range(several[0].shape[0]))


def _split_shape(array: Any, several: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axis of directions, if there is one, and the others."""
    shape = tuple(array.shape)
    return (shape[:1], shape[1:]) if several else ((), shape)


def _size(array: Any) -> int:
    return math.prod(array.shape)


def _total(arrays: Arrays) -> int:
    return sum(map(_size, arrays))
