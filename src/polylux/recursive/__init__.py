"""Operations on every leaf of a tree: map, add, copy, zero, and the common element type.

A name with a trailing underscore writes into the first tree's arrays where it can: **use the
returned tree**. Where it cannot it gives new arrays instead: JAX's and autograd's are immutable,
some memory is read-only, and inside an objective nothing is ever overwritten. Trees are those of
:mod:`polylux.tree`; an array that stands at several places is handled once and stays tied.
"""

from polylux.recursive._eltype import arrays_eltype, recursive_eltype
from polylux.recursive._map import recursive_map
from polylux.recursive._pairs import recursive_add_, recursive_copyto_
from polylux.recursive._zero import recursive_make_zero, recursive_make_zero_

__all__ = [
    "arrays_eltype",
    "recursive_add_",
    "recursive_copyto_",
    "recursive_eltype",
    "recursive_make_zero",
    "recursive_make_zero_",
    "recursive_map",
]
