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
        lines, _ = inspect.findsource(code)
        if code.co_name == "<lambda>":
            return _lambda(lines, code)
        return _definition(textwrap.dedent(inspect.getsource(code)))
    except (OSError, TypeError, SyntaxError, ValueError, IndexError):
        return None  # typed at a prompt, or the file has changed since


def _definition(text: str) -> str | None:
    statement = ast.parse(text).body[0]
    return "\n".join(text.splitlines()[statement.lineno - 1 : statement.end_lineno])


def _lambda(lines: list[str], code: CodeType) -> str | None:
    """From the keyword to the end of the body, on one line."""
    # The body stands where the instructions come from; some are Python's own, and have no width.
    places: list[Any] = [p for p in code.co_positions() if None not in p and p[0::2] != p[1::2]]
    line, column = min((place[0], place[2]) for place in places)
    end_line, end_column = max((place[1], place[3]) for place in places)
    block = [text.encode() for text in lines[code.co_firstlineno - 1 : end_line]]  # columns: bytes
    body = sum(map(len, block[: line - code.co_firstlineno])) + column
    end = sum(map(len, block[:-1])) + end_column
    source = b"".join(block)
    start = source.rfind(b"lambda", 0, body)
    while start >= 0:
        head = source[start:body]
        closing = b")" * (head.count(b"(") - head.count(b")"))
        text = (source[start:end] + closing).decode()
        if _is_lambda(text):
            return " ".join(text.split())
        start = source.rfind(b"lambda", 0, start)  # that was one in a default of an argument
    return None


def _is_lambda(text: str) -> bool:
    try:
        return isinstance(ast.parse(f"({text})", mode="eval").body, ast.Lambda)
    except SyntaxError:
        return False
