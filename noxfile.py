"""Development sessions: `nox -l` lists them, `nox -s lint types tests` is what a change needs."""

from __future__ import annotations

import pathlib
import re
import tomllib

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "virtualenv"

HERE = pathlib.Path(__file__).parent
PINS = ("-c", str(HERE / "constraints.txt"))
FRAMEWORKS = ("torch", "jax", "autograd")
# Tests build wheels offline with hatchling, and run array code on the strict namespace.
TEST_TOOLS = ("array-api-strict", "hatchling", "numpydoc")
# A file's tests stay together: they share what is compiled.
IN_PARALLEL = ("-n", "2", "--dist", "loadfile")
# Tests of a framework that is absent are skipped; without this option they fail.
SKIP_ABSENT = "--absent-framework=skip"


@nox.session
def lint(session: nox.Session) -> None:
    """Style and likely bugs (ruff), and that imports run downhill (import-linter)."""
    session.install(*PINS, "-e", ".", "ruff", "import-linter")
    session.run("ruff", "check")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Types of the five packages, strictly (mypy)."""
    session.install(*PINS, "-e", ".[all,demo,conformance]", "mypy")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Every test, with every framework, at the pinned versions."""
    session.install(*PINS, "-e", ".[dev]")
    session.run("python", "-m", "pytest", *IN_PARALLEL, *session.posargs)


@nox.session
def core(session: nox.Session) -> None:
    """The core and its errors where no framework is installed."""
    _install_for_tests(session, "conformance")
    for framework in FRAMEWORKS:
        session.run("python", "-c", f"import {framework}", silent=True, success_codes=[1])
    session.run("python", "-m", "pytest", SKIP_ABSENT, *session.posargs)


@nox.session
@nox.parametrize("framework", FRAMEWORKS, ids=FRAMEWORKS)
def backend(session: nox.Session, framework: str) -> None:
    """Each backend where its framework is the only one."""
    _install_for_tests(session, f"{framework},conformance")
    session.run("python", "-m", "pytest", SKIP_ABSENT, *session.posargs)


@nox.session
def minimum(session: nox.Session) -> None:
    """Every test at the lowest versions that `pyproject.toml` allows of what users install."""
    bounds = _lower_bounds("torch", "jax", "autograd", "demo")
    pins = pathlib.Path(session.create_tmp()) / "minimum.txt"
    pins.write_text("".join(f"{name}=={version}\n" for name, version in bounds.items()))
    tested_with = ("pytest", "hypothesis", "mpmath", *TEST_TOOLS)
    tools = [line for line in _pins() if line.partition("==")[0] in tested_with]
    session.install("-c", str(pins), "-e", ".[all,demo,conformance]", *tools)
    session.run("python", "-m", "pip", "freeze")
    session.run("python", "-m", "pytest", SKIP_ABSENT, *session.posargs)


@nox.session
def third_party(session: nox.Session) -> None:
    """A stranger's plugin, built and installed as a stranger would, next to polylux's own wheel."""
    _install_for_tests(session, "conformance", editable=False)
    session.install(*PINS, "./tests/third_party")
    session.run("python", "-m", "pytest", "tests/third_party", SKIP_ABSENT, *session.posargs)


@nox.session
def distribution(session: nox.Session) -> None:
    """The sdist, and the wheel built from it, as they would be uploaded."""
    session.install(*PINS, "build")
    session.run("python", "-m", "build", "--outdir", session.create_tmp())


@nox.session
def conformance(session: nox.Session) -> None:
    """The whole suite on every backend; rewrites docs/support.md and leaves a page to look at."""
    session.install(*PINS, "-e", ".[all,conformance]")
    place = pathlib.Path(session.create_tmp())
    names = session.posargs or [*FRAMEWORKS, "jax(jit=False)", "finitediff"]
    session.run(
        "python", "-m", "polylux_conformance", *names, "--level", "all",
        "--json", str(place / "conformance.json"), "--html", str(place / "conformance.html"),
        "--support", str(HERE / "docs" / "support.md"),
    )  # fmt: skip


@nox.session(venv_backend="none")
def picture(session: nox.Session) -> None:
    """Screenshots of the conformance page, light and dark, by Debian's headless chromium."""
    page = pathlib.Path(session.posargs[0] if session.posargs else "conformance.html").resolve()
    for theme, flag in (("light", ()), ("dark", ("--force-dark-mode",))):
        session.run(
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--window-size=1280,1600", *flag, f"--screenshot={page.with_suffix('')}-{theme}.png",
            page.as_uri(), external=True,
        )  # fmt: skip


def _install_for_tests(session: nox.Session, extras: str, *, editable: bool = True) -> None:
    """Install polylux with some extras, and the tools of its tests that need no framework."""
    source = f"{HERE}[{extras}]"
    session.install(*PINS, *(["-e"] if editable else []), source, *TEST_TOOLS)


def _lower_bounds(*extras: str) -> dict[str, str]:
    """Lowest version of each dependency of the core and of these extras."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    requirements = list(project["dependencies"])
    for extra in extras:
        requirements += project["optional-dependencies"][extra]
    bounds = {}
    for requirement in requirements:
        name, bound, version = requirement.partition(">=")
        if not bound or not re.fullmatch(r"[\d.]+", version):
            raise ValueError(f"pyproject.toml: write {requirement!r} as 'name>=version'")
        bounds[name] = version
    return bounds


def _pins() -> list[str]:
    lines = (HERE / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]
