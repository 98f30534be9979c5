"""What `import polylux` brings in, and what it leaves out."""

from __future__ import annotations

from typing import Any

import pytest

# What polylux and optree need beside numpy; each further one is time that every user waits.
LIGHT = {"polylux", "optree", "array_api_compat", "typing_extensions"}
PLUGINS = {"polylux_torch", "polylux_jax", "polylux_autograd", "polylux_finitediff"}

LIST_NEW = """
import sys
import numpy, numpy.random
before = set(sys.modules)
{statement}
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(*sorted(new - set(sys.stdlib_module_names) - {{"numpy"}}))
"""


@pytest.mark.parametrize(
    "statement",
    [
        "import polylux",
        "import polylux; polylux.backends()",
        "import polylux.layers, polylux.losses, polylux.optimizers, polylux.training",
        "import polylux, pickle; pickle.dumps([polylux.AutoTorch(), polylux.AutoJax()])",
    ],
    ids=["import", "list backends", "every room", "pickle selectors"],
)
def test_no_framework_and_nothing_of_the_cli_is_imported(run_python: Any, statement: str) -> None:
    new = set(run_python(LIST_NEW.format(statement=statement)).split())
    light = LIGHT | PLUGINS if "backends" in statement else LIGHT
    assert new <= light


def test_importing_touches_no_setting_of_a_framework(run_python: Any) -> None:
    pytest.importorskip("jax")
    printed = run_python(
        """
        import jax
        before = dict(jax.config.values)
        import polylux
        polylux.backends()
        polylux.to_backend(1, polylux.AutoJax())
        print(before == dict(jax.config.values))
        """
    )
    assert printed == "True"


def test_importing_changes_no_environment_variable(run_python: Any) -> None:
    printed = run_python(
        """
        import os
        before = dict(os.environ)
        import polylux
        polylux.backends()
        print(before == dict(os.environ))
        """
    )
    assert printed == "True"
