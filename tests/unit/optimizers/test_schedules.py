"""Schedules: closed forms, how they combine, and what they refuse. Against optax in references."""

from __future__ import annotations

import dataclasses
import math
import pickle
from typing import Any

import pytest

from polylux import optimizers
from polylux.errors import DomainError, OptionError
from polylux.optimizers import (
    SGD,
    Adam,
    Constant,
    Cosine,
    Linear,
    Piecewise,
    Product,
    Schedule,
    WarmUp,
)

SCHEDULES = [
    Constant(0.3),
    Linear(0.1, 0.5, 10),
    Cosine(0.1, 0.02, 10),
    WarmUp(5, Cosine(0.1, 0.02, 10), start=0.01),
    Piecewise({0: 0.1, 4: Linear(0.5, 0.0, 3), 8: 0.01}),
    0.5 * Linear(0.1, 0.5, 10),
    Linear(0.1, 0.5, 10) * Cosine(1.0, 0.0, 10) * 2,
    2 * (Constant(0.3) * Constant(0.1)),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_schedule_is_a_value_that_can_be_pasted_back(schedule: Schedule) -> None:
    assert eval(repr(schedule), dict(vars(optimizers))) == schedule
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert len({schedule, pickle.loads(pickle.dumps(schedule))}) == 1


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_schedule_gives_a_python_float_at_any_step(schedule: Schedule) -> None:
    assert {type(schedule(step)) for step in range(30)} == {float}


def test_cosine_passes_through_its_known_points() -> None:
    rate = Cosine(3.0, 1.0, 12)
    expected = {0: 3.0, 3: 2 + math.sqrt(0.5), 4: 2.5, 6: 2.0, 8: 1.5, 12: 1.0, 13: 1.0}
    for step, value in expected.items():
        assert rate(step) == pytest.approx(value, rel=1e-15)


def test_warm_up_ends_where_the_next_begins() -> None:
    rate = WarmUp(4, Linear(0.8, 0.0, 8))
    assert [rate(step) for step in (0, 1, 4, 8, 12, 20)] == pytest.approx(
        [0.0, 0.2, 0.8, 0.4, 0.0, 0.0], abs=1e-15
    )


def test_pieces_count_from_where_they_begin() -> None:
    inner = Piecewise({0: 1.0, 2: 2.0})
    rate = Piecewise({0: inner, 5: inner})
    assert [rate(step) for step in range(9)] == [1, 1, 2, 2, 2, 1, 1, 2, 2]


def test_product_multiplies_at_each_step() -> None:
    a, b = Linear(1.0, 3.0, 4), Cosine(1.0, 0.0, 4)
    for step in range(6):
        assert (a * b)(step) == a(step) * b(step)
        assert (2 * a)(step) == (a * 2)(step) == 2 * a(step)


def test_first_update_is_at_step_zero() -> None:
    rule = SGD(Piecewise({0: 5.0, 1: 7.0}))
    assert [rule.scalars(count) for count in (1, 2, 3)] == [(5.0,), (7.0,), (7.0,)]


@dataclasses.dataclass(frozen=True, repr=False)
class Sawtooth(Schedule):
    period: int

    def __call__(self, step: int, /) -> float:
        return 1 - (step % self.period) / self.period


def test_schedule_of_the_user_is_taken_like_ours() -> None:
    rule = Adam(0.1 * Sawtooth(4), betas=(0, 0))
    assert [rule.scalars(c)[0] for c in (1, 2, 5)] == pytest.approx([0.1, 0.075, 0.1])


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: Constant("a"), OptionError, "takes a number, got 'a'"),
        (lambda: Constant(math.inf), DomainError, "finite"),
        (lambda: Linear(1, 0, 0), DomainError, "at least 1, got 0"),
        (lambda: Linear(1, 0, 2.5), OptionError, "whole number, got 2.5"),
        (lambda: Cosine(1, 0, step=3), OptionError, "did you mean 'steps'"),
        (lambda: WarmUp(5, None), OptionError, "a number or a schedule, got None"),
        (lambda: Piecewise(0.1), OptionError, "mapping"),
        (lambda: Piecewise({1: 0.1}), DomainError, "begin with 0"),
        (lambda: Piecewise({}), DomainError, "begin with 0"),
        (lambda: Piecewise(((0, 1.0), (5, 1.0), (3, 1.0))), DomainError, r"rise, got \[0, 5, 3\]"),
        (lambda: Piecewise({0: 0.1, 0.5: 1.0}), OptionError, "whole numbers of steps, got 0.5"),
        (lambda: Piecewise({0: "a"}), OptionError, "'a'"),
        (lambda: Product(1.0, "a"), OptionError, "second"),
    ],
)
def test_bad_schedule_is_an_error_that_names_it(make: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        make()


@pytest.mark.parametrize("value", [-1.0, math.nan])
def test_value_that_no_learning_rate_can_have_is_an_error_at_its_step(value: float) -> None:
    @dataclasses.dataclass(frozen=True, repr=False)
    class Bad(Schedule):
        def __call__(self, step: int, /) -> float:
            return value if step == 3 else 1.0

    rule = SGD(Bad())
    assert rule.scalars(3) == (1.0,)
    with pytest.raises(DomainError, match=r"SGD\(learning_rate=Bad\(\)\) is .* at step 3"):
        rule.scalars(4)
