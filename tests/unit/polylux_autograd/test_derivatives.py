"""Derivatives of the namespace's functions, but for linear algebra, against central differences."""

import numpy as np
import pytest

pytest.importorskip("autograd")

import polylux_autograd.array_api as xp

rng = np.random.default_rng(20241)
ANY = rng.uniform(-2, 2, (2, 3))
UNIT = rng.uniform(-0.9, 0.9, (2, 3))
POSITIVE = rng.uniform(0.5, 2.5, (2, 3))
OTHER = rng.uniform(0.5, 2.5, (2, 3)) + 0.013
ROW = rng.uniform(0.5, 2.0, (3,))
COLUMN = rng.uniform(0.5, 2.0, (2, 1))
SCALAR = np.array(1.3)
CUBE = rng.uniform(-2, 2, (2, 3, 4))
ZEROS = np.array([[1.5, 0.0, -0.7], [0.0, 2.0, 0.0]])

UNARY = {
    "abs": ANY, "acos": UNIT, "acosh": POSITIVE + 1, "asin": UNIT, "asinh": ANY, "atan": ANY,
    "atanh": UNIT, "conj": ANY, "cos": ANY, "cosh": ANY, "exp": ANY, "expm1": ANY,
    "log": POSITIVE, "log10": POSITIVE, "log1p": UNIT, "log2": POSITIVE, "negative": ANY,
    "positive": ANY, "real": ANY, "reciprocal": POSITIVE, "sin": ANY, "sinh": ANY,
    "sqrt": POSITIVE, "square": ANY, "tan": UNIT, "tanh": ANY,
}
BINARY = ["add", "atan2", "divide", "hypot", "logaddexp", "maximum", "minimum", "multiply", "pow",
          "remainder", "subtract"]
PAIRS = {
    "equal shapes": (POSITIVE, OTHER),
    "row": (POSITIVE, ROW),
    "column first": (COLUMN, OTHER),
    "scalar": (SCALAR, OTHER),
    "both broadcast": (COLUMN, ROW),
}
INDEX = np.array([2, 0, 0, 1])
MASK = ANY > 0
PLACES = rng.integers(0, 3, (2, 5, 4))

