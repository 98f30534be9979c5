"""Trace: one run of a function on fake tensors, written down as a graph and compiled."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch._dynamo.source import ConstantSource
from torch._subclasses import FakeTensor, FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import (
    DimDynamic,
    ShapeEnv,
    StatelessSymbolicContext,
)

from polylux.errors import LeakedTracerError, UnsupportedError
from polylux_torch._gradient import LEAKED
from polylux_torch._state import STATE

Dimensions = frozenset[tuple[int, int]]
"""Of argument `i` the dimension `d`."""


class Trace:
    """What a function does to tensors of certain shapes, and the `static` that it returned.

    Parameters
    ----------
    function : callable
        Of tensors, to `(groups, static)`.
    tensors : sequence of tensors
        Of the shapes, dtypes and devices to trace for; their values are not looked at.
    varying : set of pairs
        Dimensions that become symbols.
    donated : sequence of int
        Arguments that take up results.

    """

    def __init__(
        self,
        function: Callable[..., Any],
        tensors: Sequence[Any],
        varying: Dimensions,
        donated: Sequence[int],
    ) -> None:
        self._function = function
        self._donated = donated
        self._mode = FakeTensorMode(
            # A value or a shape that depends on data is an error, never a constant of the trace.
            shape_env=ShapeEnv(allow_scalar_outputs=False, allow_dynamic_output_shape_ops=False),
            allow_non_fake_inputs=True,  # tensors that the objective has captured
        )
        self._fakes = [self._fake(i, tensor, varying) for i, tensor in enumerate(tensors)]
        self._guards: str | None = None
        self._form: Any = None
        self._static: Any = None

        def recorded(*fakes: Any) -> list[Any]:
            groups, self._static = function(*fakes)
            results: list[Any] = []
            form = _flatten(groups, results)
            outputs, places = _settle(results, fakes, donated)
            self._form = _renumber(form, places)
            return outputs

        with _staging(), torch.enable_grad():
            tracer = make_fx(recorded, tracing_mode="symbolic" if varying else "fake")
            self._graph = tracer(*self._fakes)
        _refuse_leaked(self._graph)
        self._run: Callable[..., Any] = self._graph
        self._is_symbolic = bool(varying)
        self._static_is_general = not (varying and _holds_symbol(self._static))

    def compile(self, options: Mapping[str, Any]) -> None:
        """Compile the graph with these keywords of `torch.compile`."""
        self._run = _compiled(self._graph, self._fakes, options)
        if self._is_symbolic:
            # Only now: the compiler asks things of the sizes too.
            self._guards = self._shapes.produce_guards_expression(self._fakes, ignore_static=False)

    def accepts(self, tensors: Sequence[Any]) -> bool:
        """Whether the sizes of these tensors lead the traced Python the same way."""
        if not self._guards:
            return True
        return bool(self._shapes.evaluate_guards_expression(self._guards, tensors))

    def static_for(self, tensors: Sequence[Any]) -> Any:
        """What the function returns as `static` for tensors of these sizes."""
        if self._static_is_general:
            return self._static
        # A symbol has got into it (a batch size among the stats, say): only Python itself knows
        # what it is at other sizes, and running it takes no compiler.
        with FakeTensorMode(allow_non_fake_inputs=True), _staging(), torch.enable_grad():
            return self._function(*map(_blank, tensors))[1]

    def __call__(self, tensors: list[Any]) -> Any:
        results = [*self._run(*tensors), *(tensors[i] for i in self._donated)]
        return _rebuild(self._form, results)

    @property
    def _shapes(self) -> ShapeEnv:
        shapes = self._mode.shape_env
        assert shapes is not None
        return shapes

    def _fake(self, number: int, tensor: Any, varying: Dimensions) -> Any:
        # Made from a blank one: two arguments that are one tensor in this call may differ in the
        # next, and the trace must not find out that they are one.
        blank = _blank(tensor)
        if not varying:
            return self._mode.from_tensor(blank, static_shapes=True)
        sizes = [
            DimDynamic.DYNAMIC if (number, d) in varying else DimDynamic.STATIC
            for d in range(tensor.ndim)
        ]
        return self._mode.from_tensor(
            blank,
            source=ConstantSource(f"argument_{number}"),
            symbolic_context=StatelessSymbolicContext(dynamic_sizes=sizes),
        )


@contextlib.contextmanager
def _staging() -> Iterator[None]:
    """Tell this thread's derivatives that their tensors have no memory."""
    STATE.staging, was = True, STATE.staging
    try:
        yield
    finally:
        STATE.staging = was


def _blank(tensor: Any) -> Any:
    return torch.empty(tensor.shape, dtype=tensor.dtype, device=tensor.device)


def _refuse_leaked(graph: Any) -> None:
    for node in graph.graph.find_nodes(op="get_attr"):
        if isinstance(getattr(graph, node.target), FakeTensor):
            raise LeakedTracerError(LEAKED)


