"""A backend of polylux that differentiates by central differences, in numpy.

Nothing here imports the framework (which here would do no harm: it is numpy); polylux imports
`_backend` when the selector is first used.
"""

from polylux.backend import Plugin
from polylux_finite_difference._selector import AutoDifference

plugin = Plugin(
    name="finite_difference",  # the entry point's name, and AutoDifference.backend
    backend="polylux_finite_difference._backend:DifferenceBackend",
    selector=AutoDifference,
    framework="numpy",
    distribution="numpy",
    minimum="2.1",
    install="pip install polylux-finite-difference",
)

__all__ = ["AutoDifference", "plugin"]
