"""Baselines to compare forecasts with: the extrapolated Chao2 estimator (Chao 1987; Colwell et al.
2012), the smoothed Good-Toulmin estimator (Orlitsky, Suresh & Wu 2016), and persistence.

They extrapolate species accumulation curves in ecology, and are here the forecasts that anyone
could make without a theory of networks:

    (BL1) Chao2, extrapolated:  K + f0 (1 − (1 − Q1/(T f0 + Q1))^t),  f0 = (T−1)/T Q1²/(2 Q2), after
          T of T + t samples (Colwell et al. 2012, eq. 18; what iNEXT computes for incidence data)
    (BL2) smoothed Good-Toulmin:  K − Σ_i (−t/T)^i P(L >= i) Q_i,  L binomial(k, 2/(2 + t/T)),
          k = ½ log₃(T (t/T)² / (t/T − 1))
    (BL3) persistence:  K

Q_i is the number of units activated by exactly i samples. None of them knows how many units there
are; all are given that number as an upper bound.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import bdtrc

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.support.arrays import Floats

MOST_TERMS = 1000  # of the plain Good-Toulmin series, which converges


def chao2(counts: ActivationCounts, samples: Floats) -> Floats:
    """Working units by (BL1), at `samples` in all, (n,)."""
    never = _chao2_never_working(counts)
    if never == 0:
        return np.full_like(samples, counts.working)
    once = _units_with(counts, 1)
    still_idle = np.log1p(-once / (counts.samples * never + once))
    newly_working = -never * np.expm1((samples - counts.samples) * still_idle)
    return np.minimum(counts.working + newly_working, counts.units)


def good_toulmin(counts: ActivationCounts, samples: Floats) -> Floats:
    """Working units by (BL2), at `samples` in all, (n,)."""
    ahead = (samples - counts.samples) / counts.samples
    expected = [_good_toulmin(counts, float(ratio)) for ratio in ahead]
    return np.clip(expected, counts.working, counts.units)


def persistence(counts: ActivationCounts, samples: Floats) -> Floats:
    """Working units by (BL3): those counted; (n,)."""
    return np.full_like(samples, counts.working)


BASELINES: dict[str, Callable[[ActivationCounts, Floats], Floats]] = {
    "chao2": chao2,
    "good_toulmin": good_toulmin,
    "persistence": persistence,
}


def _chao2_never_working(counts: ActivationCounts) -> float:
    """f0 of (BL1): units that can work but have not; in its bias-corrected form where Q2 is 0."""
    once, twice = _units_with(counts, 1), _units_with(counts, 2)
    never = once**2 / (2 * twice) if twice else once * (once - 1) / 2
    return never * (counts.samples - 1) / counts.samples


def _good_toulmin(counts: ActivationCounts, ahead: float) -> float:
    """(BL2) at t/T = `ahead`; the plain series where it converges."""
    if ahead <= 1:
        terms = min(int(counts.counts.max()), MOST_TERMS)
        i = np.arange(1, terms + 1)
        kept = np.ones(i.size)
    else:
        terms = int(np.ceil(np.log(counts.samples * ahead**2 / (ahead - 1)) / np.log(3) / 2))
        i = np.arange(1, terms + 1)
        kept = bdtrc(i - 1, terms, 2 / (2 + ahead))
    units = np.array([_units_with(counts, int(k)) for k in i])
    return counts.working - float(np.sum((-ahead) ** i * kept * units))


def _units_with(counts: ActivationCounts, k: int) -> int:
    return int(np.count_nonzero(counts.counts == k))
