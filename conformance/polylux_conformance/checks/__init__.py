"""Every check of the suite, family by family."""

from polylux_conformance._check import Check
from polylux_conformance.checks._functions import ARRAY_FUNCTIONS
from polylux_conformance.checks._gradients import GRADIENTS
from polylux_conformance.checks._modifiers import MODIFIERS
from polylux_conformance.checks._objectives import OBJECTIVES

CHECKS: tuple[Check, ...] = (*GRADIENTS, *MODIFIERS, *OBJECTIVES, *ARRAY_FUNCTIONS)
"""All of them; a new family is added here."""

__all__ = ["CHECKS"]
