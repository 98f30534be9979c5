"""`python -m polylux_conformance.array_api_tests NAME FOLDER`: the public array-api-tests suite.

The conformance suite asks each array function for a value and a derivative. How far a namespace
follows the standard otherwise is what https://github.com/data-apis/array-api-tests is for: this
module hands a backend's namespace to a clone of it (with its submodule, and with what its
`requirements.txt` names installed). Further arguments are pytest's::

    python -m polylux_conformance.array_api_tests autograd array-api-tests --max-examples 20 -k sum
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polylux.errors import PolyluxError
from polylux_conformance._naming import selector_named
from polylux_conformance._subject import Subject

MODULE = "polylux_conformance.array_api_tests"  # `__name__` is "__main__" in the command

USAGE_ERROR = 2

_OPEN = contextlib.ExitStack()
"""Holds the precision scope open in the process of the suite, until that ends."""


def namespace_named(text: str) -> Any:
    """The namespace of the backend that a name stands for, in a process of its own.

    Float64 arrays stay what they are from here on, in this thread.
    """
    subject = Subject(selector_named(text))
    _OPEN.enter_context(subject.precision(np.zeros((), subject.dtypes[0])))
    return subject.backend.namespace


def hand_over(name: str, folder: str | Path, *options: str) -> int:
    """Run the tests in a clone of array-api-tests on a backend's namespace; gives pytest's code.

    Parameters
    ----------
    name : str
        As on the command line: `"torch"`, `"jax(jit=False)"`.
    folder : path
        The clone.
    options : str
        Of pytest.

    Raises
    ------
    ValueError
        If the folder holds no array-api-tests, or the name cannot be read.
    polylux.errors.BackendError
        If there is no such backend, or it cannot run here.
    """
    selector_named(name)  # tells a mistake here, and not in the middle of pytest
    folder = Path(folder)
    if not (folder / "array_api_tests").is_dir():
        raise ValueError(
            f"{str(folder)!r} is no clone of array-api-tests; make one by `git clone --recursive "
            "https://github.com/data-apis/array-api-tests`"
        )
    script = f"from {MODULE} import namespace_named; xp = namespace_named({name!r})"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "array_api_tests", *options],
        cwd=folder, check=False, env={**os.environ, "ARRAY_API_TESTS_MODULE": f"exec('{script}')"},
    )  # fmt: skip
    return done.returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit code is pytest's, or 2 for a wrong command."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) < 2:
        return _mistake("name a backend and the folder of array-api-tests")
    try:
        return hand_over(*given)
    except (PolyluxError, ValueError) as error:
        return _mistake(str(error))


def _mistake(text: str) -> int:
    sys.stderr.write(f"Error: {text}\n")
    return USAGE_ERROR


if __name__ == "__main__":
    sys.exit(main())
