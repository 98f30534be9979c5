"""Exact values and gradients of the losses, which no code of polylux has computed.

`cases()` gives a tuple of `Case`: a loss with its options, a point, and the value and the gradient
there, from multiprecision arithmetic and rounded once to float64. A test of a backend reads::

    for case in cases(dtype="float64"):
        loss = build(case)                                  # the loss object
        p = to_backend(case.prediction, selector)           # cast to case.dtype first, see `arrays`
        assert case.value_error(to_host(loss(p, t))) <= case.bar
        assert case.gradient_error(to_host(gradient(...))) <= case.bar

`build(case)` makes the loss, `arrays(case)` the host arrays in their dtypes. `python -m
polylux_conformance.oracle report "AutoTorch()"` runs all cases and prints the worst errors;
`... generate` computes them anew (`cases.json.gz`, with mpmath), and the `trajectories()` of runs
that train with each loss (`trajectories.json`).
"""

from polylux_conformance.oracle._case import BARS, Case, ulp
from polylux_conformance.oracle._load import arrays, build, cases, trajectories

__all__ = ["BARS", "Case", "arrays", "build", "cases", "trajectories", "ulp"]
