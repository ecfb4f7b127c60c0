"""Simple laws of counts that others would try first, each at its maximum of likelihood: lognormal,
exponential and power law, the usual alternatives to a heavy tail (Clauset, Shalizi & Newman 2009).

Each function takes the counts of a layer and returns the log probabilities of its distinct counts,
ascending, (n_distinct,), so that they can be compared unit by unit with those of the activation
law.

    (AL1) lognormal: the log odds of a unit's rate are normal; the count is binomial given the rate
    (AL2) exponential: rates are Beta(1, β), which is exponential where they are small; the law with
          b = 1
    (AL3) power law: P(0) free, and P(k) ~ k^(−a) for k = 1..D, any a
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import digamma, logsumexp, ndtr, polygamma

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.support.arrays import Floats, Ints
from actilaw.theory.beta_binomial import log_pmf
from actilaw.theory.log_gamma import log_binomial

LogPmf = Callable[[Floats], Floats]
# From so many successes and failures on, the log odds of a rate are as good as normal.
NORMAL_FROM = 50
LOG_ODDS_GRID_STEP = 0.05
EXACT_POWER_LAW_COUNTS = 10_000  # summed one by one
POWER_LAW_BIN_WIDTH = 0.025  # of ln k, beyond them


def lognormal(counts: ActivationCounts) -> Floats:
    """(AL1), by quadrature for small counts, and a normal likelihood of the log odds for others."""
    from scipy.optimize import minimize  # slow to import

    k, units = counts.histogram()
    small = np.minimum(k, counts.samples - k) < NORMAL_FROM
    small_log_pmf = _lognormal_by_quadrature(k[small], counts.samples)
    large_log_pmf = _lognormal_by_normal_log_odds(k[~small], counts.samples)

    def log_pmf_of(parameters: Floats) -> Floats:
        found = np.empty(k.size)
        found[small] = small_log_pmf(parameters)
        found[~small] = large_log_pmf(parameters)
        return found

    def loss(parameters: Floats) -> float:
        return -float(units @ log_pmf_of(parameters))

    start = _lognormal_moments(k, units, counts.samples)
    return log_pmf_of(minimize(loss, start, method="Nelder-Mead", tol=1e-3).x)


def exponential(counts: ActivationCounts) -> Floats:
    """(AL2)."""
    from scipy.optimize import minimize_scalar  # slow to import

    k, units = counts.histogram()

    def log_pmf_of(log_beta: float) -> Floats:
        return log_pmf(k, counts.samples - k, 1.0, float(np.exp(log_beta)))

    def loss(log_beta: float) -> float:
        return -float(units @ log_pmf_of(log_beta))

    by_moments = np.log(max(counts.units / counts.active - 1, 1e-3))
    bounds = (by_moments - 5, by_moments + 5)
    best = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return log_pmf_of(float(best.x))


def power_law(counts: ActivationCounts) -> Floats:
    """(AL3)."""
    from scipy.optimize import minimize_scalar  # slow to import

    k, units = counts.histogram()
    fired = k > 0
    log_k, working = np.log(k[fired]), units[fired].sum()
    log_centers, log_widths = _power_law_bins(counts.samples)

    def log_normaliser(a: float) -> float:
        return float(logsumexp(log_widths - a * log_centers))

    def loss(a: float) -> float:
        return float(a * (units[fired] @ log_k) + working * log_normaliser(a))

    a = float(minimize_scalar(loss, bounds=(-5, 10), method="bounded").x)
    found = np.empty(k.size)
    found[fired] = np.log(working / counts.units) - a * log_k - log_normaliser(a)
    found[~fired] = np.log(counts.idle / counts.units) if counts.idle else 0.0
    return found


ALTERNATIVES: dict[str, Callable[[ActivationCounts], Floats]] = {
    "lognormal": lognormal,
    "exponential": exponential,
    "power_law": power_law,
}


def _lognormal_by_quadrature(k: Ints, samples: int) -> LogPmf:
    """Log probability of counts as a function of (mean, log of the spread) of the log odds.

    The binomial probability at each point of a grid is weighted by the normal probability of the
    cell around it, so that spreads below the grid's step do no harm.
    """
    log_odds = np.arange(-np.log(samples) - 12, 12, LOG_ODDS_GRID_STEP)
    log_p, log_not_p = -np.logaddexp(0, -log_odds), -np.logaddexp(0, log_odds)
    log_ways = log_binomial(samples, k)
    binomial = np.exp(
        log_ways[:, np.newaxis] + np.outer(k, log_p) + np.outer(samples - k, log_not_p)
    )
    cell_edges = np.append(log_odds - LOG_ODDS_GRID_STEP / 2, np.inf)

    def log_pmf_of(parameters: Floats) -> Floats:
        cumulative = ndtr((cell_edges - parameters[0]) / np.exp(parameters[1]))
        cumulative[0] = 0.0  # the first cell has no lower end
        return np.log(np.maximum(binomial @ np.diff(cumulative), 1e-300))

    return log_pmf_of


def _lognormal_by_normal_log_odds(k: Ints, samples: int) -> LogPmf:
    """Log probability of large counts, whose log odds are normal given the rate.

    Mean and variance of the log odds are those of a Beta(k, samples − k); the last term takes the
    density over to whole counts.
    """
    successes, failures = k.astype(float), (samples - k).astype(float)
    log_odds = digamma(successes) - digamma(failures)
    variance = polygamma(1, successes) + polygamma(1, failures)
    log_slope = np.log(samples / successes / failures)

    def log_pmf_of(parameters: Floats) -> Floats:
        spread = float(np.exp(parameters[1]))
        total = spread**2 + variance
        return log_slope - ((log_odds - parameters[0]) ** 2 / total + np.log(2 * np.pi * total)) / 2

    return log_pmf_of


def _lognormal_moments(k: Ints, units: Ints, samples: int) -> Floats:
    """Where the search starts: mean and log of the spread of empirical log odds; (2,)."""
    log_odds = np.log((k + 0.3) / (samples - k + 0.3))
    mean = units @ log_odds / units.sum()
    spread = np.sqrt(units @ (log_odds - mean) ** 2 / units.sum()) + 0.1
    return np.array([mean, np.log(spread)])


def _power_law_bins(samples: int) -> tuple[Floats, Floats]:
    """Logarithms of centers and widths of bins that cover the counts 1..samples.

    Each of the first 10,000 counts has its own; beyond them bins are evenly spaced in ln k, which
    leaves the sum of (AL3) exact to many digits.
    """
    exact = np.arange(1.0, min(samples, EXACT_POWER_LAW_COUNTS) + 1)
    if samples <= exact[-1]:
        return np.log(exact), np.zeros(exact.size)
    first, last = np.log(exact[-1] + 0.5), np.log(samples + 0.5)
    edges = np.exp(np.arange(first, last + POWER_LAW_BIN_WIDTH, POWER_LAW_BIN_WIDTH))
    centers = np.append(exact, np.sqrt(edges[1:] * edges[:-1]))
    widths = np.append(np.ones(exact.size), np.diff(edges))
    return np.log(centers), np.log(widths)
