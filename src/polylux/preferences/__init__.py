"""Preferences: what a user sets once for a process, a block of code, a shell or for good.

Each is one word out of a few. The first of these that names it holds: the innermost
:func:`override_preferences` around the call (in this thread or task only), the latest
:func:`set_preferences` of this process, the environment variable `POLYLUX_<NAME>`, the user's
file, and the default. The file is written by `set_preferences(..., persist=True)` alone, and read
when a preference is first asked for.
"""

from polylux.preferences._file import preferences_file
from polylux.preferences._preference import (
    DISPATCH_DOCTOR_LAYERS,
    DISPATCH_DOCTOR_TRAINING,
    ELTYPE_MISMATCH_HANDLING,
    Preference,
)
from polylux.preferences._settings import (
    get_preference,
    override_preferences,
    set_dispatch_doctor_preferences,
    set_preferences,
)

__all__ = [
    "DISPATCH_DOCTOR_LAYERS",
    "DISPATCH_DOCTOR_TRAINING",
    "ELTYPE_MISMATCH_HANDLING",
    "Preference",
    "get_preference",
    "override_preferences",
    "preferences_file",
    "set_dispatch_doctor_preferences",
    "set_preferences",
]
