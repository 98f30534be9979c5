"""Checks of training: every rule's trajectory, switches of backend, accumulation, buffers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import polylux
from polylux import (
    TrainState,
    apply_gradients,
    apply_gradients_,
    compute_gradients,
    registry,
    single_train_step,
    single_train_step_,
)
from polylux.backend import Capability
from polylux.errors import GivenAwayError
from polylux.losses import MSELoss
from polylux.optimizers import SGD, Adam, AdamW, Rule, chain
from polylux.optimizers import ClipNorm as Clip
from polylux_conformance._check import Check
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject
from polylux_conformance.scenarios._rules import RULES

LOOKED_AT = (1, 2, 5, 12)
"""Steps after which parameters are compared; early ones, before rounding has grown."""

# Each step may multiply an error by some small number, and adds its own.
GROWTH = 8.0


def linear(x: Any, ps: Any, st: Any) -> Any:
    """An affine model, whose squared error is convex."""
    return x @ ps["weight"] + ps["bias"], {"calls": st["calls"] + 1}


def parts(dtype: str, seed: int = 0) -> tuple[dict[str, Any], dict[str, Any], tuple[Any, Any]]:
    """Parameters, states and a batch of a regression."""
    rng = np.random.default_rng(seed)
    ps = {"weight": rng.normal(size=(3, 2)).astype(dtype), "bias": rng.normal(size=2).astype(dtype)}
    batch = rng.normal(size=(8, 3)).astype(dtype), rng.normal(size=(8, 2)).astype(dtype)
    return ps, {"calls": np.asarray(0, np.int32)}, batch


def true_gradients(ps: Any, batch: Any) -> tuple[Any, dict[str, Any]]:
    """Loss of the regression, and its gradients, in closed form."""
    x, y = (b.astype(np.longdouble) for b in batch)
    residual = x @ ps["weight"] + ps["bias"] - y
    scale = 2 / np.longdouble(residual.size)
    loss = np.mean(residual**2)
    return loss, {"weight": scale * x.T @ residual, "bias": scale * residual.sum(axis=0)}


def reference(rule: Rule, dtype: str, steps: int) -> list[tuple[Any, dict[str, Any]]]:
    """Loss before, and parameters after each step, in extended precision on the host."""
    ps, _, batch = parts(dtype)
    found = []
    update = _TEXTBOOK.get(rule)
    p = {n: a.astype(np.longdouble) for n, a in ps.items()}
    memory: dict[str, Any] = {}
    state = TrainState(linear, ps, {}, rule)
    for step in range(1, steps + 1):
        loss, gradients = true_gradients(p, batch)
        if update is not None:
            p = {n: update(step, p[n], gradients[n], memory.setdefault(n, {})) for n in p}
        else:
            # The rule's own array code, on the host in float64, with the true gradients.
            grads = {n: g.astype(np.float64) for n, g in gradients.items()}
            if step == 1:
                state = TrainState(
                    linear, {n: a.astype(np.float64) for n, a in ps.items()}, {}, rule
                )
            state = apply_gradients(state, grads)
            p = {n: np.asarray(a).astype(np.longdouble) for n, a in state.parameters.items()}
        found.append((loss, p))
    return found


# --- the rules that most people use, written down once more ---------------------------------------


def _descend(rate: float) -> Callable[..., Any]:
    return lambda t, p, g, memory: p - np.longdouble(rate) * g


def _momentum(rate: float, decay: float) -> Callable[..., Any]:
    def update(t: int, p: Any, g: Any, memory: dict[str, Any]) -> Any:
        memory["v"] = decay * memory.get("v", 0) + g
        return p - np.longdouble(rate) * memory["v"]

    return update


def _adam(rate: float, b1: float, b2: float, eps: float, decay: float = 0.0) -> Callable[..., Any]:
    def update(t: int, p: Any, g: Any, memory: dict[str, Any]) -> Any:
        one, two = np.longdouble(b1), np.longdouble(b2)
        memory["m"] = one * memory.get("m", 0) + (1 - one) * g
        memory["v"] = two * memory.get("v", 0) + (1 - two) * g * g
        m, v = memory["m"] / (1 - one**t), memory["v"] / (1 - two**t)
        return p - rate * decay * p - np.longdouble(rate) * m / (np.sqrt(v) + eps)

    return update


_TEXTBOOK: dict[Rule, Callable[..., Any]] = {
    RULES["SGD"]: _descend(0.1),
    RULES["Descent"]: _descend(0.05),
    RULES["SGD, momentum"]: _momentum(0.1, 0.75),
    RULES["Adam"]: _adam(0.05, 0.9, 0.999, 1e-8),
    RULES["Adam, other rates"]: _adam(0.01, 0.5, 0.75, 1e-3),
    RULES["AdamW"]: _adam(0.05, 0.9, 0.999, 1e-8, 0.125),
}


# --- trajectories ---------------------------------------------------------------------------------


def _compare_parameters(
    findings: Findings, state: TrainState, true: Any, *, dtype: str, step: int, point: str
) -> None:
    found = state.parameters
    for name in true:
        findings.close(
            f"{name} after step {step}", found[name], true[name], dtype=dtype, point=point,
            condition=GROWTH * step, is_derivative=True, scale=[1.0], sample=True,
        )  # fmt: skip


def _trajectory(subject: Subject, findings: Findings, rule: Rule) -> None:
    for dtype in subject.dtypes:
        true = reference(rule, dtype, LOOKED_AT[-1])
        for step_of in (single_train_step, single_train_step_):
            ps, st, batch = parts(dtype)
            state = TrainState(linear, ps, st, rule)
            slopes = true_gradients({n: a.astype(np.longdouble) for n, a in ps.items()}, batch)[1]
            for step, (loss, after) in enumerate(true, start=1):
                result = step_of(subject.selector, MSELoss(), batch, state)
                state = result.train_state
                for name, slope in slopes.items():
                    findings.close(f"gradient of {name} at step {step}", result.grads[name], slope,
                                   dtype=dtype, point=step_of.__name__, condition=GROWTH * step,
                                   is_derivative=True, scale=[1.0])  # fmt: skip
                slopes = true_gradients(after, batch)[1]
                findings.close(f"loss at step {step}", result.loss, loss, dtype=dtype,
                               point=step_of.__name__, condition=GROWTH * step,
                               is_derivative=True, scale=[1.0])  # fmt: skip
                if step in LOOKED_AT:
                    _compare_parameters(findings, state, after, dtype=dtype, step=step,
                                        point=step_of.__name__)  # fmt: skip
            findings.exactly("calls counted in the states", state.states["calls"],
                             np.asarray(len(true), np.int32), point=step_of.__name__)  # fmt: skip
            findings.true("step", state.step == len(true), expected=str(len(true)),
                          found=state.step, point=step_of.__name__)  # fmt: skip


def _in_two_calls(subject: Subject, findings: Findings, rule: Rule) -> None:
    """compute_gradients and apply_gradients give what single_train_step gives."""
    for dtype in subject.dtypes:
        true = reference(rule, dtype, LOOKED_AT[-2])
        for apply in (apply_gradients, apply_gradients_):
            ps, st, batch = parts(dtype)
            state = TrainState(linear, ps, st, rule)
            for step, (_, after) in enumerate(true, start=1):
                result = compute_gradients(subject.selector, MSELoss(), batch, state)
                state = apply(result.train_state, result.grads)
                if step in LOOKED_AT:
                    _compare_parameters(findings, state, after, dtype=dtype, step=step,
                                        point=apply.__name__)  # fmt: skip


def _switching(subject: Subject, findings: Findings) -> None:
    """A, then B, then A again: as if nothing had happened, slots included."""
    partner = next(subject.partners(), None)
    for dtype in subject.dtypes:
        for rule in (RULES["SGD, momentum"], RULES["AdamW"], RULES["clipped AdamW"]):
            true = reference(rule, dtype, 6)
            for step_of in (single_train_step, single_train_step_):
                ps, st, batch = parts(dtype)
                state = TrainState(linear, ps, st, rule)
                for step, (_, after) in enumerate(true, start=1):
                    selector = subject.selector if partner is None or step in (1, 2, 5, 6) else (
                        partner
                    )  # fmt: skip
                    if partner is None and step in (3, 5):  # through the host instead
                        state = state.replace(
                            parameters=polylux.to_host(state.parameters),
                            optimizer_state=polylux.to_host(state.optimizer_state),
                        )
                    state = step_of(selector, MSELoss(), batch, state).train_state
                    host = polylux.to_host(state.parameters)
                    for name in after:
                        findings.close(
                            f"{name} after step {step}", np.asarray(host[name]), after[name],
                            dtype=dtype, condition=GROWTH * step, is_derivative=True, scale=[1.0],
                            point=f"{rule!r}, {step_of.__name__}, with {partner!r}",
                        )  # fmt: skip


def _from_another(subject: Subject, findings: Findings) -> None:
    """Arrays of other frameworks come over with their values, and share no memory with them."""
    cases = [(p, d, n) for p in subject.partners() for d in subject.dtypes for n in (0, 1, 5000)]
    findings.true("other backends", True, expected="any number", found=str(len(cases) > 0))
    for partner, dtype, size in cases:
        point = f"{dtype}, {size} entries, from {partner!r}"
        host = np.arange(1, size + 1).astype(dtype) / 8
        (theirs,) = polylux.to_backend((host,), partner)
        (own,) = polylux.to_backend((theirs,), subject.selector)
        findings.true("the array's owner", subject.owns(own), expected=subject.backend.name,
                      found=type(own).__name__, point=point)  # fmt: skip
        findings.exactly("the array", own, host, point=point)
        other, _ = registry.resolve(partner)
        a, b = other.to_host([theirs])[0], subject.backend.to_host([own])[0]
        findings.true("the array", not np.shares_memory(a, b), expected="memory of its own",
                      found="shared memory", point=point)  # fmt: skip


def _accumulation(subject: Subject, findings: Findings) -> None:
    """The mean of the gradients of parts of a batch is the gradient of the whole."""
    for dtype in subject.dtypes:
        ps, st, (x, y) = parts(dtype)
        state = TrainState(linear, ps, st, SGD(0.1))
        whole = compute_gradients(subject.selector, MSELoss(), (x, y), state)
        parts_ = [
            compute_gradients(subject.selector, MSELoss(), (x[k : k + 2], y[k : k + 2]), state)
            for k in (0, 2, 4, 6)
        ]
        for name in ps:
            mean = sum(subject.host(p.grads[name]).astype(np.longdouble) for p in parts_) / 4
            findings.close(f"gradient of {name}", whole.grads[name], mean, dtype=dtype,
                           condition=4, is_derivative=True, scale=[1.0])  # fmt: skip


def _given_away(subject: Subject, findings: Findings) -> None:
    """A state whose buffers were reused says so; the user's arrays and other states are whole."""
    for dtype in subject.dtypes:
        ps, st, batch = parts(dtype)
        own = polylux.to_backend(ps, subject.selector)
        first = TrainState(linear, own, st, Adam(0.1))
        pure = single_train_step(subject.selector, MSELoss(), batch, first).train_state
        kept = {n: a.copy() for n, a in polylux.to_host(pure.parameters).items()}
        taken = single_train_step_(subject.selector, MSELoss(), batch, pure).train_state
        last = single_train_step_(subject.selector, MSELoss(), batch, taken).train_state
        try:
            found = taken.parameters
            findings.true("reading a state that was given away", False,
                          expected="GivenAwayError", found=type(found).__name__)  # fmt: skip
        except GivenAwayError:
            findings.true("reading a state that was given away", True, expected="GivenAwayError")
        for name in ps:
            findings.exactly(f"the user's {name}", own[name], ps[name])
        again = TrainState(linear, own, st, Adam(0.1))
        repeated = single_train_step(subject.selector, MSELoss(), batch, again).train_state
        for name in ps:
            findings.exactly(f"{name} of a second run from the same arrays",
                             repeated.parameters[name], kept[name])  # fmt: skip
        findings.true("step", last.step == 3, expected="3", found=last.step)


