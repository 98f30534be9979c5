"""What users see where a framework is not installed; here it is hidden from a child process."""

from __future__ import annotations

import json
from typing import Any

import pytest

ALL = ("torch", "jax", "autograd")
SELECTORS = {"torch": "AutoTorch()", "jax": "AutoJax()", "autograd": "AutoAutograd()"}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("by_name", [False, True], ids=["own selector", "Auto"])
def test_a_training_call_gives_the_line_that_installs_the_framework(
    run_python: Any, name: str, by_name: bool
) -> None:
    selector = f"Auto({name!r})" if by_name else SELECTORS[name]
    printed = run_python(
        f"""
        import numpy as np
        from polylux import *
        from polylux.errors import FrameworkMissingError
        from polylux.losses import MSELoss
        from polylux.optimizers import SGD
        model = layers.Dense(2, 1)
        ps, st = setup(np.random.default_rng(0), model)
        state = TrainState(model, ps, st, SGD(0.1))
        batch = np.ones((3, 2), np.float32), np.ones((3, 1), np.float32)
        try:
            single_train_step({selector}, MSELoss(), batch, state)
        except FrameworkMissingError as error:
            assert isinstance(error, ImportError)
            print(error)
        """,
        absent=(name,),
    )
    assert printed == (
        f"the backend {name!r} needs {name!r}, which is not installed; "
        f"run: pip install 'polylux[{name}]'"
    )


def test_the_core_works_with_no_framework_at_all(run_python: Any) -> None:
    printed = run_python(
        """
        import numpy as np
        import polylux
        from polylux import NoAutoDiff, TrainState, compute_objective, layers, setup
        from polylux.losses import MSELoss
        from polylux.optimizers import SGD
        model = layers.Dense(2, 1)
        ps, st = setup(np.random.default_rng(0), model)
        x = np.eye(2, dtype=np.float32)
        y, _ = model(x, ps, st)
        loss = compute_objective(
            NoAutoDiff(), MSELoss(), (x, y), TrainState(model, ps, st, SGD(0.1))
        ).loss
        print(float(loss), *(info.name for info in polylux.backends() if info.available))
        """,
        absent=ALL,
    )
    assert printed == "0.0 finitediff"


def test_the_list_of_backends_has_the_line_for_each_that_is_absent(run_python: Any) -> None:
    printed = run_python(
        """
        import dataclasses, json, polylux
        print(json.dumps([dataclasses.asdict(info) for info in polylux.backends()]))
        """,
        absent=ALL,
    )
    infos = {info["name"]: info for info in json.loads(printed)}
    for name in ALL:
        assert infos[name]["selector"] == SELECTORS[name]
        assert infos[name]["owner"] == f"polylux (polylux_{name}:plugin)"
        assert infos[name]["available"] is False
        assert infos[name]["reason"] == (
            f"the backend {name!r} needs {name!r}, which is not installed"
        )
        assert infos[name]["remedy"] == f"pip install 'polylux[{name}]'"


@pytest.mark.parametrize("absent", ALL)
def test_the_other_backends_do_not_mind(run_python: Any, absent: str) -> None:
    others = [name for name in ALL if name != absent]
    for name in others:
        pytest.importorskip(name)
    printed = run_python(
        f"""
        import numpy as np
        from polylux import *
        def square(x):
            return array_namespace(x).sum(x * x)
        for selector in ({SELECTORS[others[0]]}, {SELECTORS[others[1]]}):
            print(*to_host(gradient(square, selector, np.array([1.0, -2.0]))))
        """,
        absent=(absent,),
    )
    assert printed == "2.0 -4.0\n2.0 -4.0"
