"""How large an error may be, in units in the last place: one table, by dtype and by accuracy."""

from __future__ import annotations

from polylux.backend import Accuracy

EPSILON = {
    # Distance from 1 to the next number.
    "float64": 2.0**-52,
    "float32": 2.0**-23,
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
}

SMALLEST = {
    # Smallest normal number: below it a unit in the last place has one fixed size.
    "float64": 2.0**-1022,
    "float32": 2.0**-126,
    "float16": 2.0**-14,
    "bfloat16": 2.0**-126,
}

ULPS = {
    # A scenario of condition 1 is a chain of at most some eight operations. Additions, products
    # and roots err by half a unit each, library functions (exp, log, tanh) by up to four.
    "float64": 16.0,
    "float32": 16.0,
    # Computed in float32 and rounded once or twice, so only the last roundings are seen.
    "float16": 4.0,
    "bfloat16": 4.0,
}

# A central difference with the step h = epsilon**(1/3) * s errs by h**2 / 6 * |f'''| from
# truncation and by epsilon * |f| / h from rounding; both are epsilon**(2/3) times what a scenario
# states as its condition. 32 leaves room for a step that is off the best one by a factor of 4.
TRUNCATION = 32.0


def allowed_ulps(
    dtype: str, condition: float, accuracy: Accuracy, *, is_derivative: bool = False
) -> float:
    """The largest error that passes, in units in the last place of `dtype`.

    Parameters
    ----------
    dtype : str
        Such as `"float64"`.
    condition : float
        How much larger the scenario makes an error of its input, or how much longer than eight
        operations its chain is; at least 1.
    accuracy : Accuracy
        What the backend declares: of the dtype for values, of its derivatives for derivatives.
    is_derivative : bool
        Whether a truncated backend may err by its truncation here.

    Examples
    --------
    >>> from polylux.backend import Accuracy
    >>> allowed_ulps("float64", 2.0, Accuracy.EXACT)
    32.0
    """
    if accuracy is Accuracy.NOMINAL and dtype == "float64":
        return ULPS["float32"] * EPSILON["float32"] / EPSILON["float64"] * condition
    if accuracy is Accuracy.TRUNCATED and is_derivative:
        return float(TRUNCATION * EPSILON[dtype] ** (-1 / 3) * condition)
    return ULPS[dtype] * condition
