"""What all rules have in common, and hand-worked updates of single ones."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import array_api_compat.numpy as xp
import array_api_strict
import numpy as np
import pytest

from polylux import optimizers
from polylux.errors import DomainError, OptionError
from polylux.optimizers import (
    SGD,
    AccumulateGradients,
    AdaBelief,
    AdaDelta,
    AdaGrad,
    Adam,
    AdaMax,
    AdamW,
    ClipNorm,
    ClipValue,
    Cosine,
    Descent,
    LeafRule,
    Linear,
    Lion,
    Momentum,
    NAdam,
    Nesterov,
    RAdam,
    RMSProp,
    Rule,
    SignDecay,
    WeightDecay,
    chain,
)

# --- every rule -----------------------------------------------------------------------------------


def last(runs: Any, rule: Rule, start: Any, gradients: Any, **options: Any) -> list[Any]:
    *_, end = runs.steps_of(rule, start, gradients, **options)
    return end  # type: ignore[no-any-return]


def test_rule_runs_on_the_strict_namespace(rule: Rule, runs: Any) -> None:
    strict = last(runs, rule, runs.start, runs.gradients[:4], xp=array_api_strict)
    for mine, other in zip(last(runs, rule, runs.start, runs.gradients[:4]), strict, strict=True):
        np.testing.assert_allclose(mine, np.asarray(other), rtol=1e-14)


def test_rule_that_can_join_does_the_same_to_one_long_parameter(rule: Rule, runs: Any) -> None:
    def joined(arrays: Any) -> Any:
        return (np.concatenate([np.ravel(a) for a in arrays]),)

    if not rule.can_join:  # of rules that tell leaves apart
        assert type(rule).__name__ in ("ByPath", "Frozen")
        return
    apart = last(runs, rule, runs.start, runs.gradients[:4])
    (vector,) = last(runs, rule, joined(runs.start), [joined(g) for g in runs.gradients[:4]])
    # A sum over all entries may be rounded otherwise, nothing else.
    np.testing.assert_allclose(vector, joined(apart)[0], rtol=1e-14)


def test_rule_made_of_one_that_cannot_join_cannot_either() -> None:
    class OfShapes(LeafRule):
        kind = "of shapes"
        slots = ()

        def scalars(self, count: int) -> tuple[float, ...]:
            return ()

        def leaf(self, xp: Any, scalars: Any, g: Any, p: Any, *slots: Any) -> tuple[Any, ...]:
            return (g / g.size,)

    assert not OfShapes().can_join
    assert not chain(OfShapes(), Adam()).can_join
    assert not AccumulateGradients(2, OfShapes()).can_join
    assert chain(ClipNorm(1.0), AccumulateGradients(2, Adam())).can_join


def test_rule_keeps_float32_in_steps_and_slots(rule: Rule, runs: Any) -> None:
    rule = rule.bound(lambda: [("['a']",), ("['b']",), ("['c']",)])
    parameters = tuple(map(np.asarray, runs.numbers(0, np.float32)))
    slots = rule.init(xp, parameters)
    for count in range(1, 5):
        gradients = tuple(runs.numbers(count, np.float32))
        steps, slots = rule.update(xp, rule.scalars(count), gradients, parameters, slots)
        flat = [*steps, *(a for slot in slots for a in slot)]
        assert {np.asarray(a).dtype for a in flat} == {np.dtype("float32")}


def test_update_reads_nothing_that_the_signature_leaves_out(rule: Rule, runs: Any) -> None:
    # A compiled step is traced once for all rules of one signature.
    rule = rule.bound(lambda: [("['a']",), ("['b']",), ("['c']",)])
    parameters = tuple(runs.start)
    slots = rule.init(xp, parameters)
    for count in range(1, 5):
        arguments = rule.scalars(count), tuple(runs.numbers(count)), parameters, slots
        steps, slots = rule.update(xp, *arguments)
        bare, _ = rule.signature.update(xp, *arguments)
        for a, b in zip(steps, bare, strict=True):
            np.testing.assert_array_equal(a, b)


def test_scalars_are_python_floats_and_as_many_at_each_step(rule: Rule) -> None:
    found = [rule.scalars(count) for count in (1, 2, 3, 10, 10_000)]
    assert {type(s) for scalars in found for s in scalars} <= {float}
    assert len(set(map(len, found))) == 1


def test_new_slots_share_no_memory_with_the_old(rule: Rule, runs: Any) -> None:
    rule = rule.bound(lambda: [("['a']",), ("['b']",), ("['c']",)])
    parameters = tuple(runs.start)
    slots = rule.init(xp, parameters)
    for count in range(1, 4):
        gradients = tuple(runs.numbers(count))
        _, new = rule.update(xp, rule.scalars(count), gradients, parameters, slots)
        for a, b in zip(sum(slots, ()), sum(new, ()), strict=True):
            assert not np.shares_memory(a, b)
        slots = new


def test_repr_can_be_pasted_back(rule: Rule) -> None:
    assert eval(repr(rule), dict(vars(optimizers))) == rule


def test_rule_is_a_value(rule: Rule) -> None:
    again = pickle.loads(pickle.dumps(rule))
    assert again == rule
    assert hash(again) == hash(rule)
    assert again.signature == rule.signature


def test_rules_that_differ_in_scheduled_values_share_a_signature() -> None:
    assert Adam(0.1).signature == Adam(0.2).signature == Adam(Linear(0.1, 0, 5)).signature
    assert Adam(0.1).signature != Adam(0.1, betas=(0.5, 0.9)).signature
    assert chain(ClipNorm(1.0), SGD(0.1)).signature == chain(ClipNorm(2.0), SGD(0.3)).signature
    assert AccumulateGradients(2, SGD(0.1)).signature == AccumulateGradients(2, SGD(1.0)).signature
    assert AccumulateGradients(2, SGD(0.1)).signature != AccumulateGradients(3, SGD(0.1)).signature


def test_numpy_numbers_become_python_s() -> None:
    rule = AdamW(np.float32(0.5), weight_decay=np.float64(0.25))
    assert rule == AdamW(0.5, weight_decay=0.25)
    assert type(rule.learning_rate) is type(rule.weight_decay) is float


# --- single ones ----------------------------------------------------------------------------------


def first(runs: Any, rule: Rule, start: Any, gradient: Any, count: int = 1) -> np.ndarray:
    """One leaf after `count` updates with one gradient."""
    arrays = [[np.asarray(gradient, dtype=float)]] * count
    (end,) = last(runs, rule, [np.asarray(start, dtype=float)], arrays)
    return np.asarray(end)


def test_first_step_of_adam_has_the_length_of_the_learning_rate(runs: Any) -> None:
    # m / (1 - b1) = g and sqrt(v / (1 - b2)) = |g|, so the step is eta * sign(g) for epsilon 0.
    after = first(runs, Adam(0.1, epsilon=0.0), [1.0, 2.0, 3.0], [1e-3, -5.0, 700.0])
    np.testing.assert_allclose(after, [0.9, 2.1, 2.9], rtol=1e-14)


def test_bias_corrections_are_in_double_precision_for_float32_parameters(runs: Any) -> None:
    # In float32 `1 - 0.999**t` is off by 1e-5 at t = 1; the step is eta up to float32 rounding.
    zero, gradient = np.zeros(1, np.float32), np.full(1, 0.3, np.float32)
    (after,) = last(runs, Adam(1.0, epsilon=0.0), [zero], [[gradient]])
    np.testing.assert_allclose(after, [-1.0], rtol=4 * 2.0**-23)


def test_radam_starts_as_momentum_with_bias_correction(runs: Any) -> None:
    # k = 1 at t = 1 whatever b2, so nothing is rectified, and m / (1 - b1) = g.
    np.testing.assert_allclose(first(runs, RAdam(0.1), [1.0, 2.0], [3.0, -4.0]), [0.7, 2.4])


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_nadam_of_a_constant_gradient_and_momentum_has_a_closed_form(runs: Any, steps: int) -> None:
    # m_t = (1 - b**t) g, so d = g ((1 - b) / (1 - b**t) + b (1 - b**t) / (1 - b**(t+1))).
    b = 0.6
    rule = NAdam(0.1, betas=(b, 0.9), epsilon=0.0, momentum_decay=None)
    lengths = [
        (1 - b) / (1 - b**t) + b * (1 - b**t) / (1 - b ** (t + 1)) for t in range(1, steps + 1)
    ]
    np.testing.assert_allclose(first(runs, rule, 0.0, -5.0, steps), 0.1 * sum(lengths), rtol=1e-13)


def test_nadam_finds_the_product_of_momenta_at_any_count() -> None:
    rule = NAdam(betas=(0.9, 0.5), momentum_decay=0.3)
    momenta = [0.9 * (1 - 0.5 * 0.96 ** (0.3 * t)) for t in range(1, 31)]
    for count in (20, 3, 4, 30):
        expected = 1e-3 * (1 - momenta[count - 1]) / (1 - np.prod(momenta[:count]))
        assert rule.scalars(count)[0] == pytest.approx(expected, rel=1e-14)
    assert rule.scalars(10**6)[0] == pytest.approx(1e-3 * 0.1, rel=1e-14)


def test_lion_steps_by_its_rate_in_every_entry(runs: Any) -> None:
    after = first(runs, Lion(0.1), [1.0, 2.0, 3.0], [1e-9, -700.0, 0.0])
    np.testing.assert_allclose(after, [0.9, 2.1, 3.0], rtol=1e-15)


def test_adagrad_of_a_constant_gradient_falls_as_the_root_of_the_step(runs: Any) -> None:
    # s = t g**2, so the t-th step is eta / sqrt(t).
    after = first(runs, AdaGrad(0.1, epsilon=0.0), [0.0, 0.0], [3.0, -1e-5], 6)
    length = 0.1 * sum(t**-0.5 for t in range(1, 7))
    np.testing.assert_allclose(after, [-length, length], rtol=1e-14)


def test_adadelta_starts_by_the_ratio_of_epsilon_to_the_gradient(runs: Any) -> None:
    # v = (1 - decay) g**2 and a = 0, so d = sqrt(e / ((1 - decay) g**2 + e)) g.
    after = first(runs, AdaDelta(decay=0.75, epsilon=0.01), 0.0, 2.0)
    np.testing.assert_allclose(after, -2.0 * (0.01 / 1.01) ** 0.5, rtol=1e-14)


def test_adamax_divides_by_the_largest_gradient(runs: Any) -> None:
    # m / (1 - b1) = g at the first step, and u = |g| + epsilon.
    np.testing.assert_allclose(first(runs, AdaMax(0.1, epsilon=1.0), 0.0, -4.0), 0.08, rtol=1e-14)


def test_adabelief_starts_by_the_distance_from_the_mean(runs: Any) -> None:
    # m = (1 - b1) g, so s = (1 - b2) (b1 g)**2, and the step is eta g / (b1 |g|).
    after = first(runs, AdaBelief(0.1, betas=(0.5, 0.9), epsilon=0.0), 0.0, 7.0)
    np.testing.assert_allclose(after, -0.2, rtol=1e-14)


def test_centered_rmsprop_of_a_constant_gradient_stays_finite(runs: Any) -> None:
    # Both averages converge, and the variance ends as rounding of either sign.
    rule = RMSProp(1e-3, decay=0.1, epsilon=1e-3, centered=True)
    assert np.isfinite(first(runs, rule, np.zeros(50), np.linspace(0.1, 9, 50), 60)).all()


def test_sign_decay_is_the_gradient_of_the_absolute_value(runs: Any) -> None:
    after = first(runs, chain(SignDecay(0.5), SGD(0.1)), [2.0, -3.0, 0.0], [1.0, 1.0, 1.0])
    np.testing.assert_allclose(after, [1.85, -3.05, -0.1], rtol=1e-15)


def test_place_of_weight_decay_in_a_chain_decides_whether_the_rate_scales_it(runs: Any) -> None:
    before, behind = chain(WeightDecay(0.5), SGD(0.1)), chain(SGD(0.1), WeightDecay(0.5))
    np.testing.assert_allclose(first(runs, before, 2.0, 1.0), 2 - 0.1 * (1 + 0.5 * 2))
    np.testing.assert_allclose(first(runs, behind, 2.0, 1.0), 2 - (0.1 * 1 + 0.5 * 2))


def test_clip_value_clips_each_entry_and_keeps_nan(runs: Any) -> None:
    after = first(runs, chain(ClipValue(0.5), SGD(1.0)), np.zeros(5), [-2, -0.5, 0.3, 9, np.nan])
    np.testing.assert_array_equal(after, [0.5, 0.5, -0.3, -0.5, np.nan])


def test_clip_norm_scales_to_the_norm_over_all_leaves() -> None:
    gradients = (np.asarray([3.0, 0.0]), np.asarray(4.0))
    steps, _ = ClipNorm(1.0).update(xp, (1.0,), gradients, gradients, ())
    np.testing.assert_allclose(steps[0], [0.6, 0.0], rtol=1e-15)
    np.testing.assert_allclose(steps[1], 0.8, rtol=1e-15)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_clip_norm_neither_overflows_nor_vanishes(scale: float) -> None:
    gradients = (np.asarray([3.0, 4.0]) * scale,)
    steps, _ = ClipNorm(1.0).update(xp, (2.5 * scale,), gradients, gradients, ())
    np.testing.assert_allclose(steps[0], np.asarray([1.5, 2.0]) * scale, rtol=1e-15)


@pytest.mark.parametrize("gradient", [[0.3, 0.4], [0.0, 0.0]], ids=["fits", "zero"])
def test_clip_norm_leaves_a_gradient_that_fits_untouched(gradient: list[float]) -> None:
    gradients = (np.asarray(gradient),)
    steps, _ = ClipNorm(0.5).update(xp, (0.5,), gradients, gradients, ())
    np.testing.assert_array_equal(steps[0], gradient)


def test_names_of_momentum_are_sgd() -> None:
    assert Descent is SGD
    for named, plain in [
        (Momentum(0.1), SGD(0.1, momentum=0.9)),
        (Nesterov(0.1, 0.5), SGD(0.1, momentum=0.5, nesterov=True)),
    ]:
        fields = {f.name for f in dataclasses.fields(SGD)}
        assert {n: getattr(named, n) for n in fields} == {n: getattr(plain, n) for n in fields}
        assert named.kind == "sgd"


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: Adam(learningrate=1.0), OptionError, "did you mean 'learning_rate'"),
        (lambda: Adam(-1.0), DomainError, "learning_rate"),
        (lambda: Adam("fast"), OptionError, "takes a real number or a schedule, got 'fast'"),
        (lambda: Adam(True), OptionError, "takes a real number or a schedule, got True"),
        (lambda: Adam(epsilon=Cosine(1, 0, 5)), OptionError, r"epsilon=...\) takes a real number,"),
        (lambda: Adam(betas=(0.9, 1.0)), DomainError, r"\[0, 1\)"),
        (lambda: Adam(betas=(0.9, "a")), DomainError, r"\[0, 1\)"),
        (lambda: Adam(betas=0.9), OptionError, "two numbers"),
        (lambda: AdamW(weight_decay=-0.1), DomainError, "weight_decay"),
        (lambda: SGD(0.1, nesterov=True), OptionError, r"SGD\(nesterov=True\) needs a momentum"),
        (lambda: Nesterov(0.1, momentum=0), OptionError, "^Nesterov needs a momentum above 0"),
        (lambda: Momentum(nesterov=True), OptionError, "unknown keyword 'nesterov'"),
        (lambda: RMSProp(decay=1.0), DomainError, r"decay=...\) must lie in \[0, 1\)"),
        (lambda: RMSProp(momentum=-1), DomainError, "momentum"),
        (lambda: AdaDelta(decay="slow"), OptionError, "got 'slow'"),
        (lambda: AdaGrad(initial_accumulator=-1), DomainError, "initial_accumulator"),
        (lambda: NAdam(momentum_decay=-1), DomainError, "momentum_decay"),
        (lambda: Lion(weight_decay=float("nan")), DomainError, "weight_decay"),
        (lambda: ClipNorm(-1.0), DomainError, "max_norm"),
        (lambda: ClipValue(-1.0), DomainError, "max_value"),
        (lambda: WeightDecay(None), OptionError, "weight_decay"),
        (lambda: SignDecay(-1.0), DomainError, "sign_decay"),
        (lambda: chain(), OptionError, "at least one rule"),
        (lambda: chain(Adam, ClipNorm()), OptionError, "optimizer rules"),
    ],
)
def test_bad_option_is_an_error_that_names_it(make: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        make()
