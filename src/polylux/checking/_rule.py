"""check_rule: a custom rule against differences and the derivative of its plain function."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from polylux import registry
from polylux.arrays import array_namespace, is_array, to_host
from polylux.backend import Capability
from polylux.checking._differences import compare
from polylux.checking._line import Hosts, Line
from polylux.checking._report import Comparison, table
from polylux.dtypes import MACHINE_EPSILON, dtype_kind, dtype_name
from polylux.errors import BackendError, OptionError, WrongGradientError
from polylux.operators import value_and_gradient
from polylux.rules import CustomRule
from polylux.selectors import ADType, Auto

_PLAIN = 2.0**-20
"""Relative agreement asked of the plain function's derivative, which may lose digits: that is what
most rules are for. Far below 1, and far above what a usable derivative loses."""


@dataclasses.dataclass(frozen=True)
class RuleReport:
    """What `check_rule` found; prints as a table.

    Attributes
    ----------
    name : str
        Of the rule.
    comparisons : tuple of Comparison
        Slopes by the rule, in the column of the gradient, next to what they should be.
    skipped : tuple of str
        Where nothing could be compared, and why.
    """

    name: str
    comparisons: tuple[Comparison, ...]
    skipped: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether something was compared, and all of it agrees."""
        return bool(self.comparisons) and all(c.ok for c in self.comparisons)

    def __str__(self) -> str:
        off = [c for c in self.comparisons if not c.ok]
        if not self.comparisons:
            verdict = "could not be compared anywhere"
        elif off:
            verdict = f"is off in {len(off)} of {len(self.comparisons)} comparisons"
        else:
            verdict = f"agrees in all of {len(self.comparisons)} comparisons"
        lines = [f"the rule {self.name} {verdict}"]
        if off:
            lines += table(tuple(off))
        lines += [f"  not compared: {where}" for where in self.skipped]
        return "\n".join(lines)

    __repr__ = __str__


def check_rule(
    rule: CustomRule,
    *points: Any,
    settings: Mapping[str, Any] | None = None,
    selector: ADType | None = None,
    directions: int = 3,
    seed: int = 0,
) -> RuleReport:
    """Test a custom rule at some points; raise if it is wrong.

    Compared are, in the dtype of the points and with no tolerance to choose:

    * the pullback with central differences of the plain function, entry by entry for an
      elementwise rule, else along random directions;
    * the pullback with the derivative of the plain function by an AD backend, except at kinks;
    * the pushforward with the pullback, whose transpose it is;
    * the pullback of a sum of cotangents with the sum of pullbacks.

    Parameters
    ----------
    rule : CustomRule
    *points : tuples of operands, or one operand each
        Arrays of any library, or numbers; moved to the host. Use float64, and keep away from the
        edges of the domain: where the function is not finite nearby, nothing can be compared. At a
        kink any slope between the one-sided ones counts as right.
    settings : mapping, optional
        Keywords of the rule.
    selector : ADType, optional
        Whose derivative of the plain function is taken; by default the first
        registered backend with reverse mode that can run.
    directions : int
        Of differences, for a rule that is not elementwise.
    seed : int
        Of directions and cotangents.

    Returns
    -------
    RuleReport
        To be printed.

    Raises
    ------
    WrongGradientError
        If the rule is off anywhere, or could be compared nowhere; the message is the report.
    OptionError
        If `rule` is no custom rule, or there is no point.

    References
    ----------
    `test_rrule` and `test_frule` of ChainRulesTestUtils.jl, for the idea.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import array_namespace, check_rule, custom_rule
    >>> @custom_rule(derivative=lambda y, x: 2 * x)
    ... def square(x):
    ...     return x * x
    >>> check_rule(square, np.asarray([-1.0, 0.5, 3.0]))
    the rule square agrees in all of 6 comparisons
    """
    if not isinstance(rule, CustomRule):
        raise OptionError(f"check_rule takes a rule made by custom_rule, got {rule!r}")
    if not points:
        raise OptionError(f"check_rule({rule!r}) needs a point; pass its operands, as a tuple")
    rng = np.random.default_rng(seed)
    comparisons: list[Comparison] = []
    skipped: list[str] = []
    for number, point in enumerate(points, start=1):
        where = f"point {number}" if len(points) > 1 else ""
        at = _Point(rule, _operands(point), dict(settings or {}), where, rng)
        for found in at.compared(selector or _any_selector(), directions):
            if isinstance(found, str):
                skipped.append(found)
            else:
                comparisons.append(found)
    report = RuleReport(rule.__name__, tuple(comparisons), tuple(skipped))
    if not report.ok:
        raise WrongGradientError(str(report))
    return report


