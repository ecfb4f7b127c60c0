"""The growth of K with the size of the training set: the law's K/N = 1 − (1 + D/D*)^(−b), fitted by
least squares to networks that were trained on different amounts of data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

LEAST_RISE = 0.2  # of K/N over the grid, below which no growth is seen
LEAST_SIZES = 4  # of training sets, two more than the fit has parameters
LOG_B_BOUNDS = (-12.0, 6.0)
KNEE_REACH = 25.0  # of log D* to either side of the middle of the sizes
MOST_LOG_SE = 1.0  # of log b, beyond which b is not determined


@dataclass(frozen=True)
class Growth:
    """The law nearest to shares of working units.

    Attributes:
        b: its exponent; NaN where the shares do not determine it: the fit ended at a bound of the
            search, or the standard error of log b is above `MOST_LOG_SE`.
        inflection: D*/b, which is determined even where b is not, since the law then has a limit.
    """

    b: float
    inflection: float


def fit_growth(samples: np.ndarray, share: np.ndarray) -> Growth | None:
    """The law nearest to shares; None where there are too few sizes or K/N hardly rises.

    Args:
        samples: D, each once; (n,).
        share: K/N, in the mean over seeds; (n,).
    """
    if samples.size < LEAST_SIZES or np.ptp(share) < LEAST_RISE:
        return None

    def residuals(parameters: np.ndarray) -> np.ndarray:
        b, knee = np.exp(parameters)
        return -np.expm1(-b * np.log1p(samples / knee)) - share

    middle = np.log(np.median(samples))
    starts = [(log_b, middle + shift) for log_b in (-2.0, 0.0, 1.0) for shift in (-4.0, 0.0, 4.0)]
    low, high = zip(LOG_B_BOUNDS, (middle - KNEE_REACH, middle + KNEE_REACH), strict=True)
    fits = [least_squares(residuals, start, bounds=(low, high)) for start in starts]
    best = min(fits, key=lambda found: found.cost)
    b, knee = np.exp(best.x)
    is_known = (
        not best.active_mask.any() and _log_b_se(np.asarray(best.jac), best.fun) <= MOST_LOG_SE
    )
    return Growth(float(b) if is_known else np.nan, float(knee / b))


def _log_b_se(slopes: np.ndarray, residuals: np.ndarray) -> float:
    """Standard error of log b by least squares; infinite where the slopes do not determine it."""
    information = slopes.T @ slopes
    if np.linalg.cond(information) > 1 / np.finfo(float).eps:
        return np.inf
    variance = np.sum(residuals**2) / (residuals.size - slopes.shape[1])
    return float(np.sqrt(variance * np.linalg.inv(information)[0, 0]))
