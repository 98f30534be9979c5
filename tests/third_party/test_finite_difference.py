"""A stranger's plugin: built, installed from its wheel, and used through its own selector."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[[str], str]

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the plugin's wheel was installed, without the network."""
    wheels, target = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index", "--find-links", str(wheels), "--target", str(target)]
    commands = [
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)],
        [*pip, *offline, "polylux-finite-difference"],
    ]
    for command in commands:
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def run_user_script(installed: Path, tmp_path: Path) -> Run:
    """Run a user's script where polylux and the plugin are installed; gives what it printed."""

    def run(script: str) -> str:
        path = tmp_path / "script.py"
        path.write_text(PREAMBLE + textwrap.dedent(script))
        done = subprocess.run(
            [sys.executable, "-W", "error", str(path)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(installed)},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


PREAMBLE = """
import numpy as np
import polylux
from polylux import Auto, TrainState, gradient, setup, single_train_step, single_train_step_
from polylux.backend import Plugin
from polylux.errors import DomainError, OptionError, UnsupportedError
from polylux.layers import Chain, Dense
from polylux.losses import MSELoss
from polylux.optimizers import SGD

# Rounding and truncation of a central difference with the default step, in float64, with room for
# the sizes of the values here, all below ten.
ROUGHLY = dict(rtol=0, atol=100 * np.finfo(np.float64).eps ** (2 / 3))

rng = np.random.default_rng(7)
x, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))


def start(model, dtype=np.float64):
    ps, st = setup(np.random.default_rng(0), model)
    ps = polylux.f64(ps) if dtype is np.float64 else ps
    return ps, TrainState(model, ps, st, SGD(0.1))
"""


def test_it_is_listed_as_available(run_user_script: Run) -> None:
    printed = run_user_script(
        """
        (info,) = [i for i in polylux.backends() if i.name == "finite_difference"]
        assert info.version == np.__version__
        print(info.available, info.selector, info.owner)
        """
    )
    assert printed == (
        "True AutoDifference() polylux-finite-difference (polylux_finite_difference:plugin)"
    )


@pytest.mark.parametrize("selector", ["AutoDifference()", "Auto('finite_difference')"])
def test_a_step_has_the_gradients_of_the_closed_form(run_user_script: Run, selector: str) -> None:
    run_user_script(
        f"""
        from polylux_finite_difference import AutoDifference
        ps, state = start(Dense(3, 2))
        residual = x @ ps["weight"] + ps["bias"] - y
        grads, loss, stats, new = single_train_step({selector}, MSELoss(), (x, y), state)
        # loss = sum(residual**2) / n, so its slopes are 2 / n times the residual's
        scale = 2 / residual.size
        np.testing.assert_allclose(loss, np.mean(residual**2), rtol=1e-14)
        np.testing.assert_allclose(grads["weight"], scale * x.T @ residual, **ROUGHLY)
        np.testing.assert_allclose(grads["bias"], scale * residual.sum(axis=0), **ROUGHLY)
        np.testing.assert_allclose(
            new.parameters["weight"], ps["weight"] - 0.1 * grads["weight"], rtol=1e-14
        )
        """
    )


def test_training_reaches_the_least_squares_solution(run_user_script: Run) -> None:
    run_user_script(
        """
        from polylux_finite_difference import AutoDifference
        _, state = start(Dense(3, 2))
        for _ in range(2000):
            *_, state = single_train_step_(AutoDifference(), MSELoss(), (x, y), state)
        best = np.linalg.lstsq(np.hstack([x, np.ones((8, 1))]), y, rcond=None)[0]
        found = np.vstack([state.parameters["weight"], state.parameters["bias"]])
        np.testing.assert_allclose(found, best, **ROUGHLY)
        """
    )


def test_a_nested_model_keeps_float32(run_user_script: Run) -> None:
    printed = run_user_script(
        """
        from polylux_finite_difference import AutoDifference
        model = Chain(Dense(3, 4, activation="tanh"), Dense(4, 2))
        _, state = start(model, np.float32)
        batch = x.astype(np.float32), y.astype(np.float32)
        first, last = None, None
        for _ in range(30):
            grads, last, _, state = single_train_step_(AutoDifference(), MSELoss(), batch, state)
            first = last if first is None else first
        assert last < first
        import optree
        print({str(leaf.dtype) for leaf in optree.tree_leaves((grads, state.parameters))})
        """
    )
    assert printed == "{'float32'}"


def test_its_own_option_reaches_it(run_user_script: Run) -> None:
    run_user_script(
        """
        from polylux_finite_difference import AutoDifference
        # The central difference of x**3 with step h is 3 x**2 + h**2, exactly.
        cubed = lambda x: x**3
        for selector in (AutoDifference(step=0.5), Auto("finite_difference", step=0.5)):
            assert gradient(cubed, selector, np.asarray(1.0)) == 3.25
        """
    )


def test_stop_gradient_makes_a_constant(run_user_script: Run) -> None:
    run_user_script(
        """
        from polylux_finite_difference import AutoDifference
        from polylux_finite_difference._backend import DifferenceBackend
        backend = polylux.registry.load_backend("finite_difference")
        assert type(backend) is DifferenceBackend
        # d/dx of x * constant(x**2) is x**2; of x**3 it would be three times that
        slope = gradient(
            lambda x: x * backend.stop_gradient(x**2), AutoDifference(), np.asarray(2.0)
        )
        np.testing.assert_allclose(slope, 4.0, **ROUGHLY)
        """
    )


def test_its_errors_are_polyluxs(run_user_script: Run) -> None:
    printed = run_user_script(
        """
        import pickle
        from polylux_finite_difference import AutoDifference
        assert pickle.loads(pickle.dumps(AutoDifference(step=0.1))) == AutoDifference(step=0.1)
        for make in (
            lambda: AutoDifference(step=0.0),
            lambda: AutoDifference(stpe=0.1),
            lambda: gradient(abs, Auto("finite_diference"), np.ones(())),
        ):
            try:
                make()
            except polylux.errors.PolyluxError as error:
                print(type(error).__name__, error)
        """
    )
    assert printed.splitlines() == [
        "DomainError AutoDifference(step=...) must be above zero, got 0.0",
        "OptionError AutoDifference got an unknown keyword 'stpe'; did you mean 'step'?",
        "UnknownBackendError no backend named 'finite_diference' is registered; "
        "did you mean 'finite_difference' or 'finitediff'?",
    ]


def test_it_lives_beside_the_others(run_user_script: Run) -> None:
    pytest.importorskip("torch")
    run_user_script(
        """
        from polylux import AutoTorch
        from polylux_finite_difference import AutoDifference
        _, state = start(Chain(Dense(3, 4, activation="tanh"), Dense(4, 2)))
        ours = single_train_step(AutoDifference(), MSELoss(), (x, y), state)
        torch = single_train_step(AutoTorch(), MSELoss(), (x, y), state)
        for layer in ours.grads:
            for name in ours.grads[layer]:
                np.testing.assert_allclose(
                    ours.grads[layer][name],
                    polylux.to_host(torch.grads)[layer][name],
                    **ROUGHLY,
                )
        """
    )
