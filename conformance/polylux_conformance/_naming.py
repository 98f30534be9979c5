"""From a backend's name on a command line, `"jax(jit=False)"`, to its selector."""

from __future__ import annotations

import ast
from typing import Any

from polylux import ADType, Auto, registry


def selector_named(text: str) -> ADType:
    """The selector that a name stands for, in the backend's own class.

    Parameters
    ----------
    text : str
        `"torch"`, or with options that are literals: `"jax(jit=False)"`.

    Raises
    ------
    ValueError
        If it cannot be read.
    polylux.errors.BackendError
        If there is no such backend, or it cannot run here.

    Examples
    --------
    >>> selector_named("autograd")
    AutoAutograd()
    """
    name, options = _parsed(text)
    return registry.resolve(Auto(name, **options))[1]


def _parsed(text: str) -> tuple[str, dict[str, Any]]:
    name, bracket, rest = text.partition("(")
    if not bracket:
        return text, {}
    problem = f"cannot read {text!r}; write a name, with options as in 'jax(jit=False)'"
    try:
        call = ast.parse(f"f({rest}", mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError(problem)
        return name, {str(k.arg): ast.literal_eval(k.value) for k in call.keywords if k.arg}
    except SyntaxError:
        raise ValueError(problem) from None
