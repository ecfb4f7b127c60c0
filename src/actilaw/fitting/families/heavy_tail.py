"""Units that answer to rare contexts: rates with a heavier lower tail than any beta law has.

    (H1) density of the rate p:  p^(−1−s) (1−p)^(β−1) (1 − (1−p)^m) / Z,   s < 1, β > 0, m > 0
         [derived]
         The rates of the three-parameter Indian buffet process (Teh & Görür 2009, "Indian buffet
         processes with
         power-law behavior"), of those units that fire in m earlier samples: for 1/m < p < 1/β a
         power law
         p^(−1−s), below 1/m as p^(−s). As m grows with s = −b < 0 it becomes the Beta(b, β) of the
         activation law.
    (H2) ∫ p^(k−s−1) (1−p)^(x−1) (1 − (1−p)^m) dp = B(k−s, x) (1 − e^F(x, m, k−s))   for k >= 1, F
         of (G1);
         for k = 0 it is B(t, x) G(x), with t = 1 − s > 0 and  [derived]
    (H3) G(x) = x (e^δ − 1)/s + (1 − e^F(x, m, t)),   δ = ln Γ(x+m+1) Γ(x+t) / Γ(x+1) Γ(x+t+m)
         two terms of one sign, whatever the sign of s, since that of δ is the same: nothing cancels
         [derived]
    (H4) P(k) = (n/k) BB(k−1; n−1, t, β) (1 − e^F(n−k+β, m, k−s)) / G(β)   for k >= 1, BB the law
         (4)  [derived]
    (H5) P(0) = B(t, β+n)/B(t, β) G(β+n)/G(β), at any n;  E p = (1 − e^F(β, m, t)) / G(β)  [derived]

Parameters are ln t, ln β and ln m. Slopes follow from those of ln Γ term by term: with c = 1/(1 −
e^(−δ)),

    (H6) ∇ ln(e^δ − 1) = c ∇δ,   ∇² ln(e^δ − 1) = c ∇²δ − c (c−1) ∇δ ∇δ',   and the same of 1 − e^F,
         as e^F − 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import polygamma

from actilaw.fitting.families.components import DistinctCounts, Law, Slopes, beta_slopes
from actilaw.support.arrays import Floats
from actilaw.theory import ActivationLaw
from actilaw.theory.beta_binomial import log_idle, log_pmf
from actilaw.theory.log_gamma import (
    digamma_step,
    log_beta_ratio,
    log_beta_ratio_slope,
    log_rising_ratio,
)

# Where s = 0 the two terms of 1/s in the slopes would cancel; so near, no count can tell.
LEAST_S = 1e-5
TRIED_S = (-0.5, 0.2, 0.6)
TRIED_M = (0.1, 1.0, 30.0)  # times the samples
STARTS = 3


@dataclass(frozen=True)
class HeavyTail:
    """The law (H1), in the parameters (ln (1 − s), ln β, ln m).

    Attributes:
        nearest: log odds of the rate and log knee of the activation law fitted to the same units.
    """

    nearest: tuple[float, float] = (0.0, 0.0)
    name = "units of rare contexts"
    size = 3

    @staticmethod
    def unpacked(parameters: Floats) -> tuple[float, float, float, float]:
        """(s, t, β, m)."""
        t, beta, m = np.exp(parameters)
        s = -np.expm1(parameters[0])  # t near 1 keeps the digits of s
        if abs(s) < LEAST_S:
            s = -LEAST_S if s < 0 else LEAST_S
            t = 1 - s
        return float(s), float(t), float(beta), float(m)

    def starts(self, distinct: DistinctCounts, units: Floats) -> Iterator[Floats]:
        """The likeliest of a grid over s, m and β."""
        rate = np.clip(units @ distinct.successes / units.sum() / distinct.samples, 1e-12, 0.9)
        betas = np.exp(np.linspace(-1.0, np.log(1 / rate) + 2, 4))
        grid = [
            np.log([1 - s, b, m * distinct.samples]) for s, b, m in product(TRIED_S, betas, TRIED_M)
        ]
        heights = [units @ self.log_pmf(at, distinct) for at in grid]
        yield from (grid[i] for i in np.argsort(heights)[: -STARTS - 1 : -1])

    def log_pmf(self, parameters: Floats, distinct: DistinctCounts) -> Floats:
        s, t, beta, m = self.unpacked(parameters)
        n, fired = distinct.samples, distinct.successes > 0
        earlier, failures = (
            np.maximum(distinct.successes - 1, 0.0),
            np.where(fired, distinct.failures, n - 1),
        )
        size_biased = (
            log_pmf(earlier, failures, t, beta)
            + np.log(n)
            - np.log(np.maximum(distinct.successes, 1.0))
        )
        seen = (
            size_biased
            + _log_one_less(log_beta_ratio(failures + beta, m, earlier + t))
            - _log_g(beta, m, s, t)
        )
        return np.where(fired, seen, self.log_idle(parameters, n))

    def log_idle(self, parameters: Floats, samples: ArrayLike) -> Floats:
        s, t, beta, m = self.unpacked(parameters)
        later = np.asarray(samples, float) + beta
        return log_idle(samples, t, beta) + _log_g(later, m, s, t) - _log_g(beta, m, s, t)

    def slopes(self, parameters: Floats, distinct: DistinctCounts) -> Slopes:
        s, t, beta, m = self.unpacked(parameters)
        n, fired = distinct.samples, distinct.successes > 0
        score, hessian = np.zeros((fired.size, 3)), np.zeros((fired.size, 3, 3))

        earlier, failures = distinct.successes[fired] - 1, distinct.failures[fired]
        for part in (
            _beta_slopes(t, beta, earlier, failures, n - 1),
            _one_less_slopes(failures + beta, m, earlier + t),
        ):
            score[fired] += part[0]
            hessian[fired] += part[1]
        none = np.zeros(1)
        for part in (
            _beta_slopes(t, beta, none, none + n, n),
            _g_slopes(np.array([n + beta]), m, s, t),
        ):
            score[~fired] += part[0]
            hessian[~fired] += part[1]
        scale, scale2 = _g_slopes(np.array([beta]), m, s, t)

        value = np.array([t, beta, m])  # from here on by the logarithms
        score = value * (score - scale)
        hessian = np.outer(value, value) * (hessian - scale2) + np.eye(3) * score[:, np.newaxis]
        return Slopes(self.log_pmf(parameters, distinct), score, hessian)

    def law(self, parameters: Floats, units: float) -> ActivationLaw:
        """The activation law nearest to the counts, since this one has no b."""
        return Law().law(np.array(self.nearest), units)

    def rows(self, parameters: Floats, units: float, samples: float) -> dict[str, float]:
        s, t, beta, m = self.unpacked(parameters)
        log_rate = _log_one_less(log_beta_ratio(beta, m, t)) - _log_g(beta, m, s, t)  # (H5)
        return {
            "s": s,
            "rarest_rate": 1 / m,
            "active": float(units * np.exp(log_rate)),
            "expected_working": float(-units * np.expm1(self.log_idle(parameters, samples))),
        }


def _log_one_less(f: Floats) -> Floats:
    """ln(1 − e^f) for f < 0."""
    return np.log(-np.expm1(f))


def _log_g(x: ArrayLike, m: float, s: float, t: float) -> Floats:
    """ln G(x) of (H3)."""
    x = np.asarray(x, float)
    return np.log(x * (np.expm1(log_rising_ratio(x, m, t)) / s) - np.expm1(log_beta_ratio(x, m, t)))


def _beta_slopes(
    t: float, beta: float, successes: Floats, failures: Floats, n: float
) -> tuple[Floats, Floats]:
    """Slopes of ln BB(k; n, t, β) by (t, β, m): (K, 3) and (K, 3, 3)."""
    by_t, by_beta, by_t2, by_beta2, cross = beta_slopes(t, beta, t + beta, successes, failures, n)
    zero = np.zeros(successes.size)
    return _stacked((by_t, by_beta, zero), (by_t2, by_beta2, zero, zero + cross, zero, zero))


def _one_less_slopes(x: Floats, m: float, a: Floats) -> tuple[Floats, Floats]:
    """Slopes of ln(1 − e^F(x, m, a)) by (a, x, m)."""
    end, after, before = polygamma(1, x + a + m), polygamma(1, x + m), polygamma(1, x + a)
    first = (-digamma_step(x + a, m), log_beta_ratio_slope(x, m, a), -digamma_step(x + m, a))
    by_a2, by_m2 = before - end, after - end
    by_x2 = by_m2 + before - polygamma(1, x)
    score, hessian = _stacked(first, (by_a2, by_x2, by_m2, by_a2, -end, by_m2))
    return _through_expm1(log_beta_ratio(x, m, a), score, hessian)


def _rise_slopes(x: Floats, m: float, s: float, t: float) -> tuple[Floats, Floats]:
    """Slopes of ln x (e^δ − 1)/s by (t, x, m)."""
    after, end = polygamma(1, x + m + 1), polygamma(1, x + t + m)
    by_t2, by_m2 = polygamma(1, x + t) - end, after - end
    if s > 0:
        by_x, by_m = -log_beta_ratio_slope(x + t, m, s), digamma_step(x + t + m, s)
    else:
        by_x, by_m = log_beta_ratio_slope(x + 1, m, -s), -digamma_step(x + 1 + m, -s)
    by_x2 = by_m2 + polygamma(1, x + t) - polygamma(1, x + 1)
    slopes = _stacked(
        (-digamma_step(x + t, m), by_x, by_m), (by_t2, by_x2, by_m2, by_t2, -end, by_m2)
    )
    score, hessian = _through_expm1(log_rising_ratio(x, m, t), *slopes)
    score[:, 0] += 1 / s
    hessian[:, 0, 0] += 1 / s**2
    score[:, 1] += 1 / x
    hessian[:, 1, 1] -= 1 / x**2
    return score, hessian


def _g_slopes(x: Floats, m: float, s: float, t: float) -> tuple[Floats, Floats]:
    """Slopes of ln G(x) by (t, x, m), those of its two terms weighed by their shares as in a
    mixture.
    """
    share = -np.expm1(log_beta_ratio(x, m, t)) / np.exp(_log_g(x, m, s, t))
    parts = ((1 - share, _rise_slopes(x, m, s, t)), (share, _one_less_slopes(x, m, t + 0 * x)))
    score = sum((weight[:, None] * one for weight, (one, _) in parts), np.zeros((x.size, 3)))
    hessian = -_outer(score)
    for weight, (one, two) in parts:
        hessian = hessian + weight[:, None, None] * (two + _outer(one))
    return score, hessian


def _through_expm1(f: Floats, score: Floats, hessian: Floats) -> tuple[Floats, Floats]:
    """Slopes of ln |e^f − 1| from those of f, (H6)."""
    with np.errstate(over="ignore"):  # e^f is then as good as 0, and so is c
        c = -1 / np.expm1(-f)[:, np.newaxis]
    return c * score, c[:, np.newaxis] * hessian - (c * (c - 1))[:, np.newaxis] * _outer(score)


def _outer(score: Floats) -> Floats:
    return score[:, :, np.newaxis] * score[:, np.newaxis, :]


def _stacked(first: tuple[Floats, ...], second: tuple[Floats, ...]) -> tuple[Floats, Floats]:
    """(K, 3) from the three first derivatives; (K, 3, 3) from the second: 00, 11, 22, 01, 02,
    12.
    """
    hessian = np.empty((first[0].size, 3, 3))
    for (i, j), part in zip(((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)), second, strict=True):
        hessian[:, i, j] = hessian[:, j, i] = part
    return np.stack(first, axis=-1), hessian
