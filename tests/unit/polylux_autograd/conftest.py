"""Checks of derivatives against central differences, shared by the tests of this folder."""

import numpy as np
import pytest

pytest.importorskip("autograd")

import polylux_autograd.array_api as xp
from polylux_autograd._tracing import linearize, pullback, pushforward

# central differences: truncation h**2 f''' and rounding eps / h meet near eps**(1/3)
STEP = 1e-5
FIRST = 2e-8
SECOND = 2e-7


def _tuple(out):
    return tuple(out) if isinstance(out, (tuple, list)) else (out,)


def _inner(a, b):
    return sum(float(np.sum(np.asarray(x) * np.asarray(y))) for x, y in zip(a, b, strict=True))


class Derivatives:
    """Central differences of one function at one point, along one seeded direction."""

    def __init__(self, f, arrays, seed=0):
        rng = np.random.default_rng(seed)
        self.f = lambda *leaves: _tuple(f(*leaves))
        self.x = [np.array(a, dtype=np.float64) for a in arrays]
        self.t = [rng.standard_normal(a.shape) for a in self.x]
        self.out = [np.asarray(o) for o in self.f(*map(xp.asarray, self.x))]
        self.v = [rng.standard_normal(o.shape) for o in self.out]

    def _shifted(self, h):
        return [x + h * t for x, t in zip(self.x, self.t, strict=True)]

    def along_t(self, h):
        """Central difference of the tuple-valued `h` along t."""
        up = [np.asarray(o) for o in h(*self._shifted(STEP))]
        down = [np.asarray(o) for o in h(*self._shifted(-STEP))]
        return [(a - b) / (2 * STEP) for a, b in zip(up, down, strict=True)]

    def plain(self, *leaves):
        return self.f(*map(xp.asarray, leaves))

    def gradient(self, *leaves):
        return pullback(self.f, leaves, tuple(self.v))[1]

    def slope_by_element(self):
        """d<v, f>/dx for every element of every argument."""
        slopes = []
        for i, x in enumerate(self.x):
            slope = np.zeros_like(x)
            for index in np.ndindex(x.shape):
                ends = []
                for h in (STEP, -STEP):
                    moved = [a.copy() for a in self.x]
                    moved[i][index] += h
                    ends.append(_inner(self.v, self.plain(*moved)))
                slope[index] = (ends[0] - ends[1]) / (2 * STEP)
            slopes.append(slope)
        return slopes


def _close(got, expected, tolerance):
    for a, b in zip(got, expected, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape
        scale = max(1.0, float(np.max(np.abs(b), initial=0)))
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale)


class Checks:
    """One method for each way of differentiating."""

    @staticmethod
    def reverse(f, arrays):
        d = Derivatives(f, arrays)
        _close(d.gradient(*d.x), d.slope_by_element(), FIRST)

    @staticmethod
    def forward(f, arrays):
        d = Derivatives(f, arrays)
        values, tangents = pushforward(d.f, d.x, d.t)
        _close(values, d.out, 1e-13)
        _close(tangents, d.along_t(d.plain), FIRST)

    @staticmethod
    def adjoint(f, arrays):
        d = Derivatives(f, arrays, seed=1)
        forward = _inner(pushforward(d.f, d.x, d.t)[1], d.v)
        reverse = _inner(d.gradient(*d.x), d.t)
        # 1e-11: rounding of a few hundred products
        assert forward == pytest.approx(reverse, rel=1e-11, abs=1e-11)

    @staticmethod
    def second(f, arrays):
        d = Derivatives(f, arrays, seed=2)
        expected = d.along_t(d.gradient)
        _close(pushforward(d.gradient, d.x, d.t)[1], expected, SECOND)
        _close(pullback(d.gradient, d.x, tuple(d.t))[1], expected, SECOND)

        def tangent(*leaves):
            return pushforward(d.f, leaves, d.t)[1]

        _close(pullback(tangent, d.x, tuple(d.v))[1], expected, SECOND)

    @staticmethod
    def float32(f, arrays):
        x = [np.array(a, dtype=np.float32) for a in arrays]
        outputs, pull = linearize(lambda *leaves: _tuple(f(*leaves)), x)
        assert {o.dtype for o in outputs} == {np.dtype("float32")}
        gradients = pull(tuple(np.ones(o.shape, np.float32) for o in outputs))
        assert {g.dtype for g in gradients} == {np.dtype("float32")}
        tangents = pushforward(lambda *leaves: _tuple(f(*leaves)), x, x)[1]
        assert {t.dtype for t in tangents} == {np.dtype("float32")}


@pytest.fixture(params=["reverse", "forward", "adjoint", "second", "float32"])
def check(request):
    """A check of a function's derivatives, `check(f, arrays)`, in each way of differentiating."""
    return getattr(Checks, request.param)
