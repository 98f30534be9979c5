"""Preference: one word out of a few, and where it is looked up."""

from __future__ import annotations

import os
from contextvars import ContextVar
from typing import Any

from polylux.errors import DomainError
from polylux.preferences._file import complain, read_file


class Preference:
    """One word out of a few.

    Parameters
    ----------
    name : str
    default : str
    choices : tuple of str
    """

    __slots__ = ("_scoped", "_value", "choices", "default", "name")

    def __init__(self, name: str, default: str, choices: tuple[str, ...]) -> None:
        self.name = name
        self.default = default
        self.choices = choices
        self._value: str | None = None  # not looked up yet
        self._scoped: ContextVar[str | None] = ContextVar(name, default=None)

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"POLYLUX_{self.name.upper()}"

    def get(self) -> str:
        """The word that holds here and now."""
        return self._scoped.get() or self._value or self._look_up()

    def check(self, value: Any, where: str) -> str:
        """The word itself, if it is one of the choices; `where` it was found, for the message."""
        if value not in self.choices:
            raise DomainError(
                f"{where} must be one of {', '.join(map(repr, self.choices))}, got {value!r}"
            )
        return str(value)

    def _look_up(self) -> str:
        given = os.environ.get(self.variable)
        if given:
            value = self.check(given, f"the environment variable {self.variable}")
        else:
            value = self._in_file() or self.default
        self._value = value
        return value

    def _in_file(self) -> str | None:
        value = read_file().get(self.name)
        if value is None or value in self.choices:
            return value
        complain(f"has {self.name} = {value!r}, expected one of {', '.join(self.choices)}")
        return None


MODES = ("disable", "warn", "error")

ELTYPE_MISMATCH_HANDLING = Preference(
    "eltype_mismatch_handling", "none", ("none", "warn", "convert", "error")
)
DISPATCH_DOCTOR_LAYERS = Preference("dispatch_doctor_layers", "warn", MODES)
DISPATCH_DOCTOR_TRAINING = Preference("dispatch_doctor_training", "warn", MODES)

ALL = {
    p.name: p for p in (ELTYPE_MISMATCH_HANDLING, DISPATCH_DOCTOR_LAYERS, DISPATCH_DOCTOR_TRAINING)
}
