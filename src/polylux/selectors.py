"""Backend selectors: small frozen values that name a backend, a mode and its options.

A selector knows nothing of the framework that it names: it can be made, compared, hashed, pickled
and printed where that framework is not installed.
"""

from __future__ import annotations

import copy
import dataclasses
import enum
import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, TypeAlias

from polylux.errors import DomainError, OptionError, UnsupportedError
from polylux.spec import Spec


class Mode(enum.StrEnum):
    """How a backend differentiates; each is equal to its name as a string."""

    FORWARD = "forward"
    REVERSE = "reverse"
    EITHER = "either"
    SYMBOLIC = "symbolic"
    NONE = "none"

    def __repr__(self) -> str:
        return repr(self.value)  # as a user types it, so that a selector's repr can be pasted


# A dataclass itself, so that a subclass without options needs no decorator.
@dataclasses.dataclass(frozen=True, repr=False)
class ADType(Spec):
    """Base of all selectors.

    A subclass is a frozen dataclass (`@dataclass(frozen=True, repr=False)`) whose fields are the
    options, with two class attributes: `backend`, the name under which the backend is registered,
    and `mode`. Fields must be hashable; the `repr` leaves out what has its default value, and can
    be pasted back.

    References
    ----------
    The selectors of the Utilities page (`AutoZygote()` and its kin); ADTypes.jl for the idea.
    """

    backend: ClassVar[str] = ""
    mode: ClassVar[Mode] = Mode.REVERSE


