"""Simultaneous bands: bounds that hold a whole forecast curve at once (Montiel Olea &
Plagborg-Møller 2019, sup-t bands).

An interval of 95 % holds the count after one number of samples in 95 of 100 cases. The curve up to
that number of samples leaves such intervals somewhere more often. A band that is to hold all of the
curve takes each interval at a higher level:

    (SB1) P(|Z_j| <= z for all j) = level, Z normal with the correlation of the errors of the log
          odds at D_1, .., D_n; the intervals are then taken at the level 2 Φ(z) − 1
    (SB2) for D_j <= D_k, the covariance of those errors = inflation times that of the rates (RD4),
          whose drift has DRIFT ln(D_j/D) in common, + that between entries + φ / (n_idle (1 − p_j)
          p_k), the last because which units start to work is chance: those by D_j are among those
          by D_k  [derived]

The D_j are the same steps of further samples for any band, as far as it reaches, and z comes from
normal draws that are the same in every call: a band that reaches farther is never narrower.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtr

from actilaw.forecasting.forecaster import Forecaster
from actilaw.support.arrays import Floats, Ints
from actilaw.support.validation import LARGEST_WHOLE

POINTS_PER_DOUBLING = 5  # of further samples, at which the curve has to stay inside
BAND_DRAWS = 40_000  # a level of 0.95 is then known to 0.001
LEAST_DRAWS_OUTSIDE = 100  # of them, that tell where a band ends
OWN_VARIANCE = 1e-9  # added to each of the correlated errors, so that rounding leaves a root
MOST_FURTHER = 2.0**62  # samples, whole in floats
OPEN_SHARES = (1e-9, 1 - 1e-9)  # where the log odds of a number of units are about normal


def forecast_table(
    forecaster: Forecaster, samples: Ints, level: float, *, simultaneous: bool
) -> pd.DataFrame:
    """As `Forecaster.at`, or if `simultaneous` with bounds that hold the whole curve, up to the
    largest of `samples`, with probability `level`.
    """
    if simultaneous:
        level = level_of_band(forecaster, int(samples.max()), level)
    return forecaster.at(samples, level)


def level_of_band(forecaster: Forecaster, farthest: int, level: float) -> float:
    """The level at which intervals, one for each number of samples, hold the whole curve up to
    `farthest` samples with probability `level`; (SB1).
    """
    counts = forecaster.counts
    if counts.idle == 0 or farthest <= counts.samples:
        return level
    samples = _points(forecaster, farthest)
    if samples.size <= 1:
        return level
    if (1 - level) * BAND_DRAWS < LEAST_DRAWS_OUTSIDE:
        return 1 - (1 - level) / samples.size  # by Bonferroni: draws do not reach so far out
    covariance = error_covariance(forecaster, samples)
    deviations = np.sqrt(np.diag(covariance))
    largest = _largest_of_normal(covariance / np.outer(deviations, deviations))
    return max(level, float(2 * ndtr(np.quantile(largest, level)) - 1))


def error_covariance(forecaster: Forecaster, samples: Ints) -> Floats:
    """Covariance of the errors of the log odds of newly working units, (SB2), at increasing numbers
    of samples beyond those counted, (n,); (n, n).
    """
    share = np.clip(forecaster.rates.newly_working(samples)[0], *OPEN_SHARES)
    of_rates = forecaster.rates.covariance(samples) * forecaster.inflation
    earlier, later = np.minimum.outer(share, share), np.maximum.outer(share, share)
    chance = forecaster.overdispersion_ahead / (forecaster.counts.idle * (1 - earlier) * later)
    return of_rates + forecaster.between_entries + chance


def _points(forecaster: Forecaster, farthest: int) -> Ints:
    """Numbers of samples at equal steps of the logarithm of what is beyond those counted, from
    where one unit is expected to have started to work, to the first step that reaches `farthest`;
    (n,).
    """
    counts = forecaster.counts
    further = min(farthest, LARGEST_WHOLE) - counts.samples
    steps = np.arange(np.ceil(np.log2(further) * POINTS_PER_DOUBLING) + 1)
    more = np.minimum(np.rint(2.0 ** (steps / POINTS_PER_DOUBLING)), MOST_FURTHER)
    samples = (
        np.minimum(np.unique(more.astype(np.int64)), LARGEST_WHOLE - counts.samples)
        + counts.samples
    )
    samples = np.unique(samples)
    share, _ = forecaster.rates.newly_working(samples)
    return samples[counts.idle * share >= 1]


def _largest_of_normal(correlation: Floats) -> Floats:
    """The largest magnitude among normal variables of this correlation, in each draw; the draws of
    the first of them do not depend on the others.
    """
    root = np.linalg.cholesky(correlation + OWN_VARIANCE * np.eye(len(correlation)))
    draws = np.random.default_rng(0).standard_normal((len(root), BAND_DRAWS))
    return np.abs(root @ draws).max(axis=0)
