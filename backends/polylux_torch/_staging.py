"""Whole steps, compiled: the path of `AutoTorch(compile=...)`.

A step holds ordinary Python (trees, checks, a user's objective) and a derivative, which dynamo can
follow only in part. So Python runs here on fake tensors while `make_fx` writes down what it does to
them, as under `jax.jit`, and inductor compiles that graph. It also saves dynamo's guards at each
call: the graph is chosen by shapes and dtypes alone.

A dimension whose size has changed once becomes a symbol in the next trace, so that further sizes
need no further trace. What the user's Python asked of a symbol (`if x.shape[0] > 8`) is kept with
the trace and looked at before it is used for another size.
"""

from __future__ import annotations

import importlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from polylux.backend import Gradient, Numbers, Staged, StepUpdate, in_turn
from polylux.errors import OptionError
from polylux.selectors import ADType

if TYPE_CHECKING:
    from polylux_torch._trace import Dimensions, Trace

_KEYS_KEPT = 64
"""Combinations of shapes and dtypes whose trace is known at once."""

_SYMBOLIC_ATTEMPTS = 4
"""Symbolic traces of one step; code that asks for exact sizes gets a trace for each size."""

_OPTIONS = ("backend", "dynamic", "fullgraph", "mode", "options")


class _Family:
    """Calls that differ in the sizes of their dimensions only."""

    def __init__(self, shapes: Sequence[torch.Size]) -> None:
        self.shapes = shapes
        self.varying: set[tuple[int, int]] = set()
        self.symbolic: list[Trace] = []
        self.attempts = 0

    def notice(self, shapes: Sequence[torch.Size]) -> None:
        for i, (old, new) in enumerate(zip(self.shapes, shapes, strict=True)):
            self.varying.update((i, d) for d in range(len(old)) if old[d] != new[d])


