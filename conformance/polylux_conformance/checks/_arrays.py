"""Checks of arrays in and out of a backend: every dtype, shape and layout, and no shared memory."""

from __future__ import annotations

from typing import Any

import numpy as np

import polylux
from polylux.backend import Accuracy
from polylux.errors import DTypeError
from polylux_conformance._check import Check
from polylux_conformance._findings import Findings
from polylux_conformance._subject import Subject

Host = np.ndarray[Any, Any]

_SPECIAL = [0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan, 1e-45, 3e38]


def _hosts(subject: Subject) -> dict[str, Host]:
    """Host arrays by what is special about them; all can be represented."""
    rng = np.random.default_rng(4)
    found: dict[str, Host] = {
        f"{dtype} special values": np.asarray(_SPECIAL, dtype) for dtype in subject.dtypes
    }
    for dtype in subject.dtypes:
        plain = rng.normal(size=(3, 4)).astype(dtype)
        found |= {
            f"{dtype} 0-d": np.asarray(1.5, dtype),
            f"{dtype} empty": np.zeros((0, 3), dtype),
            f"{dtype} one entry": np.full((1, 1, 1), -7, dtype),
            f"{dtype} Fortran order": np.asfortranarray(plain),
            f"{dtype} transposed": plain.T,
            f"{dtype} every second": plain[::2, ::2],
            f"{dtype} backwards": plain[::-1, ::-1],
            f"{dtype} broadcast": np.broadcast_to(plain[0], (3, 4)),
            f"{dtype} five axes": rng.normal(size=(1, 2, 3, 2, 1)).astype(dtype),
            f"{dtype} a page": rng.normal(size=5000).astype(dtype),
        }
    if "float64" in subject.dtypes and subject.backend.float64 is Accuracy.EXACT:
        found["float64 digits"] = np.asarray([1 + 2.0**-52, np.pi, 1e300, 5e-324])
    for integer in ("int32", "int16", "int8", "uint8"):
        limits = np.iinfo(integer)
        found[f"{integer} limits"] = np.asarray([limits.min, 0, 1, limits.max], integer)
    found["int64"] = np.asarray([-3, 0, 2**31 - 1], np.int64)
    found["bool"] = np.asarray([[True, False], [False, True]])
    return found


def _round_trip(subject: Subject, findings: Findings) -> None:
    for about, host in _hosts(subject).items():
        (own,) = subject.own(host)
        findings.true(
            "the array's owner", subject.owns(own), expected=subject.backend.name,
            found=type(own).__name__, point=about,
        )  # fmt: skip
        back = polylux.to_host(own)
        findings.true("the type of to_host", isinstance(back, np.ndarray), expected="numpy.ndarray",
                      found=type(back).__name__, point=about)  # fmt: skip
        expected = host
        if about == "int64" and np.asarray(back).dtype == np.int32:
            expected = host.astype(np.int32)  # where int64 becomes int32, in range
        findings.exactly("there and back", back, expected, point=about)
        if host.dtype.kind == "f":
            signs = np.signbit(np.asarray(back))
            findings.true(
                "signs of zeros", bool(np.all((signs == np.signbit(host)) | np.isnan(host))),
                expected="kept", found=str(signs.reshape(-1)[:9].tolist()), point=about,
            )  # fmt: skip
        findings.true("the shape", tuple(own.shape) == host.shape, expected=str(host.shape),
                      found=tuple(own.shape), point=about)  # fmt: skip


def _several_at_once(subject: Subject, findings: Findings) -> None:
    """Order and number of arrays are kept in every method that takes several."""
    hosts = [np.full((k,), k, subject.dtypes[k % len(subject.dtypes)]) for k in range(1, 6)]
    backend, selector = subject.backend, subject.selector
    with subject.precision(*hosts):
        own = list(backend.from_host(hosts, selector))
        for name, moved in (
            ("from_host", own),
            ("copy", backend.copy(own, selector)),
            ("to_device", backend.to_device(own, selector)),
            ("to_host", backend.to_host(own)),
        ):
            findings.true(f"{name}: number of arrays", len(moved) == 5, expected="5",
                          found=len(moved))  # fmt: skip
            for k, (found, host) in enumerate(zip(moved, hosts, strict=False)):
                findings.exactly(f"{name}: array {k}", found, host)
        for name, found in (
            ("from_host", backend.from_host([], selector)), ("to_host", backend.to_host([])),
            ("copy", backend.copy([], selector)), ("to_device", backend.to_device([], selector)),
        ):  # fmt: skip
            findings.true(f"{name} of nothing", len(found) == 0, expected="no array", found=found)


