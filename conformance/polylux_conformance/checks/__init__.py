"""Every check of the suite, family by family."""

from polylux_conformance._check import Check
from polylux_conformance.checks._arrays import ARRAYS
from polylux_conformance.checks._errors import ERRORS
from polylux_conformance.checks._functions import ARRAY_FUNCTIONS
from polylux_conformance.checks._gradients import GRADIENTS
from polylux_conformance.checks._kernels import KERNELS
from polylux_conformance.checks._kinks import KINK_CHECKS
from polylux_conformance.checks._layers import LAYERS
from polylux_conformance.checks._losses import LOSSES
from polylux_conformance.checks._modes import MODES
from polylux_conformance.checks._modifiers import MODIFIERS
from polylux_conformance.checks._objectives import OBJECTIVES
from polylux_conformance.checks._purity import PURITY
from polylux_conformance.checks._second import SECOND
from polylux_conformance.checks._staging import STAGING
from polylux_conformance.checks._threads import THREAD_CHECKS
from polylux_conformance.checks._training import TRAINING
from polylux_conformance.checks._trajectories import TRAJECTORIES

CHECKS: tuple[Check, ...] = (
    *ERRORS, *ARRAYS, *GRADIENTS, *MODIFIERS, *OBJECTIVES, *MODES, *STAGING, *PURITY,
    *THREAD_CHECKS, *KINK_CHECKS, *KERNELS, *ARRAY_FUNCTIONS, *LOSSES, *LAYERS, *TRAINING,
    *TRAJECTORIES, *SECOND,
)  # fmt: skip
"""All of them; a new family is added here."""

__all__ = ["CHECKS"]
