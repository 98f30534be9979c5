"""Trees of arrays in and out of a backend, and which backend an array belongs to."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import array_api_compat
import numpy as np

from polylux import registry, tree
from polylux.backend import Backend
from polylux.errors import ArrayMixError, DTypeError
from polylux.selectors import ADType, Auto, NoAutoDiff
from polylux.typing import PyTree

_PYTHON_SCALARS = (bool, int, float, complex)
_NUMERIC_KINDS = "biufcV"  # V: ml_dtypes' bfloat16 and its kin report as void

# Owner of each type seen so far: a backend's name, "host", "foreign" (an array of a library that
# no backend claims), or None for what is no array. Emptied when a backend is registered or loaded.
_OWNERS: dict[type, str | None] = {}
_NAMESPACES: dict[type, Any] = {}
_ACCEPTED: dict[str, frozenset[str]] = {}
_OWNERS_GENERATION = -1


def owner_of(array_type: type) -> str | None:
    """Name of the backend that owns values of this type.

    `"host"` for numpy, `"foreign"` for arrays that no backend claims, None for what is no array.
    """
    global _OWNERS_GENERATION
    if registry.generation() != _OWNERS_GENERATION:
        _OWNERS.clear()
        _NAMESPACES.clear()
        _OWNERS_GENERATION = registry.generation()
    try:
        return _OWNERS[array_type]
    except KeyError:
        owner = _find_owner(array_type)
        # Finding it may have discovered or loaded backends: then the next call asks again.
        _OWNERS[array_type] = owner
        return owner


def is_array(leaf: Any) -> bool:
    """Whether a leaf is an array of numbers, of any library."""
    leaf_type = type(leaf)
    owner = owner_of(leaf_type)
    if owner is None:
        return False
    if owner == "host":
        return leaf.dtype.kind in _NUMERIC_KINDS and leaf.dtype.names is None
    return True


def selector_of(*arrays: Any) -> ADType:
    """The selector of the backend that owns these arrays, traced values included.

    With it an objective can differentiate inside itself: `gradient(f, selector_of(x), x)`.

    Parameters
    ----------
    *arrays : array
        Of one backend; Python scalars are passed over.

    Returns
    -------
    ADType
        Plain, with the backend's default options; `NoAutoDiff()` for numpy arrays.

    Raises
    ------
    ArrayMixError
        If they belong to different backends, or to none.

    Examples
    --------
    >>> import numpy as np
    >>> selector_of(np.ones(3))
    NoAutoDiff()
    """
    name = common_owner(arrays, "selector_of")
    if name == "host":
        return NoAutoDiff()
    if name == "foreign":
        raise ArrayMixError(
            f"no registered backend owns {_type_name(arrays[0])} arrays; "
            "convert them with to_backend(array, selector)"
        )
    return registry.resolve(Auto(name))[1]


def array_namespace(*arrays: Any) -> Any:
    """The array-API namespace of these arrays, traced values included.

    Parameters
    ----------
    *arrays : array
        Of one library; Python scalars and None are passed over.

    Returns
    -------
    namespace
        With the standard's functions, for plain and traced values alike.

    Raises
    ------
    ArrayMixError
        If they belong to different libraries, or none is an array.

    Examples
    --------
    >>> import numpy as np
    >>> array_namespace(np.ones(3)).__name__
    'array_api_compat.numpy'
    """
    if arrays:
        first = _NAMESPACES.get(type(arrays[0]))
        if first is not None and _OWNERS_GENERATION == registry.generation():
            for other in arrays[1:]:
                if _NAMESPACES.get(type(other)) is not first:
                    break
            else:
                return first
    name = common_owner(arrays, "array_namespace")
    present = [a for a in arrays if owner_of(type(a)) == name]
    if name == "foreign":
        return array_api_compat.array_namespace(*present)
    namespace = registry.load_backend(name).namespace
    owner_of(type(present[0]))  # renews the caches, if loading changed the registry
    for array in present:
        _NAMESPACES[type(array)] = namespace
    return namespace


def common_owner(arrays: Sequence[Any], caller: str) -> str:
    """Name of the one backend to which these arrays belong."""
    found: dict[str, Any] = {}
    for array in arrays:
        owner = owner_of(type(array))
        if owner is not None:
            found.setdefault(owner, array)
        elif not isinstance(array, _PYTHON_SCALARS) and array is not None:
            raise ArrayMixError(
                f"{caller} got {_type_name(array)}, which is no array of a known library"
            )
    if not found:
        got = list(map(_type_name, arrays))
        raise ArrayMixError(f"{caller} needs at least one array, got {got}")
    if len(found) > 1:
        kinds = " and ".join(sorted(_type_name(a) for a in found.values()))
        raise ArrayMixError(
            f"{caller} got arrays of different libraries: {kinds}; convert the constants first, "
            "with xp = array_namespace(x); xp.asarray(constant, dtype=x.dtype), "
            "or move them with to_backend(constant, selector)"
        )
    return next(iter(found))


def to_host(values: PyTree) -> PyTree:
    """The tree with every array as a numpy array of the same dtype; other leaves pass through.

    Tied leaves stay tied. What was moved is a copy: a step that reuses buffers leaves it alone.

    Examples
    --------
    >>> import numpy as np
    >>> to_host({"w": np.ones(2), "name": "dense"})
    {'w': array([1., 1.]), 'name': 'dense'}
    """
    arrays, structure = tree.flatten(values, is_array)
    hosts = host_arrays(arrays)
    copies = [h if h is a else np.array(h) for h, a in zip(hosts, arrays, strict=True)]
    return structure.unflatten(copies)


def to_backend(values: PyTree, selector: ADType) -> PyTree:
    """The tree with every array moved to the backend of `selector`; other leaves pass through.

    Values and dtypes are kept; tied leaves stay tied. Arrays that are there already are returned
    as they are; moved ones never share memory that anyone can write to.

    Raises
    ------
    DTypeError
        If the backend cannot represent a dtype, or an integer does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux.selectors import NoAutoDiff
    >>> to_backend({"w": np.ones(2), "n": 3}, NoAutoDiff())
    {'w': array([1., 1.]), 'n': 3}
    """
    backend, selector = registry.resolve(selector)
    arrays, structure = tree.flatten(values, is_array)
    return structure.unflatten(move(arrays, backend, selector))


def move(arrays: Sequence[Any], backend: Backend, selector: ADType) -> tuple[Any, ...]:
    """These arrays as arrays of `backend`, where its selector wants them."""
    if are_own(arrays, backend):  # as in every step of a run but the first
        return tuple(backend.to_device(arrays, selector)) if arrays else ()
    own = owners_accepted_by(backend)

    def taken_over(owner: str | None, batch: list[Any]) -> Sequence[Any]:
        if owner in own:
            return backend.to_device(batch, selector)
        taken = None if owner == "host" else backend.from_foreign(batch, selector)
        return taken if taken is not None else backend.from_host(host_arrays(batch), selector)

    return tuple(_by_owner(arrays, taken_over))


def are_own(arrays: Sequence[Any], backend: Backend) -> bool:
    """Whether a backend works on these arrays as they are."""
    return owners_accepted_by(backend).issuperset(map(owner_of, set(map(type, arrays))))


def owners_accepted_by(backend: Backend) -> frozenset[str]:
    """Owners whose arrays are this backend's: itself, and the host if it works on numpy arrays."""
    if backend.name not in _ACCEPTED:
        also_host = {"host"} if backend.owns(np.ndarray) else set()
        _ACCEPTED[backend.name] = frozenset({backend.name, *also_host})
    return _ACCEPTED[backend.name]