class _Point:
    """A rule at one point, on the host: `<w, f(operands)>` with a random cotangent `w`."""

    def __init__(
        self,
        rule: CustomRule,
        operands: tuple[Any, ...],
        settings: dict[str, Any],
        where: str,
        rng: np.random.Generator,
    ) -> None:
        self.rule = rule.rule
        self.plain = rule.plain
        if self.rule.elementwise:
            operands = tuple(np.broadcast_arrays(*operands))
        self.operands = operands
        self.settings = settings
        self.where = where
        self.rng = rng
        self.moving = [i for i, x in enumerate(operands) if dtype_kind(x) == "real floating"]
        with np.errstate(all="ignore"):
            output, self.residuals = self.rule.forward(*operands, **settings)
        self.is_tuple = isinstance(output, tuple)
        self.outputs = output if self.is_tuple else (output,)
        self.epsilon = max(
            MACHINE_EPSILON.get(dtype_name(operands[i].dtype), MACHINE_EPSILON["float64"])
            for i in self.moving
        )

    def compared(self, selector: ADType, directions: int) -> Iterator[Comparison | str]:
        w = self._cotangent()
        pulled = self._pulled(w)
        if self.rule.elementwise:
            differences = list(self._by_entry(w, pulled))
        else:
            differences = list(self._by_direction(w, pulled, directions))
        yield from differences
        if all(isinstance(d, str) for d in differences):
            return
        is_smooth = all(isinstance(d, Comparison) and d.jump == 0.0 for d in differences)
        if is_smooth:
            yield self._by_plain_derivative(w, pulled, selector)
        else:
            yield f"{self._named('the plain derivative')}: there is a kink or an edge"
        yield from self._by_identities(w, pulled)

    def _by_entry(self, w: Any, pulled: Hosts) -> Iterator[Comparison | str]:
        for place in np.ndindex(self.operands[0].shape):
            entries = [np.asarray(x[place]) for x in self.operands]
            weight = float(w[0][place])
            gradients = [np.asarray(float(p[place])) for p in pulled]
            for i in self.moving:
                leaves = [entries[j] for j in self.moving]
                direction = [np.asarray(1.0 if j == i else 0.0) for j in self.moving]
                size = max(1.0, abs(float(entries[i])))
                yield self._along(
                    self._named(f"operand {i}{list(place) if place else ''}"),
                    functools.partial(self._weighted, entries, weight),
                    leaves,
                    gradients,
                    [d * size for d in direction],
                )

    def _by_direction(self, w: Any, pulled: Hosts, count: int) -> Iterator[Comparison | str]:
        leaves = [self.operands[i] for i in self.moving]
        total = sum(leaf.size for leaf in leaves)
        for number in range(1, count + 1):
            direction = []
            for leaf in leaves:
                size = float(np.max(np.abs(leaf.astype(np.float64)), initial=1.0))
                lengths = self.rng.uniform(0.5, 1.0, leaf.shape)
                signs = self.rng.choice([-1.0, 1.0], leaf.shape)
                direction.append(np.asarray(lengths * signs * size / math.sqrt(max(total, 1))))
            yield self._along(
                self._named(f"direction {number}"),
                lambda values: self._value_with(self.operands, values, w),
                leaves,
                pulled,
                direction,
            )

    def _along(
        self,
        where: str,
        f: Callable[[Hosts], float],
        leaves: Hosts,
        gradients: Hosts,
        direction: Hosts,
    ) -> Comparison | str:
        with np.errstate(all="ignore"):
            value = f(leaves)
            line = Line(f, leaves, gradients, direction, value)
            mismatch, bound, jump = compare(line, self.epsilon, measure=True)
        if math.isnan(bound) and not line.is_finite():
            return f"{where}: the function is not finite nearby"
        return Comparison(where, line.slope, line.slope + mismatch, bound, jump)

    def _by_plain_derivative(self, w: Any, pulled: Hosts, selector: ADType) -> Comparison | str:
        def f(leaves: Any, fixed: Any, weights: Any) -> Any:
            operands = [*fixed]
            for i, leaf in zip(self.moving, leaves, strict=True):
                operands[i] = leaf
            output = self.plain(*operands, **self.settings)
            xp = array_namespace(leaves[0])
            outputs = output if isinstance(output, tuple) else (output,)
            total = xp.sum(outputs[0] * weights[0])
            for o, weight in zip(outputs[1:], weights[1:], strict=True):
                total = total + xp.sum(o * weight)
            return total

        # Copies, so that one array which stands for two operands is two leaves.
        leaves = tuple(np.array(self.operands[i]) for i in self.moving)
        _, gradient = value_and_gradient(f, selector, leaves, self.operands, w)
        expected = to_host(gradient)
        off = max(map(_largest, (p - e for p, e in zip(pulled, expected, strict=True))))
        scale = max(map(_largest, pulled))
        where = self._named(f"the plain derivative by {selector!r}")
        if not all(np.all(np.isfinite(e)) for e in expected):
            return f"{where}: it is not finite"
        tolerance = max(_PLAIN, math.sqrt(self.epsilon)) * scale
        return Comparison(where, off, 0.0, tolerance)

    def _by_identities(self, w: Any, pulled: Hosts) -> Iterator[Comparison]:
        other = self._cotangent()
        both = self._pulled(tuple(a + b for a, b in zip(w, other, strict=True)))
        second = self._pulled(other)
        size = sum(p.size for p in pulled) + sum(o.size for o in self.outputs)
        rounding = 8 * size * self.epsilon
        scale = max(map(_largest, (*pulled, *second)))
        sums = [p + s for p, s in zip(pulled, second, strict=True)]
        off = max(map(_largest, (b - s for b, s in zip(both, sums, strict=True))))
        yield Comparison(self._named("the pullback of a sum"), off, 0.0, rounding * scale)
        if self.rule.pushforward is None:
            return
        tangents: list[Any] = [None] * len(self.operands)
        for i in self.moving:
            x = self.operands[i]
            tangents[i] = np.asarray(self.rng.uniform(0.5, 1.0, x.shape), dtype=x.dtype)
        pushed = self.rule.pushforward(self.residuals, *tangents, **self.settings)
        changes = pushed if self.is_tuple else (pushed,)
        by_push = [a * b for a, b in zip(w, changes, strict=True)]
        by_pull = [p * tangents[i] for i, p in zip(self.moving, pulled, strict=True)]
        weight = sum(float(np.sum(np.abs(part))) for part in (*by_push, *by_pull))
        yield Comparison(
            self._named("the pushforward and the pullback"),
            sum(float(np.sum(part)) for part in by_push),
            sum(float(np.sum(part)) for part in by_pull),
            rounding * weight,
        )

    def _named(self, what: str) -> str:
        return f"{self.where}, {what}" if self.where else what

    def _cotangent(self) -> tuple[Any, ...]:
        """Between 1 and 2 in size, so that no entry's error is hidden."""
        return tuple(
            np.asarray(
                self.rng.uniform(1.0, 2.0, o.shape) * self.rng.choice([-1.0, 1.0], o.shape),
                dtype=o.dtype,
            )
            for o in self.outputs
        )

    def _pulled(self, w: tuple[Any, ...]) -> list[Any]:
        cotangent = w if self.is_tuple else w[0]
        with np.errstate(all="ignore"):
            parts = self.rule.cotangents(self.operands, self.residuals, cotangent, self.settings)
        return [
            np.zeros_like(self.operands[i]) if parts[i] is None else np.asarray(parts[i])
            for i in self.moving
        ]

    def _weighted(self, entries: Sequence[Any], weight: float, values: Sequence[Any]) -> float:
        return weight * self._value_with(entries, values)

    def _value_with(self, operands: Sequence[Any], values: Sequence[Any], w: Any = None) -> float:
        """The function with these values as its moving operands, times the cotangents."""
        placed = list(operands)
        for place, value in zip(self.moving, values, strict=True):
            placed[place] = value
        output = self.plain(*placed, **self.settings)
        outputs = output if isinstance(output, tuple) else (output,)
        if w is None:
            return float(outputs[0])
        return math.fsum(float(np.vdot(a, b)) for a, b in zip(w, outputs, strict=True))


def _largest(array: Any) -> float:
    return float(np.max(np.abs(array), initial=0.0))


def _operands(point: Any) -> tuple[Any, ...]:
    given = point if isinstance(point, tuple | list) else (point,)
    operands = tuple(np.asarray(to_host(x) if is_array(x) else x) for x in given)
    if not any(dtype_kind(x) == "real floating" for x in operands):
        raise OptionError(
            f"check_rule needs a point with a floating-point operand, got {point!r}"
        )
    return operands


def _any_selector() -> ADType:
    for info in registry.backends():
        try:
            backend, selector = registry.resolve(Auto(info.name))
        except BackendError:
            continue
        if Capability.REVERSE in backend.capabilities:
            return selector
    raise OptionError(
        "check_rule needs a backend with reverse mode for the derivative of the plain function; "
        "pass selector=..., or install one (`polylux backends` lists them)"
    )
