"""Numbers: the floats of an optimizer's update, which change from step to step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class Numbers(Sequence[float]):
    """The floats `function(update)`, worked out when they are looked at.

    A backend whose steps are compiled may ask for those of later updates ahead of time: a transfer
    to the device costs as much for a hundred updates as for one.

    Parameters
    ----------
    function : callable
        `function(update)`: a tuple of floats, always as many. Equal ones give the numbers of one
        sequence of updates.
    update : int
        Its number; the first is 1.
    """

    __slots__ = ("function", "update")

    def __init__(self, function: Callable[[int], tuple[float, ...]], update: int) -> None:
        self.function = function
        self.update = update

    def now(self) -> tuple[float, ...]:
        """Those of this update."""
        return self.function(self.update)

    def ahead(self, length: int) -> list[tuple[float, ...]]:
        """Those of this update and the next ones, `length` in all.

        Fewer where the function raises for a later update, which may never come.
        """
        rows = [self.now()]
        for update in range(self.update + 1, self.update + length):
            try:
                rows.append(self.function(update))
            except Exception:  # noqa: BLE001  # raised again at that update
                break
        return rows

    def __getitem__(self, index: Any) -> Any:
        return self.now()[index]

    def __len__(self) -> int:
        return len(self.now())
