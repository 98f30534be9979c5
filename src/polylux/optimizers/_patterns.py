"""Path patterns: which leaves of a tree a glob names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from polylux.errors import OptionError, TreeError, nearest

Paths = Sequence[tuple[str, ...]]
"""For each leaf every path at which it stands: more than one if it is tied."""


def matching(pattern: str, paths: Paths, what: str) -> list[int]:
    """Numbers of the leaves that stand at a path which fits the pattern.

    `*` stands for any text, `?` for one character; everything else, brackets too, for itself.

    Parameters
    ----------
    pattern : str
    paths : sequence of tuples of str
        For each leaf its paths, such as `("['layer_1']['weight']",)`.
    what : str
        Who asks, for the message.

    Raises
    ------
    OptionError
        If the pattern is no string.
    TreeError
        If it fits no path.
    """
    fits = compiled(pattern, what)
    found = [i for i, own in enumerate(paths) if any(map(fits.fullmatch, own))]
    if not found:
        raise TreeError(
            f"{what}: {pattern!r} matches no leaf; {nearest_path(pattern, paths)} "
            "('*' stands for any text, as in \"*['bias']\")"
        )
    return found


def compiled(pattern: str, what: str) -> re.Pattern[str]:
    """The pattern as a regular expression for a whole path."""
    if not isinstance(pattern, str):
        raise OptionError(f"{what} takes path patterns such as \"*['bias']\", got {pattern!r}")
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.compile("".join(parts), re.DOTALL)


def nearest_path(pattern: str, paths: Paths) -> str:
    """The part of a message that names paths near a pattern."""
    return nearest(pattern, [path for own in paths for path in own])
