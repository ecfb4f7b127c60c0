"""Clustered covariance of estimates (a sandwich estimator, Liang & Zeger 1986), since units see the
same samples and are not independent.

    (CC1) V = C + C (J − I) C

C is the inverse information: the covariance if units were independent draws. J is the variance of
the score of all units together, by a jackknife over blocks of samples; I is the sum over units of
the same variance of each unit alone. J − I is what units share: bursts of activity, and samples
that move many units at once. With fewer than 8 blocks V is C, and V is never made less than C.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.blocks import Blocks
from actilaw.support.arrays import Floats, Ints

LEAST_BLOCKS_FOR_JACKKNIFE = 8
RECURRING_COUNTS = 4  # samples per unit, up to which most counts recur in other blocks
Scores = Callable[[Ints, int], Floats]


def clustered_covariance(counts: ActivationCounts, scores: Scores, covariance: Floats) -> Floats:
    """Covariance of the parameters with what units share, (CC1); (n_parameters, n_parameters).

    With too few blocks this is C itself. Where units compete, as in a top-k layer, J − I is
    negative; the covariance is never made smaller by that.

    Args:
        counts: of one layer.
        scores: slopes of a unit's log probability in the parameters, for distinct counts k,
            (n_distinct,), out of n samples; returns (n_distinct, n_parameters).
        covariance: C; (n_parameters, n_parameters).
    """
    blocks = counts.blocks
    if blocks is None or len(blocks) < LEAST_BLOCKS_FOR_JACKKNIFE:
        return covariance
    excess = covariance @ _between_units(counts, scores) @ covariance
    sizes, axes = np.linalg.eigh(excess)
    return covariance + (axes * np.maximum(sizes, 0)) @ axes.T


def _between_units(counts: ActivationCounts, scores: Scores) -> Floats:
    """J − I of (CC1): the jackknife over blocks, of the total score less that of each unit."""
    blocks = counts.blocks
    assert blocks is not None
    n, totals, squares, sums = len(blocks), [], 0.0, 0.0
    for of_units in _scores_without_each_block(counts.counts, blocks, counts.samples, scores):
        totals.append(of_units.sum(axis=0))
        squares = squares + of_units.T @ of_units
        sums = sums + of_units
    deviations = np.array(totals) - np.mean(totals, axis=0)
    of_each_unit = squares - np.transpose(sums) @ sums / n
    return (deviations.T @ deviations - of_each_unit) * (n - 1) / n


def _scores_without_each_block(
    counts: Ints, blocks: Blocks, samples: int, scores: Scores
) -> Iterator[Floats]:
    """Scores of all units, (n_units, n_parameters), by what is left without each of the blocks.

    Blocks of one length leave as many samples, so that a count has one score in all of them, and is
    looked up; where counts are so many that they rarely recur, blocks are taken one by one.
    """
    recurring = samples < RECURRING_COUNTS * counts.size
    for length in np.unique(blocks.samples):
        rest = counts - blocks.counts[blocks.samples == length]
        left = int(samples - length)
        for part in [rest] if recurring else np.split(rest, len(rest)):
            distinct, places = _distinct(part, left) if recurring else _sorted(part)
            found = scores(distinct, left)
            for of_block in places:
                yield found[of_block]


def _distinct(counts: Ints, largest: int) -> tuple[Ints, Ints]:
    """Distinct counts, ascending, and the place of each count among them, without sorting."""
    there = np.zeros(largest + 1, bool)
    there[counts] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[counts]


def _sorted(counts: Ints) -> tuple[Ints, Ints]:
    """The same by sorting."""
    distinct, places = np.unique(counts, return_inverse=True)
    return distinct, places.reshape(counts.shape)
