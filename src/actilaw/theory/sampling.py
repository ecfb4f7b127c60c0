"""Draws of counts in constant time per unit: multinomial bins, with rejection sampling within.

    (D1) Units are independent, so the numbers of them in the bins of (B4) are multinomial. Within a
         bin a count is drawn uniformly and accepted with P(count)/max P, above 0.9 on average
         [derived]
    (D2) Of the units idle at D, each wakes by D' independently with `wake_probability`, (13)
         [derived]
    (D3) Counts of competing units add up over groups of units: of n firings in a group whose halves
         have prior weights a and a', BetaBinomial(n; a, a') fall into the first half  [derived]

(D1) never draws a binomial of a huge number of samples. `Generator.binomial` and `multinomial`
compare logarithms multiplied by n, whose rounding shows from n of about 10¹⁵ on: at n = 10¹⁸ and
mean 1000 the variance of NumPy's draws is 4 % short.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from actilaw.support.arrays import Floats, Ints
from actilaw.theory.beta_binomial import CountBins, log_stay_idle

# Up to this probability a binomial number of units is Poisson to the same total variation.
RARE = 1e-12
FEW = 2.0**40  # up to this many trials NumPy's binomial is exact for any purpose


@dataclass(frozen=True)
class CountHistogram:
    """How many units have each count: `units[j]` of them fired `first[j]` to `last[j]` times,
    inclusive.

    All are (n_bins,) int64. Counts up to 16383 from either end have a bin each; empty bins are left
    out.
    """

    samples: int
    first: Ints
    last: Ints
    units: Ints

    @property
    def working(self) -> int:
        """Number of units that fired at least once."""
        return int(self.units[self.first > 0].sum())

    @property
    def idle(self) -> int:
        """Number of units that never fired."""
        return int(self.units[self.first == 0].sum())


def draw_histogram(units: int, bins: CountBins, rng: np.random.Generator) -> CountHistogram:
    """Numbers of units in the bins, (D1); time and memory do not depend on `units` or on the
    samples.
    """
    drawn = _multinomial(units, bins.mass, rng)
    some = drawn > 0
    return CountHistogram(bins.samples, bins.first[some], bins.last[some], drawn[some])


def draw_counts(units: int, bins: CountBins, rng: np.random.Generator) -> Ints:
    """Counts of `units` independent units, (units,) int64, by (D1); time in proportion to `units`
    alone.
    """
    left = _multinomial(units, bins.mass, rng)
    parts = []
    while left.any():
        # The others are accepted whatever their probability.
        doubtful = rng.binomial(left, 1 - bins.evenness)
        parts.append(_uniform_within(left - doubtful, bins, rng))
        if not doubtful.any():
            break
        k, bin_ = _uniform_within(doubtful, bins, rng), np.repeat(np.arange(left.size), doubtful)
        top = np.maximum(bins.log_pmf(bins.first[bin_]), bins.log_pmf(bins.last[bin_]))
        accepted = rng.uniform(bins.evenness[bin_], 1) <= np.exp(bins.log_pmf(k) - top)
        parts.append(k[accepted])
        left = np.bincount(bin_[~accepted], minlength=left.size)
    counts = np.concatenate(parts)
    rng.shuffle(counts)  # units are exchangeable, bins are in order
    return counts


def draw_discovery(units: int, grid: Ints, b: float, beta: float, rng: np.random.Generator) -> Ints:
    """Working units at each entry of the increasing `grid` of samples, along one path, by (D2)."""
    steps = np.diff(grid, prepend=0)
    wake = -np.expm1(log_stay_idle(grid - steps, steps, b, beta))
    idle, working = units, np.empty(grid.shape, np.int64)
    for j, p in enumerate(wake):
        idle -= int(rng.binomial(idle, p))
        working[j] = units - idle
    return working


def draw_competing(units: int, samples: int, b: float, rng: np.random.Generator) -> Ints:
    """Counts of a Pólya urn of `units` colours with b balls each, after `samples` draws, by halving
    (D3).
    """
    counts, sizes = np.array([samples], np.int64), np.array([units], np.int64)
    while sizes.max() > 1:
        left, right = sizes // 2, sizes - sizes // 2
        share = np.where(left > 0, rng.beta(b * np.maximum(left, 1), b * right), 0.0)
        first = draw_binomial(counts, share, rng)
        counts = np.column_stack((first, counts - first)).ravel()
        sizes = np.column_stack((left, right)).ravel()
        counts, sizes = counts[sizes > 0], sizes[sizes > 0]
    return counts


def draw_binomial(n: Ints, p: Floats, rng: np.random.Generator) -> Ints:
    """Binomial draws, elementwise, within a total variation of 1e-6 also where n exceeds 2⁴⁰.

    There, a side with at most 1e6 expected is Poisson (total variation at most p <= 1e-6, Barbour &
    Hall 1984); otherwise a normal with its Cornish-Fisher correction for skewness is rounded.
    """
    drawn = rng.binomial(np.where(n <= FEW, n, 0), p)
    huge = np.flatnonzero(n > FEW)
    if huge.size:
        m = n[huge]
        small = np.minimum(p[huge], 1 - p[huge])
        mean = m * small
        spread = np.sqrt(mean * (1 - small))
        z = rng.standard_normal(huge.size)
        normal = np.rint(mean + spread * z + (1 - 2 * small) * (z * z - 1) / 6)
        rare = mean <= 1e6
        few = np.where(rare, rng.poisson(np.where(rare, mean, 0.0)), normal).astype(np.int64)
        drawn[huge] = np.where(p[huge] <= 0.5, few, m - few)
    return drawn


def _multinomial(total: int, mass: Floats, rng: np.random.Generator) -> Ints:
    """Multinomial numbers for bins whose probabilities differ by hundreds of orders of
    magnitude.
    """
    # The largest last: the remainder never becomes a rounding error.
    order = np.argsort(mass, kind="stable")
    rare = np.searchsorted(mass[order], RARE)
    drawn = np.empty(mass.size, np.int64)
    drawn[order[:rare]] = rng.poisson(total * mass[order[:rare]])
    common = mass[order[rare:]]
    drawn[order[rare:]] = rng.multinomial(total - drawn[order[:rare]].sum(), common / common.sum())
    return drawn


def _uniform_within(numbers: Ints, bins: CountBins, rng: np.random.Generator) -> Ints:
    """`numbers[j]` counts drawn uniformly from bin j, bin by bin."""
    # The largest uniform must not round up into the next bin.
    width = (bins.last - bins.first + 1) * (1 - 2.0**-52)
    offset = rng.random(numbers.sum())
    offset *= np.repeat(width, numbers)
    counts = offset.astype(np.int64)
    counts += np.repeat(bins.first, numbers)
    return counts
