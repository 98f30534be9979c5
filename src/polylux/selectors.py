"""Backend selectors: small frozen values that name a backend, a mode and its options.

A selector knows nothing of the framework that it names: it can be made, compared, hashed, pickled
and printed where that framework is not installed.
"""

from __future__ import annotations

import copy
import dataclasses
import enum
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from polylux.errors import OptionError
from polylux.spec import Spec


class Mode(enum.Enum):
    """How a backend differentiates."""

    FORWARD = "forward"
    REVERSE = "reverse"
    EITHER = "either"
    SYMBOLIC = "symbolic"
    NONE = "none"


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


@dataclasses.dataclass(frozen=True, repr=False)
class AutoTorch(ADType):
    """PyTorch, in reverse mode.

    Parameters
    ----------
    compile : bool or mapping
        Compile whole steps. A mapping holds keywords for `torch.compile`
        (`{"mode": "max-autotune"}`). Needs a C++ compiler on CPU.
    device : str, optional
        Where arrays that come from elsewhere are put (`"cpu"`, `"cuda:0"`); the framework's
        default device when None.

    Examples
    --------
    >>> AutoTorch(compile=True)
    AutoTorch(compile=True)
    """

    backend: ClassVar[str] = "torch"
    mode: ClassVar[Mode] = Mode.EITHER
    compile: bool | Mapping[str, Any] = False
    device: str | None = None

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

    Examples
    --------
    >>> AutoJax(), AutoJax(jit=False)
    (AutoJax(), AutoJax(jit=False))
    """

    backend: ClassVar[str] = "jax"
    mode: ClassVar[Mode] = Mode.EITHER
    jit: bool = True
    device: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.jit, bool):
            raise OptionError(f"AutoJax(jit=...) takes a bool, got {self.jit!r}")
        _check_device(self)


@dataclasses.dataclass(frozen=True, repr=False)
class AutoAutograd(ADType):
    """HIPS autograd, on the CPU.

    Examples
    --------
    >>> AutoAutograd()
    AutoAutograd()
    """

    backend: ClassVar[str] = "autograd"
    mode: ClassVar[Mode] = Mode.EITHER


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


def _check_device(selector: Any) -> None:
    if selector.device is not None and not isinstance(selector.device, str):
        raise OptionError(
            f"{type(selector).__name__}(device=...) takes a string such as 'cpu', "
            f"got {selector.device!r}"
        )
