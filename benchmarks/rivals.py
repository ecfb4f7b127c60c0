"""Extrapolations of other fields, written from their papers, that forecasts are set beside: what
preseq and preseqR do (rational functions; the zero-truncated negative binomial), and Heaps' law for
curves alone.

Each is given the number of units as a cap, and the same incidence over blocks that the rate density
uses, where there are blocks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.polynomial import polynomial
from scipy.linalg import LinAlgError, solve
from scipy.optimize import minimize
from scipy.special import gammaln

from actilaw import ActivationCounts
from actilaw.backtesting.baselines import chao2, good_toulmin, persistence
from actilaw.forecasting.incidence import LEAST_BLOCKS_FOR_INCIDENCE
from actilaw.forecasting.logged_curve import LoggedCurve

MOST_TERMS = 40  # of a power series; preseq takes 100, which floats of 64 bits do not bear
GRID_POINTS = 200  # up to the horizon, on which a rational function has to rise


def as_incidence(counts: ActivationCounts) -> ActivationCounts:
    """Blocks as samples: on how many of them each unit was active; as it is without blocks."""
    blocks = counts.blocks
    if blocks is None or np.count_nonzero(blocks.samples) < LEAST_BLOCKS_FOR_INCIDENCE:
        return ActivationCounts(counts.counts, counts.samples)
    active = blocks.counts[blocks.samples > 0] > 0
    return ActivationCounts(active.sum(axis=0), len(active))


def rational_function(counts: ActivationCounts, samples: np.ndarray) -> np.ndarray:
    """Good and Toulmin's series as a rational function (Daley & Smith 2013; preseq).

    Δ(t) = Σ (−1)^(j+1) Q_j t^j units start to work in t times as many further samples. The series
    diverges beyond t = 1; its Padé approximants t P_(m−1)(t)/P_m(t), the even convergents of its
    continued fraction, tend to a constant. The longest is taken that rises and is concave up to the
    horizon, without a pole on the way; NaN where none is.
    """
    ahead = (samples - counts.samples) / counts.samples
    series = _series(counts)
    grid = np.linspace(0, float(ahead.max()), GRID_POINTS)
    for order in range(series.size // 2, 0, -1):
        found = _pade(series, order)
        if found is None or not _rises(*found, grid):
            continue
        newly = _value(*found, ahead)
        return np.minimum(counts.working + newly, counts.units)
    return np.full(samples.size, np.nan)


def _series(counts: ActivationCounts) -> np.ndarray:
    """Coefficients of Δ(t)/t, (−1)^j Q_(j+1), up to the first incidence that no unit has."""
    units = np.bincount(counts.counts, minlength=2)[1:].astype(float)
    missing = np.flatnonzero(units == 0)
    end = missing[0] if missing.size else units.size
    terms = units[: min(end, MOST_TERMS)]
    return terms * (-1.0) ** np.arange(terms.size)


def _pade(series: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Numerator and denominator of the approximant [order − 1 / order], or None if it is
    degenerate.
    """
    hankel = np.array([series[i : i + order] for i in range(order)])
    try:
        below = solve(hankel, -series[order : 2 * order])
    except (LinAlgError, ValueError):
        return None
    denominator = np.append(1.0, below[::-1])
    numerator = polynomial.polymul(series[:order], denominator)[:order]
    return numerator, denominator


def _rises(numerator: np.ndarray, denominator: np.ndarray, grid: np.ndarray) -> bool:
    """Whether t P/Q rises and is concave on the grid, without a pole on the positive axis."""
    roots = polynomial.polyroots(denominator)
    real = np.abs(roots.imag) < 1e-6 * np.maximum(np.abs(roots), 1e-12)
    if np.any(real & (roots.real > 0) & (roots.real <= grid[-1] * 1.01)):
        return False
    steps = np.diff(_value(numerator, denominator, grid))
    slack = 1e-6 * np.abs(steps).max()
    return bool(np.all(steps >= -slack) and np.all(np.diff(steps) <= slack))


def _value(numerator: np.ndarray, denominator: np.ndarray, t: np.ndarray) -> np.ndarray:
    return t * polynomial.polyval(t, numerator) / polynomial.polyval(t, denominator)


def truncated_negative_binomial(counts: ActivationCounts, samples: np.ndarray) -> np.ndarray:
    """The zero-truncated negative binomial at its maximum likelihood (Daley & Smith 2013, rival
    there; `preseqR.ztnb.rSAC`): rates have a gamma density of mean μ and shape r, (1 + t μ/r)^(−r)
    of the units are idle after t times the samples.
    """
    distinct, units = np.unique(counts.counts[counts.counts > 0], return_counts=True)

    def loss(logs: np.ndarray) -> float:
        shape, mean = np.exp(logs)
        log_pmf = (
            gammaln(distinct + shape)
            - gammaln(shape)
            - gammaln(distinct + 1)
            + shape * np.log(shape / (shape + mean))
            + distinct * np.log(mean / (shape + mean))
        )
        idle = -shape * np.log1p(mean / shape)
        return -float(units @ (log_pmf - np.log(-np.expm1(idle))))

    mean = float(units @ distinct / units.sum())
    bounds = [(-12.0, 8.0), (-12.0, np.log(mean) + 1)]
    fits = [
        minimize(loss, (np.log(shape), np.log(mean)), bounds=bounds, method="L-BFGS-B")
        for shape in (0.05, 0.5, 5.0)
    ]
    shape, mean = np.exp(min(fits, key=lambda fit: fit.fun).x)
    total = counts.working / -np.expm1(-shape * np.log1p(mean / shape))
    ratio = samples / counts.samples
    newly = total * (
        np.exp(-shape * np.log1p(mean / shape)) - np.exp(-shape * np.log1p(ratio * mean / shape))
    )
    return np.minimum(counts.working + newly, counts.units)


def heaps(curve: LoggedCurve, samples: np.ndarray) -> np.ndarray:
    """Heaps' law K = a D^β by least squares on logarithmic axes, over the later half of them, from
    the last row on.
    """
    later = (curve.rows >= np.sqrt(curve.samples)) & (curve.counted > 0)
    log_samples, log_working = np.log(curve.rows[later]), np.log(curve.counted[later])
    power = max(float(np.polyfit(log_samples, log_working, 1)[0]), 0.0)
    return np.minimum(curve.working * (samples / curve.samples) ** power, curve.units)


RIVALS: dict[str, Callable[[ActivationCounts, np.ndarray], np.ndarray]] = {
    "chao2": chao2,
    "good_toulmin": good_toulmin,
    "preseq": rational_function,
    "zt_neg_binomial": truncated_negative_binomial,
    "persistence": persistence,
}
