"""Clearer errors for JAX's own, where the mistake comes from mixing frameworks or from tracing."""

from __future__ import annotations

import re

import jax

from polylux.errors import (
    ArrayMixError,
    GivenAwayError,
    LeakedTracerError,
    PolyluxError,
    UnsupportedError,
)

_CONVERT = (
    "write with xp = array_namespace(x), call its functions, and convert constants with "
    "xp.asarray(constant, dtype=x.dtype)"
)
_DATA_DEPENDENT = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerBoolConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)
# How JAX, torch and Python itself word an operation between arrays of two libraries.
_OURS = r"\w*Tracer|jaxlib\.\S*ArrayImpl|ArrayImpl"
_THEIRS = r"Tensor|Parameter|\w*Array|\w*Box"
_MIXED = re.compile(
    rf"unsupported operand type\(s\) for \S+: '(?:{_OURS})' and '(?:{_THEIRS})'"
    rf"|unsupported operand type\(s\) for \S+: '(?:{_THEIRS})' and '(?:{_OURS})'"
    rf"|must be Tensor, not (?:{_OURS})"
    r"|requires ndarray or scalar arguments, got <class '(?!list'|tuple'|NoneType'|str'|dict')"
)
_GIVEN_AWAY = re.compile(r"Array has been deleted|buffer has been deleted or donated")


def diagnose(error: BaseException) -> PolyluxError | None:
    """The error of ours that tells the user what to change, or None."""
    if isinstance(error, jax.errors.UnexpectedTracerError):
        return LeakedTracerError(
            "a value from inside a JAX trace was kept and used after the trace had ended; return "
            "it from the objective, in the states or the stats, and do not store it elsewhere"
        )
    if isinstance(error, jax.errors.TracerArrayConversionError):
        return ArrayMixError(
            "a numpy function was called on a traced JAX value, which has no numbers yet; "
            + _CONVERT
        )
    if isinstance(error, _DATA_DEPENDENT):
        return UnsupportedError(
            "Python control flow, an index or a shape depends on the values of a traced JAX "
            "array, which jit does not know; use xp.where(condition, a, b), "
            "or run without jit: AutoJax(jit=False)"
        )
    if isinstance(error, TypeError) and _MIXED.search(str(error)):
        return ArrayMixError(
            f"a JAX array met an array of another library ({_first_line(error)}); "
            + _CONVERT
            + ", or move them with to_backend(constant, AutoJax())"
        )
    if isinstance(error, RuntimeError | ValueError) and _GIVEN_AWAY.search(str(error)):
        return GivenAwayError(
            "the buffer of this JAX array was given to a step that ends in `_`, and reused; "
            "go on with the train state which that step returned, or use the step without `_`"
        )
    return None


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