def _settle(
    results: list[Any], inputs: Sequence[Any], donated: Sequence[int]
) -> tuple[list[Any], list[int]]:
    """Give each result a buffer: a donated one, or an output of the graph.

    Returns the outputs, and for each result its place among outputs and donated arguments.
    """
    taken = {inputs[i].untyped_storage()._cdata for i in donated}
    free = list(donated)
    places: list[int | None] = [None] * len(results)
    for k, result in enumerate(results):
        for i in free:
            if result is inputs[i]:  # handed through: it stays where it is
                free.remove(i)
                places[k] = -1 - donated.index(i)
                break
    for k, result in enumerate(results):
        if places[k] is not None:
            continue
        if isinstance(result, FakeTensor):
            if inputs and result.fake_mode is not inputs[0].fake_mode:
                raise LeakedTracerError(LEAKED)
        else:  # a constant that the function has captured
            result = result.clone()
        storage = result.untyped_storage()._cdata
        if storage in taken or not result.is_contiguous():
            # Nothing of a buffer that is overwritten, nor of another result, may be handed out.
            result = result.clone(memory_format=torch.contiguous_format)
            storage = result.untyped_storage()._cdata
        taken.add(storage)
        results[k] = result
    copies = []
    for k in reversed(range(len(results))):
        if places[k] is None:
            for i in reversed(free):
                if _fits(results[k], inputs[i]):
                    free.remove(i)
                    places[k] = -1 - donated.index(i)
                    copies.append((inputs[i], results[k]))
                    break
    outputs: list[Any] = []
    for k, place in enumerate(places):
        if place is None:
            places[k] = len(outputs)
            outputs.append(results[k])
    with torch.no_grad():
        for buffer, result in copies:  # last of all, so that all else has read the old values
            buffer.copy_(result)
    return outputs, [len(outputs) - 1 - p if p < 0 else p for p in places if p is not None]


def _fits(result: Any, buffer: Any) -> bool:
    return bool(
        result.shape == buffer.shape
        and result.dtype is buffer.dtype
        and result.device == buffer.device
    )


def _compiled(graph: Any, fakes: Sequence[Any], options: Mapping[str, Any]) -> Any:
    backend = options.get("backend", "inductor")
    if backend != "inductor":
        # Backends take graphs; `torch.compile` itself would read this one as Python once more.
        compiler = torch._dynamo.lookup_backend(backend) if isinstance(backend, str) else backend
        taken = {name: options[name] for name in ("mode", "options") if options.get(name)}
        return compiler(graph, list(fakes), **taken)
    inductor = _inductor()
    settings = dict(options.get("options") or {})
    if options.get("mode") not in (None, "default"):
        settings = {**inductor.list_mode_options(options["mode"]), **settings}
    compiler_errors = (inductor.exc.InvalidCxxCompiler, inductor.exc.CppCompileError)
    try:
        return inductor.compile(graph, list(fakes), options=settings or None)
    except (*compiler_errors, inductor.exc.InductorError) as error:
        if not isinstance(getattr(error, "inner_exception", error), compiler_errors):
            raise
        raise UnsupportedError(
            "AutoTorch(compile=...) needs a C++ compiler on the CPU, and torch found none that "
            "works; install one (apt-get install g++, for instance), name it in the environment "
            "variable CXX, or use AutoTorch() without compile"
        ) from error


@functools.cache
def _inductor() -> Any:
    """The compiler, imported at its first use, since it takes a second."""
    with warnings.catch_warnings():
        # Its own import uses what torch.jit has deprecated, which is no business of our users.
        warnings.simplefilter("ignore", DeprecationWarning)
        importlib.import_module("torch._inductor.compile_fx")
        importlib.import_module("torch._inductor.exc")
        return importlib.import_module("torch._inductor")


def _flatten(group: Any, results: list[Any]) -> Any:
    """The nested tuples of an output group, with the number of each tensor in its place."""
    if isinstance(group, tuple | list):
        return tuple([_flatten(item, results) for item in group])
    results.append(group)
    return len(results) - 1


def _renumber(form: Any, places: Sequence[int]) -> Any:
    if isinstance(form, tuple):
        return tuple([_renumber(item, places) for item in form])
    return places[form]


def _rebuild(form: Any, results: Sequence[Any]) -> Any:
    if type(form) is int:
        return results[form]
    return tuple([results[f] if type(f) is int else _rebuild(f, results) for f in form])


def _holds_symbol(value: Any) -> bool:
    """Whether a symbolic size is anywhere in an object."""
    seen: set[int] = set()
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, torch.SymInt | torch.SymFloat | torch.SymBool):
            return True
        if id(item) in seen or isinstance(item, type) or callable(item):
            continue
        seen.add(id(item))
        pending.extend(gc.get_referents(item))
    return False
