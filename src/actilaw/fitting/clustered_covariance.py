"""How much less counts say than their likelihood does, because units see the same samples.

    (V1) V = C + C (J − I) C

C is the inverse information, which takes units as independent draws. J is the jackknife variance of
the score over blocks of samples; I is what that variance would be if every unit had samples of its
own. Their difference holds the covariances between units and nothing else: activity that comes in
bursts, and samples that move many units at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.support.arrays import Floats

LEAST_BLOCKS = 8
Scores = Callable[[NDArray[np.int64], int], Floats]


def shared_covariance(counts: ActivationCounts, scores: Scores, covariance: Floats) -> Floats:
    """The second term of (V1), 0 where there are too few blocks; (n_parameters, n_parameters).

    Where units compete, as in a top-k layer, the difference is negative; no credit is taken for
    that.

    Args:
        counts: of one layer.
        scores: slopes of a unit's log probability in the parameters, for distinct counts k,
            (n_distinct,), out of n samples; returns (n_distinct, n_parameters).
        covariance: C; (n_parameters, n_parameters).
    """
    blocks = counts.blocks
    if blocks is None or len(blocks) < LEAST_BLOCKS:
        return np.zeros_like(covariance)
    n, size = len(blocks), len(covariance)
    totals, own, sums = np.zeros((n, size)), np.zeros((size, size)), np.zeros((counts.units, size))
    for j in range(n):
        left = counts.counts - blocks.counts[j]
        distinct, where = np.unique(left, return_inverse=True)
        each = scores(distinct, counts.samples - int(blocks.samples[j]))[where]
        totals[j] = each.sum(axis=0)
        own += each.T @ each
        sums += each
    own -= sums.T @ sums / n
    away = totals - totals.mean(axis=0)
    sizes, axes = np.linalg.eigh(covariance @ (away.T @ away - own) @ covariance * (n - 1) / n)
    return (axes * np.maximum(sizes, 0)) @ axes.T
