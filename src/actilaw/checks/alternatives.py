"""Simple laws of counts that others would try first, each at the maximum of its likelihood.

    (V1) lognormal: the log odds of a unit's rate are normal; over counts a rate is integrated out
    (V2) exponential: rates are Beta(1, β), which is exponential where they are small; the law with
         b = 1
    (V3) power law: P(0) free, and P(k) ~ k^(−a) for k = 1..D, any a

Each function takes counts and returns the log probabilities of the distinct counts, ascending,
(n_distinct,).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import digamma, gammaln, logsumexp, polygamma
from scipy.stats import norm

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.support.arrays import Floats
from actilaw.theory.beta_binomial import log_pmf

FEW = (
    50  # activations, or rests, from which on a rate is known so well that its log odds are normal
)
STEP = 0.05  # of the log odds, in the integral


def lognormal(counts: ActivationCounts) -> Floats:
    """(V1), by quadrature for small counts, and a normal likelihood of the log odds for others."""
    k, units = counts.histogram()
    n = counts.samples
    few = np.minimum(k, n - k) < FEW
    x = np.arange(-np.log(n) - 12, 12, STEP)
    log_p, log_rest = -np.logaddexp(0, -x), -np.logaddexp(0, x)
    ways = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    chance = np.exp(
        ways[few, np.newaxis] + np.outer(k[few], log_p) + np.outer((n - k)[few], log_rest)
    )
    k_many, rests_many = k[~few].astype(float), (n - k[~few]).astype(float)
    odds = digamma(k_many) - digamma(
        rests_many
    )  # mean and variance of the log odds that such a count leaves open
    doubt = polygamma(1, k_many) + polygamma(1, rests_many)

    def log_pmf_of(parameters: Floats) -> Floats:
        mean, spread = float(parameters[0]), float(np.exp(parameters[1]))
        found = np.empty(k.size)
        edges = norm.cdf(np.append(x - STEP / 2, np.inf), mean, spread)
        edges[0] = 0.0
        found[few] = np.log(np.maximum(chance @ np.diff(edges), 1e-300))
        found[~few] = norm.logpdf(odds, mean, np.sqrt(spread**2 + doubt)) + np.log(
            n / k_many / rests_many
        )
        return found

    start = np.log((k + 0.3) / (n - k + 0.3))
    mean = units @ start / units.sum()
    spread = np.sqrt(units @ (start - mean) ** 2 / units.sum()) + 0.1

    def loss(parameters: Floats) -> float:
        return -float(units @ log_pmf_of(parameters))

    best = minimize(loss, np.array([mean, np.log(spread)]), method="Nelder-Mead", tol=1e-3)
    return log_pmf_of(best.x)


def exponential(counts: ActivationCounts) -> Floats:
    """(V2)."""
    k, units = counts.histogram()
    rests = counts.samples - k
    middle = np.log(max(counts.units / counts.active - 1, 1e-3))

    def log_pmf_of(log_beta: float) -> Floats:
        return log_pmf(k, rests, 1.0, float(np.exp(log_beta)))

    def loss(log_beta: float) -> float:
        return -float(units @ log_pmf_of(log_beta))

    best = minimize_scalar(
        loss, bounds=(middle - 5, middle + 5), method="bounded", options={"xatol": 1e-4}
    )
    return log_pmf_of(float(best.x))


def power_law(counts: ActivationCounts) -> Floats:
    """(V3); beyond 10⁴ the sum over counts is taken in 40 steps per e-fold."""
    k, units = counts.histogram()
    some = k > 0
    log_k, alive = np.log(k[some]), units[some].sum()
    edges = np.arange(1.0, min(counts.samples, 10_000) + 1)
    width = np.ones(edges.size)
    if counts.samples > edges[-1]:
        ends = np.exp(
            np.arange(np.log(edges[-1] + 0.5), np.log(counts.samples + 0.5) + 0.025, 0.025)
        )
        edges, width = (
            np.append(edges, np.sqrt(ends[1:] * ends[:-1])),
            np.append(width, np.diff(ends)),
        )
    log_edges, log_width = np.log(edges), np.log(width)

    def loss(a: float) -> float:
        return float(a * (units[some] @ log_k) + alive * logsumexp(log_width - a * log_edges))

    a = float(minimize_scalar(loss, bounds=(-5, 10), method="bounded").x)
    found = np.empty(k.size)
    found[some] = np.log(alive / counts.units) - a * log_k - logsumexp(log_width - a * log_edges)
    found[~some] = np.log(counts.idle / counts.units) if counts.idle else 0.0
    return found


RIVALS: dict[str, Callable[[ActivationCounts], Floats]] = {
    "lognormal": lognormal,
    "exponential": exponential,
    "power law": power_law,
}
