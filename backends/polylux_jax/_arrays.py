"""JAX arrays in and out: the host, copies, devices, other frameworks, and the precision scope."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.extend.backend
import jax.numpy as jnp
import numpy as np

from polylux.errors import DeviceError, DTypeError
from polylux.selectors import ADType

# JAX has these only inside `jax.enable_x64`. Outside it narrows them, in part without a word.
_WIDE_FLOATS = frozenset({np.dtype(np.float64), np.dtype(np.complex128)})
_NARROWED = {np.dtype(np.int64): np.dtype(np.int32), np.dtype(np.uint64): np.dtype(np.uint32)}
_WIDE_NAMES = frozenset({"float64", "complex128"})
_WIDE_INTEGER_NAMES = frozenset({"int64", "uint64"})


def owns(array_type: type) -> bool:
    """Whether values of this type are JAX arrays or tracers, which are no subclass of those."""
    return issubclass(array_type, jax.Array | jax.core.Tracer)


def from_host(arrays: Sequence[np.ndarray[Any, Any]], selector: ADType) -> list[Any]:
    """New JAX arrays; int64 becomes int32 where its values fit and the scope is not entered."""
    with precision_scope(arrays) or contextlib.nullcontext():
        # A copy of our own first: JAX shares numpy memory that happens to be 64-byte aligned
        # (`device_put` even with `may_alias=False`), and may read the rest of it later.
        copies = tuple([_representable(array) for array in arrays])
        target = _target(selector)
        if next(sightings(tuple([(copy.shape, copy.dtype) for copy in copies]), target)):
            return list(_jitted_identity(target)(copies))
        return [jnp.array(copy, device=target) for copy in copies]


def to_host(arrays: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
    """Numpy arrays; on the CPU read-only views, which keep their buffer from being donated."""
    return [_to_numpy(array) for array in arrays]


def stop_gradient(array: Any) -> Any:
    """The same value, as a constant for every derivative."""
    return jax.lax.stop_gradient(array)


def copy(arrays: Sequence[Any], selector: ADType) -> list[Any]:
    """The same values in fresh buffers, on the device where they were."""
    with _enable_x64() or contextlib.nullcontext():
        return [jnp.array(array, copy=True) for array in arrays]


def to_device(arrays: Sequence[Any], selector: ADType) -> list[Any]:
    """The same objects, if the selector names no device or they are on it already."""
    name = getattr(selector, "device", None)
    if name is None:
        return list(arrays)
    target = _find_device(name)
    there = {target}
    return [
        array
        if isinstance(array, jax.core.Tracer) or array.devices() == there
        else jax.device_put(array, target)
        for array in arrays
    ]


def from_foreign(arrays: Sequence[Any], selector: ADType) -> list[Any] | None:
    """Copies of arrays that speak DLPack, or None where the host does it better."""
    names = {str(getattr(array, "dtype", "")).rpartition(".")[2] for array in arrays}
    wide = bool(names & _WIDE_NAMES)
    if names & _WIDE_INTEGER_NAMES and not (wide or is_wide()):
        return None  # from_host checks the range; from_dlpack narrows without a word
    with (_enable_x64() if wide else None) or contextlib.nullcontext():
        try:
            aliases = [jnp.from_dlpack(array) for array in arrays]
        except (BufferError, RuntimeError, TypeError, ValueError):
            return None  # strides, a device or a dtype that JAX does not take over
        # A true copy (`from_dlpack(copy=True)` still aliases), finished before anyone writes.
        copies = [jnp.array(alias, copy=True).block_until_ready() for alias in aliases]
        return to_device(copies, selector)


def device(array: Any) -> str:
    """`"cpu:0"`; several devices are joined, and a traced value is where its trace will run."""
    if isinstance(array, jax.core.Tracer):
        return "traced"
    return only_name() or _names_at(array.sharding)


def dtype(name: str) -> Any:
    """The dtype object that arrays have: `jnp.float32` itself is none."""
    return jnp.dtype(name)


def precision_scope(arrays: Sequence[Any]) -> contextlib.AbstractContextManager[Any] | None:
    """`jax.enable_x64(True)` if any of the arrays needs it and it is not in force."""
    for array in arrays:
        if array.dtype in _WIDE_FLOATS:
            return _enable_x64()
    return None


def _enable_x64() -> contextlib.AbstractContextManager[Any] | None:
    # The context manager of one thread; the process-wide flag is never touched.
    return None if is_wide() else jax.enable_x64(True)


def is_wide() -> bool:
    """Whether 64-bit types exist in this thread now."""
    return bool(jax.enable_x64.value)


@functools.lru_cache(maxsize=256)
def sightings(*what: Any) -> Iterator[int]:
    """Counts how often these were seen, from 0: what comes again and again is worth compiling."""
    return itertools.count()


@functools.lru_cache(maxsize=8)
def _jitted_identity(target: Any) -> Any:
    # Three times as fast as `jnp.array` for a batch that comes again and again; the compilation
    # takes milliseconds, so a batch that is seen once goes the slower way.
    where = None if target is None else jax.sharding.SingleDeviceSharding(target)
    return jax.jit(lambda arrays: arrays, out_shardings=where)


def _representable(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A copy in a dtype that JAX has now; raises `DTypeError` if the values do not fit."""
    dtype = array.dtype
    if dtype in _NARROWED and not is_wide():
        return _narrowed(array, _NARROWED[dtype])
    return np.array(array, dtype=_native(dtype))


@functools.lru_cache(maxsize=256)
def _native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in this machine's byte order (files have others), if JAX knows it."""
    if not hasattr(jnp, dtype.name):
        raise DTypeError(
            f"JAX has no dtype {dtype.name!r}; convert the array first, "
            "for example to float32, float64 or int32"
        )
    return dtype if dtype.isnative else dtype.newbyteorder("=")


def _narrowed(array: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    if array.size:
        low, high = array.min(), array.max()
        bounds = np.iinfo(dtype)
        if low < bounds.min or high > bounds.max:
            raise DTypeError(
                f"JAX holds {array.dtype.name} data as {dtype.name}, whose range is "
                f"[{bounds.min}, {bounds.max}], and these values lie in [{low}, {high}]; "
                "give them as float64, or beside float64 arrays, with which they keep their dtype"
            )
    return array.astype(dtype)


def _to_numpy(array: Any) -> np.ndarray[Any, Any]:
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        raise DTypeError(
            f"a JAX random key (dtype {array.dtype}) is no array of numbers and stays with JAX; "
            "keep jax.random.key_data(key) instead"
        )
    return np.asarray(array)


@functools.cache
def only_name() -> str | None:
    """The name of the one device that JAX has in this process, if it has no others."""
    found = [d for platform in jax.extend.backend.backends() for d in jax.devices(platform)]
    return _names_at(jax.sharding.SingleDeviceSharding(found[0])) if len(found) == 1 else None


@functools.lru_cache(maxsize=64)
def _names_at(sharding: Any) -> str:
    return ",".join(sorted(f"{d.platform}:{d.id}" for d in sharding.device_set))


def _target(selector: ADType) -> Any:
    name = getattr(selector, "device", None)
    return None if name is None else _find_device(name)


@functools.lru_cache(maxsize=64)
def _find_device(name: str) -> Any:
    """The device behind `"gpu:1"` or `"cpu"`."""
    platform, _, index = name.partition(":")
    try:
        return jax.devices(platform)[int(index or 0)]
    except (RuntimeError, IndexError, ValueError):
        known = ", ".join(f"{d.platform}:{i}" for i, d in enumerate(jax.devices()))
        raise DeviceError(f"JAX finds no device {name!r}; it has {known}") from None


