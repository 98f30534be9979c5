"""Clearer errors for the two mistakes that torch words in terms of its inside."""

from __future__ import annotations

import re
from types import TracebackType

from polylux.errors import ArrayMixError, PolyluxError, UnsupportedError

_NUMPY_CONVERSIONS = (
    "Can't call numpy() on Tensor that requires grad",
    ".numpy() is not supported for tensor subclasses",
)

_FOREIGN_OPERAND = re.compile(
    r"numpy\.ndarray.*Tensor|Tensor.*numpy\.ndarray|but got numpy\.ndarray"
    r"|Tensor.*\bArrayImpl\b|\bArrayImpl\b.*Tensor"
    r"|Concatenation operation is not implemented for NumPy arrays",
    re.DOTALL,
)

_DATA_DEPENDENT = frozenset(
    {
        "DataDependentOutputException",
        "DynamicOutputShapeException",
        "GuardOnDataDependentSymNode",
        "DataDependentOutputError",
    }
)


def diagnose(error: BaseException) -> PolyluxError | None:
    """A clearer error for one that torch raised in a user's objective, or None."""
    if type(error).__name__ in _DATA_DEPENDENT:
        return UnsupportedError(
            "under AutoTorch(compile=...) Python may not look at a traced value: an `if`, float(), "
            ".item(), a boolean mask or xp.nonzero would fix one batch's answer for all; choose "
            "with xp.where, keep numbers as 0-d arrays, or use AutoTorch() without compile"
        )
    text = str(error)
    if isinstance(error, RuntimeError) and any(part in text for part in _NUMPY_CONVERSIONS):
        return _mixed(text)
    if isinstance(error, TypeError) and (
        _FOREIGN_OPERAND.search(text) or _is_raised_in_numpy(error.__traceback__)
    ):
        return _mixed(text)
    return None


def _mixed(text: str) -> ArrayMixError:
    return ArrayMixError(
        "an array or a function of numpy, or of another library, met a torch tensor "
        f"({_short(text)}); convert constants first, with xp = array_namespace(x); "
        "xp.asarray(constant, dtype=x.dtype), or with to_backend(constant, AutoTorch()), "
        "and call the functions of xp instead of numpy's"
    )


def _short(text: str) -> str:
    line = text.partition("\n")[0].rstrip(" .")
    return line if len(line) <= 100 else line[:97] + "..."


def _is_raised_in_numpy(traceback: TracebackType | None) -> bool:
    module = ""
    while traceback is not None:
        module = traceback.tb_frame.f_globals.get("__name__", "")
        traceback = traceback.tb_next
    return module.partition(".")[0] == "numpy"
