"""The conformance suite on the first-party backends: all of it in eager mode, a slice under jit.

Everything is run by `polylux conformance --level all`; a trace costs 0.2 s and more, so that only
what a compiler could break is repeated under jit here.
"""

from __future__ import annotations

import pytest

from polylux import Auto, AutoAutograd, AutoJax, AutoTorch
from polylux.selectors import ADType
from polylux_conformance import check_backend

UNDER_JIT = [
    "error/late failures", "array/*", "gradient/network*", "gradient/tied*", "gradient/empty*",
    "gradient/leaves of two*", "modifier/other thread", "objective/*", "mode/value_and_gradient",
    "mode/stop_gradient", "staging/*", "purity/gradients are fresh", "purity/*settings*",
    "kink/relu*", "loss/MSELoss [[]float64]", "training/AdamW", "training/results stay",
    "second/gradient penalty",
]  # fmt: skip


@pytest.mark.parametrize(
    ("selector", "level", "only"),
    [
        pytest.param(AutoAutograd(), "all", [], id="autograd"),
        pytest.param(AutoTorch(), "all", [], id="torch"),
        pytest.param(Auto("finitediff"), "core", [], id="finitediff"),
        pytest.param(AutoJax(), "all", UNDER_JIT, id="jax"),
    ],
)
def test_the_backend_conforms(selector: ADType, level: str, only: list[str]) -> None:
    report = check_backend(selector, level=level, only=only)
    assert report.passed, str(report)
