"""How layers print: an outline of nested parts, each with its counts in a column on the right."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Outline:
    """What one layer shows of itself, as text that reads like Python.

    Attributes
    ----------
    opening : str
        All of the text, or, of a layer with parts, what stands before them, such as `"Chain("`.
    parameters, states : int
    parts : tuple of (str, Outline)
        Each with what stands before it, such as `"encoder="`.
    closing : str
        What stands after the parts.
    is_layer : bool
        Whether the counts are shown; those of an array or a number are part of its layer's.
    """

    opening: str
    parameters: int = 0
    states: int = 0
    parts: tuple[tuple[str, Outline], ...] = ()
    closing: str = ""
    is_layer: bool = True


def render(outline: Outline) -> str:
    """The outline as lines, with the totals at the end; the counts are Python comments."""
    rows = _rows(outline, "", "", "")
    if outline.parts:
        rows[-1] = (rows[-1][0], f"# Total: {_parameters(outline)}, plus {outline.states:,} states")
    width = max((len(text) for text, note in rows if note), default=0)
    return "\n".join(f"{text:<{width}}  {note}" if note else text for text, note in rows)


def _rows(outline: Outline, indent: str, before: str, after: str) -> list[tuple[str, str]]:
    """Pairs of text and note."""
    if not outline.parts:
        *first, last = (before + outline.opening + outline.closing + after).splitlines()
        return [*((indent + line, "") for line in first), (indent + last, _note(outline))]
    rows = [(indent + before + outline.opening, "")]
    for name, part in outline.parts:
        rows += _rows(part, indent + "    ", name, ",")
    return [*rows, (indent + outline.closing + after, "")]


def _note(outline: Outline) -> str:
    if not outline.is_layer or not (outline.parameters or outline.states):
        return ""
    states = f", plus {outline.states:,} states" if outline.states else ""
    return f"# {_parameters(outline)}{states}"


def _parameters(outline: Outline) -> str:
    return f"{outline.parameters:,} parameters"
