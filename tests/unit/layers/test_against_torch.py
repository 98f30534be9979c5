"""Values and gradients of layers are those of torch.nn's modules with the same weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

import polylux
from polylux import AutoAutograd, AutoJax, AutoTorch, layers
from polylux.ops import BatchFirst, TimeFirst

Read = Callable[[Any], Any]


class Case(NamedTuple):
    """A layer, torch's, how the layer's parameters are read off torch's, and an input's shape."""

    layer: Any
    module: Any
    read: Callable[[Any, Read], dict[str, Any]]
    shape: tuple[int, ...]


def _convolution(module: Any, read: Read) -> dict[str, Any]:
    return {"weight": read(module.weight), "bias": read(module.bias)}


def _norm(module: Any, read: Read) -> dict[str, Any]:
    return {"scale": read(module.weight), "bias": read(module.bias)}


def _bilinear(module: Any, read: Read) -> dict[str, Any]:
    weight = np.moveaxis(read(module.weight), 0, -1)  # (first, second, out)
    return {"weight": weight.reshape(-1, weight.shape[-1]), "bias": read(module.bias)}


def _recurrent(module: Any, read: Read) -> dict[str, Any]:
    return {
        "weight_ih": read(module.weight_ih_l0).T,
        "weight_hh": read(module.weight_hh_l0).T,
        "bias_ih": read(module.bias_ih_l0),
        "bias_hh": read(module.bias_hh_l0),
    }


def _nothing(module: Any, read: Read) -> dict[str, Any]:
    return {}


class _Sequence(nn.Module):
    """All outputs of a recurrent module, or the last one, without its carry."""

    def __init__(self, module: Any, last: bool) -> None:
        super().__init__()
        self.inner, self.last = module, last

    def forward(self, x: Any) -> Any:
        y = self.inner(x)[0]
        return y[:, -1] if self.last else y


def _sequence(module: Any, read: Read) -> dict[str, Any]:
    return _recurrent(module.inner, read)


class _Pair(nn.Module):
    """torch's Bilinear of one input with itself."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.inner = module

    def forward(self, x: Any) -> Any:
        return self.inner(x, x)


CASES = {
    "conv 1-d": Case(
        layers.Conv((3,), 4, 6, stride=2, padding=2, dilation=2, groups=2),
        nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2),
        _convolution,
        (2, 4, 9),
    ),
    "conv 2-d, same": Case(
        layers.Conv((3, 2), 3, 4, padding="same", dilation=(1, 2)),
        nn.Conv2d(3, 4, (3, 2), padding="same", dilation=(1, 2)),
        _convolution,
        (2, 3, 5, 6),
    ),
    "conv 3-d": Case(
        layers.Conv((2, 2, 2), 2, 3, stride=(1, 2, 1)),
        nn.Conv3d(2, 3, 2, stride=(1, 2, 1)),
        _convolution,
        (2, 2, 3, 4, 3),
    ),
    "max pool": Case(
        layers.MaxPool((3, 2), stride=(2, 1), padding=1),
        nn.MaxPool2d((3, 2), stride=(2, 1), padding=1),
        _nothing,
        (2, 3, 5, 6),
    ),
    "mean pool": Case(
        layers.MeanPool((3, 2), padding=1), nn.AvgPool2d((3, 2), padding=1), _nothing, (2, 3, 5, 6)
    ),
    "batch norm": Case(layers.BatchNorm(4), nn.BatchNorm1d(4), _norm, (3, 4, 5)),
    "layer norm": Case(layers.LayerNorm((4, 5)), nn.LayerNorm((4, 5)), _norm, (3, 4, 5)),
    "group norm": Case(layers.GroupNorm(4, 2), nn.GroupNorm(2, 4), _norm, (3, 4, 5)),
    "rms norm": Case(
        layers.RMSNorm(5),
        nn.RMSNorm(5, eps=1e-5),
        lambda module, read: {"scale": read(module.weight)},
        (3, 4, 5),
    ),
    "bilinear": Case(
        layers.Bilinear(4, 4, 3),
        _Pair(nn.Bilinear(4, 4, 3)),
        lambda module, read: _bilinear(module.inner, read),
        (5, 4),
    ),
    "flatten": Case(layers.Flatten(), nn.Flatten(), _nothing, (2, 3, 4)),
    "rnn, relu, last": Case(
        layers.Recurrence(layers.RNNCell(4, 3, "relu")),
        _Sequence(nn.RNN(4, 3, nonlinearity="relu", batch_first=True), last=True),
        _sequence,
        (2, 5, 4),
    ),
    "lstm": Case(
        layers.Recurrence(layers.LSTMCell(4, 3), return_sequence=True),
        _Sequence(nn.LSTM(4, 3, batch_first=True), last=False),
        _sequence,
        (2, 5, 4),
    ),
    "gru, time first": Case(
        layers.Recurrence(layers.GRUCell(4, 3), return_sequence=True, ordering=TimeFirst()),
        _Sequence(nn.GRU(4, 3), last=False),
        _sequence,
        (5, 2, 4),
    ),
    "lstm, no batch": Case(
        layers.Recurrence(layers.LSTMCell(4, 3), return_sequence=True, ordering=BatchFirst()),
        _Sequence(nn.LSTM(4, 3), last=False),
        _sequence,
        (5, 4),
    ),
}

# Without jit each operation of JAX is compiled by itself: three layers stand for the others there.
PAIRS = [
    pytest.param(case, selector, id=f"{name}-{where}")
    for name, case in CASES.items()
    for where, selector in {
        "torch": AutoTorch(),
        "jax": AutoJax(),
        "autograd": AutoAutograd(),
        "jax-eager": AutoJax(jit=False),
    }.items()
    if where != "jax-eager" or name in ("conv 1-d", "batch norm", "lstm")
]


@pytest.mark.parametrize(("case", "selector"), PAIRS)
def test_value_and_gradients_are_those_of_torch(case: Case, selector: Any) -> None:
    rng = np.random.default_rng(0)
    module = case.module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.asarray(rng.normal(size=parameter.shape)))
            parameter.grad = None
    x = rng.normal(size=case.shape)
    ps = case.read(module, lambda parameter: parameter.detach().numpy())
    _, st = layers.setup(rng, case.layer)
    assert {k: v.shape for k, v in ps.items()} == {
        k: v.shape for k, v in case.layer.initial_parameters(rng).items()
    }

    leaf = torch.asarray(x).requires_grad_()
    expected = module(leaf)
    t = rng.normal(size=expected.shape)
    (expected * torch.asarray(t)).sum().backward()

    ps_, st_, x_, t_ = polylux.to_backend((ps, polylux.f64(st), x, t), selector)
    y, _ = case.layer(x_, ps_, st_)
    assert tuple(y.shape) == case.layer.output_shape(x.shape)

    def total(trained: Any) -> Any:
        y, _ = case.layer(trained["x"], trained["ps"], st_)
        return polylux.array_namespace(y).sum(y * t_)

    found = polylux.to_host(polylux.gradient(total, selector, {"x": x_, "ps": ps_}))
    # Sums of some fifty products of numbers of size 1 and smooth functions of them.
    near = {"rtol": 1e-13, "atol": 1e-13}
    np.testing.assert_allclose(polylux.to_host(y), expected.detach().numpy(), **near)
    np.testing.assert_allclose(found["x"], leaf.grad.numpy(), **near)
    wanted = case.read(module, lambda parameter: parameter.grad.numpy())
    for name, gradient in found["ps"].items():
        np.testing.assert_allclose(gradient, wanted[name], err_msg=name, **near)
