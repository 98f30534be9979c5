"""From a plugin to its backend: framework absent, too old, or a backend class that is wrong."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import pytest

from polylux import registry
from polylux.errors import FrameworkMissingError, FrameworkTooOldError, PluginBrokenError
from polylux.selectors import Auto

pytestmark = pytest.mark.usefixtures("own_registry")

_version = importlib.metadata.version


def pretend(monkeypatch: pytest.MonkeyPatch, installed: str) -> None:
    """Let the distribution `f` be installed in this version."""
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: installed if name == "f" else _version(name)
    )


def info(name: str) -> registry.BackendInfo:
    return next(i for i in registry.backends() if i.name == name)


ABSENT = "framework='no_such_framework', distribution='no-such-framework'"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (ABSENT, "pip install no-such-framework"),
        (ABSENT + ", minimum='2.0'", "pip install 'no-such-framework>=2.0'"),
        (ABSENT + ", install=\"pip install 'polylux[x]'\"", "pip install 'polylux[x]'"),
        ("framework='no_such_framework'", "pip install no_such_framework"),
    ],
    ids=["distribution", "with its minimum", "the plugin's own line", "framework"],
)
def test_an_absent_framework_gives_the_line_that_installs_it(
    install: Any, options: str, line: str
) -> None:
    install("good-one", f"plugin = good({options})")
    with pytest.raises(FrameworkMissingError) as caught:
        registry.resolve(Auto("good_one"))
    assert str(caught.value) == (
        f"the backend 'good_one' needs 'no_such_framework', which is not installed; run: {line}"
    )
    assert info("good_one").remedy == line
    assert info("good_one").reason == (
        "the backend 'good_one' needs 'no_such_framework', which is not installed"
    )


def test_a_framework_installed_later_is_found_without_a_restart(
    install: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    install("good-one", f"plugin = good({ABSENT})")
    with pytest.raises(FrameworkMissingError):
        registry.resolve(Auto("good_one"))
    (tmp_path / "no_such_framework.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert registry.resolve(Auto("good_one"))[0].name == "good_one"


@pytest.mark.parametrize(
    ("installed", "minimum", "new_enough"),
    [
        ("2.12.1", "2.13", False),
        ("2.13.0+cpu", "2.13", True),
        ("2.13", "2.13.0", True),
        ("2.9.0", "2.13", False),
        ("10.0", "9.9.9", True),
        ("2", "2.0.0", True),
        ("1.9.1", "", True),
        ("2.0.1", "2", True),
    ],
)
def test_versions_compare_as_numbers(
    install: Any,
    monkeypatch: pytest.MonkeyPatch,
    installed: str,
    minimum: str,
    new_enough: bool,
) -> None:
    install("good-one", f"plugin = good(framework='numpy', distribution='f', minimum={minimum!r})")
    pretend(monkeypatch, installed)
    assert info("good_one").available is new_enough
    assert info("good_one").version == installed


def test_a_framework_that_is_too_old_gives_the_line_that_upgrades_it(
    install: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("good-one", "plugin = good(framework='numpy', distribution='f', minimum='2.1')")
    pretend(monkeypatch, "2.0.3")
    with pytest.raises(FrameworkTooOldError) as caught:
        registry.resolve(Auto("good_one"))
    assert str(caught.value) == (
        "the backend 'good_one' needs f 2.1 or newer, and 2.0.3 is installed; "
        "run: pip install --upgrade 'f>=2.1'"
    )
    assert info("good_one").remedy == "pip install --upgrade 'f>=2.1'"


WRONG = {
    "no module": ("backend='no_such_module:B'", "", "ModuleNotFoundError: No module named"),
    "no class": ("backend='odd_one:B'", "", "AttributeError"),
    "no backend": ("backend='builtins:dict'", "", "is no polylux.backend.Backend"),
    "framework breaks": (
        "",
        "def fail(self):\n    raise OSError('libfoo.so.1')\nGoodBackend.__init__ = fail",
        "OSError: libfoo.so.1",
    ),
    "other name": ("", "GoodBackend.name = 'other'", "calls itself 'other'; the two must agree"),
    "no derivative": (
        "",
        "del GoodBackend.value_and_gradient",
        "implements none of value_and_gradient, pullback and pushforward",
    ),
    "abstract": (
        "backend='odd_one:Half'",
        "from polylux.backend import Backend\nclass Half(Backend):\n    name = 'odd_one'",
        "TypeError: Can't instantiate abstract class Half",
    ),
}


@pytest.mark.parametrize(("options", "source", "sentence"), WRONG.values(), ids=WRONG)
def test_a_backend_that_does_not_load_says_why(
    install: Any, options: str, source: str, sentence: str
) -> None:
    install("odd-one", f"{source}\nplugin = good({options})")
    with pytest.raises(PluginBrokenError) as caught:
        registry.resolve(Auto("odd_one"))
    assert "odd_one" in str(caught.value)
    assert sentence in str(caught.value)
