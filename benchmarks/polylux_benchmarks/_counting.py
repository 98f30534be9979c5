"""Counting what happens in a step: calls of the objective, and compilations."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any


class Counted:
    """A function that counts its calls: under jit, how often it is traced.

    Parameters
    ----------
    function : callable
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.calls = 0

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        return self._function(*arguments)


@contextlib.contextmanager
def jax_compilations() -> Iterator[list[float]]:
    """A list that grows by one number, its seconds, with each program that XLA compiles inside."""
    import jax.monitoring

    found: list[float] = []

    def listen(event: str, duration_secs: float, **details: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            found.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield found
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
