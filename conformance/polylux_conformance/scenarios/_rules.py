"""Optimizer rules to train with: at least one of each kind, and chains of them."""

from __future__ import annotations

from polylux import optimizers as o

RULES: dict[str, o.Rule] = {
    "SGD": o.SGD(0.1),
    "SGD, momentum": o.SGD(0.1, momentum=0.75),
    "Descent": o.Descent(0.05),
    "Momentum": o.Momentum(0.05, 0.5),
    "Nesterov": o.Nesterov(0.05, 0.5),
    "Adam": o.Adam(0.05),
    "Adam, other rates": o.Adam(0.01, betas=(0.5, 0.75), epsilon=1e-3),
    "AdamW": o.AdamW(0.05, weight_decay=0.125),
    "AMSGrad": o.AMSGrad(0.05),
    "NAdam": o.NAdam(0.05),
    "RAdam": o.RAdam(0.05),
    "AdaMax": o.AdaMax(0.05),
    "AdaGrad": o.AdaGrad(0.05),
    "AdaDelta": o.AdaDelta(),
    "AdaBelief": o.AdaBelief(0.05),
    "RMSProp": o.RMSProp(0.05),
    "Lion": o.Lion(0.0125),
    "clipped SGD": o.chain(o.ClipNorm(0.25), o.SGD(0.5)),
    "unclipped SGD": o.chain(o.ClipNorm(1e6), o.SGD(0.1)),
    "SGD, values clipped": o.chain(o.ClipValue(0.125), o.SGD(0.25)),
    "weight decay": o.chain(o.WeightDecay(0.125), o.SGD(0.1)),
    "sign decay": o.chain(o.SignDecay(0.0625), o.SGD(0.1)),
    "clipped AdamW": o.chain(o.ClipNorm(0.5), o.AdamW(0.05, weight_decay=0.5)),
    "accumulated": o.AccumulateGradients(2, o.SGD(0.1)),
    "scheduled": o.SGD(o.Cosine(0.25, 0.05, 12)),
    "by path": o.by_path({"*weight*": o.SGD(0.1), "*": o.Adam(0.05)}),
}
"""A new rule is added here; the suite's own tests see to it that each public one occurs."""