def _results_stay(subject: Subject, findings: Findings) -> None:
    """What a `_` step returned keeps its numbers while later steps reuse the buffers."""
    def objective(model: Any, ps: Any, st: Any, data: Any) -> Any:
        y, st = model(data[0], ps, st)
        loss, _, _ = MSELoss()(lambda x, p, s: (y, s), ps, st, data)
        return loss, {**st}, {"bias": ps["bias"], "first": ps["weight"][0, :], "y": y}

    for dtype in subject.dtypes:
        for rule in (SGD(0.1), Adam(0.1), chain(Clip(0.5), AdamW(0.1))):
            ps, st, batch = parts(dtype)
            state = TrainState(linear, ps, st, rule)
            kept: list[tuple[Any, Any]] = []
            for _ in range(4):
                grads, loss, stats, state = single_train_step_(
                    subject.selector, objective, batch, state
                )
                result = {**grads, "loss": loss, **{f"stat {n}": s for n, s in stats.items()}}
                hosts = {n: np.array(polylux.to_host(a)) for n, a in result.items()}
                kept.append((result, hosts))
            for step, (result, hosts) in enumerate(kept, start=1):
                for name, host in hosts.items():
                    findings.exactly(f"{name} of step {step}, later", result[name], host,
                                     point=f"{rule!r}, {dtype}")  # fmt: skip


