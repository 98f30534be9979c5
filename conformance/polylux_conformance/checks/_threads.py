"""Checks that two threads may differentiate at once."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

import polylux
from polylux import TrainState, single_train_step_
from polylux.backend import Capability
from polylux.losses import MSELoss
from polylux.optimizers import SGD
from polylux_conformance._check import Check
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject

ROUNDS = 40
THREADS = 3


def _gradients_at_once(subject: Subject, findings: Findings) -> None:
    """Each thread has a function of its own; answers must not be mixed up."""
    dtype = subject.dtypes[0]
    outcomes: list[Any] = [None] * THREADS
    barrier = threading.Barrier(THREADS)

    def work(k: int) -> None:
        def f(x: Any) -> Any:
            xp = polylux.array_namespace(x)
            return xp.sum(x ** (k + 2)) * (k + 1)

        points = np.random.default_rng(k).normal(size=(ROUNDS, k + 2)).astype(dtype)
        try:
            barrier.wait(timeout=60)
            answers = [polylux.value_and_gradient(f, subject.selector, p) for p in points]
            hosts = [(np.asarray(polylux.to_host(v)), np.asarray(polylux.to_host(g)))
                     for v, g in answers]  # fmt: skip
            outcomes[k] = (points, hosts)
        except Exception as error:  # noqa: BLE001  # told in the main thread
            outcomes[k] = error

    _run([threading.Thread(target=work, args=(k,)) for k in range(THREADS)])
    for k, outcome in enumerate(outcomes):
        if not isinstance(outcome, tuple):
            findings.true(f"thread {k}", False, expected="no error", found=repr(outcome))
            continue
        points, hosts = outcome
        for p, (value, gradient) in zip(points, hosts, strict=True):
            x = p.astype(np.longdouble)
            powers = x ** (k + 2)
            size = np.sum(np.abs(powers)) * (k + 1)
            findings.close("value", value, (k + 1) * np.sum(powers), dtype=dtype, condition=2,
                           point=f"thread {k}", scale=[size])  # fmt: skip
            findings.close("gradient", gradient, (k + 1) * (k + 2) * x ** (k + 1), dtype=dtype,
                           condition=2, point=f"thread {k}", is_derivative=True,
                           scale=[3 * size])  # fmt: skip


def _training_at_once(subject: Subject, findings: Findings) -> None:
    """Three runs in three threads end where they end one after another."""
    dtype = subject.dtypes[0]
    ends: list[Any] = [None] * THREADS

    def model(x: Any, ps: Any, st: Any) -> Any:
        return x @ ps["w"], st

    def train(k: int) -> Any:
        rng = np.random.default_rng(k)
        x, w = rng.normal(size=(6, 2)).astype(dtype), rng.normal(size=2).astype(dtype)
        state = TrainState(model, {"w": w}, {}, SGD(0.1))
        for _ in range(20):
            *_, state = single_train_step_(
                subject.selector, MSELoss(), (x, x[:, 0] * (k + 1)), state
            )
        return np.array(polylux.to_host(state.parameters["w"]))

    def work(k: int) -> None:
        try:
            ends[k] = train(k)
        except Exception as error:  # noqa: BLE001  # told in the main thread
            ends[k] = error

    _run([threading.Thread(target=work, args=(k,)) for k in range(THREADS)])
    for k, end in enumerate(ends):
        if isinstance(end, np.ndarray):
            findings.exactly(f"parameters of run {k}", end, train(k))
        else:
            findings.true(f"run {k}", False, expected="no error", found=repr(end))


def _run(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


THREAD_CHECKS = tuple(
    Check(f"threads/{name}", "core", about, body,
          frozenset({Capability.GRADIENT, Capability.THREADS}))
    for name, about, body in (
        ("gradients at once", "Gradients of several threads are not mixed up.",
         _gradients_at_once),
        ("training at once", "Runs in several threads end where they end alone.",
         _training_at_once),
    )
)  # fmt: skip
