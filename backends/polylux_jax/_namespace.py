"""The array-API namespace of JAX arrays, plain and traced."""

from __future__ import annotations

import jax.numpy

# JAX implements the 2024.12 standard in `jax.numpy` itself, for tracers too, and without a wrapper
# around every function: names, signatures (`astype(copy=)`, `asarray(copy=, device=)`,
# `var(correction=)`, `isdtype`), and `None` kept as no argument. Where it departs from the
# standard (signed zeros and infinities of floor division, in-place assignment), so do all of its
# users, and a wrapper would cost more at every call than it is worth.
NAMESPACE = jax.numpy