def _repeatable(subject: Subject, findings: Findings) -> None:
    """The same run twice ends at the same bits."""
    for dtype in subject.dtypes:
        ends = []
        for _ in range(2):
            ps, st, batch = parts(dtype)
            state = TrainState(linear, ps, st, AdamW(0.05))
            for _ in range(10):
                state = single_train_step_(subject.selector, MSELoss(), batch, state).train_state
            ends.append({n: np.array(a) for n, a in polylux.to_host(state.parameters).items()})
        for name in ends[0]:
            findings.exactly(name, ends[1][name], ends[0][name], point=dtype)


def _fused_updates(subject: Subject, findings: Findings, rule: Rule) -> None:
    """A backend's own update equals the rule's array code, for odd leaves and late counts."""
    shapes = ((3, 2), (), (1,), (0, 2), (5, 1, 2), (67,))
    backend, selector = subject.backend, subject.selector
    for dtype in subject.dtypes:
        for count in (1, 2, 1000):
            rng = np.random.default_rng(count)
            groups = [
                [rng.normal(size=s).astype(dtype) for s in shapes]
                for _ in range(2 + len(rule.slots))
            ]
            # Second moments are squares.
            groups[2:] = [[np.abs(a) + 0.125 for a in group] for group in groups[2:]]
            wide = [tuple(a.astype(np.float64) for a in group) for group in groups]
            steps, new_slots = rule.update(
                np, rule.scalars(count), wide[1], wide[0], tuple(wide[2:])
            )
            for in_place in (False, True):
                fused = backend.fused_update(rule, in_place, selector)
                if fused is None:
                    findings.true("no update of its own", True, expected="none")
                    continue
                own = [tuple(subject.own(*group)) for group in groups]
                with subject.precision(*own[0]):
                    parameters, slots = fused(own[0], own[1], tuple(own[2:]), count)
                point = f"update {count}, {'in place' if in_place else 'pure'}"
                for i, shape in enumerate(shapes):
                    findings.close(f"parameter of shape {shape}", parameters[i],
                                   wide[0][i] - steps[i], dtype=dtype, point=point, condition=2,
                                   scale=[1.0])  # fmt: skip
                    for k, name in enumerate(rule.slots):
                        findings.close(f"{name} of shape {shape}", slots[k][i], new_slots[k][i],
                                       dtype=dtype, point=point, condition=2,
                                       scale=[1.0])  # fmt: skip
                    findings.exactly("the gradient", own[1][i], groups[1][i], point=point)
                if not in_place:
                    _stays_pure(subject, findings, fused, groups, own, (parameters, slots), count)


