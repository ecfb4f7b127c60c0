"""Normal quantiles, central differences and logarithmic grids, which several rooms need."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from actilaw.support.arrays import Floats, Ints


def two_sided_z(level: float) -> float:
    """Standard errors to either side of an estimate that hold it with probability `level`, in
    (0, 1): 1.96 for 0.95.
    """
    return float(ndtri((1 + level) / 2))


def central_difference(
    function: Callable[[Floats], ArrayLike], at: ArrayLike, steps: ArrayLike
) -> Floats:
    """Slopes of a function in each of its parameters, by differences to either side.

    Args:
        function: takes parameters (p,), returns an array of any shape.
        at: where; (p,).
        steps: how far to either side, for each parameter; (p,), or one number for all.

    Returns:
        (p, ...): for each parameter, an array of the function's shape.
    """
    at = np.asarray(at, float)
    steps = np.broadcast_to(np.asarray(steps, float), at.shape)
    slopes = [
        (np.asarray(function(at + shift)) - np.asarray(function(at - shift))) / (2 * step)
        for step, shift in zip(steps, np.diag(steps), strict=True)
    ]
    return np.array(slopes)


def log_grid(first: float, last: float, points: int = 120) -> Ints:
    """Whole numbers from first to last, evenly spaced in the logarithm; (n,), n <= points."""
    inner = np.rint(np.geomspace(first, last, points)[1:-1]).astype(np.int64)
    return np.unique([int(first), *inner, int(last)])  # 2⁶³ − 1 is no whole number among floats
