"""The beta-binomial distribution of one unit's count, (4), at any number of samples.

A unit's hidden rate is Beta(b, β) with β = D* − b = b (N − c)/c. After n samples, with F of (G1),

    (B1) ln P(count = 0) = F(β, n, b)  [derived]
    (B2) ln P(count = k) = F(β, n, b) + R(n−k, k, β) − R(0, k, b)  [derived]
         R(y, k, a) = ln Γ(y+k+1) Γ(y+a) / Γ(y+1) Γ(y+k+a)
    (B3) P(k+1)/P(k) = (k+b)(n−k) / (k+1)(n−k−1+β), which is 1 only at
         k = (n(1−b) + β − 1)/(2 − b − β)  [derived]
    (B4) Σ f(k) over k = l..h−1 = ∫ f from l−½ to h−½ − [f(k) − f(k−1)]/24 from k = l to k = h + ...

(B4) is the Euler-Maclaurin summation formula in its midpoint form: from the count 16384 on, from
either end, P is so smooth that what it leaves out is below 1e-10 of a bin. Counts below that have a
bin each; above, bins widen in proportion to the count, so that a few thousand cover any n.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike

from actilaw.support.arrays import Floats, Ints
from actilaw.theory.log_gamma import log_beta_ratio, log_rising_ratio

SINGLES = 2**14  # counts from either end that have a bin each
BIN_NODES, BIN_WEIGHTS = np.polynomial.legendre.leggauss(10)


def log_idle(samples: ArrayLike, b: ArrayLike, beta: ArrayLike) -> Floats:
    """Log probability that a unit has not fired in `samples` inputs, (B1)."""
    return log_beta_ratio(beta, samples, b)


def log_stay_idle(samples: ArrayLike, more: ArrayLike, b: ArrayLike, beta: ArrayLike) -> Floats:
    """Log probability that a unit idle after `samples` inputs stays idle for `more` of them."""
    return log_beta_ratio(np.asarray(beta, float) + np.asarray(samples, float), more, b)


def log_pmf(
    k: ArrayLike,
    failures: ArrayLike,
    b: ArrayLike,
    beta: ArrayLike,
    samples: ArrayLike | None = None,
) -> Floats:
    """Log probability that a unit fires on k samples and not on `failures` = n − k others, (B2).

    Both are asked for because n − k in floating point loses its digits at large n. Where n is one
    number, `samples` saves the work to find out.
    """
    k, failures = np.asarray(k, float), np.asarray(failures, float)
    return (
        log_beta_ratio(beta, k + failures if samples is None else samples, b)
        + log_rising_ratio(failures, k, beta)
        - log_rising_ratio(0.0, k, b)
    )


@dataclass(frozen=True)
class CountBins:
    """Counts of one unit in bins `first`..`last`, of probability `mass`, without gaps from 0; all
    are (n_bins,). Within a bin the probability of a count is monotone.
    """

    samples: int
    b: float
    beta: float
    first: Ints
    last: Ints
    mass: Floats

    @cached_property
    def evenness(self) -> Floats:
        """Least probability of a count in each bin over its greatest; (n_bins,)."""
        return np.exp(-np.abs(self.log_pmf(self.first) - self.log_pmf(self.last)))

    def cdf(self, k: ArrayLike) -> Floats:
        """P(count <= k), summed from zero upwards so that small probabilities keep their digits."""
        shape, k = np.shape(k), np.clip(np.asarray(k, np.int64), -1, self.samples).ravel()
        reached = np.maximum(k, 0)
        bin_ = np.searchsorted(self.first, reached, side="right") - 1
        below = np.concatenate(([0.0], np.cumsum(self.mass)))[bin_]
        within = self.mass[bin_]
        part = np.flatnonzero(self.last[bin_] > reached)  # of bins that k lies inside of
        if part.size:
            within[part] = self._mass_between(self.first[bin_][part], reached[part])
        return np.where(k < 0, 0.0, np.minimum(below + within, 1.0)).reshape(shape)

    def log_pmf(self, k: Ints) -> Floats:
        """Log probability of the whole counts k."""
        return log_pmf(k, self.samples - k, self.b, self.beta)

    def _mass_between(self, first: Ints, last: Ints) -> Floats:
        low = first <= self.samples // 2
        n, b, beta = self.samples, self.b, self.beta
        return np.where(
            low,
            _mass(np.where(low, first, 0), np.where(low, last, 0), n, b, beta),
            _mass(np.where(low, 0, n - last), np.where(low, 0, n - first), n, beta, b),
        )


@lru_cache(maxsize=16)
def count_bins(samples: int, b: float, beta: float) -> CountBins:
    """Bins of all counts 0..samples; the same law and samples give the same object."""
    half = samples // 2
    low_first, low_last = _half_bins(half, samples, b, beta)
    # The mirror: failures instead of counts.
    high_first, high_last = _half_bins(samples - half - 1, samples, beta, b)
    mass = np.concatenate(
        (
            _mass(low_first, low_last, samples, b, beta),
            _mass(high_first, high_last, samples, beta, b)[::-1],
        )
    )
    first = np.concatenate((low_first, (samples - high_last)[::-1]))
    last = np.concatenate((low_last, (samples - high_first)[::-1]))
    return CountBins(samples, b, beta, first, last, mass)


def cdf(k: Ints, samples: int, b: float, beta: float) -> Floats:
    """P(count <= k) as `CountBins.cdf` has it, without the bins beyond the largest k, where that is
    below half of the samples; of the shape of k.
    """
    top, half = int(np.max(k)), samples // 2
    if top > half:
        return count_bins(samples, b, beta).cdf(k)
    first, last = _half_bins(half, samples, b, beta)
    some = first <= top
    first, last = first[some], last[some]
    return CountBins(samples, b, beta, first, last, _mass(first, last, samples, b, beta)).cdf(k)


def _half_bins(top: int, n: int, b: float, beta: float) -> tuple[Ints, Ints]:
    """First and last counts of the bins that cover 0..top, where top <= n/2."""
    singles = np.arange(min(top, SINGLES - 1) + 1, dtype=np.int64)
    if top < SINGLES:
        return singles, singles
    # A fraction of the spread of ln k, which is at least √(1/b + 1/β).
    step = min(0.02, 0.1 / np.sqrt(1 + min(b, beta)))
    edges = np.exp(np.arange(np.log(SINGLES), np.log(top), step)).astype(np.int64)
    edges = np.append(edges[(edges >= SINGLES) & (edges <= top)], [SINGLES, top + 1])
    with np.errstate(divide="ignore", invalid="ignore"):
        turn = np.float64(n * (1 - b) + beta - 1) / (2 - b - beta)  # (B3)
    if SINGLES < turn < top:
        edges = np.append(edges, int(turn) + 1)
    edges = np.unique(edges)
    return np.concatenate((singles, edges[:-1])), np.concatenate((singles, edges[1:] - 1))


def _mass(first: Ints, last: Ints, n: int, b: float, beta: float) -> Floats:
    """P(first <= count <= last) by (B4), or P(first) where the two are the same; for counts up to
    n/2.
    """
    mass = np.exp(log_pmf(first, n - first, b, beta))
    wide = last > first
    if not wide.any():
        return mass
    lo, hi = first[wide] - 0.5, last[wide] + 0.5
    t = (lo + hi)[:, None] / 2 + (hi - lo)[:, None] / 2 * BIN_NODES
    area = np.exp(log_pmf(t, n - t, b, beta)) @ BIN_WEIGHTS * (hi - lo) / 2

    def rise(k: Ints) -> Floats:
        return np.exp(log_pmf(k, n - k, b, beta)) - np.exp(log_pmf(k - 1, n - k + 1, b, beta))

    mass[wide] = area - (rise(last[wide] + 1) - rise(first[wide])) / 24
    return mass
