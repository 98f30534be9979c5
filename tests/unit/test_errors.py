"""The exception tree, and the part of a message that names near misses."""

from __future__ import annotations

import inspect
import pickle

import pytest

from polylux import errors

EXCEPTIONS = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, errors.PolyluxError)
]

BUILT_IN = {
    "UnknownBackendError": LookupError,
    "PluginMissingError": ImportError,
    "PluginBrokenError": ImportError,
    "FrameworkMissingError": ImportError,
    "FrameworkTooOldError": ImportError,
    "DuplicateBackendError": ValueError,
    "UnsupportedError": NotImplementedError,
    "OptionError": TypeError,
    "DomainError": ValueError,
    "ShapeError": ValueError,
    "DTypeError": TypeError,
    "DeviceError": ValueError,
    "TreeError": ValueError,
    "ObjectiveError": ValueError,
    "ArrayMixError": TypeError,
    "NothingTrainableError": ValueError,
    "LeakedTracerError": RuntimeError,
    "GivenAwayError": RuntimeError,
    "EltypeMismatchError": TypeError,
    "DispatchDoctorError": RuntimeError,
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_an_error_is_caught_as_the_built_in_that_a_caller_expects(name: str) -> None:
    assert issubclass(getattr(errors, name), BUILT_IN[name])


@pytest.mark.parametrize("error", EXCEPTIONS, ids=lambda e: e.__name__)
def test_the_module_docstring_draws_every_error(error: type[Exception]) -> None:
    assert f" {error.__name__} " in f" {errors.__doc__} ".replace("\n", " ")


@pytest.mark.parametrize("error", EXCEPTIONS, ids=lambda e: e.__name__)
def test_an_error_prints_its_message_as_prose(error: type[Exception]) -> None:
    assert str(error("no 'x' here")) == "no 'x' here"


@pytest.mark.parametrize("error", EXCEPTIONS, ids=lambda e: e.__name__)
def test_an_error_survives_pickling(error: type[Exception]) -> None:
    # Process pools send them home.
    again = pickle.loads(pickle.dumps(error("message")))
    assert type(again) is error
    assert str(again) == "message"


def test_retrace_warnings_can_be_filtered_with_all_of_ours() -> None:
    assert issubclass(errors.RetraceWarning, errors.PolyluxWarning)
    assert issubclass(errors.PolyluxWarning, UserWarning)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("tocrh", "did you mean 'torch'?"),
        ("autogard", "did you mean 'autograd'?"),
        ("tensorflow", "known are 'autograd', 'jax', 'torch'"),
    ],
    ids=["transposed", "transposed late", "nothing near"],
)
def test_nearest_names_near_misses_or_all(name: str, sentence: str) -> None:
    assert errors.nearest(name, ["torch", "jax", "autograd"]) == sentence


def test_nearest_of_nothing_says_so() -> None:
    assert errors.nearest("x", []) == "none are known"