def _stays_pure(
    subject: Subject, findings: Findings, fused: Any, groups: Any, own: Any, new: Any, count: int
) -> None:
    """Neither what a user gave nor what an update returned is changed by a pure update."""
    parameters, slots = new
    with subject.precision(*own[0]):
        kept = [[np.array(subject.host(a)) for a in group] for group in (parameters, *slots)]
        fused(parameters, own[1], tuple(slots), count + 1)
    point = f"pure update {count + 1}"
    for group, former in zip((own[0], *own[2:]), (groups[0], *groups[2:]), strict=True):
        for a, b in zip(group, former, strict=True):
            findings.exactly("what the first update was given", a, b, point=point)
    for group, former in zip((parameters, *slots), kept, strict=True):
        for a, b in zip(group, former, strict=True):
            findings.exactly("what the first update returned", a, b, point=point)


_NEEDS = frozenset({Capability.GRADIENT})
_FUSED = ("SGD", "SGD, momentum", "Adam", "Adam, other rates", "AdamW", "clipped AdamW")

TRAINING = (
    *(
        Check(f"training/{name}", "training",
              "Losses and parameters follow the reference in extended precision.",
              functools.partial(_trajectory, rule=rule), _NEEDS)
        for name, rule in RULES.items()
    ),
    *(
        Check(f"training/in two calls: {name}", "training",
              "compute_gradients and apply_gradients give what single_train_step gives.",
              functools.partial(_in_two_calls, rule=RULES[name]), _NEEDS)
        for name in ("SGD", "SGD, momentum", "AdamW", "clipped AdamW")
    ),
    *(
        Check(f"training/update: {name}", "training",
              "The backend's own update equals the rule's array code.",
              functools.partial(_fused_updates, rule=RULES[name]), _NEEDS)
        for name in _FUSED
    ),
    Check("training/switching", "training", "A run goes to another backend and back.",
          _switching, _NEEDS),
    # Here, and not with the other arrays: another framework changes global settings when it loads.
    Check("training/arrays of another", "training",
          "Another backend's arrays keep their numbers on their way in.", _from_another, _NEEDS),
    Check("training/accumulation", "training", "Parts of a batch add up to the whole.",
          _accumulation, _NEEDS),
    Check("training/given away", "training", "Reused buffers are told, users' arrays are whole.",
          _given_away, _NEEDS),
    Check("training/results stay", "training", "What a step returned keeps its numbers.",
          _results_stay, _NEEDS),
    Check("training/repeatable", "training", "The same run ends at the same bits.", _repeatable,
          _NEEDS),
)  # fmt: skip
