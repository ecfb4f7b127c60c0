"""What others would forecast from the same counts: for comparison, never for use.

    (C1) Chao2, extrapolated: K + f0 (1 − (1 − Q1/(T f0 + Q1))^t), f0 = (T−1)/T Q1²/(2 Q2), after T
         of T + t samples
         (Chao 1987; Colwell et al. 2012, eq. 18; what iNEXT computes for incidence data)
    (C2) smoothed Good-Toulmin: K − Σ_i (−t/T)^i P(L >= i) Q_i, L binomial(k, 2/(2 + t/T)),
         k = ½ log₃(T (t/T)² / (t/T − 1)) (Orlitsky, Suresh & Wu 2016)
    (C3) K stays as it is

Q_i is the number of units activated by exactly i samples. None knows how many units there are; all
are given that number as an upper bound.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import binom

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.support.arrays import Floats


def chao2(counts: ActivationCounts, samples: Floats) -> Floats:
    """Working units by (C1), at `samples` in all, (n,)."""
    once, twice = _units_with(counts, 1), _units_with(counts, 2)
    unseen = once**2 / (2 * twice) if twice else once * (once - 1) / 2
    unseen *= (counts.samples - 1) / counts.samples
    if unseen == 0:
        return np.full_like(samples, counts.working)
    still = (
        np.log1p(-once / (counts.samples * unseen + once))
        if counts.samples * unseen > 0
        else -np.inf
    )
    return np.minimum(
        counts.working - unseen * np.expm1((samples - counts.samples) * still), counts.units
    )


def good_toulmin(counts: ActivationCounts, samples: Floats) -> Floats:
    """Working units by (C2), at `samples` in all, (n,)."""
    told = [_good_toulmin(counts, (total - counts.samples) / counts.samples) for total in samples]
    return np.clip(told, counts.working, counts.units)


def persistence(counts: ActivationCounts, samples: Floats) -> Floats:
    """Working units by (C3): those counted."""
    return np.full_like(samples, counts.working)


BASELINES: dict[str, Callable[[ActivationCounts, Floats], Floats]] = {
    "chao2": chao2,
    "good_toulmin": good_toulmin,
    "persistence": persistence,
}


def _good_toulmin(counts: ActivationCounts, ahead: float) -> float:
    if ahead <= 1:  # the plain series converges
        most = int(counts.counts.max())
        i = np.arange(1, min(most, 1000) + 1)
        keep = np.ones(i.size)
    else:
        trials = int(np.ceil(np.log(counts.samples * ahead**2 / (ahead - 1)) / np.log(3) / 2))
        i = np.arange(1, trials + 1)
        keep = binom.sf(i - 1, trials, 2 / (2 + ahead))
    units = np.array([_units_with(counts, int(k)) for k in i])
    return counts.working - float(np.sum((-ahead) ** i * keep * units))


def _units_with(counts: ActivationCounts, k: int) -> int:
    return int(np.count_nonzero(counts.counts == k))
