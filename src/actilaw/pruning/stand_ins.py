"""Kept units stand in for removed ones, by least squares: Optimal Brain Surgeon (Hassibi & Stork
1993) for whole units.

A removed unit's activation is predicted from those that stay, and what the prediction says goes
into their outgoing weights, so that only what it misses is lost:

    (SI1) x_r ≈ c + M x_k,  M = S_rk S_kk⁻¹,  c = E x_r − M E x_k  [derived]
    (SI2) cost of removing unit i next = |w_i|² / (S⁻¹)_ii  [derived]

S is the covariance of the activations over some batches, w_i the weights that take unit i in, with
what it stands in for already added. (SI2) is the expected squared change of what these weights
give. Units are chosen in small steps by (SI2), each followed by (SI1). Where the weights have no
bias to take c, S is the second moment and c is zero.

S is estimated from samples that may be fewer than units. It is shrunk towards its diagonal by the
intensity of the oracle-approximating estimator (Chen et al. 2010, IEEE Transactions on Signal
Processing 58, 5016), which leaves nothing to tune.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from actilaw.support.arrays import Floats, Ints

MOST_STANDING_IN = 8192  # units of a layer; more would need memory and time beyond their use
STEPS_OF_CHOICE = 128  # in which the units of a layer are chosen
LEAST_VARIANCE = 1e-10  # of the largest; a unit below it is a constant


@dataclass(frozen=True, eq=False)
class Moments:
    """Moments of a layer's activations over some batches.

    Attributes:
        mean: of each unit; (n_units,).
        second: mean of the products of two units; (n_units, n_units). Of a layer too wide for that,
            (n_units,), of the squares alone.
        rows: number of rows that they were taken over.
    """

    mean: Floats
    second: Floats
    rows: int

    @property
    def variance(self) -> Floats:
        """Of each unit; (n_units,)."""
        squares = np.diagonal(self.second) if self.second.ndim == 2 else self.second
        return np.maximum(squares - self.mean**2, 0.0)

    def covariance(self, centred: bool) -> Floats:
        """Shrunk covariance, or second moments; (n_units, n_units)."""
        found = self.second - np.outer(self.mean, self.mean) if centred else self.second
        return shrunk(found, self.rows)


@dataclass(frozen=True, eq=False)
class StandIn:
    """How kept units stand in for removed ones, (SI1).

    Attributes:
        removed, kept: indices of units; (n_removed,) and (n_kept,).
        mix: M; (n_removed, n_kept).
        constant: c; (n_removed,).
    """

    removed: Ints
    kept: Ints
    mix: Floats
    constant: Floats


def shrunk(covariance: Floats, rows: int) -> Floats:
    """A covariance shrunk towards its diagonal, (n, n)."""
    units = len(covariance)
    squares, trace = float((covariance**2).sum()), float(np.trace(covariance))
    spread = squares - trace**2 / units
    if spread <= 0:
        return covariance
    intensity = ((1 - 2 / units) * squares + trace**2) / ((rows + 1 - 2 / units) * spread)
    intensity = min(intensity, 1.0)
    found = (1 - intensity) * covariance
    found[np.diag_indices(units)] = np.diagonal(covariance)
    return found


def stand_in(moments: Moments, removed: Ints, centred: bool) -> StandIn:
    """The kept units' part in the removed ones, by (SI1)."""
    covariance = moments.covariance(centred)
    kept = np.setdiff1d(np.arange(len(covariance)), removed)
    working = kept[_working(covariance)[kept]]
    mix = np.zeros((removed.size, kept.size))
    if working.size and removed.size:
        inner = _regular(covariance[np.ix_(working, working)])
        found = np.linalg.solve(inner, covariance[np.ix_(working, removed)])
        mix[:, np.searchsorted(kept, working)] = found.T
    mean = moments.mean if centred else np.zeros_like(moments.mean)
    return StandIn(removed, kept, mix, mean[removed] - mix @ mean[kept])


def costs(moments: Moments, weights: Floats, centred: bool) -> Floats:
    """What removing each unit costs once all cheaper ones are gone, (SI2), as a share of what the
    weights give in all; (n_units,). A unit chosen later never costs less.

    Args:
        moments: of the layer.
        weights: that take the units in; (n_units, n_out).
        centred: whether a bias takes constants.
    """
    covariance = moments.covariance(centred)
    total = max(float(np.einsum("ij,ik,jk->", covariance, weights, weights, optimize=True)), 1e-300)
    found = np.zeros(len(covariance))
    ids = np.flatnonzero(_working(covariance))
    if not ids.size:
        return found
    precision = np.linalg.inv(_regular(covariance[np.ix_(ids, ids)]))
    weights, step = weights[ids], max(1, len(found) // STEPS_OF_CHOICE)
    reached = 0.0
    while ids.size > 1:
        cost = np.square(weights).sum(axis=1) / np.diagonal(precision) / total
        chosen = np.argsort(cost, kind="stable")[: min(step, ids.size - 1)]
        found[ids[chosen]] = np.maximum.accumulate(np.maximum(cost[chosen], reached))
        reached = float(found[ids[chosen[-1]]])
        left = np.setdiff1d(np.arange(ids.size), chosen)
        inner, across = precision[np.ix_(chosen, chosen)], precision[np.ix_(chosen, left)]
        solved = np.linalg.solve(inner, across)
        weights = weights[left] - solved.T @ weights[chosen]
        precision = precision[np.ix_(left, left)] - across.T @ solved
        ids = ids[left]
    found[ids] = max(reached, 1.0)
    return found


def _working(covariance: Floats) -> np.ndarray:
    """Which units are no constants; bool, (n,)."""
    variance = np.diagonal(covariance)
    return variance > LEAST_VARIANCE * max(float(variance.max()), 1e-300)


def _regular(covariance: Floats) -> Floats:
    """The same with rounding made up for."""
    return covariance + np.diag(LEAST_VARIANCE * np.diagonal(covariance))
