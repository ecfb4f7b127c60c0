"""The activation law of Zhang & Sui (2024, arXiv 2412.18073): how many units have fired after D
samples, and how often.

A layer has N units, of which c fire on a sample on average. Unit i has fired D_i times, and K(D)
units have fired at least once. [paper] marks what the article states, [derived] what follows.

    (1)  P(unit i fires next | D_i) = c (D_i + b) / (c D + b N) = (D_i + b) / (D + D*)  [paper]
         with the knee D* = b N / c
    (2)  each unit has a hidden rate p_i ~ Beta(b, β), where β = D* − b  [derived]
    (4)  D_i ~ BetaBinomial(D; b, β), with mean c D / N  [derived]
    (5)  E K(D) = N (1 − B(b, β + D) / B(b, β));  Var K = E K (1 − E K / N)  [derived]
    (6)  K(D) = N (1 − (1 + D/D*)^(−b)), the mean field of (5)  [paper]
    (7)  P(D_i = k) ~ k^(−α)  [paper]
         with α = 1 − b, up to the cut-off k* = 1 / ln(1 + D*/D)  [derived]
    (8)  K(D) <= min(N, c D), reached as N or D goes to infinity  [paper in words; bound derived]
         past D = N/c data, not width, set K
    (9)  K against ln D is steepest at D = N/c, whatever b is  [derived]
         there K/N = 1 − (b/(1+b))^b and dK/d ln D = N (b/(1+b))^(b+1)
    (11) idle fraction (N − K)/N = (b N / (c D + b N))^b  [paper]
         with elasticity −b D/(D + D*) in D, and the same with a plus sign in N  [derived]
    (12) D = D* ((1−w)^(−1/b) − 1) is where a share w of the units works  [derived]
         N = (c D/b) / ((1−w)^(−1/b) − 1) is the width at which it does
    (13) a unit seen k times in D samples has rate (k + b)/(D + D*) a posteriori  [derived]
         an idle one wakes by D' with probability 1 − B(b, β + D') / B(b, β + D)

Every exact quantity is right to a relative 1e-9, and nearly always to 1e-14, for N up to 1e12, D
up to 1e18 and b from 1e-6 to 1e3: see `actilaw.theory.log_gamma`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from actilaw.errors import InputError
from actilaw.support.arrays import Floats, Ints
from actilaw.support.validation import (
    at_least_zero,
    at_most_samples,
    fraction,
    increasing,
    one_whole,
    positive,
    whole,
)
from actilaw.theory import beta_binomial, sampling
from actilaw.theory.beta_binomial import CountBins, count_bins
from actilaw.theory.log_gamma import digamma_step, log_beta_ratio_slope

MOST_LISTED = 10**10  # a count each of so many units takes 80 GB


@dataclass(frozen=True)
class ActivationLaw:
    """The activation law of a layer of `units` units of which `active` fire on a sample, on
    average.

    Args:
        units: N, how many units the layer has.
        active: c, mean number of units that one sample activates; 0 < active < units, below 1 too.
        b: prior weight of a unit that has not fired yet; b > 0.

    Raises:
        InputError: if the parameters lie outside these ranges.
    """

    units: float
    active: float
    b: float

    def __post_init__(self) -> None:
        if not 0 < self.active < self.units < np.inf:
            raise InputError(
                f"expected 0 < active < units, but active={self.active:g} and "
                f"units={self.units:g}: a layer whose units always fire has no activation law"
            )
        positive("b", self.b, "an idle unit needs some weight to wake")

    @property
    def alpha(self) -> float:
        """Exponent of the law of counts P(D_i = k) ~ k^(−alpha), (7): alpha = 1 − b."""
        return 1 - self.b

    @property
    def knee(self) -> float:
        """D* = b N / c, in samples: before it the idle fraction is flat, after it a power law
        D^(−b).
        """
        return self.b * self.units / self.active

    @property
    def beta(self) -> float:
        """β = D* − b = b (N − c)/c, the prior weight of not firing, (2)."""
        # As a difference of units, no digits are lost where active is near units.
        return self.b * ((self.units - self.active) / self.active)

    @property
    def inflection(self) -> float:
        """N / c, in samples: where the mean-field K against log D is steepest, whatever b is,
        (9).
        """
        return self.units / self.active

    @property
    def inflection_height(self) -> float:
        """Share of units that work at the inflection, (9)."""
        return float(-np.expm1(-self.b * np.log1p(1 / self.b)))

    @property
    def inflection_slope(self) -> float:
        """Growth of the working share per unit of ln D at the inflection, (9); its greatest."""
        return float(np.exp(-(self.b + 1) * np.log1p(1 / self.b)))

    def working(self, samples: ArrayLike, exact: bool = True) -> Floats:
        """Expected number of units that have fired after `samples` inputs: (5), or (6) if not
        `exact`.

        `samples` is any shape, not negative; the result has its shape. It never exceeds
        `working_bound`.
        """
        return -self.units * np.expm1(self._log_idle(samples, exact))

    def working_bound(self, samples: ArrayLike) -> Floats:
        """Most units that can have fired, min(N, c D) of (8): all there are, or one per
        activation.
        """
        return np.minimum(self.units, self.active * at_least_zero("samples", samples))

    def working_variance(self, samples: ArrayLike) -> Floats:
        """Variance of the number of working units, (5), where units fire independently of each
        other.
        """
        log_idle = self._log_idle(samples, True)
        return -self.units * np.expm1(log_idle) * np.exp(log_idle)

    def idle_fraction(self, samples: ArrayLike, exact: bool = True) -> Floats:
        """Expected share of units that no sample has activated: by (5), or the paper's
        mean field (11) if not `exact`.
        """
        return np.exp(self._log_idle(samples, exact))

    def idle_elasticity(self, samples: ArrayLike, exact: bool = True) -> Floats:
        """Percent by which the idle fraction changes per percent more samples, (11): 0 down to
        −b.
        """
        samples = at_least_zero("samples", samples)
        if exact:
            return -samples * digamma_step(self.beta + samples, self.b)
        return -self.b * samples / (samples + self.knee)

    def idle_elasticity_in_units(self, samples: ArrayLike, exact: bool = True) -> Floats:
        """Percent by which the idle fraction changes per percent more units, (11): 0 up to b."""
        samples = at_least_zero("samples", samples)
        if exact:
            return self.knee * log_beta_ratio_slope(self.beta, samples, self.b)
        return self.b * samples / (samples + self.knee)

    def log_count_pmf(self, k: ArrayLike, samples: ArrayLike) -> Floats:
        """Log probability that a unit fires on exactly `k` of `samples` inputs, (4); −inf outside
        0..samples.

        Both are whole numbers of any shapes that broadcast.
        """
        n = whole("samples", samples)
        k, n = np.broadcast_arrays(_whole_or_negative(k), n)
        inside = (k >= 0) & (k <= n)
        safe = np.where(inside, k, 0)
        log_p = beta_binomial.log_pmf(safe, n - safe, self.b, self.beta)
        return np.where(inside, log_p, -np.inf)[()]

    def count_pmf(self, k: ArrayLike, samples: ArrayLike) -> Floats:
        """Probability that a unit fires on exactly `k` of `samples` inputs, (4); 0 outside
        0..samples.
        """
        return np.exp(self.log_count_pmf(k, samples))

    def count_cdf(self, k: ArrayLike, samples: int) -> Floats:
        """Probability that a unit fires on at most `k` of `samples` inputs, (4), whatever their
        size.
        """
        return self.count_bins(samples).cdf(_whole_or_negative(k))[()]

    def working_count_pmf(self, k: ArrayLike, samples: ArrayLike) -> Floats:
        """Probability that a unit that fired at all fired exactly `k` times: (4) without its
        zeros.
        """
        log_p = self.log_count_pmf(k, samples)
        log_works = np.log(-np.expm1(self._log_idle(whole("samples", samples, least=1), True)))
        return np.where(np.asarray(k) > 0, np.exp(log_p - log_works), 0.0)[()]

    def cutoff(self, samples: ArrayLike) -> Floats:
        """k* of (7): counts follow k^(−alpha) up to about here and fall exponentially beyond."""
        with np.errstate(divide="ignore"):  # 0 before the first sample
            return 1 / np.log1p(self.knee / at_least_zero("samples", samples))

    def samples_for(self, working: ArrayLike) -> Floats:
        """Samples after which the fraction `working` of all units works, by the mean field (12).

        `working` lies in (0, 1). The answer is infinite where no float is large enough (b << 1).
        """
        return self.knee * self._spread(working)

    def units_for(self, working: ArrayLike, samples: ArrayLike) -> Floats:
        """Width at which `samples` inputs make the fraction `working` of all units work, (12), same
        c and b.

        Wider layers leave more units idle. An answer below `active` means that no width does.
        """
        return self.active * at_least_zero("samples", samples) / self.b / self._spread(working)

    def rate_posterior(self, count: ArrayLike, samples: ArrayLike) -> Floats:
        """Expected rate of a unit that fired on `count` of `samples` inputs: (1) read backwards,
        (13).
        """
        n = at_least_zero("samples", samples)
        k = at_least_zero("count", count)
        at_most_samples("count", k, n)
        return (k + self.b) / (n + self.knee)

    def wake_probability(self, samples: ArrayLike, more: ArrayLike) -> Floats:
        """Probability that a unit idle after `samples` inputs fires within the next `more` of them,
        (13).
        """
        n, more = at_least_zero("samples", samples), at_least_zero("more", more)
        return -np.expm1(beta_binomial.log_stay_idle(n, more, self.b, self.beta))

    def draw_counts(self, samples: int, rng: np.random.Generator) -> Ints:
        """Counts of all units, each independent, after `samples` inputs: (units,) int64 in time
        O(units).
        """
        units = self._whole_units()
        if units > MOST_LISTED:
            raise InputError(
                f"expected at most {MOST_LISTED:,} units for a count each, but units={units:,}: "
                "draw_histogram has no such limit"
            )
        return sampling.draw_counts(units, self.count_bins(samples), rng)

    def draw_histogram(self, samples: int, rng: np.random.Generator) -> sampling.CountHistogram:
        """How many units have each count after `samples` inputs, without drawing them one by one.

        Neither units nor samples cost time. Counts up to 16383 are exact, larger ones in bins of 2
        %.
        """
        return sampling.draw_histogram(self._whole_units(), self.count_bins(samples), rng)

    def draw_discovery(self, samples: ArrayLike, rng: np.random.Generator) -> Ints:
        """Working units at each entry of `samples`, an increasing (n,) grid, along one path; time
        O(n).
        """
        grid = increasing("samples", samples)
        return sampling.draw_discovery(self._whole_units(), grid, self.b, self.beta, rng)

    def count_bins(self, samples: int) -> CountBins:
        """The law of one unit's count in bins that cover 0..samples, from which cdf and draws are
        made.
        """
        return count_bins(one_whole("samples", samples), float(self.b), float(self.beta))

    def _log_idle(self, samples: ArrayLike, exact: bool) -> Floats:
        samples = at_least_zero("samples", samples)
        if exact:
            return beta_binomial.log_idle(samples, self.b, self.beta)
        return -self.b * np.log1p(samples / self.knee)

    def _spread(self, working: ArrayLike) -> Floats:
        """(1−w)^(−1/b) − 1 of (12)."""
        with np.errstate(over="ignore"):
            return np.expm1(-np.log1p(-fraction("working", working)) / self.b)

    def _whole_units(self) -> int:
        return one_whole("units", self.units)


def _whole_or_negative(k: ArrayLike) -> Ints:
    """Counts as int64; negative ones are allowed and impossible."""
    k = np.asarray(k)
    return np.where(k < 0, -1, whole("count k", np.where(k < 0, 0, k)))
