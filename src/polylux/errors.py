"""Every exception that polylux raises of its own accord.

Each derives from :class:`PolyluxError` and from the built-in that a caller would catch::

    PolyluxError
    ├── BackendError
    │   ├── UnknownBackendError       (LookupError)   no backend of that name is registered
    │   ├── PluginMissingError        (ImportError)   a selector's plugin is not installed
    │   ├── PluginBrokenError         (ImportError)   a plugin is installed and fails to load
    │   ├── FrameworkMissingError     (ImportError)   the plugin is here, its framework is not
    │   ├── FrameworkTooOldError      (ImportError)   the framework is older than the plugin needs
    │   ├── DuplicateBackendError     (ValueError)    two plugins claim one name
    │   └── UnsupportedError          (NotImplementedError)  a capability that a backend lacks
    ├── OptionError                   (TypeError)     an unknown keyword, or one of the wrong type
    ├── DomainError                   (ValueError)    an option outside its domain
    ├── ShapeError                    (ValueError)    array shapes that do not fit
    ├── DTypeError                    (TypeError)     a dtype that cannot be used there
    │   └── EltypeMismatchError       an input of a wider dtype than its layer
    ├── DeviceError                   (ValueError)    arrays on devices that do not fit together
    ├── TreeError                     (ValueError)    trees whose structures do not match
    ├── ObjectiveError                (ValueError)    an objective that breaks its signature
    ├── ArrayMixError                 (TypeError)     arrays of two libraries in one operation
    ├── NothingTrainableError         (ValueError)    parameters without one floating-point leaf
    ├── WrongGradientError            (AssertionError)  a gradient that differences contradict
    ├── PreparationError              (ValueError)    a prepared operator called with other things
    ├── LeakedTracerError             (RuntimeError)  a traced value used after its trace ended
    ├── GivenAwayError                (RuntimeError)  a train state whose buffers a `_` step took
    └── DispatchDoctorError           (RuntimeError)  what the dispatch doctor finds, where strict

    PolyluxWarning                    (UserWarning)
    ├── RetraceWarning                a compiled step that is traced anew again and again
    ├── DTypeDriftWarning             a state or parameter that comes back in another dtype
    └── EltypeMismatchWarning         an input of a wider dtype than its layer
"""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Iterable


class PolyluxError(Exception):
    """Base of all errors that polylux raises."""


class BackendError(PolyluxError):
    """Base of the errors about backends and their plugins."""


class UnknownBackendError(BackendError, LookupError):
    """No backend of that name is registered."""

    def __str__(self) -> str:
        # LookupError's subclasses print their argument's repr in some cases; the message is prose.
        return str(self.args[0]) if self.args else ""


class PluginMissingError(BackendError, ImportError):
    """A selector names a backend whose plugin is not installed."""


class PluginBrokenError(BackendError, ImportError):
    """A plugin is installed, and failed to load or breaks the contract."""


class FrameworkMissingError(BackendError, ImportError):
    """The plugin is installed, the framework that it drives is not."""


class FrameworkTooOldError(BackendError, ImportError):
    """The installed framework is older than its plugin needs."""


class DuplicateBackendError(BackendError, ValueError):
    """Two plugins claim one name."""


class UnsupportedError(BackendError, NotImplementedError):
    """A backend was asked for something that it does not claim to do."""


class OptionError(PolyluxError, TypeError):
    """An unknown keyword, or a value of the wrong type."""


class DomainError(PolyluxError, ValueError):
    """A value outside the domain of its option."""


class ShapeError(PolyluxError, ValueError):
    """Array shapes that do not fit together."""


class DTypeError(PolyluxError, TypeError):
    """A dtype that cannot be used in that place."""


class EltypeMismatchError(DTypeError):
    """An input whose dtype is wider than its layer's, where that is set to be an error."""


class DeviceError(PolyluxError, ValueError):
    """Arrays on devices that do not fit together."""


class TreeError(PolyluxError, ValueError):
    """Trees whose structures do not match."""


class ObjectiveError(PolyluxError, ValueError):
    """An objective that breaks the signature `(model, ps, st, data) -> (loss, st, stats)`."""


class ArrayMixError(PolyluxError, TypeError):
    """Arrays of two libraries met in one operation."""


class NothingTrainableError(PolyluxError, ValueError):
    """A parameter tree without one floating-point array."""


class WrongGradientError(PolyluxError, AssertionError):
    """A gradient and the differences of its function contradict each other."""


class PreparationError(PolyluxError, ValueError):
    """A prepared operator was called with other arguments than it was prepared for."""


class LeakedTracerError(PolyluxError, RuntimeError):
    """A traced value was used after its trace had ended."""


class GivenAwayError(PolyluxError, RuntimeError):
    """A train state was read after a `_` step had reused its buffers."""


class DispatchDoctorError(PolyluxError, RuntimeError):
    """A re-trace or a drift of dtypes, where the dispatch doctor is set to raise."""


class PolyluxWarning(UserWarning):
    """Base of the warnings that polylux gives."""


class RetraceWarning(PolyluxWarning):
    """A compiled step is traced anew again and again."""


class DTypeDriftWarning(PolyluxWarning):
    """A state or a parameter comes back from a call in another dtype."""


class EltypeMismatchWarning(PolyluxWarning):
    """An input whose dtype is wider than its layer's."""


def warn(message: str, category: type[PolyluxWarning]) -> None:
    """Give a warning at the line of the nearest caller outside of polylux."""
    level = 1
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("polylux"):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)


def nearest(name: str, known: Iterable[str]) -> str:
    """The part of a message that names the known names nearest to `name`, or all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(repr(k) for k in close) + "?"
    return "known are " + ", ".join(repr(k) for k in known) if known else "none are known"
