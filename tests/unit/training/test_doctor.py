"""The dispatch doctor: drifting dtypes and ever new shapes, said once, raised, or not at all."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import pytest

import polylux
from polylux import (
    AutoJax,
    TrainState,
    apply_gradients,
    compute_gradients,
    compute_objective,
    override_preferences,
    single_train_step,
    single_train_step_,
    to_host,
)
from polylux.errors import DispatchDoctorError, DTypeDriftWarning, RetraceWarning
from polylux.optimizers import SGD
from polylux.optimizers._base import Rule


def drifting(model: Any, ps: Any, st: Any, data: Any) -> Any:
    """A float32 average that takes up float64 numbers."""
    xp = polylux.array_namespace(data)
    mean = st["layer"]["mean"] / 2 + xp.mean(data, axis=0) / 2
    return xp.sum(ps["w"] * ps["w"]), {**st, "layer": {"mean": mean}}, {}


def state() -> TrainState:
    st = {"count": np.zeros(2), "layer": {"mean": np.zeros(2, np.float32)}}
    return TrainState(len, {"w": np.ones(2)}, st, SGD(0.1))


DATA = np.ones((3, 2))
TEXT = r"states\['layer'\]\['mean'\] was float32, and the objective returns it float64.*xp.astype"


@contextmanager
def mode(value: str) -> Iterator[None]:
    with override_preferences(dispatch_doctor_layers=value, dispatch_doctor_training=value):
        yield


@pytest.mark.parametrize("call", [single_train_step_, compute_objective])
def test_drifting_state_is_said_once_with_its_path(call: Any, selector: polylux.ADType) -> None:
    first = ts = state()
    with pytest.warns(DTypeDriftWarning, match=TEXT) as caught:
        for _ in range(3):
            ts = call(selector, drifting, DATA, ts).train_state
        if call is not single_train_step_:
            call(selector, drifting, DATA, first)
    assert len(caught) == 1
    assert to_host(ts.states)["layer"]["mean"].dtype == np.float64


def test_each_run_is_told(selector: polylux.ADType) -> None:
    for _ in range(2):
        with pytest.warns(DTypeDriftWarning):
            compute_objective(selector, drifting, DATA, state())


def test_strict_doctor_raises_and_the_train_state_is_still_whole(
    selector: polylux.ADType,
) -> None:
    ts = state()
    for _ in range(2):
        with mode("error"), pytest.raises(DispatchDoctorError, match=TEXT):
            single_train_step_(selector, drifting, DATA, ts)
    np.testing.assert_array_equal(to_host(ts.parameters)["w"], [1, 1])


def test_doctor_that_is_off_is_silent(selector: polylux.ADType) -> None:
    ts = state()
    with mode("disable"), warnings.catch_warnings():
        warnings.simplefilter("error")
        for rows in range(1, 8):
            *_, ts = single_train_step_(selector, drifting, DATA[:1].repeat(rows, 0), ts)


def test_layers_and_training_are_set_apart(selector: polylux.ADType) -> None:
    with (
        override_preferences(dispatch_doctor_layers="disable", dispatch_doctor_training="error"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error")
        compute_objective(selector, drifting, DATA, state())


def test_warning_points_at_the_users_line() -> None:
    with pytest.warns(DTypeDriftWarning) as caught:
        compute_objective(polylux.AutoTorch(), drifting, DATA, state())
    assert caught[0].filename == __file__


@dataclasses.dataclass(frozen=True, repr=False)
class Widening(Rule):
    """Steps in float32, whatever the parameters are."""

    kind: ClassVar[str] = "widening"

    @property
    def slots(self) -> tuple[str, ...]:
        return ()

    def scalars(self, count: int) -> tuple[float, ...]:
        return ()

    def update(self, xp: Any, scalars: Any, gradients: Any, parameters: Any, slots: Any) -> Any:
        return tuple(xp.astype(g, xp.float32) for g in gradients), slots


def half_squares(model: Any, ps: Any, st: Any, data: Any) -> Any:
    return polylux.array_namespace(ps["w"]).sum(ps["w"] * ps["w"]), st, {}


@pytest.mark.parametrize("whole", [True, False], ids=["step", "apply"])
def test_drifting_parameter_is_said(whole: bool, selector: polylux.ADType) -> None:
    ts = TrainState(len, {"v": np.ones(1), "w": np.ones(2, np.float16)}, {}, Widening())
    text = r"parameters\['w'\] was float16, and the optimizer makes it float32"
    with pytest.warns(DTypeDriftWarning, match=text) as caught:
        if whole:
            single_train_step(selector, half_squares, None, ts)
        else:
            grads = compute_gradients(selector, half_squares, None, ts).grads
            apply_gradients(ts, grads)
    assert len([w for w in caught if "'w'" in str(w.message)]) == 1


class WideningTogether(Widening):
    """The same, of parameters that may be joined."""

    kind: ClassVar[str] = "widening together"

    @property
    def can_join(self) -> bool:
        return True


def test_drifting_parameters_that_are_joined_are_said_as_a_whole() -> None:
    ps = {"v": np.ones(1, np.float16), "w": np.ones(2, np.float16)}
    ts = TrainState(len, ps, {}, WideningTogether())
    text = "^parameters was float16, and the optimizer makes it float32"
    with pytest.warns(DTypeDriftWarning, match=text):
        ts = single_train_step(polylux.AutoJax(), half_squares, None, ts).train_state
    assert [float(x) for x in ts.parameters["w"]] == [-1.0, -1.0]


def squares(model: Any, ps: Any, st: Any, data: Any) -> Any:
    xp = polylux.array_namespace(data[0])
    return xp.sum((data[0] @ ps["w"] - data[1]) ** 2), st, {}


def batch(rows: int) -> Any:
    return np.ones((rows, 2)), np.ones(rows)


def test_ever_new_shapes_are_said_once_with_the_leaf() -> None:
    ts = state()
    with pytest.warns(RetraceWarning, match=r"data\[0\] came as float64 \(1, 2\), .*pad") as caught:
        for rows in range(1, 9):
            *_, ts = single_train_step_(AutoJax(), squares, batch(rows), ts)
    assert len(caught) == 1
    assert ts.step == 8


def test_strict_doctor_raises_at_ever_new_shapes_and_the_run_can_go_on() -> None:
    ts = state()
    with mode("error"):
        for rows in range(1, 5):
            *_, ts = single_train_step_(AutoJax(), squares, batch(rows), ts)
        with pytest.raises(DispatchDoctorError, match="5 combinations of shapes"):
            single_train_step_(AutoJax(), squares, batch(5), ts)
        *_, ts = single_train_step_(AutoJax(), squares, batch(1), ts)
    assert ts.step == 5


def test_a_few_shapes_that_take_turns_are_no_reason_to_complain() -> None:
    ts = state()
    for i in range(12):
        *_, ts = single_train_step_(AutoJax(), squares, batch(1 + i % 4), ts)
    assert ts.step == 12


def test_strict_doctor_raises_at_a_python_value_that_changes() -> None:
    def objective(model: Any, ps: Any, st: Any, data: Any) -> Any:
        return (ps["w"] ** 2).sum(), {"calls": st["calls"] + 1}, {}

    ts = state().replace(states={"calls": 0})
    text = r"states\['calls'\] is a Python int that changes"
    with mode("error"):
        for _ in range(3):
            *_, ts = single_train_step_(AutoJax(), objective, None, ts)
        with pytest.raises(DispatchDoctorError, match=text):
            single_train_step_(AutoJax(), objective, None, ts)
    assert to_host(ts.parameters)["w"].shape == (2,)
