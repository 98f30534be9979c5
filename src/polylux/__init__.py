"""polylux: one model and one objective, differentiated and trained by any AD framework."""

from polylux import backend, errors, layers, losses, optimizers
from polylux.arrays import array_namespace, selector_of, to_backend, to_host
from polylux.cache import clear_caches
from polylux.layers import (
    StatefulLayer,
    compact,
    init_fn,
    non_trainable,
    setup,
    testmode,
    trainmode,
    update_state,
)
from polylux.operators import gradient, value_and_gradient
from polylux.precision import bf16, f16, f32, f64
from polylux.preferences import (
    get_preference,
    override_preferences,
    set_dispatch_doctor_preferences,
    set_preferences,
)
from polylux.recursive import (
    recursive_add_,
    recursive_copyto_,
    recursive_eltype,
    recursive_make_zero,
    recursive_make_zero_,
    recursive_map,
)
from polylux.registry import backends, register_backend
from polylux.rules import CustomRule, custom_rule
from polylux.selectors import (
    ADType,
    Auto,
    AutoAutograd,
    AutoFiniteDiff,
    AutoJax,
    AutoTorch,
    NoAutoDiff,
)
from polylux.training import (
    TrainState,
    adjust,
    apply_gradients,
    apply_gradients_,
    compute_gradients,
    compute_objective,
    freeze,
    single_train_step,
    single_train_step_,
    thaw,
)
from polylux.transforms import checkpoint, stop_gradient, vmap
from polylux.tree import register_leaf

__version__ = "0.1.0"

__all__ = [
    "ADType",
    "Auto",
    "AutoAutograd",
    "AutoFiniteDiff",
    "AutoJax",
    "AutoTorch",
    "CustomRule",
    "NoAutoDiff",
    "StatefulLayer",
    "TrainState",
    "adjust",
    "apply_gradients",
    "apply_gradients_",
    "array_namespace",
    "backend",
    "backends",
    "bf16",
    "checkpoint",
    "clear_caches",
    "compact",
    "compute_gradients",
    "compute_objective",
    "custom_rule",
    "errors",
    "f16",
    "f32",
    "f64",
    "freeze",
    "get_preference",
    "gradient",
    "init_fn",
    "layers",
    "losses",
    "non_trainable",
    "optimizers",
    "override_preferences",
    "recursive_add_",
    "recursive_copyto_",
    "recursive_eltype",
    "recursive_make_zero",
    "recursive_make_zero_",
    "recursive_map",
    "register_backend",
    "register_leaf",
    "selector_of",
    "set_dispatch_doctor_preferences",
    "set_preferences",
    "setup",
    "single_train_step",
    "single_train_step_",
    "stop_gradient",
    "testmode",
    "thaw",
    "to_backend",
    "to_host",
    "trainmode",
    "update_state",
    "value_and_gradient",
    "vmap",
]