def host_arrays(arrays: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
    """Numpy arrays of these arrays, whoever owns them."""

    def on_the_host(owner: str | None, batch: list[Any]) -> Sequence[Any]:
        if owner == "host":
            return [np.asarray(a) for a in batch]
        if owner == "foreign":
            return [np.from_dlpack(a) for a in batch]
        if owner is None:
            raise DTypeError(f"{_type_name(batch[0])} is no array")
        return registry.load_backend(owner).to_host(batch)

    return _by_owner(arrays, on_the_host)


def _by_owner(
    arrays: Sequence[Any], convert: Callable[[str | None, list[Any]], Sequence[Any]]
) -> list[Any]:
    """The arrays converted, each owner's in one batch, in the order in which they came."""
    owners = [owner_of(type(a)) for a in arrays]
    several = set(owners)
    if len(several) == 1:
        return list(convert(owners[0], list(arrays)))
    result: list[Any] = [None] * len(arrays)
    for owner in several:
        places = [i for i, o in enumerate(owners) if o == owner]
        converted = convert(owner, [arrays[i] for i in places])
        for i, array in zip(places, converted, strict=True):
            result[i] = array
    return result


def dtype_named(name: str, array: Any = None) -> Any:
    """The dtype of that name in the library of an array; numpy's without one.

    Raises
    ------
    DTypeError
        If the library has none.
    """
    owner = "host" if array is None else owner_of(type(array))
    if owner != "foreign":
        return registry.load_backend(str(owner)).dtype(name)
    found = getattr(array_namespace(array), name, None)
    if found is None:
        raise DTypeError(f"the library of {_type_name(array)} has no dtype {name}")
    return found


def equal(a: Any, b: Any) -> bool:
    """Whether two arrays that are not traced have one shape and equal values, NaN included."""
    first, second = host_arrays([a, b])
    return np.array_equal(first, second, equal_nan=first.dtype.kind in "fc")


def precision_scope(*arrays: Any) -> contextlib.AbstractContextManager[Any]:
    """A context in which array code keeps the dtypes of these arrays."""
    for array in arrays:
        owner = owner_of(type(array))
        if owner not in (None, "host", "foreign"):
            scope = registry.load_backend(owner).precision_scope(arrays)
            return contextlib.nullcontext() if scope is None else scope
    return contextlib.nullcontext()


def _find_owner(array_type: type) -> str | None:
    if issubclass(array_type, _PYTHON_SCALARS) and not issubclass(array_type, np.generic):
        return None
    if issubclass(array_type, np.ndarray | np.generic):
        return "host"
    for name, backend in registry.loaded_backends().items():
        if backend.owns(array_type):
            return name
    modules = {base.__module__.partition(".")[0] for base in array_type.__mro__}
    for name, plugin in registry.plugins().items():
        if not modules.intersection(plugin.array_modules) or plugin.framework not in sys.modules:
            continue
        # The framework is imported already, since a value of its type exists: loading is cheap.
        if registry.load_backend(name).owns(array_type):
            return name
    if hasattr(array_type, "__array_namespace__"):
        return "foreign"
    return None


def _type_name(value: Any) -> str:
    array_type = type(value)
    return f"{array_type.__module__}.{array_type.__qualname__}"
