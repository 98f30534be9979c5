"""GradientReport: where a gradient agrees with difference quotients, and where it is off."""

from __future__ import annotations

import dataclasses
import math

from polylux.errors import WrongGradientError


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The slope along one direction, by the gradient and by differences.

    Attributes
    ----------
    where : str
        `"direction 1"`, or the leaf in which alone the direction moves: `"x['weight']"`.
    by_gradient, by_differences : float
        Slopes along the direction, per change of the point by its own size.
    bound : float
        By how much the second may be off; NaN where the function is not finite near the point.
    jump : float
        At a kink, the slope ahead less the slope behind; else 0.
    """

    where: str
    by_gradient: float
    by_differences: float
    bound: float
    jump: float = 0.0

    @property
    def difference(self) -> float:
        """The slope by the gradient less that by differences."""
        return self.by_gradient - self.by_differences

    @property
    def ok(self) -> bool:
        """Whether the two agree within the bound; at a kink, between the one-sided slopes."""
        return abs(self.difference) <= abs(self.jump) / 2 + self.bound

    @property
    def note(self) -> str:
        """What there is to say beside the numbers."""
        if math.isnan(self.bound):
            return "the function or its gradient is not finite here"
        if self.jump == 0.0:
            return "" if self.ok else "off"
        place = "between" if self.ok else "outside"
        behind = self.by_differences - self.jump / 2
        ahead = self.by_differences + self.jump / 2
        return f"a kink: the gradient is {place} the slopes {behind:.6g} and {ahead:.6g}"


@dataclasses.dataclass(frozen=True)
class GradientReport:
    """What `check_gradient` found; prints as a table.

    Attributes
    ----------
    selector : str
        Whose gradient was checked.
    value : float
        Of the function at the point.
    directions : tuple of Comparison
        One for each random direction.
    leaves : tuple of Comparison
        The leaves of the tree one by one, along the first direction that is off; empty if none is.
    calls : int
        Calls of the function beside that for the gradient.
    """

    selector: str
    value: float
    directions: tuple[Comparison, ...]
    leaves: tuple[Comparison, ...]
    calls: int

    @property
    def ok(self) -> bool:
        """Whether the gradient agrees along every direction."""
        return all(comparison.ok for comparison in self.directions)

    def raise_if_wrong(self) -> None:
        """Do nothing if the gradient agrees.

        Raises
        ------
        WrongGradientError
            With the report as its message.
        """
        if not self.ok:
            raise WrongGradientError(str(self))

    def __str__(self) -> str:
        off = sum(not comparison.ok for comparison in self.directions)
        verdict = f"is off along {off} of" if off else "agrees with differences along all"
        lines = [
            f"the gradient by {self.selector} {verdict} {len(self.directions)} directions "
            f"({self.calls} calls of f, f(x) = {self.value:.6g})",
            *table(self.directions),
        ]
        if off:
            lines += ["", "leaf by leaf, along the first of these directions:"]
            lines += table(self.leaves)
        return "\n".join(lines)

    __repr__ = __str__


def table(comparisons: tuple[Comparison, ...]) -> list[str]:
    """The comparisons as aligned lines, under a line of headers."""
    headers = ("", "by gradient", "by differences", "difference", "bound", "")
    rows = [
        (c.where, f"{c.by_gradient:.10g}", f"{c.by_differences:.10g}", f"{c.difference:.2e}",
         f"{c.bound:.2e}", c.note)
        for c in comparisons
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if place in (0, len(row) - 1) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (headers, *rows)
    ]