def _integers_out_of_range(subject: Subject, findings: Findings) -> None:
    large = np.asarray([2**40 + 1, -(2**35)], np.int64)
    try:
        (own,) = subject.own(large)
    except DTypeError as error:
        findings.true("an error of ours", True, expected="DTypeError", found=str(error))
        return
    findings.exactly("a large integer", polylux.to_host(own), large)


def _nothing_is_shared(subject: Subject, findings: Findings) -> None:
    backend, selector = subject.backend, subject.selector
    for dtype in subject.dtypes:
        for size in (1, 3, 64, 5000):
            host = np.arange(1, size + 1).astype(dtype)
            kept = host.copy()
            point = f"{dtype}, {size} entries"
            with subject.precision(host):
                (own,) = backend.from_host([host], selector)
                host[...] = -1
                findings.exactly("from_host, after a write to the host array", own, kept,
                                 point=point)  # fmt: skip
                (copied,) = backend.copy([own], selector)
                a, b = backend.to_host([own])[0], backend.to_host([copied])[0]
            findings.exactly("copy", copied, kept, point=point)
            findings.true("copy", not np.shares_memory(a, b), expected="memory of its own",
                          found="shared memory", point=point)  # fmt: skip
            back = polylux.to_host(own)
            if back is not own and back.flags.writeable:
                back[...] = -2
                findings.exactly("the array, after a write to what to_host gave", own, kept,
                                 point=point)  # fmt: skip
            with subject.precision(own):
                if backend.overwrite(copied, own * 0):
                    findings.exactly("overwrite", copied, kept * 0, point=point)
                    findings.exactly("the original, after overwrite of its copy", own, kept,
                                     point=point)  # fmt: skip


def _namespaces(subject: Subject, findings: Findings) -> None:
    """One namespace, for plain and for traced values, which makes arrays of the backend."""
    backend = subject.backend
    seen: list[Any] = []

    def f(x: Any) -> Any:
        seen.append((polylux.array_namespace(x), backend.owns(type(x)), x.shape, x.ndim))
        return polylux.array_namespace(x).sum(x * x)

    for dtype in subject.dtypes:
        host = np.ones((2, 3), dtype)
        (own,) = subject.own(host)
        numpy_too = backend.owns(np.ndarray)
        names = {getattr(n, "__name__", "") for n in (backend.namespace,)}
        found = polylux.array_namespace(own)
        findings.true("array_namespace of an array",
                      found is backend.namespace or (numpy_too and found.__name__ in names),
                      expected="the backend's namespace", found=found)  # fmt: skip
        polylux.value_and_gradient(f, subject.selector, host)
        for xp, owned, shape, ndim in seen:
            findings.true("array_namespace of a traced value", xp is found,
                          expected="the backend's namespace", found=xp)  # fmt: skip
            findings.true("owns a traced value", owned, expected="True", found=owned)
            findings.true("shape of a traced value", (tuple(shape), ndim) == ((2, 3), 2),
                          expected="(2, 3)", found=tuple(shape))  # fmt: skip
        with subject.precision(host):
            made = backend.namespace.zeros((2,), dtype=backend.dtype(dtype))
        findings.exactly("zeros of a dtype by name", made, np.zeros(2, dtype), point=dtype)
    findings.true("owns a string", not backend.owns(str), expected="False", found="True")
    findings.true("owns a float", not backend.owns(float), expected="False", found="True")


def _devices(subject: Subject, findings: Findings) -> None:
    backend = subject.backend
    a, b = subject.own(np.ones(2, np.float32), np.zeros((), np.float32))
    findings.true("device", isinstance(backend.device(a), str), expected="a string",
                  found=backend.device(a))  # fmt: skip
    findings.true("two arrays of one selector", backend.device(a) == backend.device(b),
                  expected=backend.device(a), found=backend.device(b))  # fmt: skip
    moved = backend.to_device([a, b], subject.selector)
    findings.true("to_device of what is there", moved[0] is a and moved[1] is b,
                  expected="the same objects", found=[type(m).__name__ for m in moved])  # fmt: skip


_ALL = (
    ("there and back", "Arrays keep values, dtype and shape on their way in and out.", _round_trip),
    ("several at once", "Several arrays keep their number and order.", _several_at_once),
    ("integers out of range", "An integer that does not fit is an error, never another number.",
     _integers_out_of_range),
    ("nothing is shared", "No array that can be written to shares memory with another.",
     _nothing_is_shared),
    ("namespaces", "Plain and traced values have one namespace.", _namespaces),
    ("devices", "Devices can be compared, and what is there stays there.", _devices),
)  # fmt: skip

ARRAYS = tuple(Check(f"array/{name}", "core", about, body) for name, about, body in _ALL)
