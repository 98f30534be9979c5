"""How the arrays that one step hands to the next lie in what a jitted step takes."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from polylux_jax._arrays import precision_scope, sightings
from polylux_jax._joining import Cut, Joining
from polylux_jax._vectors import cut, cut_on_host, join, join_on_host, split

_LARGEST = 32_768
"""Numbers up to which copying them in and out of one vector costs less than its parts' buffers."""

_MOST = 64
"""Arrays in it: each takes XLA milliseconds to compile."""


class Packing:
    """How the arrays of a carry, and a place, lie in one vector; one object for each kind."""

    __slots__ = ("_dtype", "_shapes", "_treedef")

    def __init__(self, treedef: Any, shapes: tuple[tuple[int, ...], ...], dtype: Any) -> None:
        self._treedef = treedef
        self._shapes = shapes
        self._dtype = dtype

    @classmethod
    def of(cls, carry: Any) -> Packing | None:
        """How these arrays lie in one vector; None if they are better left as they are."""
        leaves, treedef = jax.tree.flatten(carry)
        if not 2 <= len(leaves) <= _MOST or len({leaf.dtype for leaf in leaves}) > 1:
            return None
        shapes = tuple([leaf.shape for leaf in leaves])
        if sum(map(math.prod, shapes)) > _LARGEST:
            return None
        return _packing(treedef, shapes, leaves[0].dtype)

    def pack(self, xp: Any, carry: Any, place: Any) -> Any:
        """The arrays of a carry as one vector; its last entry is the place."""
        parts = [xp.reshape(leaf, (-1,)) for leaf in (*jax.tree.leaves(carry), place)]
        return xp.concatenate([part.astype(self._dtype) for part in parts])

    def unpack(self, vector: Any, cut: Cut) -> Any:
        """The carry again, in nested tuples; the vector is taken apart by `cut`."""
        return jax.tree.unflatten(self._treedef, cut(vector, self._shapes))

    @staticmethod
    def place(vector: Any) -> Any:
        """The place again."""
        return vector[-1].astype(np.int32)


_packing = functools.lru_cache(maxsize=256)(Packing)


class Form(NamedTuple):
    """How a carry, parameters and slots in nested tuples, lies in what a jitted step takes.

    Attributes
    ----------
    joining : Joining or None
        How small ones among the parameters, and among each slot, lie in vectors.
    packing : Packing or None
        How what comes of that lies in one vector.
    """

    joining: Joining | None
    packing: Packing | None

    # --- in a trace ---------------------------------------------------------------------------

    def unpack(self, content: Any) -> tuple[Any, Any]:
        """The carry, joined, and the place."""
        place = self._place(content)
        return self._unpacked(content, functools.partial(cut, place=place)), place

    def pack(self, carry: Any, place: Any) -> Any:
        """The content again, of a joined carry."""
        return (carry, place) if self.packing is None else self.packing.pack(jnp, carry, place)

    def apart(self, parameters: Any, place: Any) -> Any:
        """The parameters, of those of a joined carry."""
        if self.joining is None:
            return parameters
        return self.joining.apart(parameters, functools.partial(cut, place=place))

    def together(self, gradients: Any) -> Any:
        """Gradients, which are like the parameters, as those of a joined carry."""
        return gradients if self.joining is None else self.joining.together(gradients, join)

    def after(self, carry: Any) -> Form:
        """The form for what a step makes of such a carry, joined: a dtype may have drifted."""
        return self if self.packing is None else Form(self.joining, Packing.of(carry))

    # --- of arrays that are there -------------------------------------------------------------

    @classmethod
    def enclose(cls, carry: Any, place: Any, can_join: bool) -> tuple[Form, Any]:
        """The form for a carry, and the content."""
        leaves = jax.tree.leaves(carry)
        joining = packing = None
        if _share_a_device(leaves):
            joining = _joining_of(*carry) if can_join else None
            if joining is not None:
                parameters, slots = carry
                together = functools.partial(joining.together, join=join_on_host)
                carry = together(parameters), tuple(map(together, slots))
            packing = Packing.of(carry)
        if packing is None:
            content = (carry, place)
        else:
            content = packing.pack(np, jax.tree.map(np.asarray, carry), place)
        return cls(joining, packing), _on_device(content, leaves[0])

    def open(self, content: Any, part: int) -> Any:
        """The parameters, part 0 of the carry, or the slots, part 1, in nested tuples."""
        if self.joining is None and self.packing is None:
            return content[0][part]
        like = jax.tree.leaves(content)[0]
        if _is_traced(like):
            return self._opened(content, part, split)
        # Someone may look at it while a trace is under way, or outside of the precision scope.
        with precision_scope([like]) or contextlib.nullcontext(), jax.ensure_compile_time_eval():
            if next(sightings(self, part)) >= _OFTEN:
                return _jitted_opening(self, part)(content)
            if self.packing is not None:
                content = np.asarray(content)
            return _on_device(self._opened(content, part, cut_on_host), like)

    def _opened(self, content: Any, part: int, cut: Cut) -> Any:
        opened = self._unpacked(content, cut)[part]
        if self.joining is None:
            return opened
        apart = functools.partial(self.joining.apart, cut=cut)
        return apart(opened) if part == 0 else tuple(map(apart, opened))

    def _unpacked(self, content: Any, cut: Cut) -> Any:
        return content[0] if self.packing is None else self.packing.unpack(content, cut)

    def _place(self, content: Any) -> Any:
        return content[1] if self.packing is None else self.packing.place(content)


_OFTEN = 64
"""Openings of one form after which XLA does it: it takes the time of some seventy of numpy's to
compile, and then a seventh of one."""


@functools.lru_cache(maxsize=256)
def _jitted_opening(form: Form, part: int) -> Any:
    def opened(content: Any) -> Any:
        return form._opened(content, part, functools.partial(cut, place=form._place(content)))

    return jax.jit(opened)


def _joining_of(parameters: Sequence[Any], slots: Sequence[Sequence[Any]]) -> Joining | None:
    """How small parameters are joined, if the slots can be as well."""
    joining = Joining.of(parameters)
    shapes = [p.shape for p in parameters]
    for slot in slots:
        if joining is None or [array.shape for array in slot] != shapes:
            return None
        if any(len({slot[i].dtype for i in group}) > 1 for group in joining.groups):
            return None
    return joining


def _share_a_device(leaves: Sequence[Any]) -> bool:
    """Whether all are arrays on one device, and none is traced."""
    if any(_is_traced(leaf) for leaf in leaves):
        return False
    return len(set().union(*[leaf.devices() for leaf in leaves])) == 1


def _is_traced(leaf: Any) -> bool:
    return isinstance(leaf, jax.core.Tracer)


def _on_device(tree: Any, like: Any) -> Any:
    """A tree with copies, where `like` is, of its numpy arrays; others stay as they are."""
    leaves, treedef = jax.tree.flatten(tree)
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, np.ndarray | np.generic)]
    # Copied first: JAX may share memory of numpy's, which here may be of a buffer that the next
    # step is given.
    copies = [np.array(leaves[i]) for i in places]
    is_bound = not _is_traced(like) and like.committed and len(like.devices()) == 1
    put = jax.device_put(copies, next(iter(like.devices())) if is_bound else None)
    for i, array in zip(places, put, strict=True):
        leaves[i] = array
    return jax.tree.unflatten(treedef, leaves)
