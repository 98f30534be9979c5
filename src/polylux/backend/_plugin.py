"""Plugin: the light value behind an entry point, readable without importing a framework."""

from __future__ import annotations

import dataclasses

from polylux.backend._contract import CONTRACT_VERSION
from polylux.selectors import ADType


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plugin:
    """What polylux must know of a backend before it loads it.

    Parameters
    ----------
    name : str
        Name under which it is registered; `Auto(name)` finds it.
    backend : str
        Where the `Backend` class is, as `"package.module:Class"`; imported at first use.
    selector : type
        The plugin's own subclass of `ADType`.
    framework : str
        Import name of the framework (`"torch"`); empty where none is needed.
    distribution : str
        Name on PyPI of what gives the version (`"torch"`); empty where none is needed.
    minimum : str
        Lowest version of the distribution that works; empty for any.
    install : str
        The command that installs what is missing.
    array_modules : tuple of str
        Top-level modules in which the types of its arrays and tracers are defined, so that an
        array's owner is found before the backend is loaded.
    contract : int
        Version of the contract it was written for.

    Examples
    --------
    >>> from polylux.selectors import AutoTorch
    >>> Plugin(name="torch", backend="polylux_torch._backend:TorchBackend", selector=AutoTorch,
    ...        framework="torch", distribution="torch", minimum="2.6").name
    'torch'
    """

    name: str
    backend: str
    selector: type[ADType]
    framework: str = ""
    distribution: str = ""
    minimum: str = ""
    install: str = ""
    array_modules: tuple[str, ...] = ()
    contract: int = CONTRACT_VERSION
