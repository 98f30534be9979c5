"""The contract: what the author of a plugin reads and implements.

A plugin is a distribution with one entry point in the group ``polylux.backends`` that names a
:class:`Plugin`: a light value which tells polylux what is there without importing the framework.
The plugin names a :class:`Backend`, the class that does the work. The least that a backend must
implement is:

* ``namespace``: its array-API namespace, for its arrays and for traced values alike;
* ``from_host`` and ``to_host``: numpy arrays in and out;
* ``stop_gradient``;
* one of ``value_and_gradient``, ``pullback`` and ``pushforward``.

The core owns trees, state, errors and fallbacks; a backend owns leaves. It sees tuples of arrays
and a function of them, and never writes tree code. Everything else has a default that works, and
may be overridden for speed or for more capabilities; see :class:`Backend`.
"""

from polylux.backend._capability import Accuracy, Capability
from polylux.backend._contract import (
    CONTRACT_VERSION,
    Backend,
    Function,
    Gradient,
    Map,
    Pull,
    Staged,
    StepUpdate,
    Update,
    in_turn,
)
from polylux.backend._directions import each_unit_direction, unit_directions
from polylux.backend._host import HostBackend, stopping_host_gradients
from polylux.backend._kernel import PartialKernel
from polylux.backend._numbers import Numbers
from polylux.backend._plugin import Plugin
from polylux.backend._rule import DerivativeRule

__all__ = [
    "CONTRACT_VERSION",
    "Accuracy",
    "Backend",
    "Capability",
    "DerivativeRule",
    "Function",
    "Gradient",
    "HostBackend",
    "Map",
    "Numbers",
    "PartialKernel",
    "Plugin",
    "Pull",
    "Staged",
    "StepUpdate",
    "Update",
    "each_unit_direction",
    "in_turn",
    "stopping_host_gradients",
    "unit_directions",
]
