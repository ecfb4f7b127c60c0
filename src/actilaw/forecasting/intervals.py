"""Intervals for the number of idle units that start to work: beta-binomial intervals from an
estimated share.

An estimated share of the idle units is uncertain in two ways: the estimate has an error, and which
units start to work is chance. The interval averages a beta distribution over the normal error of
the log odds, by Gauss-Hermite quadrature. In a wide layer chance is much narrower than the error,
and its beta distributions would stand apart like the steps of a stair. There chance is about normal
on the log odds too, and the two variances add up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, expit, logit

from actilaw.support.arrays import Floats, Ints
from actilaw.support.numerics import two_sided_z

HERMITE_NODES, UNSCALED_WEIGHTS = np.polynomial.hermite_e.hermegauss(21)
HERMITE_WEIGHTS = UNSCALED_WEIGHTS / UNSCALED_WEIGHTS.sum()
LEAST_SHARE, LARGEST_SHARE = 1e-300, 1 - 1e-16  # shares whose log odds are finite
QUANTILE_TOLERANCE = 2.0**-52
# Of the standard deviation of the error: Hermite nodes are 0.7 of it apart, and chance that is
# wider than this smooths their steps to less than a thousandth.
NARROW_CHANCE = 0.4


def count_interval(
    units: float, share: Floats, variance: Floats, *, overdispersion: float | Floats, level: float
) -> tuple[Floats, Floats]:
    """`units` times the bounds of `share_interval`, as whole numbers of units; (n,) each."""
    lower, upper = share_interval(
        units, share, variance, overdispersion=overdispersion, level=level
    )
    return np.floor(units * lower), np.ceil(units * upper)


def share_interval(
    units: float | Floats,
    share: Floats,
    variance: Floats,
    *,
    overdispersion: float | Floats,
    level: float,
) -> tuple[Floats, Floats]:
    """Bounds that hold the share of `units` that start to work, with probability `level`.

    The log odds of the share are normal. Given the share, the number is binomial with its variance
    multiplied by `overdispersion`; a beta distribution of that mean and variance approximates it,
    since it never leaves 0..units.

    Args:
        units: how many could start to work, at least 1; one number, or (n,).
        share: expected share of them that will; (n,), in 0..1.
        variance: of the share's log odds; (n,).
        overdispersion: at least 1; how much more than binomial the number varies; one, or (n,).
        level: in (0, 1).

    Returns:
        Lower and upper share; (n,) each.
    """
    center = finite_log_odds(share)
    with np.errstate(over="ignore"):  # at either end chance is as wide as can be
        chance = variance_of_draw(units, expit(center), overdispersion)
    is_narrow = chance < NARROW_CHANCE**2 * variance
    low, high = np.zeros((2, share.size))
    narrow = np.flatnonzero(is_narrow)
    if narrow.size:
        low[narrow], high[narrow] = _summed_interval(
            np.broadcast_to(units / np.asarray(overdispersion), share.shape)[narrow],
            center[narrow],
            variance[narrow],
            chance[narrow],
            level,
        )
    wide = np.flatnonzero(~is_narrow)
    if wide.size:
        low[wide], high[wide] = _averaged_interval(
            np.broadcast_to(units, share.shape)[wide],
            center[wide],
            variance[wide],
            np.broadcast_to(overdispersion, share.shape)[wide],
            level,
        )
    return low, high


def _summed_interval(
    size: Floats, center: Floats, variance: Floats, chance: Floats, level: float
) -> tuple[Floats, Floats]:
    """Bounds of the share where its log odds are normal and `chance` is part of their variance;
    (n,). The chance is that of the share which is most probable given the bound.
    """
    bounds = []
    for z in (-two_sided_z(level), two_sided_z(level)):
        of_estimate = z * variance / np.sqrt(variance + chance)
        there = np.clip(expit(center + of_estimate), LEAST_SHARE, LARGEST_SHARE)
        chance_there = np.minimum(variance_of_draw(size, there, 1.0), variance)
        bounds.append(expit(center + z * np.sqrt(variance + chance_there)))
    return bounds[0], bounds[1]


def _averaged_interval(
    units: Floats, center: Floats, variance: Floats, overdispersion: Floats, level: float
) -> tuple[Floats, Floats]:
    """Bounds of beta distributions of the share, averaged over the error of its log odds; (n,)."""
    log_odds = center[:, np.newaxis]
    error = np.sqrt(variance)[:, np.newaxis] * HERMITE_NODES
    shares = np.clip(expit(log_odds + error), LEAST_SHARE, LARGEST_SHARE)
    size = np.maximum(units / overdispersion, 1e-3)[:, np.newaxis]

    # Both ends in one search, which costs little more than that for one of them.
    a, b = np.tile(size * shares, (2, 1)), np.tile(size * (1 - shares), (2, 1))
    probability = np.repeat([(1 - level) / 2, (1 + level) / 2], center.size)
    low, high = _beta_mixture_quantile(a, b, probability)
    return low[: center.size], high[center.size :]


def finite_log_odds(share: Floats) -> Floats:
    """Log odds of shares in 0..1, finite at either end."""
    return logit(np.clip(share, LEAST_SHARE, LARGEST_SHARE))


def log_odds_of_counted(part: ArrayLike, units: int) -> Floats:
    """Log odds of a share that was counted, `part` of `units`; at either end half a unit is
    granted.
    """
    half_a_unit = 0.5 / units
    return logit(np.clip(np.asarray(part, float) / units, half_a_unit, 1 - half_a_unit))


def variance_of_draw(units: ArrayLike, share: ArrayLike, overdispersion: float | Floats) -> Floats:
    """Variance of the log odds of a share of `units` because which units they are is chance."""
    share = np.asarray(share, float)
    return overdispersion / (np.asarray(units) * share * (1 - share))


def _beta_mixture_quantile(a: Floats, b: Floats, probability: Floats) -> tuple[Floats, Floats]:
    """Quantile of beta distributions mixed with the Hermite weights, between two bounds as close
    as rounding allows; `a` and `b` are (n, n_nodes), `probability` and the bounds (n,).
    """
    from scipy.optimize.elementwise import find_root  # slow to import

    def excess(part: Floats, row: Ints) -> Floats:
        cdf = betainc(a[row], b[row], part[..., np.newaxis])
        # Not a matrix product, whose rounding depends on how many rows there are.
        return (cdf * HERMITE_WEIGHTS).sum(axis=-1) - probability[row]

    rows = np.arange(len(a))
    ends = (np.zeros(len(a)), np.ones(len(a)))
    found = find_root(excess, ends, args=(rows,), tolerances={"xatol": QUANTILE_TOLERANCE})
    low, high = found.bracket
    return low, high
