"""Global settings of Python, numpy and the frameworks, which no backend may change."""

from __future__ import annotations

import decimal
import gc
import locale
import logging
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

_OTHERS_VARIABLES = frozenset({
    "PYTEST_CURRENT_TEST",  # pytest changes it from test to test
    "TORCHINDUCTOR_CACHE_DIR",  # torch sets it when it first imports its compiler,
    "_TORCHINDUCTOR_PYOBJECT_TENSOR_DATA_PTR",  # and this when it first compiles
})

_OTHERS_PATH = os.path.join("setuptools", "_vendor")  # setuptools adds it when it is imported

_PROBES: Mapping[str, Callable[[Any], Any]] = {
    # Read where the framework is loaded; each gives a value that can be compared.
    "torch": lambda torch: (
        torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(), torch.is_inference_mode_enabled(),
        torch.is_anomaly_enabled(), torch.get_float32_matmul_precision(),
        torch.random.get_rng_state().numpy().tobytes(), str(torch.get_default_device()),
        torch.backends.mkldnn.enabled, torch.backends.cudnn.deterministic,
        # There is no way to ask whether subnormal numbers are flushed to 0.
        bool((torch.full((16,), 2.0**-140) * 0.5).any()),
    ),
    "jax": lambda jax: (
        jax.config.jax_enable_x64, jax.config.jax_disable_jit, jax.config.jax_debug_nans,
        str(jax.config.jax_default_matmul_precision), str(jax.config.jax_default_device),
        jax.config.jax_numpy_dtype_promotion, jax.config.jax_platforms,
        {name: str(value) for name, value in jax.config.values.items()},
    ),
    "tensorflow": lambda tf: (tf.keras.backend.floatx(), tf.executing_eagerly()),
    "mlx.core": lambda mx: (str(mx.default_device()),),
}  # fmt: skip


def global_settings() -> dict[str, Any]:
    """What a backend must leave as it is: of Python, numpy and the frameworks that are loaded."""
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002  # the global one is meant
    found: dict[str, Any] = {
        "numpy's error handling": np.geterr(),
        "numpy's print options": {k: str(v) for k, v in np.get_printoptions().items()},
        "numpy's global generator": (state["state"]["key"].tobytes(), state["state"]["pos"]),
        "random's state": random.getstate(),
        # Hashed, since reports are shown around.
        **{f"environment variable {name}": hash(value) for name, value in os.environ.items()
           if name not in _OTHERS_VARIABLES},
        "working directory": os.getcwd(),  # compared, not used as a path
        "warning filters": list(warnings.filters),
        "recursion limit": sys.getrecursionlimit(),
        "switch interval": sys.getswitchinterval(),
        "import path": tuple([path for path in sys.path if not path.endswith(_OTHERS_PATH)]),
        "signal handlers": (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)),
        "logging": (logging.getLogger().level, logging.root.manager.disable),
        "trace and profile functions": (sys.gettrace(), sys.getprofile(), threading.gettrace()),
        "garbage collection": (gc.isenabled(), gc.get_threshold()),
        "decimal's precision": decimal.getcontext().prec,
        "locale": locale.setlocale(locale.LC_ALL),
        "excepthook": (sys.excepthook, threading.excepthook),
    }
    for name, probe in _PROBES.items():
        module = sys.modules.get(name)
        if module is not None:
            found[f"settings of {name}"] = probe(module)
    return found
