"""The source of a forward function, as far as Python can find it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from types import CodeType
from typing import Any


def source_of(function: Callable[..., Any]) -> str | None:
    """Its `def` without decorators, or its `lambda`; None where that is not to be found."""
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return None
    try:
        text = textwrap.dedent(inspect.getsource(code))
    except (OSError, TypeError):  # typed at a prompt, or made by exec
        return None
    return _lambda(text, code) if code.co_name == "<lambda>" else _definition(text)


def _definition(text: str) -> str | None:
    try:
        (definition,) = ast.parse(text).body
    except (SyntaxError, ValueError):
        return None
    lines = text.splitlines()[definition.lineno - 1 : definition.end_lineno]
    return "\n".join(lines)


def _lambda(text: str, code: CodeType) -> str | None:
    """The lambda of that code among the lines that it begins in, where it ends being unknown."""
    start = text.find("lambda")
    while start >= 0:
        for end in range(len(text), start, -1):
            try:
                tree = ast.parse(f"({text[start:end]}\n)", mode="eval")
            except (SyntaxError, ValueError):
                continue
            if isinstance(tree.body, ast.Lambda):
                compiled = compile(tree, "<lambda>", "eval").co_consts[0]
                if isinstance(compiled, CodeType) and compiled.co_code == code.co_code:
                    return " ".join(text[start:end].split())
                break
        start = text.find("lambda", start + 1)
    return None
