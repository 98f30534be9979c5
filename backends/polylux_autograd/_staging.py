"""Nothing is staged: autograd runs Python at every call; and whether a trace is under way."""

from __future__ import annotations

from polylux.selectors import ADType
from polylux_autograd import _tracing


def is_tracing() -> bool:
    """Whether this thread is inside a derivative of this backend now."""
    return _tracing.is_tracing()


def is_staged(selector: ADType) -> bool:
    """Never."""
    return False
