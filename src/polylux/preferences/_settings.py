"""Reading and setting preferences, for this process, a block of code or for good."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from polylux.errors import OptionError, nearest
from polylux.preferences._file import write_file
from polylux.preferences._preference import (
    ALL,
    DISPATCH_DOCTOR_LAYERS,
    DISPATCH_DOCTOR_TRAINING,
    MODES,
    Preference,
)


def get_preference(name: str) -> str:
    """The value of a preference, here and now.

    Parameters
    ----------
    name : str
        `"eltype_mismatch_handling"`, `"dispatch_doctor_layers"` or `"dispatch_doctor_training"`.

    Returns
    -------
    str

    Raises
    ------
    OptionError
        If there is none of that name.
    DomainError
        If its environment variable holds none of its values.

    Examples
    --------
    >>> with override_preferences(eltype_mismatch_handling="convert"):
    ...     get_preference("eltype_mismatch_handling")
    'convert'
    """
    return _find(name).get()


def set_preferences(*, persist: bool = False, **values: str) -> None:
    """Set preferences for this process, and with `persist` for the user's later ones.

    Setting what is set already does nothing.

    Parameters
    ----------
    persist : bool
        Also write them to the user's file: the one that the environment variable
        `POLYLUX_PREFERENCES` names, or `polylux/preferences.json` in the user's configuration
        directory. An environment variable of a preference's own goes before the file.
    **values : str
        By name: `eltype_mismatch_handling` (`"none"`, `"warn"`, `"convert"` or `"error"`),
        `dispatch_doctor_layers`, `dispatch_doctor_training` (`"disable"`, `"warn"` or `"error"`).

    Raises
    ------
    OptionError
        For a name that is no preference.
    DomainError
        For a value that a preference cannot have; then none is set.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> set_preferences(eltype_mismatch_handling="none")
    """
    checked = _checked(values)
    for preference, value in checked.items():
        preference._value = value
    if persist:
        write_file({preference.name: value for preference, value in checked.items()})


def set_dispatch_doctor_preferences(
    mode: str | None = None,
    *,
    layers: str | None = None,
    training: str | None = None,
    persist: bool = False,
) -> None:
    """What happens when the dispatch doctor finds a re-trace, a re-compile or a drift of dtypes.

    It looks at the calls of one training run, and at the operators' calls of one function, and
    names the leaf and the mend. Setting what is set already does nothing.

    Parameters
    ----------
    mode : str, optional
        For both parts: `"disable"`, `"warn"` (each cause once, the default) or `"error"`.
    layers : str, optional
        For what layers do: a state or a parameter that comes back in another dtype
        (`DTypeDriftWarning`).
    training : str, optional
        For what calls do: a compiled step that is traced anew again and again (`RetraceWarning`).
    persist : bool
        As for `set_preferences`.

    Raises
    ------
    DomainError
        For any other mode.
    OptionError
        If no mode is given.

    References
    ----------
    `set_dispatch_doctor_preferences!` of the Utilities page.

    Examples
    --------
    >>> set_dispatch_doctor_preferences("warn")
    >>> set_dispatch_doctor_preferences(layers="warn", training="warn")
    """
    modes = {
        DISPATCH_DOCTOR_LAYERS.name: mode if layers is None else layers,
        DISPATCH_DOCTOR_TRAINING.name: mode if training is None else training,
    }
    given = {name: value for name, value in modes.items() if value is not None}
    if not given:
        raise OptionError(
            "set_dispatch_doctor_preferences needs a mode, or layers=... or training=...; "
            f"modes are {', '.join(map(repr, MODES))}"
        )
    set_preferences(persist=persist, **given)


@contextlib.contextmanager
def override_preferences(**values: str) -> Iterator[None]:
    """A context in which preferences have other values, in this thread or task only.

    Parameters
    ----------
    **values : str
        As for `set_preferences`.

    Yields
    ------
    None

    Raises
    ------
    OptionError, DomainError
        As for `set_preferences`.

    Examples
    --------
    >>> with override_preferences(eltype_mismatch_handling="error"):
    ...     pass
    """
    tokens = [(p, p._scoped.set(value)) for p, value in _checked(values).items()]
    try:
        yield
    finally:
        for preference, token in tokens:
            preference._scoped.reset(token)


def _find(name: str) -> Preference:
    try:
        return ALL[name]
    except KeyError:
        raise OptionError(f"there is no preference {name!r}; {nearest(str(name), ALL)}") from None


def _checked(values: Mapping[str, Any]) -> dict[Preference, str]:
    found = {_find(name): value for name, value in values.items()}
    return {p: p.check(value, p.name) for p, value in found.items()}
