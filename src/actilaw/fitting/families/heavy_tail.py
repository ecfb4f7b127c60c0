"""Heavy-tailed rates, those of the three-parameter Indian buffet process (Teh & Görür 2009, "Indian
buffet processes with power-law behavior"), for units that answer to rare contexts.

No beta distribution has as heavy a lower tail. These are the rates of the units of such a process
that are activated in m earlier samples:

    (HT1) density of the rate p:  p^(−1−s) (1−p)^(β−1) (1 − (1−p)^m) / Z,   s < 1, β > 0, m > 0
          [derived]

For 1/m < p < 1/β it is a power law p^(−1−s), below 1/m it goes as p^(−s). As m grows with
s = −b < 0 it becomes the Beta(b, β) of the activation law. With F of (G1) and t = 1 − s > 0,

    (HT2) ∫ p^(k−s−1) (1−p)^(x−1) (1 − (1−p)^m) dp = B(k−s, x) (1 − e^F(x, m, k−s))   for k >= 1,
          and B(t, x) G(x)   for k = 0  [derived]
    (HT3) G(x) = x (e^δ − 1)/s + (1 − e^F(x, m, t)),   δ = ln Γ(x+m+1) Γ(x+t) / Γ(x+1) Γ(x+t+m)
          two terms of one sign, whatever the sign of s, since δ has the same: nothing cancels
          [derived]
    (HT4) P(k) = (n/k) BB(k−1; n−1, t, β) (1 − e^F(n−k+β, m, k−s)) / G(β)   for k >= 1, BB the law
          (4)  [derived]
    (HT5) P(0) = B(t, β+n)/B(t, β) G(β+n)/G(β), at any n;  E p = (1 − e^F(β, m, t)) / G(β)
          [derived]

Parameters are ln t, ln β and ln m. The score follows from the slopes of ln Γ term by term, with

    (HT6) ∇ ln |e^f − 1| = ∇f / (1 − e^(−f)),   f = δ or F

and the Hessian is the score's central difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from actilaw.fitting.families.components import DistinctCounts, Law, Slopes, weight_slope
from actilaw.support.arrays import Floats
from actilaw.theory import ActivationLaw
from actilaw.theory.beta_binomial import log_idle, log_pmf, log_stay_idle
from actilaw.theory.log_gamma import (
    digamma_step,
    log_beta_ratio,
    log_beta_ratio_slope,
    log_rising_ratio,
)

# Where s = 0 the two terms of 1/s in the slopes would cancel; so near, no count can tell.
LEAST_S = 1e-5
# Of the logarithms of the parameters: the Hessian is right to about as many digits, more than
# enough for Newton's method and for standard errors; well below LEAST_S, so that s keeps its sign.
HESSIAN_STEP = 1e-6
TRIED_S = (-0.5, 0.2, 0.6)
TRIED_M = (0.1, 1.0, 30.0)  # times the samples
MOST_STARTS = 3
SMALL_STEP = 1e-5  # of x; up to here the middle's slope leaves out 1e-11 of the growth of ln G


@dataclass(frozen=True)
class HeavyTail:
    """The law (HT1), in the parameters (ln (1 − s), ln β, ln m).

    Attributes:
        nearest: log odds of the rate and log knee of the activation law fitted to the same units.
    """

    nearest: tuple[float, float] = (0.0, 0.0)
    name = "units of rare contexts"
    size = 3

    def starts(self, distinct: DistinctCounts, units: Floats) -> Iterator[Floats]:
        """The likeliest of a grid over s, m and β."""
        mean = units @ distinct.successes / units.sum()
        rate = np.clip(mean / distinct.samples, 1e-12, 0.9)
        betas = np.exp(np.linspace(-1.0, np.log(1 / rate) + 2, 4))
        grid = [
            np.log([1 - s, beta, m * distinct.samples])
            for s, beta, m in product(TRIED_S, betas, TRIED_M)
        ]
        heights = self.log_pmf(np.array(grid), distinct) @ units
        for i in np.argsort(heights)[::-1][:MOST_STARTS]:
            yield grid[i]

    def log_pmf(self, parameters: Floats, distinct: DistinctCounts) -> Floats:
        """(HT4), and (HT5) at k = 0."""
        s, t, beta, m = (value[..., np.newaxis] for value in _unpacked(_away_from_zero(parameters)))
        n, working = distinct.samples, distinct.successes > 0
        earlier = np.maximum(distinct.successes - 1, 0.0)
        failures = np.where(working, distinct.failures, n - 1)
        log_ratio = np.log(n) - np.log(np.maximum(distinct.successes, 1.0))
        log_p = (
            log_pmf(earlier, failures, t, beta, n - 1)
            + log_ratio
            + _log_one_less(log_beta_ratio(failures + beta, m, earlier + t))
        )
        log_g = _log_g(beta + np.array([0.0, n]), m, s, t)
        log_p_idle = log_idle(n, t, beta) + log_g[..., 1:]
        return np.where(working, log_p, log_p_idle) - log_g[..., :1]

    def log_idle(self, parameters: Floats, samples: ArrayLike) -> Floats:
        """(HT5)"""
        s, t, beta, m = _unpacked(_away_from_zero(parameters))
        later = np.asarray(samples, float) + beta
        return log_idle(samples, t, beta) + _log_g(later, m, s, t) - _log_g(beta, m, s, t)

    def log_stay_idle(self, parameters: Floats, samples: float, more: ArrayLike) -> Floats:
        """(HT5) of the later over that of the earlier samples."""
        s, t, beta, m = _unpacked(_away_from_zero(parameters))
        growth = _log_g_growth(float(samples) + beta, np.asarray(more, float), m, s, t)
        return log_stay_idle(samples, more, t, beta) + growth

    def score(self, parameters: Floats, distinct: DistinctCounts) -> Floats:
        """Term by term."""
        rows = _away_from_zero(parameters).reshape(-1, self.size)
        return _scores(rows, distinct).reshape(*parameters.shape[:-1], -1, self.size)

    def slopes(self, parameters: Floats, distinct: DistinctCounts) -> Slopes:
        """The score term by term, and the Hessian as its difference over a small step."""
        at = _away_from_zero(parameters)
        steps = np.concatenate((HESSIAN_STEP * np.eye(self.size), np.zeros((1, self.size))))
        scores = self.score(at[..., np.newaxis, :] + steps, distinct)
        ahead, score = scores[..., :-1, :, :], scores[..., -1, :, :]
        hessian = np.moveaxis((ahead - score[..., np.newaxis, :, :]) / HESSIAN_STEP, -3, -1)
        return Slopes(
            log_pmf=self.log_pmf(parameters, distinct),
            score=score,
            hessian=(hessian + np.swapaxes(hessian, -1, -2)) / 2,
        )

    def law(self, parameters: Floats, units: float) -> ActivationLaw:
        """The activation law nearest to the counts, since this one has no b."""
        return Law().law(np.array(self.nearest), units)

    def estimates(self, parameters: Floats, units: float, samples: float) -> dict[str, float]:
        s, t, beta, m = _unpacked(_away_from_zero(parameters))
        log_rate = _log_one_less(log_beta_ratio(beta, m, t)) - _log_g(beta, m, s, t)  # (HT5)
        return {
            "s": float(s),
            "rarest_rate": float(1 / m),
            "active": float(units * np.exp(log_rate)),
            "expected_working": float(-units * np.expm1(self.log_idle(parameters, samples))),
        }


def _unpacked(parameters: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """(s, t, β, m), (...,) each."""
    t, beta, m = np.moveaxis(np.exp(parameters), -1, 0)
    s = -np.expm1(parameters[..., 0])  # from ln t, which keeps the digits of s where t is near 1
    return s, t, beta, m


def _away_from_zero(parameters: Floats) -> Floats:
    """The parameters, with |s| at least LEAST_S."""
    log_t = parameters[..., 0]
    s = -np.expm1(log_t)
    moved = np.where(np.abs(s) < LEAST_S, np.log1p(np.where(s < 0, LEAST_S, -LEAST_S)), log_t)
    return np.concatenate((moved[..., np.newaxis], parameters[..., 1:]), axis=-1)


def _log_one_less(f: Floats) -> Floats:
    """ln(1 − e^f) for f < 0."""
    return np.log(-np.expm1(f))


def _log_g(x: ArrayLike, m: ArrayLike, s: ArrayLike, t: ArrayLike) -> Floats:
    """ln G(x) of (HT3)."""
    x = np.asarray(x, float)
    return np.log(x * (np.expm1(log_rising_ratio(x, m, t)) / s) - np.expm1(log_beta_ratio(x, m, t)))


def _log_g_growth(x: Floats, step: Floats, m: Floats, s: Floats, t: Floats) -> Floats:
    """ln G(x + step) − ln G(x); by the slope in the middle where a difference would be rounding."""
    slope = _g_score(x + step / 2, m, s, t)[..., 1]
    difference = _log_g(x + step, m, s, t) - _log_g(x, m, s, t)
    return np.where(step < SMALL_STEP * x, step * slope, difference)


def _scores(parameters: Floats, distinct: DistinctCounts) -> Floats:
    """Slopes of ln P(k) in ln t, ln β and ln m, at several points at once.

    Args:
        parameters: (P, 3).
        distinct: counts k; K of them.

    Returns:
        (P, K, 3)
    """
    t, beta, m = np.exp(parameters).T[:, :, np.newaxis]  # (P, 1) each
    s = -np.expm1(parameters[:, :1])
    n, working = distinct.samples, distinct.successes > 0
    earlier, failures = np.maximum(distinct.successes - 1, 0.0), distinct.failures
    in_all = np.where(working, n - 1, n)

    # The law of the counts knows nothing of m, in which the Hessian's differences differ, too.
    _, first, place = np.unique(parameters[:, :2], axis=0, return_index=True, return_inverse=True)
    scores = _beta_score(t[first], beta[first], earlier, failures, in_all)[place]
    scores[:, working] += _one_less_score(failures[working] + beta, m, earlier[working] + t)
    of_g = _g_score(beta + np.array([0.0, n]), m, s, t)
    scores[:, ~working] += of_g[:, 1:]
    scores -= of_g[:, :1]
    return scores * np.concatenate((t, beta, m), axis=1)[:, np.newaxis]


# In what follows arrays are (P, K), or broadcast to it; slopes are (P, K, 3).


def _beta_score(t: Floats, beta: Floats, successes: Floats, failures: Floats, n: Floats) -> Floats:
    """Slopes of ln BB(k; n, t, β) by (t, β, m)."""
    by_t = weight_slope(t, beta, successes, failures, n)
    by_beta = weight_slope(beta, t, failures, successes, n)
    return np.stack((by_t, by_beta, np.zeros_like(by_t)), axis=-1)


def _one_less_score(x: Floats, m: Floats, a: Floats) -> Floats:
    """Slopes of ln(1 − e^F(x, m, a)) by (a, x, m)."""
    by_a, by_m = -digamma_step(x + a, m), -digamma_step(x + m, a)
    by_x = log_beta_ratio_slope(x, m, a)
    return _through_expm1(log_beta_ratio(x, m, a), by_a, by_x, by_m)


def _rise_score(x: Floats, m: Floats, s: Floats, t: Floats) -> Floats:
    """Slopes of ln x (e^δ − 1)/s by (t, x, m)."""
    lower = x + np.minimum(t, 1)  # of x + t and x + 1, as in log_rising_ratio
    by_t = -digamma_step(x + t, m)
    by_x = -np.sign(s) * log_beta_ratio_slope(lower, m, np.abs(s))
    by_m = np.sign(s) * digamma_step(lower + m, np.abs(s))
    score = _through_expm1(log_rising_ratio(x, m, t), by_t, by_x, by_m)
    score[..., 0] += 1 / s
    score[..., 1] += 1 / x
    return score


def _g_score(x: Floats, m: Floats, s: Floats, t: Floats) -> Floats:
    """Slopes of ln G(x) by (t, x, m): those of its two terms, weighed by their shares."""
    share = -np.expm1(log_beta_ratio(x, m, t)) / np.exp(_log_g(x, m, s, t))
    share = share[..., np.newaxis]
    of_rise, of_one_less = _rise_score(x, m, s, t), _one_less_score(x, m, t)
    return (1 - share) * of_rise + share * of_one_less


def _through_expm1(f: Floats, *slopes: Floats) -> Floats:
    """Slopes of ln |e^f − 1| from those of f, (HT6)."""
    with np.errstate(over="ignore"):  # e^(−f) is then infinite, and the slopes are 0
        factor = -1 / np.expm1(-f)
    return factor[..., np.newaxis] * np.stack(slopes, axis=-1)