class StagedFunction:
    """A function of groups of tensors that is traced and compiled once for each kind of call.

    Parameters
    ----------
    function : callable
        `function(*groups) -> (groups, static)`, as `Backend.stage` describes it.
    options : True or mapping
        Keywords of `torch.compile`.
    donated : bool
        Whether the buffers of the first group take up results. These are put into them from the
        end of both: the last result of a donated buffer's shape and dtype goes into the last such
        buffer.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        options: bool | Mapping[str, Any],
        donated: bool,
    ) -> None:
        self._function = function
        self._options = dict(options) if isinstance(options, Mapping) else {}
        self._donated = donated
        self._traces: OrderedDict[Any, tuple[Trace, Any]] = OrderedDict()
        self._families: dict[Any, _Family] = {}
        unknown = [name for name in self._options if name not in _OPTIONS]
        if unknown:
            raise OptionError(
                f"AutoTorch(compile=...) got {', '.join(map(repr, unknown))}; "
                f"of torch.compile's keywords it takes {', '.join(_OPTIONS)}"
            )

    def __call__(self, *groups: Any) -> tuple[Any, Any]:
        if torch.is_inference_mode_enabled():
            with torch.inference_mode(False):
                return self(*groups)
        groups = tuple([g.now() if type(g) is Numbers else g for g in groups])
        tensors: list[Any] = []
        key: list[Any] = []
        for group in groups:
            _collect(group, tensors, key)
        # What else a trace depends on: the defaults that the user's Python met in it.
        key += (torch.get_default_dtype(), torch.get_num_threads(), torch.is_autocast_enabled())
        whole = tuple(key)
        found = self._traces.get(whole)
        if found is None:
            found = self._find(whole, groups, tensors)
        trace, static = found
        with torch.no_grad():
            return trace(tensors), static

    def _find(
        self, key: tuple[Any, ...], groups: tuple[Any, ...], tensors: list[Any]
    ) -> tuple[Trace, Any]:
        with _LOCK:
            found = self._traces.get(key)
            if found is None:
                trace = self._fitting(key, groups, tensors)
                found = self._traces[key] = (trace, trace.static_for(tensors))
                if len(self._traces) > _KEYS_KEPT:
                    self._traces.popitem(last=False)
            return found

    def _fitting(self, key: tuple[Any, ...], groups: tuple[Any, ...], tensors: list[Any]) -> Trace:
        shapes = [t.shape for t in tensors]
        kind = tuple(len(k) if isinstance(k, torch.Size) else k for k in key)
        family = self._families.get(kind)
        if family is None:
            self._families[kind] = _Family(shapes)
            return self._trace(groups, tensors, frozenset())
        family.notice(shapes)
        for trace in family.symbolic:
            if trace.accepts(tensors):
                return trace
        wanted = self._options.get("dynamic") is not False
        # Sizes 0 and 1 broadcast or vanish: torch takes them for constants.
        wanted = wanted and all(shapes[i][d] > 1 for i, d in family.varying)
        if wanted and family.attempts < _SYMBOLIC_ATTEMPTS:
            family.attempts += 1
            symbolic = self._symbolic_trace(groups, tensors, frozenset(family.varying))
            if symbolic is not None:
                family.symbolic.append(symbolic)
                return symbolic
        return self._trace(groups, tensors, frozenset())

    def _symbolic_trace(
        self, groups: tuple[Any, ...], tensors: list[Any], varying: Dimensions
    ) -> Trace | None:
        try:
            trace = self._trace(groups, tensors, varying)
        except Exception:  # noqa: BLE001  # the exact trace that follows raises what is the user's
            return None
        return trace if trace.accepts(tensors) else None

    def _trace(self, groups: tuple[Any, ...], tensors: list[Any], varying: Dimensions) -> Trace:
        donated = range(_count(groups[0])) if self._donated else ()

        def flat(*fakes: Any) -> tuple[Any, Any]:
            rest = iter(fakes)
            return self._function(*(_regroup(group, rest) for group in groups))  # type: ignore[no-any-return]

        # Imported at the first trace: dynamo and its kin take a second, of no use without compile.
        module = importlib.import_module("polylux_torch._trace")
        trace: Trace = module.Trace(flat, tensors, varying, donated)
        trace.compile(self._options)
        return trace


def stage(function: Staged, selector: ADType, donated: bool = False) -> Staged:
    """The function traced and compiled, or itself where the selector does not say so."""
    options = selector.compile  # type: ignore[attr-defined]  # an AutoTorch by the registry's promise
    return function if options is False else StagedFunction(function, options, donated)


def stage_step(
    gradient: Gradient, update: StepUpdate, selector: ADType, donated: bool
) -> Staged:
    """The two parts of a step compiled as one, or one after the other."""
    return stage(in_turn(gradient, update), selector, donated)


# `make_fx` and inductor keep what they are about in globals.
_LOCK = threading.RLock()


def _collect(group: Any, tensors: list[Any], key: list[Any]) -> None:
    """Append a group's tensors, and what a trace depends on of each."""
    if type(group) is not tuple:
        group = (group,)
    key.append(len(group))
    if group and isinstance(group[0], float):
        # Numbers that change from call to call are data; one tensor holds all of a group.
        tensors.append(torch.tensor(group, dtype=torch.float64, device="cpu"))
        key.append(float)
        return
    for item in group:
        if type(item) is tuple:
            _collect(item, tensors, key)
        else:
            if not item.is_contiguous():  # compiled code has the strides of its trace built in
                item = item.contiguous()
            tensors.append(item)
            key += (item.shape, item.dtype, item.get_device())


def _count(group: Any) -> int:
    if type(group) is not tuple:
        return 1
    if group and isinstance(group[0], float):
        return 1
    return sum(map(_count, group))


def _regroup(group: Any, tensors: Any) -> Any:
    """A group of the same form, of the next tensors."""
    if type(group) is not tuple:
        return next(tensors)
    if group and isinstance(group[0], float):
        return tuple(next(tensors).unbind(0))
    return tuple([_regroup(item, tensors) for item in group])
