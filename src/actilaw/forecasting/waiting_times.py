"""First activations as censored waiting times (Turnbull 1976): how many units were first active
between one row of a curve and the next, and how many not yet.

    (WT1) A unit of which a activations are expected in all D samples waits an exponential time: it
          is first active between d and d' samples with probability exp(−a d/D) − exp(−a d'/D), and
          not by D with probability exp(−a)  [derived]

With a density of rates (RD2), the numbers of units per interval are multinomial. That is all a
curve tells; unlike counts of tokens it is not deceived by bursts, since only the first activation
of a burst is a first activation of its unit.

Units that answer to the same samples start to work together, so the numbers vary by more than
chance. Pearson's statistic about a smooth curve measures that,

    (WT2) overdispersion = (PRIOR_INTERVALS · PRIOR_OVERDISPERSION + Σ (n_j − e_j)²/e_j) /
          (PRIOR_INTERVALS + degrees of freedom)

weighed against what it usually is, because a log may have few rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from actilaw.forecasting.incidence import upper_mean
from actilaw.forecasting.logged_curve import LoggedCurve
from actilaw.forecasting.rate_density import fit_one_rate_density
from actilaw.support.arrays import Floats, Ints

MOST_INTERVALS = 60  # of a longer log rows are joined, the later ones more: rates are logarithmic
PRIOR_OVERDISPERSION, PRIOR_INTERVALS = 2.0, 4.0
LEAST_EXPECTED = 5.0  # units in an interval, for Pearson's statistic
SMOOTHNESS_OF_TREND = 6.0


@dataclass(frozen=True, eq=False)
class WaitingTimes:
    """Units by the interval in which they were first active.

    Attributes:
        curve: that was logged.
        ends: of the intervals, as shares of all samples, growing to 1; (n_intervals,).
        frequencies: units first active in each interval, then those not yet; (n_intervals + 1,).
        overdispersion: variance of these numbers over that of independent units, at least 1.
    """

    curve: LoggedCurve
    ends: Floats
    frequencies: Floats
    overdispersion: float = 1.0

    @property
    def samples(self) -> int:
        """D, samples in all."""
        return self.curve.samples

    @property
    def tempering(self) -> float:
        """What the likelihood is divided by: the overdispersion, more than for blocks, since units
        that start to work together stand in one interval and bend the density of rates there.
        """
        return self.overdispersion

    @property
    def error_factor(self) -> float:
        """κ of (RD4)."""
        return self.overdispersion**-0.25

    def probabilities(self, activations: Floats) -> Floats:
        """Probability of each interval, (WT1), for units of which so many activations are expected
        in all samples, (n_rates,); (n_intervals + 1, n_rates).
        """
        idle = np.exp(-np.outer(np.append(0.0, self.ends), activations))
        return np.vstack((-np.diff(idle, axis=0), idle[-1:]))

    def most_newly_working(self, more: Ints, z: float) -> Floats:
        """Upper bound of the idle units that are activated within `more` samples, for any density
        of rates; (n,).

        Fewer and fewer units start to work per sample, so from now on no more per sample than in
        the later half of the samples so far.

        Args:
            more: further samples; (n,).
            z: quantile of the normal distribution at which the number of that half is bounded.
        """
        halfway = self._halfway
        recent = self.curve.working - float(self.curve.counted[halfway])
        span = self.samples - int(self.curve.rows[halfway])
        return more / span * upper_mean(recent, self.overdispersion, z)

    @cached_property
    def _halfway(self) -> int:
        """The last row but one, or the last by which at most half of the samples had come."""
        by_half = int(np.searchsorted(self.curve.rows, self.samples / 2, side="right")) - 1
        return min(max(by_half, 0), self.curve.rows.size - 2)


def waiting_times(curve: LoggedCurve) -> WaitingTimes:
    """First activations of the units of a curve, with their overdispersion (WT2)."""
    rows = _joined(curve.rows)
    counted = curve.counted[rows]
    frequencies = np.append(np.diff(np.append(0, counted)), curve.idle).astype(float)
    ends = curve.rows[rows] / curve.samples
    independent = WaitingTimes(curve, ends, frequencies)
    return WaitingTimes(curve, ends, frequencies, _overdispersion(independent))


def _joined(rows: Ints) -> Ints:
    """Indices of the rows that end an interval: all, or of many those nearest to equal steps of the
    logarithm.
    """
    if rows.size <= MOST_INTERVALS:
        return np.arange(rows.size)
    wanted = np.geomspace(rows[0], rows[-1], MOST_INTERVALS)
    return np.unique(np.minimum(np.searchsorted(rows, wanted), rows.size - 1))


def _overdispersion(times: WaitingTimes) -> float:
    trend = fit_one_rate_density(times, SMOOTHNESS_OF_TREND)
    expected, free = trend.expected_classes(times), trend.degrees_of_freedom
    # Intervals of few units are joined with the next.
    group = np.floor(np.cumsum(expected[:-1]) / LEAST_EXPECTED).astype(int)
    of_group = np.bincount(group, expected[:-1])
    found = np.bincount(group, times.frequencies[:-1])
    there = of_group >= LEAST_EXPECTED / 2
    squares = np.sum((found[there] - of_group[there]) ** 2 / of_group[there])
    left = max(1.0, np.count_nonzero(there) - free)
    prior = PRIOR_INTERVALS * PRIOR_OVERDISPERSION
    return max(1.0, float((prior + squares) / (PRIOR_INTERVALS + left)))
