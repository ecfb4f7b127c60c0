"""Simultaneous bands: bounds that hold a whole forecast curve at once (Montiel Olea &
Plagborg-Møller 2019, sup-t bands).

An interval of 95 % holds the count after one number of samples in 95 of 100 cases. The curve up to
that number of samples leaves such intervals somewhere more often. A band that is to hold all of the
curve takes each interval at a higher level:

    (SB1) P(|Z_j| <= z for all j) = level, Z normal with the correlation of the errors of the log
          odds at D_1, .., D_n; the intervals are then taken at the level 2 Φ(z) − 1
    (SB2) for D_j <= D_k, the covariance of those errors = inflation (κ that of the estimate
          + DRIFT ln(D_j/D)) + that between entries + φ / (n_idle (1 − p_j) p_k), the last because
          which units start to work is chance: those by D_j are among those by D_k  [derived]

z comes from normal draws that are the same in every call, so a band is the same in every call too.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtr

from actilaw.forecasting.forecaster import Forecaster
from actilaw.support.arrays import Floats, Ints
from actilaw.support.numerics import log_grid

BAND_POINTS = 60  # numbers of samples at which the curve has to stay inside
BAND_DRAWS = 40_000  # a level of 0.95 is then known to 0.001
LEAST_EIGENVALUE = 1e-12
OPEN_SHARES = (1e-9, 1 - 1e-9)  # where the log odds of a number of units are about normal


def band(forecaster: Forecaster, samples: Ints, level: float) -> pd.DataFrame:
    """As `Forecaster.at`, but the bounds hold the whole curve, up to the largest of `samples`, with
    probability `level`.
    """
    return forecaster.at(samples, level_of_band(forecaster, int(samples.max()), level))


def level_of_band(forecaster: Forecaster, farthest: int, level: float) -> float:
    """The level at which intervals, one for each number of samples, hold the whole curve up to
    `farthest` samples with probability `level`; (SB1).
    """
    counts = forecaster.counts
    if counts.idle == 0 or farthest <= counts.samples:
        return level
    samples = _points(forecaster, farthest)
    covariance = error_covariance(forecaster, samples)
    deviations = np.sqrt(np.diag(covariance))
    largest = _largest_of_normal(covariance / np.outer(deviations, deviations))
    return float(2 * ndtr(np.quantile(largest, level)) - 1)


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
    where one unit is expected to have started to work; (n,).
    """
    counts = forecaster.counts
    samples = counts.samples + log_grid(1, farthest - counts.samples, BAND_POINTS)
    share, _ = forecaster.rates.newly_working(samples)
    return samples[(counts.idle * share >= 1) | (samples == samples[-1])]


def _largest_of_normal(correlation: Floats) -> Floats:
    """The largest magnitude among normal variables of this correlation, in each draw."""
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, LEAST_EIGENVALUE))
    draws = np.random.default_rng(0).standard_normal((len(root), BAND_DRAWS))
    return np.abs(root @ draws).max(axis=0)
