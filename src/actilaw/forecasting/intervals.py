"""Intervals for how many idle units will wake: by the law, and whatever the law."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import beta, norm

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.forecasting.incidence import Occasions
from actilaw.support.arrays import Floats

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(21)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def count_interval(
    units: int, share: Floats, variance: Floats, *, dispersion: float, level: float
) -> tuple[Floats, Floats]:
    """Bounds that hold the number of units that wake, out of `units`, with probability `level`.

    The share is uncertain: its log odds are normal. Given the share, the number is binomial, its
    variance multiplied by `dispersion`; a beta distribution of that mean and variance stands for
    it, as it never leaves 0..units.

    Args:
        units: how many could wake.
        share: expected share of them that will; (n,), in 0..1.
        variance: of the share's log odds; (n,).
        dispersion: at least 1; how much more than binomial the number varies.
        level: in (0, 1).

    Returns:
        Lower and upper, whole numbers of units; (n,) each.
    """
    if units == 0:
        return np.zeros_like(share), np.zeros_like(share)
    spread = np.sqrt(variance)[:, np.newaxis] * NODES
    shares = np.clip(
        expit(logit(np.clip(share, 1e-300, 1 - 1e-16))[:, np.newaxis] + spread), 1e-300, 1 - 1e-16
    )
    size = max(units / dispersion, 1e-3)

    def below(part: Floats) -> Floats:
        return beta.cdf(part[:, np.newaxis], size * shares, size * (1 - shares)) @ WEIGHTS

    def quantile(probability: float) -> Floats:
        low, high = np.zeros_like(share), np.ones_like(share)
        for _ in range(50):
            middle = (low + high) / 2
            over = below(middle) > probability
            low, high = np.where(over, low, middle), np.where(over, middle, high)
        return (low + high) / 2

    return np.floor(units * quantile((1 - level) / 2)), np.ceil(units * quantile((1 + level) / 2))


def good_turing(
    counts: ActivationCounts, seen: Occasions, more: NDArray[np.int64], level: float
) -> Floats:
    """Bound on the probability that a unit idle so far is activated within `more` samples, whatever
    the law.

    All idle units together are activated as often, on the next occasion, as units seen once are per
    occasion (Good 1953); a union bound carries that to further occasions, and the chance in the
    number of units seen once is added at `level`.

    Returns:
        In 0..1; as `more`.
    """
    once, reach = float(seen.units[1]), norm.ppf(level)
    own = seen.dispersion * reach**2 / 2
    most = (
        once + own + np.sqrt(2 * own * once + own**2)
    )  # upper bound of a Poisson mean, with the dispersion
    return np.minimum(1.0, more / counts.samples * most / counts.idle)
