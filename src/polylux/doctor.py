"""Findings: what the dispatch doctor has said already, and how it says the rest."""

from __future__ import annotations

from polylux.errors import DispatchDoctorError, PolyluxWarning, warn
from polylux.preferences import Preference


class Findings:
    """The causes that one run has been told of; a run hears of each once.

    See `set_dispatch_doctor_preferences` for what the doctor looks at, and what it does then.
    """

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: set[str] = set()

    def report(
        self, part: Preference, category: type[PolyluxWarning], message: str, cause: str
    ) -> None:
        """Warn of a cause, or raise, as the preference for this part of the library has it."""
        mode = part.get()
        if mode == "error":
            raise DispatchDoctorError(message)
        if mode == "warn" and cause not in self._told:
            self._told.add(cause)
            warn(message, category)
