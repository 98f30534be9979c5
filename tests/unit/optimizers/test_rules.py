"""Optimizer rules against optax and torch.optim, and against hand-worked first steps."""

from __future__ import annotations

import array_api_compat.numpy as xp
import array_api_strict
import numpy as np
import pytest

from polylux.errors import DomainError, OptionError
from polylux.optimizers import SGD, Adam, AdamW, ClipNorm, Rule, chain

RULES = {
    "sgd": SGD(0.05),
    "momentum": SGD(0.05, momentum=0.9),
    "nesterov": SGD(0.05, momentum=0.9, nesterov=True),
    "adam": Adam(0.01, betas=(0.8, 0.99), epsilon=1e-6),
    "adamw": AdamW(0.01, weight_decay=0.1),
    "clipped": chain(ClipNorm(0.7), AdamW(0.01, weight_decay=0.1)),
}


def run(rule: Rule, start: list[np.ndarray], gradients: list[list[np.ndarray]], xp=xp) -> list:
    """Parameters after applying these gradients one after another."""
    parameters = tuple(xp.asarray(p) for p in start)
    slots = rule.init(xp, parameters)
    for count, grads in enumerate(gradients, start=1):
        grads = tuple(xp.asarray(g) for g in grads)
        steps, slots = rule.update(xp, rule.scalars(count), grads, parameters, slots)
        parameters = tuple(p - s for p, s in zip(parameters, steps, strict=True))
    return list(parameters)


@pytest.fixture
def problem() -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    rng = np.random.default_rng(0)
    shapes = [(3, 4), (4,), ()]
    start = [np.asarray(rng.normal(size=s)) for s in shapes]
    return start, [[np.asarray(rng.normal(size=s)) for s in shapes] for _ in range(50)]


