"""Which backends there are: entry points, explicit registration and the loaded instances."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from polylux.backend import Backend, Plugin
from polylux.errors import (
    DuplicateBackendError,
    OptionError,
    PluginBrokenError,
    PluginMissingError,
    PolyluxError,
    UnknownBackendError,
    nearest,
)
from polylux.registry._loading import BackendInfo, check_plugin, describe, instantiate
from polylux.selectors import ADType, Auto, NoAutoDiff, SecondOrder

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "polylux.backends"
"""Entry-point group under which plugins announce themselves."""

_TABLES: list[weakref.ref[Any]] = []
"""Dictionaries that are emptied at each change."""


@dataclasses.dataclass
class _Entry:
    """A name in the registry: its plugin, or the error that stands in its place."""

    owner: str
    plugin: Plugin | None = None
    error: PolyluxError | None = None


class _Registry:
    """Entries by name and loaded backends; one lock guards both."""

    def __init__(self) -> None:
        # Reentrant: a plugin's module may register another backend while it is imported.
        self.lock = threading.RLock()
        self.entries: dict[str, _Entry] = {}
        self.loaded: dict[str, Backend] = {}
        self.resolved: dict[ADType, tuple[Backend, ADType]] = {}
        self.discovered = False
        self.discovering = False
        self.generation = 0
        """Raised at each change, so that caches of array owners know when they are stale."""

    def add(self, plugin: Plugin, owner: str) -> None:
        with self.lock:
            former = self.entries.get(plugin.name)
            if former is not None and former.plugin != plugin:
                raise _duplicate(plugin.name, former.owner, owner)
            if former is None:
                self.entries[plugin.name] = _Entry(owner, plugin)
                self.changed()

    def discover(self) -> None:
        if self.discovered:
            return
        import importlib.metadata  # at first use: it takes a tenth of polylux's import

        with self.lock:
            if self.discovered or self.discovering:
                return
            self.discovering = True
            try:
                self.add(_HOST, "polylux")
                for point in importlib.metadata.entry_points(group=GROUP):
                    self._add_entry_point(point)
                self.discovered = True
            finally:
                self.discovering = False

    def _add_entry_point(self, point: EntryPoint) -> None:
        owner = f"{point.dist.name} ({point.value})" if point.dist is not None else point.value
        try:
            self.add(_load_entry_point(point, owner), owner)
        except DuplicateBackendError as error:
            former = self.entries[point.name].owner
            self.entries[point.name] = _Entry(f"{former} and {owner}", error=error)
        except PluginBrokenError as error:
            former_entry = self.entries.get(point.name)
            if former_entry is None:
                self.entries[point.name] = _Entry(owner, error=error)
            else:  # whichever was found first, a name with two owners belongs to none
                both = _duplicate(point.name, former_entry.owner, owner)
                self.entries[point.name] = _Entry(f"{former_entry.owner} and {owner}", error=both)

    def load(self, name: str) -> Backend:
        backend = self.loaded.get(name)
        if backend is not None:
            return backend
        with self.lock:
            if name not in self.loaded:
                self.loaded[name] = instantiate(self.plugin(name))
                self.changed()
            return self.loaded[name]

    def reorder(self, names: list[str]) -> None:
        """Put the loaded backends of these names first, in this order."""
        order = dict.fromkeys([*names, *self.loaded])
        self.loaded = {name: self.loaded[name] for name in order}
        self.changed()

    def changed(self) -> None:
        """Make every cache of what is registered and loaded stale."""
        self.generation += 1
        for found in _TABLES.copy():  # a module that another thread imports may add its own
            table = found()
            if table is not None:
                table.clear()

    def plugin(self, name: str) -> Plugin:
        self.discover()
        entry = self.entries.get(name)
        if entry is None:
            raise UnknownBackendError(
                f"no backend named {name!r} is registered; {nearest(name, self.entries)}"
            )
        if entry.plugin is None:
            assert entry.error is not None
            # A fresh one each time: a raised exception holds on to the frames it went through.
            raise type(entry.error)(*entry.error.args) from entry.error.__cause__
        return entry.plugin


_HOST = Plugin(name="host", backend="polylux.backend:HostBackend", selector=NoAutoDiff)
_REGISTRY = _Registry()


def register_backend(plugin: Plugin) -> None:
    """Register a backend by hand, for this process.

    Parameters
    ----------
    plugin : Plugin
        As an entry point in the group `polylux.backends` would name it.

    Raises
    ------
    DuplicateBackendError
        If another plugin has the name; the message names both owners.
    PluginBrokenError
        If it is no `Plugin`, or was written for another version of the contract.
    """
    name = getattr(plugin, "name", "")
    check_plugin(plugin, name, "register_backend")
    _REGISTRY.discover()
    _REGISTRY.add(plugin, f"register_backend ({plugin.backend})")


def backends() -> list[BackendInfo]:
    """Every registered backend that differentiates, whether it can run, and why not.

    Imports no framework.

    Returns
    -------
    list of BackendInfo
        By name.

    Examples
    --------
    >>> import polylux
    >>> {"autograd", "jax", "torch"} <= {info.name for info in polylux.backends()}
    True
    """
    _REGISTRY.discover()
    with _REGISTRY.lock:
        entries = sorted(_REGISTRY.entries.items())
    return [_info(name, entry) for name, entry in entries if entry.plugin is not _HOST]


def resolve(selector: ADType) -> tuple[Backend, ADType]:
    """The backend of a selector, loaded, and the selector in the backend's own class.

    Raises
    ------
    OptionError
        If it is no selector, or `Auto` was given an option that the backend does not have.
    UnknownBackendError, PluginMissingError, PluginBrokenError, FrameworkMissingError,
    FrameworkTooOldError, DuplicateBackendError
        Each with what to do about it.
    """
    try:
        return _REGISTRY.resolved[selector]
    except KeyError:
        pass
    except TypeError:
        _check_selector(selector)
        raise OptionError(
            f"{selector!r} cannot be hashed; the options of a selector are hashable values"
        ) from None
    _check_selector(selector)
    if isinstance(selector, SecondOrder):  # its outer mode is read by those that have a use for it
        return resolve(selector.inner)
    name = selector.backend
    try:
        plugin = _REGISTRY.plugin(name)
    except UnknownBackendError as error:
        if isinstance(selector, Auto):
            raise
        raise PluginMissingError(
            f"{selector!r} needs a plugin named {name!r}, and none is registered in the "
            f"entry-point group {GROUP!r}; install the package that "
            f"{type(selector).__module__.partition('.')[0]!r} belongs to, or pass its Plugin to "
            "register_backend"
        ) from error
    # The options first: a wrong one is wrong whether or not the framework is here.
    concrete = plugin.selector(**selector.options) if isinstance(selector, Auto) else selector
    backend = _REGISTRY.load(name)
    _REGISTRY.resolved[selector] = found = (backend, concrete)
    return found


def plugins() -> dict[str, Plugin]:
    """The plugins that are registered and not broken, by name."""
    _REGISTRY.discover()
    with _REGISTRY.lock:
        return {n: e.plugin for n, e in _REGISTRY.entries.items() if e.plugin is not None}


def load_backend(name: str) -> Backend:
    """The backend registered under a name, loaded."""
    return _REGISTRY.load(name)


def loaded_backends() -> dict[str, Backend]:
    """The backends loaded so far, by name; loads none."""
    return dict(_REGISTRY.loaded)


@contextlib.contextmanager
def preferring(name: str) -> Iterator[None]:
    """While it lasts, arrays that several loaded backends own belong to the one of this name.

    Two plugins for one framework, or a wrapper around another plugin's backend, own the same array
    types; otherwise these belong to the one that was loaded first.

    Parameters
    ----------
    name : str
        Of a registered backend, which is loaded.

    Yields
    ------
    None
    """
    load_backend(name)
    with _REGISTRY.lock:
        former = list(_REGISTRY.loaded)
        _REGISTRY.reorder([name, *former])
    try:
        yield
    finally:
        with _REGISTRY.lock:
            _REGISTRY.reorder(former)


def generation() -> int:
    """A number that changes whenever a backend is registered or loaded."""
    return _REGISTRY.generation


def drop_with_changes(table: dict[Any, Any]) -> None:
    """Empty a dictionary whenever `generation` changes, for as long as it is in use."""
    _TABLES.append(weakref.ref(table, _TABLES.remove))


def _load_entry_point(point: EntryPoint, owner: str) -> Plugin:
    try:
        plugin = point.load()
    except Exception as error:
        mend = f"; run: pip install --upgrade {point.dist.name}" if point.dist is not None else ""
        raise PluginBrokenError(
            f"the plugin {point.name!r} of {owner} failed to load: "
            f"{type(error).__name__}: {error}{mend}"
        ) from error
    return check_plugin(plugin, point.name, owner)


def _duplicate(name: str, former: str, owner: str) -> DuplicateBackendError:
    return DuplicateBackendError(
        f"the backend name {name!r} is claimed by {former} and by {owner}; "
        "uninstall one of them, or register it under another name"
    )


def _info(name: str, entry: _Entry) -> BackendInfo:
    if entry.plugin is not None:
        return describe(name, entry.owner, entry.plugin)
    reason, _, remedy = str(entry.error).rpartition("; ")
    if not reason:
        reason, remedy = remedy, ""
    return BackendInfo(
        name=name,
        selector=repr(Auto(name)),
        owner=entry.owner,
        available=False,
        version=None,
        reason=reason,
        remedy=remedy.removeprefix("run: ") or None,
    )


def _check_selector(selector: Any) -> None:
    if isinstance(selector, ADType):
        return
    if isinstance(selector, type) and issubclass(selector, ADType):
        raise OptionError(
            f"got the class {selector.__name__} as a selector; call it: {selector.__name__}()"
        )
    if isinstance(selector, str):
        known = plugins()
        mend = f"write Auto({selector!r})" if selector in known else nearest(selector, known)
        raise OptionError(f"got the string {selector!r} as a selector; {mend}")
    raise OptionError(
        f"got {selector!r} as a selector; expected one such as AutoTorch(), AutoJax() or "
        "AutoAutograd()"
    )
