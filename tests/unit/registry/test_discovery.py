"""Which backends there are: entry points, explicit registration, two owners, broken plugins."""

from __future__ import annotations

import importlib
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from polylux import registry
from polylux.backend import CONTRACT_VERSION, Plugin
from polylux.errors import (
    DuplicateBackendError,
    OptionError,
    PluginBrokenError,
    PluginMissingError,
    UnknownBackendError,
)
from polylux.selectors import ADType, Auto, AutoTorch, NoAutoDiff

pytestmark = pytest.mark.usefixtures("own_registry")


def info(name: str) -> registry.BackendInfo:
    return next(i for i in registry.backends() if i.name == name)


def test_a_plugin_is_found_and_used_through_its_own_selector(install: Any) -> None:
    module = importlib.import_module(install("good-one", "plugin = good()"))
    backend, selector = registry.resolve(module.AutoGood(depth=3))
    assert type(backend) is module.GoodBackend
    assert selector == module.AutoGood(depth=3)


def test_auto_becomes_the_backends_own_selector(install: Any) -> None:
    module = importlib.import_module(install("good-one", "plugin = good()"))
    assert registry.resolve(Auto("good_one", depth=3))[1] == module.AutoGood(depth=3)
    assert registry.resolve(Auto("good_one"))[1] == module.AutoGood()


def test_auto_with_an_option_that_the_backend_lacks(install: Any) -> None:
    install("good-one", "plugin = good()")
    with pytest.raises(OptionError, match="AutoGood got an unknown keyword 'nonsense'; known are"):
        registry.resolve(Auto("good_one", nonsense=1))


@pytest.mark.parametrize(
    ("name", "own"), [("torch", "AutoTorch"), ("jax", "AutoJax"), ("autograd", "AutoAutograd")]
)
def test_a_wrong_option_is_found_before_the_framework_is_needed(name: str, own: str) -> None:
    with pytest.raises(OptionError, match=f"{own} got an unknown keyword 'nonsense'"):
        registry.resolve(Auto(name, nonsense=1))


def test_a_good_plugin_is_listed_as_available(install: Any) -> None:
    install("good-one", "plugin = good()")
    assert info("good_one") == registry.BackendInfo(
        name="good_one",
        selector="AutoGood()",
        owner="good-one (good_one:plugin)",
        available=True,
        version=None,
        reason=None,
        remedy=None,
    )


def test_the_host_is_no_backend_that_is_listed() -> None:
    assert "host" not in {i.name for i in registry.backends()}
    assert registry.resolve(NoAutoDiff())[0].name == "host"


def test_a_broken_plugin_does_not_hurt_the_others(install: Any) -> None:
    install("good-one", "plugin = good()")
    install("broken-one", "raise RuntimeError('no licence server')")
    assert info("good_one").available
    assert registry.resolve(Auto("good_one"))[0].name == "good_one"
    broken = info("broken_one")
    assert not broken.available
    assert broken.reason is not None
    assert "failed to load: RuntimeError: no licence server" in broken.reason
    assert broken.remedy == "pip install --upgrade broken-one"


def test_using_a_broken_plugin_names_its_owner_and_keeps_the_cause(install: Any) -> None:
    install("broken-one", "raise RuntimeError('no licence server')")
    with pytest.raises(PluginBrokenError, match=r"'broken_one' of broken-one \(") as caught:
        registry.resolve(Auto("broken_one"))
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_broken_plugins_error_is_a_fresh_one_each_time(install: Any) -> None:
    # A raised exception keeps the frames it passed through alive, and threads would share it.
    install("broken-one", "raise RuntimeError('no licence server')")
    caught = []
    for _ in range(2):
        with pytest.raises(PluginBrokenError) as one:
            registry.resolve(Auto("broken_one"))
        caught.append(one.value)
    assert caught[0] is not caught[1]


BROKEN = {
    "no plugin": ("plugin = 3", "gives a int as the plugin 'odd_one', expected a"),
    "other name": ("plugin = good(name='other')", "the entry point 'odd_one' of odd-one"),
    "old contract": (
        f"plugin = good(contract={CONTRACT_VERSION - 1})",
        f"version {CONTRACT_VERSION - 1} of the backend contract, and this polylux has version "
        f"{CONTRACT_VERSION}; update the plugin's package",
    ),
    "new contract": (
        f"plugin = good(contract={CONTRACT_VERSION + 1})",
        f"version {CONTRACT_VERSION + 1} of the backend contract, and this polylux has version "
        f"{CONTRACT_VERSION}; update the polylux package",
    ),
    "backend path": ("plugin = good(backend='odd_one')", "write 'package.module:Class'"),
    "selector": ("plugin = good(selector=int)", "expected a subclass of polylux.ADType"),
    "selector of another": (
        "plugin = good(selector=type('AutoOdd', (ADType,), {'backend': 'jax'}))",
        "selects the backend 'jax'; the two must agree",
    ),
    "option without a default": (
        """
        @dataclasses.dataclass(frozen=True, repr=False)
        class AutoOdd(ADType):
            backend = "odd_one"
            needed: int
        plugin = good(selector=AutoOdd)
        """,
        "every option needs a default",
    ),
}


@pytest.mark.parametrize(("source", "sentence"), BROKEN.values(), ids=BROKEN)
def test_a_plugin_that_breaks_the_contract_says_how(
    install: Any, source: str, sentence: str
) -> None:
    install("good-one", "plugin = good()")
    install("odd-one", source)
    with pytest.raises(PluginBrokenError) as caught:
        registry.resolve(Auto("odd_one"))
    assert sentence in str(caught.value)
    assert not info("odd_one").available
    assert info("good_one").available


