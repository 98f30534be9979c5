"""Unit directions: the columns or rows by which a Jacobian is found."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

Arrays = tuple[Any, ...]


def unit_directions(xp: Any, leaves: Arrays) -> Arrays:
    """For each leaf an array of shape `(size of all leaves, *leaf.shape)`.

    Direction i has a one at entry i of the leaves, counted through all of them, and else zeros.
    """
    total = sum(math.prod(leaf.shape) for leaf in leaves)
    directions = []
    before = 0
    for leaf in leaves:
        size = math.prod(leaf.shape)
        # Of ones like the leaf's own, and not by `eye`: so they are on its device.
        ones = xp.ones_like(xp.reshape(leaf, (1, size)))
        square = xp.tril(xp.triu(xp.broadcast_to(ones, (size, size))))
        above = xp.broadcast_to(xp.zeros_like(ones), (before, size))
        below = xp.broadcast_to(xp.zeros_like(ones), (total - before - size, size))
        directions.append(xp.reshape(xp.concat([above, square, below]), (total, *leaf.shape)))
        before += size
    return tuple(directions)


def each_unit_direction(xp: Any, leaves: Arrays) -> Iterator[Arrays]:
    """What `unit_directions` holds, one after the other.

    Yields
    ------
    tuple of arrays
        One for each leaf.
    """
    zeros = tuple(xp.zeros_like(leaf) for leaf in leaves)
    for i, leaf in enumerate(leaves):
        none = xp.reshape(zeros[i], (-1,))
        one = xp.ones_like(none[:1])
        for k in range(math.prod(leaf.shape)):
            # Put together from pieces: arrays of some backends cannot be written to.
            hot = xp.reshape(xp.concat([none[:k], one, none[k + 1 :]]), leaf.shape)
            yield (*zeros[:i], hot, *zeros[i + 1 :])
