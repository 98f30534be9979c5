"""Settings of layers whose windows slide over spatial axes: window, stride, padding, dilation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from polylux.errors import OptionError, ShapeError
from polylux.layers import _settings
from polylux.layers._base import Shape
from polylux.ops import Pairs, output_lengths, same_padding

Lengths: TypeAlias = int | tuple[int, ...]
Padding: TypeAlias = str | int | tuple[int | tuple[int, int], ...]
"""`"same"`, `"valid"`, one int for all axes, or for each axis an int or a pair (before, after)."""


def window(layer: object, name: str, value: Any) -> tuple[int, ...]:
    """A window of one to three axes."""
    if not isinstance(value, tuple | list):
        raise OptionError(
            f"{type(layer).__name__}({name}=...) takes one int for each spatial axis, such as "
            f"({value},) or ({value}, {value}), got {value!r}"
        )
    lengths = _settings.lengths(layer, name, value)
    if len(lengths) > 3:
        raise OptionError(
            f"{type(layer).__name__}({name}=...) takes one to three ints, got {value!r}"
        )
    return lengths


def steps(layer: object, name: str, value: Any, axes: int) -> tuple[Lengths, tuple[int, ...]]:
    """How a stride or a dilation is kept (one int where all are equal), and one for each axis."""
    lengths = _settings.lengths(layer, name, value)
    if len(lengths) == 1:
        lengths *= axes
    if len(lengths) != axes:
        raise OptionError(
            f"{type(layer).__name__}({name}=...) takes one int, or one for each of {axes} spatial "
            f"axes, got {value!r}"
        )
    return lengths[0] if len(set(lengths)) == 1 else lengths, lengths


def pads(layer: object, value: Any, axes: int) -> tuple[Padding, Pairs | None]:
    """How a padding is kept, and a pair for each axis; None for "same", which needs the lengths."""
    if value == "same":
        return "same", None
    if value == "valid":
        value = 0
    items = value if isinstance(value, tuple | list) else (value,) * axes
    if isinstance(value, str) or len(items) != axes:
        raise OptionError(
            f'{type(layer).__name__}(padding=...) takes "same", "valid", an int, or for each of '
            f"{axes} spatial axes an int or a pair, got {value!r}"
        )
    pairs = []
    for item in items:
        sides = _settings.lengths(layer, "padding", item, least=0)
        if len(sides) > 2:
            raise OptionError(
                f"{type(layer).__name__}(padding=...) takes one or two ints for an axis, "
                f"got {item!r}"
            )
        pairs.append((sides[0], sides[-1]))
    if len({side for pair in pairs for side in pair}) == 1:
        return pairs[0][0], tuple(pairs)
    return tuple(pairs), tuple(pairs)


def pairs_for(
    layer: object,
    shape: Shape,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Pairs | None,
    dilation: Sequence[int],
) -> Pairs:
    """The padding of an input of this shape."""
    if padding is not None:
        return padding
    if len(shape) != len(kernel) + 2:
        refuse(layer, shape, len(kernel))
    return same_padding(shape[2:], kernel, stride, dilation)


def lengths_after(
    layer: object,
    shape: Shape,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Pairs | None,
    dilation: Sequence[int],
) -> tuple[int, ...]:
    """The spatial lengths of the output for an input of this shape."""
    if len(shape) != len(kernel) + 2:
        refuse(layer, shape, len(kernel))
    pairs = pairs_for(layer, shape, kernel, stride, padding, dilation)
    return output_lengths(shape[2:], kernel, stride, pairs, dilation)


def refuse(layer: object, shape: Shape, axes: int) -> None:
    """Raise for an input of another number of axes."""
    raise ShapeError(
        f"{layer!r} needs an input of shape (batch, channels, {axes} lengths), got {tuple(shape)}"
    )