@pytest.mark.parametrize("second", ["plugin = good(name='taken')", "raise RuntimeError"])
@pytest.mark.parametrize("order", [1, -1], ids=["found first", "found last"])
def test_two_owners_of_one_name_are_both_named(install: Any, second: str, order: int) -> None:
    first = "AutoGood.backend = GoodBackend.name = 'taken'\nplugin = good(name='taken')"
    for distribution, source in [("one-dist", first), ("two-dist", second)][::order]:
        install(distribution, source, entry="taken")
    with pytest.raises(DuplicateBackendError, match="'taken' is claimed by") as caught:
        registry.resolve(Auto("taken"))
    assert "one-dist (one_dist:plugin)" in str(caught.value)
    assert "two-dist (two_dist:plugin)" in str(caught.value)
    assert info("taken").remedy is not None
    assert not info("taken").available


def test_registering_by_hand(install: Any) -> None:
    module = importlib.import_module(install("hand-made", "plugin = None"))
    (Path(module.__file__ or "").parent / "hand_made-1.0.dist-info/entry_points.txt").unlink()
    registry.register_backend(module.good())
    assert registry.resolve(module.AutoGood())[0].name == "hand_made"
    assert info("hand_made").owner == "register_backend (hand_made:GoodBackend)"
    registry.register_backend(module.good())  # the same again is no contradiction


def test_registering_a_name_that_is_taken(install: Any) -> None:
    module = importlib.import_module(install("good-one", "plugin = good()"))
    with pytest.raises(DuplicateBackendError) as caught:
        registry.register_backend(module.good(framework="numpy"))
    assert "good-one (good_one:plugin)" in str(caught.value)
    assert "register_backend (good_one:GoodBackend)" in str(caught.value)
    assert info("good_one").available


@pytest.mark.parametrize("wrong", [None, 3, "torch"], ids=repr)
def test_registering_what_is_no_plugin(wrong: Any) -> None:
    with pytest.raises(PluginBrokenError, match=r"register_backend gives a .*, expected a polylux"):
        registry.register_backend(wrong)


def test_a_plugin_may_register_another_while_it_is_imported(install: Any) -> None:
    install(
        "good-one",
        """
        import polylux.registry
        plugin = good()
        twin = type("AutoTwin", (ADType,), {"backend": "twin"})
        polylux.registry.register_backend(good(name="twin", selector=twin))
        """,
    )
    assert info("good_one").available
    assert info("twin").available


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UnknownBackendError, match="'tocrh' is registered; did you mean 'torch'"):
        registry.resolve(Auto("tocrh"))


def test_a_selector_without_its_plugin() -> None:
    class AutoNowhere(ADType):
        backend = "nowhere"

    with pytest.raises(PluginMissingError, match="needs a plugin named 'nowhere', and none is"):
        registry.resolve(AutoNowhere())


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("torch", "got the string 'torch' as a selector; write Auto('torch')"),
        ("tocrh", "got the string 'tocrh' as a selector; did you mean 'torch'?"),
        (AutoTorch, "got the class AutoTorch as a selector; call it: AutoTorch()"),
        (None, "got None as a selector; expected one such as AutoTorch()"),
        ([], "got [] as a selector; expected one such as AutoTorch()"),
    ],
    ids=["name", "misspelt name", "class", "None", "list"],
)
def test_what_is_no_selector_gets_a_hint(wrong: Any, sentence: str) -> None:
    with pytest.raises(OptionError) as caught:
        registry.resolve(wrong)
    assert sentence in str(caught.value)


def test_a_selector_with_an_option_that_cannot_be_hashed(install: Any) -> None:
    module = importlib.import_module(install("good-one", "plugin = good()"))
    with pytest.raises(OptionError, match="cannot be hashed"):
        registry.resolve(module.AutoGood(depth=[]))


def test_the_first_use_from_many_threads_makes_one_instance(install: Any) -> None:
    module = importlib.import_module(install("good-one", "plugin = good()"))
    former = module.GoodBackend.__init__

    def slow(self: Any) -> None:
        former(self)
        time.sleep(0.02)  # so that the others arrive while the first is at it

    module.GoodBackend.__init__ = slow
    start = threading.Barrier(8)
    found: list[Any] = []

    def use() -> None:
        start.wait()
        found.append(registry.resolve(Auto("good_one"))[0])

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1
    assert module.GoodBackend.made == 1


def test_listing_imports_no_backend(install: Any) -> None:
    install("lazy-one", "plugin = good(backend='lazy_one_backend:Backend')")
    assert info("lazy_one").available
    assert "lazy_one_backend" not in sys.modules


def test_the_generation_changes_with_each_registration_and_load(install: Any) -> None:
    module = importlib.import_module(install("good-one", "plugin = good()"))
    registry.plugins()
    seen = [registry.generation()]
    registry.register_backend(
        Plugin(
            name="twin",
            backend="good_one:GoodBackend",
            selector=type("AutoTwin", (module.AutoGood,), {"backend": "twin"}),
        )
    )
    seen.append(registry.generation())
    registry.load_backend("good_one")
    seen.append(registry.generation())
    assert len(set(seen)) == 3
    assert set(registry.loaded_backends()) == {"good_one"}
