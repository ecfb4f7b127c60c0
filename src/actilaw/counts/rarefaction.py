"""Rarefaction: what a random part of the samples would have shown (Sanders 1968; Hurlbert 1971).

With every order of the samples equally likely, d of the D samples are a draw without replacement. A
unit with count k is in none of them with the hypergeometric probability

    (RF1) C(D − k, d) / C(D, d) = B(x + d, k) / B(x, k),   x = D − k − d + 1

which is 0 where d exceeds the D − k samples that did not activate the unit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from actilaw.support.arrays import Floats
from actilaw.theory.log_gamma import log_beta_ratio


def idle_in_part(k: ArrayLike, samples: int, part: ArrayLike) -> Floats:
    """Probability that none of `part` samples drawn out of `samples` activated a unit, (RF1).

    Args:
        k: counts of units, whole numbers in 0..samples.
        samples: D.
        part: d, in 0..samples, whole or not; broadcasts with `k`.
    """
    return np.exp(_log_idle(k, samples, part))


def working_in_part(k: ArrayLike, samples: int, part: ArrayLike) -> Floats:
    """One minus `idle_in_part`, with all its digits where it is small."""
    return -np.expm1(_log_idle(k, samples, part))


def _log_idle(k: ArrayLike, samples: int, part: ArrayLike) -> Floats:
    k, part = np.asarray(k), np.asarray(part)
    left = samples - k - part  # samples outside the part that did not activate the unit
    return np.where(left < 0, -np.inf, log_beta_ratio(np.maximum(left, 0) + 1.0, part, k))
