"""checkpoint and vmap in torch: what is kept and computed again, inside torch's own transforms."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import torch

from polylux import AutoTorch, array_namespace, checkpoint, gradient, selector_of, to_host, vmap
from polylux_torch._gradient import is_tracing

X = np.linspace(-1.0, 1.0, 12).reshape(4, 3)


def block(x: Any) -> Any:
    for _ in range(5):
        x = array_namespace(x).sin(x)
    return x


def total(x: Any) -> Any:
    return array_namespace(x).sum(x)


def kept(f: Any) -> int:
    """Bytes that a derivative of `f` keeps for its backward pass."""
    sizes = []
    x = torch.tensor(X)

    def pack(tensor: Any) -> Any:
        sizes.append(tensor.nbytes)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        gradient(f, AutoTorch(), x)
    return sum(sizes)


def test_a_checkpoint_keeps_its_argument_only() -> None:
    assert kept(lambda x: total(block(x))) == 5 * X.nbytes
    assert kept(lambda x: total(checkpoint(block)(x))) == X.nbytes


def test_a_compiled_step_computes_again_too() -> None:
    sines = []

    def backend(graph: Any, inputs: Any, **options: Any) -> Any:
        nodes = graph.graph.find_nodes(op="call_function", target=torch.ops.aten.sin.default)
        sines.append(len(nodes))
        return graph

    for f in (block, checkpoint(block)):
        got = gradient(lambda x, f=f: total(f(x)), AutoTorch(compile={"backend": backend}), X)
        expected = gradient(lambda x: total(block(x)), AutoTorch(), X)
        np.testing.assert_allclose(to_host(got), to_host(expected), rtol=1e-15)
    # The recomputation stops at the last value that the backward pass needs: the 4th sine.
    assert sines == [5, 9]


def test_random_numbers_are_the_same_in_the_second_run() -> None:
    drawn = []

    def noisy(x: Any) -> Any:
        noise = torch.rand(3, dtype=x.dtype)
        drawn.append(noise)
        return x * noise * x

    got = gradient(lambda x: total(checkpoint(noisy)(x)), AutoTorch(), X[0])
    assert torch.equal(drawn[0], drawn[1])
    np.testing.assert_allclose(to_host(got), 2 * X[0] * drawn[0].numpy(), rtol=1e-15)


def test_our_derivatives_inside_torchs_own_transforms() -> None:
    x = torch.tensor(X)

    def slopes(a: Any) -> Any:
        return gradient(lambda z: total(z**3), selector_of(a), a)

    torch.testing.assert_close(torch.vmap(slopes)(x), 3 * x**2)
    torch.testing.assert_close(torch.func.grad(lambda a: total(slopes(a)))(x), 6 * x)


def test_a_checkpoint_inside_torchs_own_transforms() -> None:
    x = torch.tensor(X[0])
    squares = checkpoint(lambda z: torch.sin(z) ** 2)
    got = torch.func.jacrev(torch.func.grad(lambda z: total(squares(z))))(x)
    torch.testing.assert_close(got, torch.diag(2 * torch.cos(2 * x)))


def test_users_gradients_flow_through_vmap_and_checkpoint() -> None:
    x = torch.tensor(X, requires_grad=True)
    (got,) = torch.autograd.grad(total(vmap(lambda a: total(a**2))(x) ** 2), x)
    torch.testing.assert_close(got, 4 * x * (x**2).sum(1, keepdim=True))
    (got,) = torch.autograd.grad(total(checkpoint(lambda a: a**3)(x)), x)
    torch.testing.assert_close(got, 3 * x**2)


def test_vmap_of_a_derivative_without_grad_and_in_inference_mode() -> None:
    x = torch.tensor(X)
    for context in (torch.no_grad, torch.inference_mode):
        with context():
            got = vmap(lambda a: gradient(lambda z: total(z**3), AutoTorch(), a))(x)
        torch.testing.assert_close(got, 3 * x**2)


def test_after_an_error_inside_vmap_nothing_counts_as_nested() -> None:
    with contextlib.suppress(ZeroDivisionError):
        vmap(lambda a: 1 / 0)(torch.tensor(X))
    assert not is_tracing()
