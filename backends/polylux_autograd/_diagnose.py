"""Clearer errors for autograd's and numpy's, where the mistake comes from mixing libraries."""

from __future__ import annotations

import re

from polylux.errors import ArrayMixError, PolyluxError

_CONVERT = (
    "write with xp = array_namespace(x), call its functions, and convert constants with "
    "xp.asarray(constant, dtype=x.dtype)"
)
# The second is `np.sum(x)`, which calls `x.sum(out=None)`.
_NUMPY_FUNCTION = re.compile(
    r"operand '(?:Array|Box)' does not support ufuncs"
    r"|^\w+\(\) got an unexpected keyword argument 'out'"
)
# How torch, JAX and Python itself word an operation between arrays of two libraries.
_OURS = r"Array|Box"
_THEIRS = r"Tensor|Parameter|\w*Tracer|jaxlib\.\S*ArrayImpl|ArrayImpl"
_MIXED = re.compile(
    rf"unsupported operand type\(s\) for \S+: '(?:{_OURS})' and '(?:{_THEIRS})'"
    rf"|unsupported operand type\(s\) for \S+: '(?:{_THEIRS})' and '(?:{_OURS})'"
    rf"|must be Tensor, not (?:{_OURS})"
    r"|<class 'polylux_autograd\.\S+'> is not a valid JAX type"
)


def diagnose(error: BaseException) -> PolyluxError | None:
    """The error of ours that tells the user what to change, or None."""
    if not isinstance(error, TypeError):
        return None
    message = str(error).partition("\n")[0]
    if _NUMPY_FUNCTION.search(message):
        return ArrayMixError(
            "a numpy function was called on an array of the autograd backend, which numpy would "
            "strip of its derivative; " + _CONVERT
        )
    if _MIXED.search(message):
        return ArrayMixError(
            f"an array of the autograd backend met an array of another library ({message}); "
            + _CONVERT
            + ", or move them with to_backend(constant, AutoAutograd())"
        )
    return None
