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
    "error/late failures", "array/*", "gradient/network*", "gradient/*leaves*", "gradient/masked*",
    "modifier/other thread", "objective/*", "mode/*", "staging/*", "purity/gradients are fresh",
    "purity/*settings*", "kink/relu*", "kink/abs*", "loss/MSELoss*", "training/AdamW",
    "training/results stay", "second/gradient penalty",
]  # fmt: skip


@pytest.mark.parametrize(
    ("selector", "only"),
    [
        pytest.param(AutoAutograd(), [], id="autograd"),
        pytest.param(AutoTorch(), [], id="torch"),
        pytest.param(Auto("finitediff"), [], id="finitediff"),
        pytest.param(AutoJax(), UNDER_JIT, id="jax"),
    ],
)
def test_the_backend_conforms(selector: ADType, only: list[str]) -> None:
    report = check_backend(selector, level="all", only=only)
    assert report.passed, str(report)
