"""What every loss does with its arrays, in both of its call forms."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import polylux
from polylux import losses
from polylux.errors import (
    ArrayMixError,
    DTypeError,
    ObjectiveError,
    OptionError,
    ShapeError,
)
from polylux.losses import CrossEntropyLoss, L2Loss, MSELoss

LOSSES = [MSELoss(), CrossEntropyLoss(), CrossEntropyLoss(logits=True)]
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)

P = np.asarray([[0.25, 0.75], [0.5, 0.5], [0.125, 0.875]])
T = np.asarray([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])


def model(x: Any, ps: Any, st: Any) -> Any:
    return x[:, ps["order"]], {"calls": st["calls"] + 1}


# --- call forms ----------------------------------------------------------------------------------


@each_loss
def test_objective_form_returns_value_state_and_empty_stats(loss: Any, library: Any) -> None:
    p, t = library.array(P), library.array(T)
    value, st, stats = loss(model, {"order": slice(None)}, {"calls": 3}, (p, t))
    assert library.host(value) == library.host(loss(p, t))
    assert (st, stats) == ({"calls": 4}, {})


@pytest.mark.parametrize("data", [(P,), (P, T, T), {"x": P, "y": T}], ids=["one", "three", "dict"])
def test_data_of_another_form_is_an_error(data: Any) -> None:
    with pytest.raises(ObjectiveError, match=r"MSELoss\(\) as an objective needs data of the form"):
        MSELoss()(model, {"order": slice(None)}, {"calls": 0}, data)


def test_model_that_returns_no_pair_is_an_error() -> None:
    with pytest.raises(ObjectiveError, match=r"must return \(y, st\), but .* a ndarray"):
        MSELoss()(lambda x, ps, st: x, {}, {}, (P[:2], T[:2]))


@pytest.mark.parametrize("arguments", [(), (P,), (P, T, T)], ids=len)
def test_another_number_of_arguments_is_an_error(arguments: Any) -> None:
    with pytest.raises(OptionError, match=f"got {len(arguments)} arguments"):
        MSELoss()(*arguments)


# --- aggregation ---------------------------------------------------------------------------------


@each_loss
def test_agg_is_applied_to_the_items(loss: Any, library: Any) -> None:
    p, t = library.array(P), library.array(T)
    options = {"logits": loss.logits} if isinstance(loss, CrossEntropyLoss) else {}

    def value(agg: Any) -> Any:
        return library.host(type(loss)(agg=agg, **options)(p, t))

    items = value(None)
    assert items.shape == ((3, 2) if isinstance(loss, MSELoss) else (3,))
    np.testing.assert_array_equal(value("none"), items)
    np.testing.assert_allclose(value("mean"), items.mean(), rtol=1e-15)
    np.testing.assert_allclose(value("sum"), items.sum(), rtol=1e-15)
    np.testing.assert_array_equal(value(lambda x: x[0, ...]), items[0])


def test_agg_none_and_its_name_are_one_option() -> None:
    assert MSELoss(agg="none") == MSELoss(agg=None)


def test_unknown_agg_names_the_nearest() -> None:
    with pytest.raises(OptionError, match=r"agg='maen'\) is unknown; did you mean 'mean'"):
        MSELoss(agg="maen")
    with pytest.raises(OptionError, match="takes 'mean', 'sum', 'none', None or a function"):
        MSELoss(agg=2)  # type: ignore[arg-type]


def test_mean_of_nothing_is_nan_and_sum_is_zero(library: Any) -> None:
    empty = library.array(np.zeros((0, 2)))
    assert library.host(MSELoss(agg="sum")(empty, empty)) == 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, for an empty mean
        assert np.isnan(library.host(MSELoss()(empty, empty)))


# --- dtypes --------------------------------------------------------------------------------------


@each_loss
@pytest.mark.parametrize("target", [np.float64, np.float32, np.int64, np.int32, np.uint8, np.bool_])
@pytest.mark.parametrize("prediction", [np.float32, np.float64])
def test_result_has_the_dtype_of_the_prediction(
    prediction: Any, target: Any, loss: Any, library: Any
) -> None:
    t = np.asarray([[0, 1], [1, 0], [0, 1]])
    value = library.host(loss(library.array(P, prediction), library.array(t, target)))
    assert value.dtype == prediction
    expected = library.host(loss(library.array(P, prediction), library.array(t, prediction)))
    assert value == expected


@each_loss
@pytest.mark.parametrize("agg", ["mean", "sum", None])
def test_float16_is_computed_in_float32_and_rounded_once(agg: Any, loss: Any, library: Any) -> None:
    if library.name == "strict":
        pytest.skip("the standard has no float16")
    options = {"logits": loss.logits} if isinstance(loss, CrossEntropyLoss) else {}
    if isinstance(loss, CrossEntropyLoss) and not loss.logits:
        options["epsilon"] = 2.0**-10  # float16's own, which is the default for float16
    loss = type(loss)(agg=agg, **options)
    rng = np.random.default_rng(0)
    for shape in [(1, 4)] * 20 + [(300, 4)]:  # in short sums the roundings do not average out
        p, t = (rng.uniform(0.1, 3, shape).astype(np.float16) for _ in range(2))
        value = library.host(loss(library.array(p, np.float16), library.array(t, np.float16)))
        wide = library.host(loss(library.array(p, np.float32), library.array(t, np.float32)))
        np.testing.assert_array_equal(value, wide.astype(np.float16))
        assert value.dtype == np.float16


@pytest.mark.parametrize("dtype", [np.bool_, np.complex128])
@each_loss
def test_prediction_of_another_kind_is_an_error(dtype: Any, loss: Any, library: Any) -> None:
    p = library.array(np.ones((3, 2)), dtype)
    with pytest.raises(DTypeError, match="needs a prediction of real numbers, got .*cast it"):
        loss(p, library.array(T))


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_prediction_of_integers_is_computed_in_the_dtype_of_the_target(
    dtype: Any, loss: Any, library: Any
) -> None:
    p = np.asarray([[1, 3], [2, 2], [4, 1]])
    t = library.array(T, dtype)
    value = library.host(loss(library.array(p, np.int64), t))
    assert value.dtype == dtype
    assert value == library.host(loss(library.array(p, dtype), t))


def test_integers_alone_are_computed_in_the_default_dtype(library: Any) -> None:
    p, t = (library.array(values, np.int64) for values in ([1, 3], [1, 2]))
    value = library.host(MSELoss()(p, t))
    default = library.dtypes.__array_namespace_info__().default_dtypes()["real floating"]
    assert str(value.dtype) == str(default).rpartition(".")[2]
    assert value == 0.5


def test_complex_target_is_an_error(library: Any) -> None:
    with pytest.raises(DTypeError, match=r"MSELoss needs a real target, got .*complex128"):
        MSELoss()(library.array(P), library.array(T, np.complex128))


# --- shapes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prediction", "target"),
    [((3,), (3, 1)), ((3, 1), (3,)), ((2, 3), (3,)), ((2, 3), (1, 3)), ((), (1,)), ((4,), (5,))],
    ids=str,
)
@each_loss
def test_shapes_that_differ_are_an_error(
    prediction: Any, target: Any, loss: Any, library: Any
) -> None:
    p, t = library.array(np.ones(prediction)), library.array(np.ones(target))
    if prediction == () and isinstance(loss, CrossEntropyLoss):
        prediction, p = (1, 1), library.array(np.ones((1, 1)))
    with pytest.raises(ShapeError) as caught:
        loss(p, t)
    assert f"prediction of shape {prediction}" in str(caught.value)
    assert f"target of shape {target}" in str(caught.value)


@pytest.mark.parametrize("target", [1, 1.0, True, np.float64(1.0), np.int32(1), "0-d"], ids=repr)
@each_loss
def test_number_is_the_target_of_every_entry(target: Any, loss: Any, library: Any) -> None:
    p = library.array(P)
    given = library.array(1) if isinstance(target, str) else target
    expected = loss(p, library.array(np.ones_like(P)))
    assert library.host(loss(p, given)) == library.host(expected)


# --- libraries -----------------------------------------------------------------------------------


@each_loss
def test_target_of_another_library_is_an_error(loss: Any, differentiating: Any) -> None:
    with pytest.raises(ArrayMixError, match=r"arrays of different libraries: .*to_backend"):
        loss(differentiating.array(P), T)
    with pytest.raises(ArrayMixError, match="arrays of different libraries"):
        loss(P, differentiating.array(T))


@pytest.mark.parametrize(
    ("prediction", "target"), [([1.0], np.ones(1)), (np.ones(1), [1.0]), ([1.0], [1.0]), (1.0, 1.0)]
)
def test_argument_that_is_no_array_is_an_error(prediction: Any, target: Any) -> None:
    with pytest.raises(ArrayMixError, match="MSELoss"):
        MSELoss()(prediction, target)


# --- derivatives ---------------------------------------------------------------------------------


@pytest.mark.parametrize("agg", ["mean", "sum", lambda items: items[0, ...].sum()])
@each_loss
def test_target_is_a_constant_for_derivatives(agg: Any, loss: Any, differentiating: Any) -> None:
    options = {"logits": loss.logits} if isinstance(loss, CrossEntropyLoss) else {}
    if callable(agg):

        def agg(items: Any) -> Any:
            return polylux.array_namespace(items).sum(items[0, ...])

    loss = type(loss)(agg=agg, **options)
    p, t = differentiating.array(P), differentiating.array(T)
    selector = differentiating.selector
    both = polylux.gradient(lambda x: loss(x[0], x[1]), selector, [p, t])
    alone = polylux.gradient(loss, selector, p, t)
    np.testing.assert_array_equal(differentiating.host(both[1]), np.zeros_like(T))
    np.testing.assert_array_equal(differentiating.host(both[0]), differentiating.host(alone))
    assert np.any(differentiating.host(alone))


# --- values --------------------------------------------------------------------------------------


@each_loss
def test_loss_is_a_value(loss: Any) -> None:
    again = pickle.loads(pickle.dumps(loss))
    assert again == loss == copy.deepcopy(loss)
    assert hash(again) == hash(loss)
    assert again(P, T) == loss(P, T)
    assert eval(repr(loss), vars(losses)) == loss
    with pytest.raises(AttributeError):
        loss.agg = "sum"


def test_l2_loss_is_the_mean_squared_error() -> None:
    assert L2Loss is MSELoss


def test_repr_shows_what_differs_from_the_default() -> None:
    assert repr(MSELoss()) == "MSELoss()"
    assert repr(CrossEntropyLoss(logits=True, agg="sum")) == (
        "CrossEntropyLoss(agg='sum', logits=True)"
    )


def test_unknown_keyword_names_the_nearest() -> None:
    with pytest.raises(OptionError, match="unknown keyword 'logit'; did you mean 'logits'"):
        CrossEntropyLoss(logit=True)  # type: ignore[call-arg]


def test_positional_option_is_an_error() -> None:
    with pytest.raises(OptionError, match=r"takes its options by keyword, got 'sum'"):
        MSELoss("sum")