CASES = {
    "copysign": (lambda x, y: xp.copysign(x, y), (ANY, ANY[::-1].copy())),
    "clip": (lambda x: xp.clip(x, -1.0, 0.5), (ANY,)),
    "clip by arrays": (lambda x, lo, hi: xp.clip(x, lo, hi), (ANY, ROW - 2.5, COLUMN)),
    "clip below only": (lambda x: xp.clip(x, min=0.1), (ANY,)),
    "python exponent": (lambda x: x**3 + x**-2 + x**0.5, (POSITIVE,)),
    "python base": (lambda x: 2.5**x, (ANY,)),
    "operators": (lambda x, y: (-x + y * 2 - 1) / (3 - x) + abs(x) + (+y) % 0.7, (ANY, OTHER)),
    "reflected operators": (lambda x: 2 / x + 3 - x + 2 * x + (1 - x), (POSITIVE,)),
    "numpy partner": (
        lambda x: np.full((2, 3), 2, x.dtype) * x + np.arange(3) - x / np.float64(3), (ANY,)),
    "integer partner": (lambda x: x * xp.asarray([1, 2, 3]) + xp.asarray(True), (ANY,)),
    "in place": (lambda x, y: _in_place(x, y), (ANY, ROW)),
    "sum": (lambda x: xp.sum(x), (ANY,)),
    "sum axis": (lambda x: xp.sum(x * x, axis=1), (CUBE,)),
    "sum axes kept": (lambda x: xp.sum(x * x, axis=(0, -1), keepdims=True), (CUBE,)),
    "sum dtype": (lambda x: xp.sum(x * x, dtype=x.dtype), (ANY,)),
    "mean": (lambda x: xp.mean(x * x), (ANY,)),
    "mean axis": (lambda x: xp.mean(x * x, axis=(0, 2)), (CUBE,)),
    "var": (lambda x: xp.var(x), (ANY,)),
    "var correction": (lambda x: xp.var(x, axis=1, correction=1), (CUBE,)),
    "std": (lambda x: xp.std(x), (ANY,)),
    "std correction": (lambda x: xp.std(x, axis=-1, correction=1.0, keepdims=True), (CUBE,)),
    "max": (lambda x: xp.max(x * x), (ANY,)),
    "max axis": (lambda x: xp.max(x, axis=1), (CUBE,)),
    "min axes": (lambda x: xp.min(x, axis=(0, 2), keepdims=True), (CUBE,)),
    "prod": (lambda x: xp.prod(x), (ANY,)),
    "prod axis": (lambda x: xp.prod(x, axis=1), (CUBE,)),
    "prod axes kept": (lambda x: xp.prod(x, axis=(0, -1), keepdims=True), (CUBE,)),
    "prod with zeros": (lambda x: xp.prod(x, axis=1), (ZEROS,)),
    "cumulative_sum": (lambda x: xp.cumulative_sum(x * x, axis=1), (CUBE,)),
    "cumulative_sum initial": (
        lambda x: xp.cumulative_sum(x * x, axis=0, include_initial=True), (CUBE,)),
    "cumulative_sum 1-d": (lambda x: xp.cumulative_sum(x), (ROW,)),
    "cumulative_prod": (lambda x: xp.cumulative_prod(x, axis=-1), (CUBE,)),
    "cumulative_prod zeros": (
        lambda x: xp.cumulative_prod(x, axis=1, include_initial=True), (ZEROS,)),
    "diff": (lambda x: xp.diff(x * x), (CUBE,)),
    "diff twice": (lambda x, a: xp.diff(x * x, n=2, axis=0, prepend=a, append=a), (ANY, ANY)),
    "where": (lambda x, y: xp.where(xp.asarray(MASK), x * x, y), (ANY, OTHER)),
    "where broadcast": (lambda x, y: xp.where(xp.asarray(MASK), x * x, y), (ROW, COLUMN)),
    "where scalar": (lambda x: xp.where(x > 0, x * x, 1.0), (ANY,)),
    "broadcast_to": (lambda x: xp.broadcast_to(x * x, (4, 2, 3)), (ANY,)),
    "broadcast_arrays": (lambda x, y: xp.broadcast_arrays(x * x, y), (COLUMN, ROW)),
    "meshgrid": (lambda x, y: xp.meshgrid(x * x, y), (ROW, COLUMN[:, 0])),
    "meshgrid ij": (lambda x, y: xp.meshgrid(x * x, y, indexing="ij"), (ROW, COLUMN[:, 0])),
    "concat": (lambda x, y: xp.concat([x * x, y, x], axis=1), (ANY, COLUMN)),
    "concat flat": (lambda x, y: xp.concat([x * x, y], axis=None), (ANY, ROW)),
    "stack": (lambda x, y: xp.stack([x * x, y], axis=-1), (ANY, OTHER)),
    "unstack": (lambda x: xp.unstack(x * x, axis=1), (CUBE,)),
    "expand_dims": (lambda x: xp.expand_dims(x * x, axis=-2), (ANY,)),
    "squeeze": (lambda x: xp.squeeze(x * x, axis=1), (COLUMN,)),
    "flip": (lambda x: xp.flip(x * x, axis=1), (CUBE,)),
    "flip all": (lambda x: xp.flip(x * x), (CUBE,)),
    "roll": (lambda x: xp.roll(x * x, (1, -2), axis=(0, 2)), (CUBE,)),
    "roll flat": (lambda x: xp.roll(x * x, 2), (ANY,)),
    "moveaxis": (lambda x: xp.moveaxis(x * x, (0, 1), (-1, 0)), (CUBE,)),
    "permute_dims": (lambda x: xp.permute_dims(x * x, (2, 0, 1)), (CUBE,)),
    "reshape": (lambda x: xp.reshape(x * x, (4, -1)), (CUBE,)),
    "repeat": (lambda x: xp.repeat(x * x, 2, axis=-1), (CUBE,)),
    "repeat flat": (lambda x: xp.repeat(x * x, 2), (ANY,)),
    "repeat array": (lambda x: xp.repeat(x * x, xp.asarray([2, 0, 3]), axis=1), (CUBE,)),
    "tile": (lambda x: xp.tile(x * x, (2, 1, 3)), (ANY,)),
    "tile short": (lambda x: xp.tile(x * x, (2,)), (CUBE,)),
    "tril": (lambda x: xp.tril(x * x, k=1), (CUBE,)),
    "triu": (lambda x: xp.triu(x * x), (CUBE,)),
    "take": (lambda x: xp.take(x * x, xp.asarray(INDEX), axis=1), (CUBE,)),
    "take negative": (lambda x: xp.take(x * x, xp.asarray([-1, 1, 2]), axis=2), (CUBE,)),
    "take once": (lambda x: xp.take(x * x, xp.asarray([2, 0])), (ROW,)),
    "take_along_axis": (
        lambda x: xp.take_along_axis(x * x, xp.asarray(PLACES), axis=1),
        (CUBE,)),
    "index integer": (lambda x: (x * x)[1], (CUBE,)),
    "index slices": (lambda x: (x * x)[:, ::-2, None, 1:], (CUBE,)),
    "index ellipsis": (lambda x: (x * x)[..., 0], (CUBE,)),
    "index mask": (lambda x: (x * x)[xp.asarray(MASK)], (ANY,)),
    "index arrays": (lambda x: (x * x)[xp.asarray([1, 1, 0]), xp.asarray([2, 2, 0])], (ANY,)),
    "index array and int": (lambda x: (x * x)[1, xp.asarray([[0, 2], [2, 2]]), 3], (CUBE,)),
    "sort": (lambda x: xp.sort(x * x, axis=1), (CUBE,)),
    "sort descending": (lambda x: xp.sort(x * x, axis=0, descending=True), (ANY,)),
    "unique_values": (lambda x: xp.unique_values(x), (ANY,)),
    "asarray copy": (lambda x: xp.asarray(x * x, copy=True), (ANY,)),
    "asarray of scalars": (lambda x: xp.asarray([x[0, 0] * 2, x[1, 1]]), (ANY,)),
    "full": (lambda x: xp.full((2, 2), x * x), (SCALAR,)),
    "matmul": (lambda x, y: x @ y, (ANY, CUBE[0])),
    "matmul batched": (lambda x, y: xp.matmul(x, y), (CUBE, CUBE.reshape(2, 4, 3))),
    "matmul broadcast": (lambda x, y: xp.matmul(x, y), (ANY, CUBE)),
    "matmul vectors": (lambda x, y: x @ y, (ROW, ROW + 0.3)),
    "matmul matrix vector": (lambda x, y: x @ y, (ANY, ROW)),
    "matmul vector matrix": (lambda x, y: x @ y, (ROW, CUBE)),
    "matmul batch vector": (lambda x, y: x @ y, (CUBE, CUBE[0, 0])),
    "matrix_transpose": (lambda x: xp.matrix_transpose(x * x), (CUBE,)),
    "attribute mT": (lambda x: (x * x).mT @ x, (CUBE,)),
    "attribute T": (lambda x: (x * x).T @ x, (ANY,)),
    "vecdot": (lambda x, y: xp.vecdot(x, y, axis=-2), (CUBE, CUBE[:, :, ::-1].copy())),
    "vecdot broadcast": (lambda x, y: xp.vecdot(x, y), (ANY, ROW)),
    "tensordot": (lambda x, y: xp.tensordot(x, y, axes=2), (CUBE, CUBE[0])),
    "tensordot pairs": (
        lambda x, y: xp.tensordot(x, y, axes=((0, 1), (0, 1))), (CUBE, ANY)),
    "tensordot outer": (lambda x, y: xp.tensordot(x, y, axes=0), (ROW, ANY)),
    "fft": (lambda x: _parts(xp.fft.fft(x * x, n=5)), (ROW,)),
    "ifft": (lambda x: _parts(xp.fft.ifft(x * x, axis=0, norm="ortho")), (ANY,)),
    "fftn": (lambda x: _parts(xp.fft.fftn(x * x)), (ANY,)),
    "ifftn": (lambda x: _parts(xp.fft.ifftn(x, s=(3, 2), axes=(0, 2))), (CUBE,)),
    "rfft": (lambda x: _parts(xp.fft.rfft(x * x, norm="forward")), (CUBE,)),
    "irfft": (lambda x: xp.fft.irfft(xp.fft.rfft(x * x, axis=1) ** 2, axis=1), (CUBE,)),
    "irfft odd": (lambda x: xp.fft.irfft(xp.fft.rfft(x * x) ** 2, n=3), (ANY,)),
    "rfftn": (lambda x: _parts(xp.fft.rfftn(x * x)), (CUBE,)),
    "irfftn": (lambda x: xp.fft.irfftn(xp.fft.rfftn(x) ** 2), (CUBE,)),
    "hfft": (lambda x: xp.fft.hfft(xp.fft.ifft(x * x)), (CUBE,)),
    "ihfft": (lambda x: _parts(xp.fft.ihfft(x * x)), (CUBE,)),
    "fftshift": (lambda x: xp.fft.fftshift(x * x), (CUBE,)),
    "ifftshift": (lambda x: xp.fft.ifftshift(x * x, axes=1), (CUBE,)),
    "complex abs": (lambda x, y: xp.abs(x + 1j * y), (ANY, OTHER)),
    "complex product": (lambda x, y: _parts(xp.conj((x + y * 1j) ** 2) / (y - 1j)), (ANY, OTHER)),
}


def _in_place(x, y):
    kept = x
    x += y
    x *= 2.0
    return x - kept


def _parts(z):
    return xp.real(z), xp.imag(z)


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_array(check, name):
    check(getattr(xp, name), (UNARY[name],))


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_arrays(check, name, pair):
    check(getattr(xp, name), PAIRS[pair])


@pytest.mark.parametrize("name", CASES)
def test_composed_and_shaping_functions(check, name):
    f, arrays = CASES[name]
    check(f, arrays)
