"""What a backend may claim to do: a claim is tested, the rest raises UnsupportedError."""

from __future__ import annotations

import enum


class Capability(enum.Enum):
    """A thing that not every backend can do."""

    GRADIENT = "gradient"
    """`value_and_gradient` works (its own, or derived from a pullback or a pushforward)."""

    FORWARD = "forward"
    """`pushforward` works."""

    REVERSE = "reverse"
    """`pullback` works."""

    SECOND_ORDER = "second order"
    """Derivatives nest: a gradient may be differentiated again."""

    STAGING = "staging"
    """`stage` traces or compiles: Python runs once for each combination of shapes and dtypes."""

    DONATION = "donation"
    """Buffers given to a staged call are reused by it."""

    CUSTOM_RULES = "custom rules"
    """`custom_rule` obeys derivatives that are written by hand."""

    CHECKPOINT = "checkpoint"
    """`checkpoint` saves memory: values are computed anew in the backward pass."""

    VMAP = "vmap"
    """`vmap` maps a function of one item over a leading axis."""

    THREADS = "threads"
    """Two threads may differentiate at once."""


class Accuracy(enum.Enum):
    """How far a dtype's arithmetic, or a backend's derivatives, are right."""

    EXACT = "exact"
    """To rounding of that dtype."""

    NOMINAL = "nominal"
    """The dtype exists, and its results carry the digits of float32."""

    TRUNCATED = "truncated"
    """Values are exact; derivatives are difference quotients, right to `epsilon**(2/3)`."""

    NONE = "none"
    """The dtype does not exist there."""
