"""Work in processes of their own: for settings that a process cannot change, and for its memory."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from polylux_benchmarks._timing import Measurement, Pair

KEEPS_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**60)}
"""Lets a process of glibc's keep what it frees. By default large arrays go back to the system at
once, to be asked for again and cleared page by page in the next call. That took 500 ms of the 700
of an eager step of 1e8 parameters, on either side, and at random twice as much."""


def in_child(function: str, *arguments: Any, environment: Mapping[str, str] | None = None) -> Any:
    """What `function(*arguments)` returns in a new process.

    Parameters
    ----------
    function : str
        `"module:name"`, below this package.
    *arguments
        Ready for JSON, as is the result.
    environment : mapping, optional
        Variables to be set.

    Raises
    ------
    RuntimeError
        If the process fails; with what it wrote.
    """
    done = subprocess.run(
        [sys.executable, "-m", "polylux_benchmarks._children", function, json.dumps(arguments)],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{function}{arguments} failed in a process of its own:\n{done.stderr}")
    # Frameworks write to the output too; the result is its last line.
    return json.loads(done.stdout.splitlines()[-1])


@dataclasses.dataclass(frozen=True)
class Remote:
    """A pair that is made and timed in a process of its own.

    Attributes
    ----------
    suite, name, backend, setting : str
        As of the pair.
    make : str
        `"module:name"` of a function that returns the pair.
    arguments : tuple
        Its arguments, ready for JSON.
    environment : mapping
        Variables that are set in the process.
    """

    suite: str
    name: str
    backend: str
    setting: str
    make: str
    arguments: tuple[Any, ...]
    environment: Mapping[str, str]

    def measured(self, pairs: int, repeats: int) -> Measurement:
        """What comes out of `repeats` times `pairs` pairs there."""
        found = in_child(
            "_children:measured", self.make, self.arguments, pairs, repeats,
            environment=self.environment,
        )  # fmt: skip
        return Measurement(**found)


def measured(make: str, arguments: list[Any], pairs: int, repeats: int) -> dict[str, Any]:
    """The other side of `Remote.measured`."""
    pair = _named(make)(*arguments)
    assert isinstance(pair, Pair)
    return dataclasses.asdict(pair.measured(pairs, repeats))


def _named(function: str) -> Any:
    module, name = function.split(":")
    return getattr(importlib.import_module(f"polylux_benchmarks.{module}"), name)


def _answer(function: str, arguments: str) -> None:
    result = json.dumps(_named(function)(*json.loads(arguments)))
    sys.stdout.write(f"\n{result}\n")


if __name__ == "__main__":
    _answer(*sys.argv[1:])
