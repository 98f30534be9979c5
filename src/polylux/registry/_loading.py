"""From a plugin to its running backend: every check on the way, and what to do when one fails."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import re
from typing import Any

from polylux.backend import CONTRACT_VERSION, Backend, Capability, Plugin
from polylux.errors import FrameworkMissingError, FrameworkTooOldError, PluginBrokenError
from polylux.selectors import ADType


@dataclasses.dataclass(frozen=True)
class BackendInfo:
    """One registered backend, as `backends()` lists it.

    Attributes
    ----------
    name : str
    selector : str
        How to select it, `"AutoTorch()"`.
    owner : str
        Distribution or module that registered it.
    available : bool
        Whether a call with its selector can run here.
    version : str or None
        Version of its framework, where one is installed.
    reason : str or None
        Why it is not available.
    remedy : str or None
        What mends it: a command line, or words where no command does.
    """

    name: str
    selector: str
    owner: str
    available: bool
    version: str | None
    reason: str | None
    remedy: str | None


def check_plugin(plugin: Any, name: str, owner: str) -> Plugin:
    """The same plugin, if it keeps to the contract's version and names what it should.

    Raises
    ------
    PluginBrokenError
    """
    if not isinstance(plugin, Plugin):
        raise PluginBrokenError(
            f"{owner} gives a {type(plugin).__name__} as the plugin {name!r}, expected a "
            "polylux.backend.Plugin"
        )
    if plugin.contract != CONTRACT_VERSION:
        behind = "the plugin's" if plugin.contract < CONTRACT_VERSION else "the polylux"
        raise PluginBrokenError(
            f"the plugin {plugin.name!r} of {owner} was written for version {plugin.contract} of "
            f"the backend contract, and this polylux has version {CONTRACT_VERSION}; "
            f"update {behind} package"
        )
    if plugin.name != name:
        raise PluginBrokenError(
            f"the entry point {name!r} of {owner} names a plugin called {plugin.name!r}; "
            "the two must agree"
        )
    module, _, cls = plugin.backend.partition(":")
    if not module or not cls:
        raise PluginBrokenError(
            f"the plugin {name!r} of {owner} gives its backend as {plugin.backend!r}; "
            "write 'package.module:Class'"
        )
    _check_selector_class(plugin, owner)
    return plugin


def _check_selector_class(plugin: Plugin, owner: str) -> None:
    selector = plugin.selector
    if not (isinstance(selector, type) and issubclass(selector, ADType)):
        raise PluginBrokenError(
            f"the plugin {plugin.name!r} of {owner} has the selector {selector!r}, expected a "
            "subclass of polylux.ADType"
        )
    if selector.backend != plugin.name:
        raise PluginBrokenError(
            f"the plugin {plugin.name!r} of {owner} has the selector {selector.__name__}, which "
            f"selects the backend {selector.backend!r}; the two must agree"
        )
    try:
        hash(selector()), repr(selector())
    except Exception as error:
        raise PluginBrokenError(
            f"{selector.__name__}(), the selector of the plugin {plugin.name!r} of {owner}, fails: "
            f"{type(error).__name__}: {error}; every option needs a default, and must be hashable"
        ) from error


def instantiate(plugin: Plugin) -> Backend:
    """Check the framework, import the backend's module and make its one instance.

    Raises
    ------
    FrameworkMissingError, FrameworkTooOldError, PluginBrokenError
    """
    check_framework(plugin)
    module_name, _, class_name = plugin.backend.partition(":")
    what = f"the backend {plugin.backend} of the plugin {plugin.name!r}"
    try:
        backend = getattr(importlib.import_module(module_name), class_name)()
    except Exception as error:
        raise PluginBrokenError(
            f"{what} failed to load: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(backend, Backend):
        raise PluginBrokenError(f"{what} is no polylux.backend.Backend")
    if backend.name != plugin.name:
        raise PluginBrokenError(f"{what} calls itself {backend.name!r}; the two must agree")
    if Capability.GRADIENT in backend.capabilities and not _differentiates(type(backend)):
        raise PluginBrokenError(
            f"{what} claims gradients, and implements none of value_and_gradient, pullback and "
            "pushforward"
        )
    return backend


def _differentiates(backend_class: type[Backend]) -> bool:
    names = ("value_and_gradient", "pullback", "pushforward")
    return any(getattr(backend_class, name) is not getattr(Backend, name) for name in names)


def check_framework(plugin: Plugin) -> None:
    """Check that the framework is there and new enough, without importing it."""
    if not plugin.framework:
        return
    if not _is_importable(plugin.framework):
        raise FrameworkMissingError(
            f"the backend {plugin.name!r} needs {plugin.framework!r}, which is not installed; "
            f"run: {_install_line(plugin)}"
        )
    version = installed_version(plugin)
    if version is not None and _release(version) < _release(plugin.minimum):
        raise FrameworkTooOldError(
            f"the backend {plugin.name!r} needs {plugin.distribution} {plugin.minimum} or newer, "
            f"and {version} is installed; run: {_install_line(plugin, upgrade=True)}"
        )


def installed_version(plugin: Plugin) -> str | None:
    """Version of the plugin's framework, from its metadata."""
    if not plugin.distribution:
        return None
    import importlib.metadata  # at first use: it takes a tenth of polylux's import

    try:
        return importlib.metadata.version(plugin.distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def describe(name: str, owner: str, plugin: Plugin) -> BackendInfo:
    """What `backends()` says of a plugin that is not broken; imports no framework."""
    reason = remedy = None
    try:
        check_framework(plugin)
    except (FrameworkMissingError, FrameworkTooOldError) as error:
        reason, _, remedy = str(error).partition("; run: ")
    return BackendInfo(
        name=name,
        selector=repr(plugin.selector()),
        owner=owner,
        available=reason is None,
        version=installed_version(plugin),
        reason=reason,
        remedy=remedy,
    )


def _is_importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _install_line(plugin: Plugin, upgrade: bool = False) -> str:
    line = plugin.install or f"pip install {_requirement(plugin)}"
    return line.replace("pip install", "pip install --upgrade", 1) if upgrade else line


def _requirement(plugin: Plugin) -> str:
    name = plugin.distribution or plugin.framework
    return f"'{name}>={plugin.minimum}'" if plugin.minimum else name


def _release(version: str) -> tuple[int, ...]:
    """The numeric part of a version, in its shortest form: `2.13.0+cpu` is (2, 13)."""
    match = re.match(r"\d+(\.\d+)*", version)
    parts = [int(part) for part in match.group().split(".")] if match else []
    while parts and parts[-1] == 0:  # 2.13 is as new as 2.13.0
        parts.pop()
    return tuple(parts)