@pytest.mark.parametrize("name", RULES)
def test_rule_follows_optax_over_fifty_steps(name, problem):
    jax = pytest.importorskip("jax")
    optax = pytest.importorskip("optax")
    twins = {
        "sgd": optax.sgd(0.05),
        "momentum": optax.sgd(0.05, momentum=0.9),
        "nesterov": optax.sgd(0.05, momentum=0.9, nesterov=True),
        "adam": optax.adam(0.01, b1=0.8, b2=0.99, eps=1e-6),
        "adamw": optax.adamw(0.01, weight_decay=0.1),
        "clipped": optax.chain(
            optax.clip_by_global_norm(0.7), optax.adamw(0.01, weight_decay=0.1)
        ),
    }
    start, gradients = problem
    with jax.enable_x64(True):
        theirs = [jax.numpy.asarray(p) for p in start]
        state = twins[name].init(theirs)
        for grads in gradients:
            updates, state = twins[name].update(list(map(jax.numpy.asarray, grads)), state, theirs)
            theirs = optax.apply_updates(theirs, updates)
        expected = [np.asarray(p) for p in theirs]
    for mine, other in zip(run(RULES[name], start, gradients), expected, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", [n for n in RULES if n != "clipped"])
def test_rule_follows_torch_over_fifty_steps(name, problem):
    torch = pytest.importorskip("torch")
    start, gradients = problem
    theirs = [torch.tensor(p, requires_grad=True) for p in start]
    optimizer = {
        "sgd": lambda: torch.optim.SGD(theirs, 0.05),
        "momentum": lambda: torch.optim.SGD(theirs, 0.05, momentum=0.9),
        "nesterov": lambda: torch.optim.SGD(theirs, 0.05, momentum=0.9, nesterov=True),
        "adam": lambda: torch.optim.Adam(theirs, 0.01, betas=(0.8, 0.99), eps=1e-6),
        "adamw": lambda: torch.optim.AdamW(theirs, 0.01, weight_decay=0.1),
    }[name]()
    for grads in gradients:
        for p, g in zip(theirs, grads, strict=True):
            p.grad = torch.tensor(g)
        optimizer.step()
    for mine, other in zip(run(RULES[name], start, gradients), theirs, strict=True):
        np.testing.assert_allclose(mine, other.detach().numpy(), rtol=1e-12, atol=1e-14)


def test_first_step_of_adam_has_the_length_of_the_learning_rate():
    # m / (1 - b1) = g and sqrt(v / (1 - b2)) = |g|, so the step is eta * sign(g) for epsilon 0.
    start = [np.asarray([1.0, 2.0, 3.0])]
    gradient = [np.asarray([1e-3, -5.0, 700.0])]
    (after,) = run(Adam(0.1, epsilon=0.0), start, [gradient])
    np.testing.assert_allclose(after, [0.9, 2.1, 2.9], rtol=1e-14)


def test_clip_norm_scales_to_the_norm_over_all_leaves():
    gradients = (np.asarray([3.0, 0.0]), np.asarray(4.0))
    steps, _ = ClipNorm(1.0).update(xp, (1.0,), gradients, gradients, ())
    np.testing.assert_allclose(steps[0], [0.6, 0.0], rtol=1e-15)
    np.testing.assert_allclose(steps[1], 0.8, rtol=1e-15)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_clip_norm_neither_overflows_nor_vanishes(scale):
    gradients = (np.asarray([3.0, 4.0]) * scale,)
    steps, _ = ClipNorm(1.0).update(xp, (2.5 * scale,), gradients, gradients, ())
    np.testing.assert_allclose(steps[0], np.asarray([1.5, 2.0]) * scale, rtol=1e-15)


@pytest.mark.parametrize("gradient", [[0.3, 0.4], [0.0, 0.0]], ids=["fits", "zero"])
def test_clip_norm_leaves_a_gradient_that_fits_untouched(gradient):
    gradients = (np.asarray(gradient),)
    steps, _ = ClipNorm(0.5).update(xp, (0.5,), gradients, gradients, ())
    np.testing.assert_array_equal(steps[0], gradient)


@pytest.mark.parametrize("name", RULES)
def test_rule_runs_on_the_strict_namespace(name, problem):
    start, gradients = problem
    strict = run(RULES[name], start, gradients[:3], array_api_strict)
    for mine, other in zip(run(RULES[name], start, gradients[:3]), strict, strict=True):
        np.testing.assert_allclose(mine, np.asarray(other), rtol=1e-14)


@pytest.mark.parametrize("name", RULES)
def test_rule_keeps_float32(name, problem):
    start, gradients = problem
    narrow = [np.asarray(p, dtype=np.float32) for p in start]
    grads = [[np.asarray(g, dtype=np.float32) for g in step] for step in gradients[:2]]
    assert {p.dtype for p in run(RULES[name], narrow, grads)} == {np.dtype("float32")}


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: Adam(learningrate=1.0), OptionError, "did you mean 'learning_rate'"),
        (lambda: Adam(-1.0), DomainError, "learning_rate"),
        (lambda: Adam("fast"), OptionError, "takes a real number or a schedule, got 'fast'"),
        (lambda: Adam(betas=(0.9, 1.0)), DomainError, r"\[0, 1\)"),
        (lambda: Adam(betas=0.9), OptionError, "two numbers"),
        (lambda: AdamW(weight_decay=-0.1), DomainError, "weight_decay"),
        (lambda: SGD(0.1, nesterov=True), OptionError, "momentum above 0"),
        (lambda: ClipNorm(-1.0), DomainError, "max_norm"),
        (lambda: chain(), OptionError, "at least one rule"),
        (lambda: chain(Adam, ClipNorm()), OptionError, "optimizer rules"),
    ],
)
def test_bad_option_is_an_error_that_names_it(make, error, match):
    with pytest.raises(error, match=match):
        make()


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_repr_can_be_pasted_back(rule):
    assert eval(repr(rule), {r.__name__: r for r in (SGD, Adam, AdamW, ClipNorm, chain)}) == rule


def test_rules_that_differ_in_the_learning_rate_share_a_signature():
    assert Adam(0.1).signature == Adam(0.2).signature
    assert Adam(0.1).signature != Adam(0.1, betas=(0.5, 0.9)).signature
    assert chain(ClipNorm(1.0), SGD(0.1)).signature == chain(ClipNorm(2.0), SGD(0.3)).signature
