"""Suite `dispatch`: what a call costs on arrays of four entries, against the framework's own.

Hardly anything but the Python around a call is timed here. Then larger derivatives (`operators`),
and how often a step calls its objective and compiles.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import polylux
from polylux import ADType, AutoAutograd, AutoJax, AutoTorch, array_namespace, ops, to_backend
from polylux.losses import MSELoss
from polylux_benchmarks import operators, retracing
from polylux_benchmarks._comparison import Comparison
from polylux_benchmarks._timing import Pair

SETTING = "4 entries, float32"


def pairs() -> Iterator[Comparison]:
    """On every framework that is installed."""
    if importlib.util.find_spec("jax"):
        yield from _jax()
    if importlib.util.find_spec("torch"):
        yield from _torch()
    if importlib.util.find_spec("autograd"):
        yield from _autograd()
    yield from operators.pairs()
    yield from retracing.pairs()


def square(x: Any) -> Any:
    """A scalar function of an array."""
    return array_namespace(x).sum(x * x)


def _data(selector: ADType) -> tuple[Any, Any, Any]:
    """A host array, and two arrays of the backend."""
    host = np.asarray([1.0, -2.0, 3.0, 0.5], np.float32)
    x, y = to_backend((host, host[::-1].copy()), selector)
    return host, x, y


def _jax() -> Iterator[Pair]:
    import jax
    import jax.numpy as jnp

    selector = AutoJax()
    host, x, v = _data(selector)

    @polylux.custom_rule(derivative=lambda y, x: 3 * x * x)
    def cube(x: Any) -> Any:
        return x * x * x

    @jax.custom_jvp
    def their_cube(x: Any) -> Any:
        return x * x * x

    their_cube.defjvps(lambda t, y, x: 3 * x * x * t)

    def their_square(x: Any) -> Any:
        return jnp.sum(x * x)

    def pair(name: str, peer: str, ours: Callable[[], Any], theirs: Callable[[], Any]) -> Pair:
        return Pair(
            "dispatch", name, "jax", SETTING, ours, theirs, peer, None, jax.block_until_ready
        )

    both = jax.jit(jax.value_and_grad(their_square))
    along = jax.jit(lambda x, v: jax.jvp(their_square, (x,), (v,))[1])
    curved = jax.jit(lambda x, v: jax.jvp(jax.grad(their_square), (x,), (v,))[1])
    ready = polylux.prepare(polylux.value_and_gradient, square, selector, x)
    yield pair("value_and_gradient", "jitted value_and_grad",
               lambda: polylux.value_and_gradient(square, selector, x),
               lambda: both(x))  # fmt: skip
    yield pair("value_and_gradient, prepared", "jitted value_and_grad",
               lambda: ready(x), lambda: both(x))  # fmt: skip
    yield pair("pushforward", "jitted jvp",
               lambda: polylux.pushforward(square, selector, x, v),
               lambda: along(x, v))  # fmt: skip
    yield pair("hvp", "jitted jvp of grad",
               lambda: polylux.hvp(square, selector, x, v), lambda: curved(x, v))  # fmt: skip
    loss = MSELoss()
    yield pair("MSELoss", "jax.numpy", lambda: loss(x, v), lambda: jnp.mean((x - v) ** 2))
    yield pair("ops.relu", "jax.nn.relu", lambda: ops.relu(x), lambda: jax.nn.relu(x))
    yield pair("ops.softmax", "jax.nn.softmax", lambda: ops.softmax(x), lambda: jax.nn.softmax(x))
    yield pair("custom_rule", "custom_jvp", lambda: cube(x), lambda: their_cube(x))
    yield pair("to_backend", "jnp.asarray", lambda: to_backend(host, selector),
               lambda: jnp.asarray(host))  # fmt: skip


def _torch() -> Iterator[Pair]:
    import torch
    import torch.nn.functional as F

    selector = AutoTorch()
    host, x, v = _data(selector)

    @polylux.custom_rule(derivative=lambda y, x: 3 * x * x)
    def cube(x: Any) -> Any:
        return x * x * x

    class TheirCube(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, x: Any) -> Any:
            context.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(context: Any, *cotangents: Any) -> Any:
            (x,) = context.saved_tensors
            return 3 * x * x * cotangents[0]

    their_cube: Callable[[Any], Any] = TheirCube.apply

    def their_square(x: Any) -> Any:
        return (x * x).sum()

    def both() -> Any:
        leaf = x.detach().requires_grad_()
        value = their_square(leaf)
        return value.detach(), torch.autograd.grad(value, leaf)[0]

    def pair(name: str, peer: str, ours: Callable[[], Any], theirs: Callable[[], Any]) -> Pair:
        return Pair("dispatch", name, "torch", SETTING, ours, theirs, peer)

    ready = polylux.prepare(polylux.value_and_gradient, square, selector, x)
    yield pair("value_and_gradient", "autograd.grad",
               lambda: polylux.value_and_gradient(square, selector, x), both)  # fmt: skip
    yield pair("value_and_gradient, prepared", "autograd.grad", lambda: ready(x), both)
    yield pair("pushforward", "torch.func.jvp",
               lambda: polylux.pushforward(square, selector, x, v),
               lambda: torch.func.jvp(their_square, (x,), (v,))[1])  # fmt: skip
    yield pair("hvp", "torch.func.jvp of grad",
               lambda: polylux.hvp(square, selector, x, v),
               lambda: torch.func.jvp(torch.func.grad(their_square), (x,), (v,))[1])  # fmt: skip
    loss = MSELoss()
    yield pair("MSELoss", "F.mse_loss", lambda: loss(x, v), lambda: F.mse_loss(x, v))
    yield pair("ops.relu", "torch.relu", lambda: ops.relu(x), lambda: torch.relu(x))
    yield pair("ops.softmax", "torch.softmax", lambda: ops.softmax(x), lambda: torch.softmax(x, -1))
    yield pair("custom_rule", "autograd.Function", lambda: cube(x), lambda: their_cube(x))
    yield pair("to_backend", "torch.from_numpy, clone", lambda: to_backend(host, selector),
               lambda: torch.from_numpy(host).clone())  # fmt: skip


def _autograd() -> Iterator[Pair]:
    import autograd
    import autograd.numpy as anp

    selector = AutoAutograd()
    host, x, _ = _data(selector)

    def their_square(x: Any) -> Any:
        return anp.sum(x * x)

    def pair(name: str, peer: str, ours: Callable[[], Any], theirs: Callable[[], Any]) -> Pair:
        return Pair("dispatch", name, "autograd", SETTING, ours, theirs, peer)

    both = autograd.value_and_grad(their_square)
    product = autograd.hessian_vector_product(their_square)
    yield pair("value_and_gradient", "value_and_grad",
               lambda: polylux.value_and_gradient(square, selector, x),
               lambda: both(host))  # fmt: skip
    yield pair("hvp", "hessian_vector_product",
               lambda: polylux.hvp(square, selector, x, x),
               lambda: product(host, host))  # fmt: skip
    loss = MSELoss()
    yield pair("MSELoss", "numpy", lambda: loss(x, x), lambda: np.mean((host - host) ** 2))
    yield pair("ops.relu", "numpy.maximum", lambda: ops.relu(x), lambda: np.maximum(host, 0))
