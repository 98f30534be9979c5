"""Training steps by hand in torch: modules with fused Adam, and a compiled functional step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F


def step(parameters: Sequence[Any], x: Any, y: Any, rate: float) -> Callable[[], Any]:
    """A call that makes one eager step on the batch."""
    layers: list[Any] = []
    for w, b in parameters:
        layer = torch.nn.Linear(*w.shape)
        with torch.no_grad():
            layer.weight.copy_(torch.as_tensor(w).T)
            layer.bias.copy_(torch.as_tensor(b))
        layers += [layer, torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    rule = torch.optim.Adam(model.parameters(), lr=rate, fused=True)
    x, y = torch.as_tensor(x), torch.as_tensor(y)

    def call() -> Any:
        loss = F.cross_entropy(model(x), y)
        rule.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch
        rule.step()
        return loss.detach()

    return call


def compiled_step(parameters: Sequence[Any], x: Any, y: Any, rate: float) -> Callable[[], Any]:
    """A call that makes one step by a function compiled as a whole, with Adam in place."""
    ps = [torch.as_tensor(a).clone() for pair in parameters for a in pair]
    first = [torch.zeros_like(p) for p in ps]
    second = [torch.zeros_like(p) for p in ps]
    x, y = torch.as_tensor(x), torch.as_tensor(y)

    def loss_of(ps: Any, x: Any, y: Any) -> Any:
        for i in range(0, len(ps) - 2, 2):
            x = torch.relu(torch.addmm(ps[i + 1], x, ps[i]))
        return F.cross_entropy(torch.addmm(ps[-1], x, ps[-2]), y)

    def one(ps: Any, first: Any, second: Any, x: Any, y: Any, size: Any, correction: Any) -> Any:
        gradients, value = torch.func.grad_and_value(loss_of)(ps, x, y)
        for p, m, v, g in zip(ps, first, second, gradients, strict=True):
            m.mul_(0.9).add_(g, alpha=0.1)
            v.mul_(0.999).addcmul_(g, g, value=0.001)
            p.sub_(size * m / (v.sqrt() / correction + 1e-8))
        return value

    compiled: Any = torch.compile(one)
    count = 0

    def call() -> Any:
        nonlocal count
        count += 1
        # tensors, since a number that changes would be a constant of the compiled function
        size = torch.tensor(rate / (1 - 0.9**count))
        correction = torch.tensor((1 - 0.999**count) ** 0.5)
        return compiled(ps, first, second, x, y, size, correction)

    return call


def bowl(leaves: Sequence[Any], rate: float) -> Callable[[], Any]:
    """A call that makes one eager step down the sum of squares of these leaves."""
    ps = [torch.tensor(leaf, requires_grad=True) for leaf in leaves]
    rule = torch.optim.Adam(ps, lr=rate, fused=True)

    def call() -> Any:
        total = torch.zeros(())
        for p in ps:
            total = total + (p * p).sum()
        rule.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]  # torch
        rule.step()
        return total.detach()

    return call