class Frozen(Mapping[str, Any]):
    """A hashable mapping of options; equal to a dict with the same items."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Any]) -> None:
        # Nested containers are copied, so that a later change to the caller's does not reach us.
        self._items = {
            key: copy.deepcopy(value) if isinstance(value, dict | list | set) else value
            for key, value in sorted(items.items())
        }

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        # Of the names alone: values need not be hashable, and 1 and 1.0 are equal.
        return hash(tuple(self._items))

    def __repr__(self) -> str:
        return repr(self._items)


ModeOption: TypeAlias = Mode | Literal["forward", "reverse"] | None


@dataclasses.dataclass(frozen=True, repr=False)
class AutoTorch(ADType):
    """PyTorch.

    Parameters
    ----------
    compile : bool or mapping
        Compile whole steps. A mapping holds keywords for `torch.compile`
        (`{"mode": "max-autotune"}`). Needs a C++ compiler on CPU.
    device : str, optional
        Where arrays that come from elsewhere are put (`"cpu"`, `"cuda:0"`); the framework's
        default device when None.
    mode : {"forward", "reverse"}, optional
        The only mode to differentiate in; whichever is cheaper when None.

    Examples
    --------
    >>> AutoTorch(compile=True), AutoTorch(mode="forward")
    (AutoTorch(compile=True), AutoTorch(mode='forward'))
    """

    backend: ClassVar[str] = "torch"
    compile: bool | Mapping[str, Any] = False
    device: str | None = None
    # A `Mode` once the selector is made.
    mode: ModeOption = dataclasses.field(  # type: ignore[assignment, misc]
        default=Mode.EITHER, kw_only=True
    )

    def __post_init__(self) -> None:
        if isinstance(self.compile, Mapping):
            # An empty mapping asks for compilation too, and must not be taken for False.
            object.__setattr__(self, "compile", Frozen(self.compile) if self.compile else True)
        elif not isinstance(self.compile, bool):
            raise OptionError(
                f"AutoTorch(compile=...) takes a bool or a mapping of torch.compile's keywords, "
                f"got {self.compile!r}"
            )
        _check_device(self)
        _check_mode(self)


@dataclasses.dataclass(frozen=True, repr=False)
class AutoJax(ADType):
    """JAX.

    Parameters
    ----------
    jit : bool
        Trace and compile whole steps (the default), or run operation by operation.
    device : str, optional
        Where arrays that come from elsewhere are put: a platform, with an index if wanted
        (`"cpu"`, `"gpu:1"`); the framework's default device when None.
    mode : {"forward", "reverse"}, optional
        The only mode to differentiate in; whichever is cheaper when None.

    Examples
    --------
    >>> AutoJax(), AutoJax(jit=False)
    (AutoJax(), AutoJax(jit=False))
    """

    backend: ClassVar[str] = "jax"
    jit: bool = True
    device: str | None = None
    # A `Mode` once the selector is made.
    mode: ModeOption = dataclasses.field(  # type: ignore[assignment, misc]
        default=Mode.EITHER, kw_only=True
    )

    def __post_init__(self) -> None:
        if not isinstance(self.jit, bool):
            raise OptionError(f"AutoJax(jit=...) takes a bool, got {self.jit!r}")
        _check_device(self)
        _check_mode(self)


@dataclasses.dataclass(frozen=True, repr=False)
class AutoAutograd(ADType):
    """HIPS autograd, on the CPU.

    Parameters
    ----------
    mode : {"forward", "reverse"}, optional
        The only mode to differentiate in; whichever is cheaper when None.

    Examples
    --------
    >>> AutoAutograd(), AutoAutograd(mode="reverse")
    (AutoAutograd(), AutoAutograd(mode='reverse'))
    """

    backend: ClassVar[str] = "autograd"
    # A `Mode` once the selector is made.
    mode: ModeOption = dataclasses.field(  # type: ignore[assignment, misc]
        default=Mode.EITHER, kw_only=True
    )

    def __post_init__(self) -> None:
        _check_mode(self)


@dataclasses.dataclass(frozen=True, repr=False)
class AutoFiniteDiff(ADType):
    """Central differences of numpy arrays: the reference by which gradients are checked.

    Forward mode, with `order + 1` calls of the function for each direction; a gradient takes as
    many for each entry of the point. Needs no framework, and differentiates what cannot be traced.

    Parameters
    ----------
    order : {2, 4, 6, 8}
        Of the truncation error. Half of it is the number of pairs `f(x + k h v) - f(x - k h v)`.
    step : float, optional
        Above zero: the change of the entries that move most, relative to the larger of 1 and the
        largest of the entries that move, rounded down to a power of two. The default is
        `epsilon**(1 / (order + 1))`, with the machine epsilon of the coarsest dtype among the
        leaves that move and the outputs: there both errors below are of one size.

    Raises
    ------
    OptionError
        If `order` is no integer or `step` no number.
    DomainError
        If `order` is none of the above, or `step` is not above zero and finite.

    Notes
    -----
    With `m = order / 2` and `h` the multiple of the direction by which the point is moved, the
    derivative is off by at most `m!**2 / (2 m + 1)! * M * h**order + K * u * F / h`. `M` bounds the
    derivative of order `order + 1` in that direction, `F` the function's values, and `u` the
    relative rounding error of one value; `K` is 1, 1.5, 1.83 and 2.08 for the four orders. With
    the default step, and `M` and `F` of the size of the derivative itself, this is about
    `epsilon**(order / (order + 1))` of it: 4e-11, 3e-13, 4e-14 and 1e-14 in float64. `M` grows
    fast with the order where the function changes over less than the point's size; then give a
    shorter step. A kink or a pole nearer than `h` spoils it.

    References
    ----------
    Fornberg, Generation of finite difference formulas on arbitrarily spaced grids (1988), table 1;
    Press et al., Numerical Recipes (3rd edition), section 5.7, for the step.

    Examples
    --------
    >>> import numpy as np
    >>> from polylux import AutoFiniteDiff, gradient
    >>> f = lambda x: np.sum(np.exp(x))
    >>> AutoFiniteDiff(order=4)
    AutoFiniteDiff(order=4)
    >>> abs(float(gradient(f, AutoFiniteDiff(order=4), np.asarray(1.0))) - np.e) < 1e-11
    True
    """

    backend: ClassVar[str] = "finitediff"
    mode: ClassVar[Mode] = Mode.FORWARD
    order: int = 2
    step: float | None = None

    def __post_init__(self) -> None:
        if type(self.order) is not int:
            raise OptionError(f"AutoFiniteDiff(order=...) takes an integer, got {self.order!r}")
        if self.order not in (2, 4, 6, 8):
            raise DomainError(f"AutoFiniteDiff(order=...) is 2, 4, 6 or 8, got {self.order!r}")
        if self.step is None:
            return
        if type(self.step) is bool or not isinstance(self.step, int | float):
            raise OptionError(f"AutoFiniteDiff(step=...) takes a number, got {self.step!r}")
        if not 0 < self.step < math.inf:
            raise DomainError(
                f"AutoFiniteDiff(step=...) must be above zero and finite, got {self.step!r}"
            )


@dataclasses.dataclass(frozen=True, repr=False)
class NoAutoDiff(ADType):
    """No differentiation: objectives and operators run on host (numpy) arrays.

    `compute_objective` works with it; asking it for a gradient raises `UnsupportedError`.

    Examples
    --------
    >>> NoAutoDiff()
    NoAutoDiff()
    """

    backend: ClassVar[str] = "host"
    mode: ClassVar[Mode] = Mode.NONE


@dataclasses.dataclass(frozen=True, repr=False)
class SecondOrder(ADType):
    """The modes of second derivatives, each chosen: `outer` differentiates what `inner` has.

    `hvp`, `hessian` and `second_derivative` obey both. Everything else takes `inner`, and all
    options but the mode are those of `inner`.

    Parameters
    ----------
    outer, inner : ADType
        Of one backend.

    Raises
    ------
    UnsupportedError
        If they are of different backends: the values that one traces, the other cannot.

    References
    ----------
    `SecondOrder` of DifferentiationInterface.jl.

    Examples
    --------
    >>> SecondOrder(AutoJax(mode="forward"), AutoJax(mode="reverse"))
    SecondOrder(AutoJax(mode='forward'), AutoJax(mode='reverse'))
    """

    outer: ADType
    inner: ADType

    def __post_init__(self) -> None:
        for name, level in (("outer", self.outer), ("inner", self.inner)):
            if not isinstance(level, ADType) or isinstance(level, SecondOrder):
                raise OptionError(
                    f"SecondOrder takes two selectors such as AutoJax(mode='forward'), got "
                    f"{level!r} as {name}"
                )
        if self.outer.backend != self.inner.backend:
            raise UnsupportedError(
                f"{self!r} mixes two backends, and {self.outer.backend!r} cannot differentiate "
                f"through values that {self.inner.backend!r} traces; use one of them for both, "
                f"such as SecondOrder({self.inner!r}, {self.inner!r})"
            )

    @property
    def backend(self) -> str:  # type: ignore[override]  # a value here, a class attribute elsewhere
        return self.inner.backend

    @property
    def mode(self) -> Mode:  # type: ignore[override]
        return self.inner.mode


class Auto(ADType):
    """A selector by its registered name, for backends whose own selector is not at hand.

    Parameters
    ----------
    name : str
        Name under which the backend is registered.
    **options
        Fields of that backend's own selector; checked when the backend is loaded.

    Examples
    --------
    >>> Auto("torch", compile=True)
    Auto('torch', compile=True)
    """

    _backend: str
    _options: Frozen

    def __new__(cls, name: str, /, **options: Any) -> Auto:
        return object.__new__(cls)

    def __init__(self, name: str, /, **options: Any) -> None:
        if not isinstance(name, str) or not name:
            raise OptionError(f"Auto takes the name of a backend as a string, got {name!r}")
        object.__setattr__(self, "_backend", name)
        object.__setattr__(self, "_options", Frozen(options))

    @property
    def backend(self) -> str:  # type: ignore[override]  # a value here, a class attribute elsewhere
        return self._backend

    @property
    def options(self) -> Mapping[str, Any]:
        """The options as given."""
        return self._options

    def __setattr__(self, name: str, value: Any) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Auto)
            and self._backend == other._backend
            and self._options == other._options
        )

    def __hash__(self) -> int:
        return hash((self._backend, self._options))

    def __reduce__(self) -> Any:
        return _rebuild_auto, (self._backend, dict(self._options))

    def __repr__(self) -> str:
        shown = [repr(self._backend), *(f"{k}={v!r}" for k, v in self._options.items())]
        return f"Auto({', '.join(shown)})"


def _rebuild_auto(name: str, options: dict[str, Any]) -> Auto:
    return Auto(name, **options)


def _check_mode(selector: Any) -> None:
    """Put the mode's member in the place of its name, of None in that of no choice."""
    mode = Mode.EITHER if selector.mode is None else selector.mode
    if mode not in (Mode.FORWARD, Mode.REVERSE, Mode.EITHER):
        raise OptionError(
            f"{type(selector).__name__}(mode=...) takes 'forward', 'reverse' or None, got {mode!r}"
        )
    object.__setattr__(selector, "mode", Mode(mode))


def _check_device(selector: Any) -> None:
    if selector.device is not None and not isinstance(selector.device, str):
        raise OptionError(
            f"{type(selector).__name__}(device=...) takes a string such as 'cpu', "
            f"got {selector.device!r}"
        )
