"""The transformer blocks by hand in torch: its functions, eager, with fused Adam."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F


def step(
    parameters: Any, x: Any, y: Any, heads: int, epsilon: float, rate: float, is_fused: bool
) -> Callable[[], Any]:
    """A call that makes one step on the batch, with torch's one function of attention or without.

    The parameters are dictionaries of pairs of weight and bias, one for each block.
    """
    blocks: list[Any] = []
    for block in parameters:
        blocks.append({})
        for name, (w, b) in block.items():
            # Linear layers have the outputs first, as `F.linear` wants them.
            w = torch.tensor(w.T, requires_grad=True) if w.ndim == 2 else torch.tensor(w)
            blocks[-1][name] = w.requires_grad_(), torch.tensor(b, requires_grad=True)
    leaves = [leaf for block in blocks for pair in block.values() for leaf in pair]
    rule = torch.optim.Adam(leaves, lr=rate, fused=True)
    x, y = torch.as_tensor(x), torch.as_tensor(y)
    width = x.shape[-1]

    def norm(x: Any, scale: Any, bias: Any) -> Any:
        return F.layer_norm(x, (width,), scale, bias, epsilon)

    def attention(x: Any, block: Any) -> Any:
        joint = F.linear(x, *block["in"]).reshape(*x.shape[:2], 3, heads, -1)
        queries, keys, values = joint.permute(2, 0, 3, 1, 4).unbind()
        if is_fused:
            mixed = F.scaled_dot_product_attention(queries, keys, values)
        else:
            weights = queries @ keys.mT * queries.shape[-1] ** -0.5
            mixed = weights.softmax(-1) @ values
        return F.linear(mixed.transpose(1, 2).reshape(x.shape), *block["out"])

    def loss_of(x: Any) -> Any:
        for block in blocks:
            x = x + attention(norm(x, *block["norm 1"]), block)
            hidden = F.linear(norm(x, *block["norm 2"]), *block["up"])
            x = x + F.linear(F.gelu(hidden), *block["down"])
        return F.mse_loss(x, y)

    def call() -> Any:
        loss = loss_of(x)
        rule.zero_grad(set_to_none=True)
        loss.backward()
        rule.step()
        return loss.detach()

    return call
