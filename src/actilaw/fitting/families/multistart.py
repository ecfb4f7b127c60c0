"""Multistart maximisation: the highest maximum of a likelihood that may have several, from starts
that the counts suggest.

A few steps of Newton's method from every start, over counts in bins of 5 %, show which starts are
worth following to the end over all counts. Nothing is random: the same counts give the same fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import CountsError
from actilaw.fitting.families.components import Atom, DistinctCounts, Law
from actilaw.fitting.families.mixture import Family, FittedFamily
from actilaw.fitting.families.newton import climb, maximise
from actilaw.support.arrays import Floats

UNBINNED_COUNTS = 32  # from either end, keep a bin of their own in the search
LOG_BIN_WIDTH = 0.05  # of the others
TRIAL_STEPS = 15
MOST_FINALISTS = 2
SAME_HEIGHT = 1e-3  # nats between climbs to the same maximum
LAWS_APART = 2.0  # e-folds between the rates of two laws made of one
# Share of the units at count 0 that the laws are started with where silent units are to be found.
UNITS_KEPT = 0.2


class Search:
    """Counts of one layer, at full and at coarse resolution, and the fits that several families
    start from.
    """

    def __init__(self, counts: ActivationCounts) -> None:
        k, units = counts.histogram()
        self.distinct, self.units = DistinctCounts.of(k, counts.samples), units.astype(float)

    @classmethod
    def of(cls, counts: ActivationCounts) -> Search:
        """The search over these counts, the same one for as long as they are in use."""
        if counts not in _searches:
            _searches[counts] = cls(counts)
        return _searches[counts]

    @cached_property
    def law(self) -> FittedFamily:
        """The activation law by itself.

        Raises:
            CountsError: if its likelihood has no maximum within reach.
        """
        return self.maximum(Family((Law(),)), Law.moments(self.distinct, self.units))

    @cached_property
    def coarse(self) -> tuple[DistinctCounts, Floats]:
        """Counts in bins, and the units of each."""
        return _coarse(self.distinct, self.units)

    def maximum(self, family: Family, start: Floats) -> FittedFamily:
        """The maximum of a family's likelihood, from a start in its neighbourhood.

        Raises:
            CountsError: if there is none within reach.
        """
        best = maximise(family.log_likelihood_of(self.distinct, self.units), start)
        return FittedFamily(family, best.parameters, best.covariance, best.log_likelihood)

    def best(self, family: Family, starts: Iterable[Floats]) -> FittedFamily | None:
        """The highest maximum that the starts lead to; None if they all lead to the boundary of the
        family.

        None also where there are no more distinct counts than parameters, which they then cannot
        determine.
        """
        if family.size >= self.units.size:
            return None
        roughly = family.log_likelihood_of(*self.coarse)
        reached = climb(roughly, np.array(list(starts)), steps=TRIAL_STEPS)
        found = (self._maximum_or_none(family, start) for start in _finalists(*reached))
        return next((fit for fit in found if fit), None)

    def gains_from(self, atom: Atom, fitted: FittedFamily | None) -> bool:
        """Whether a small share of such units would make the counts more likely than a fit without
        them: whether the score at share 0, (units at the atom's count)/P(count) − N, is positive.

        Without a fit, whether there are units that could be of this kind.
        """
        possible = np.isfinite(atom.log_pmf(np.empty(0), self.distinct))
        candidates = float(self.units @ possible)
        if fitted is None or candidates == 0:
            return candidates > 0
        count = self.distinct.samples if atom.always_on else 0.0
        log_p = fitted.family.log_pmf(fitted.parameters, np.array([count]), self.distinct.samples)
        return bool(candidates > self.units.sum() * np.exp(log_p[0]))

    def starts(self, family: Family) -> Iterator[Floats]:
        """Where to begin: one law at the moments of the counts, two at those below and above a
        split.
        """
        distinct, units = self.coarse
        laws = [component for component in family.components if not isinstance(component, Atom)]
        atoms = [component for component in family.components if isinstance(component, Atom)]
        of_laws, of_atoms = _shared_out(atoms, distinct, units)
        splits = _splits(distinct, of_laws) if len(laws) == 2 else [of_laws[np.newaxis]]
        for parts in splits:
            sizes = np.append(parts.sum(axis=1), of_atoms)
            starts = [law.starts(distinct, part) for law, part in zip(laws, parts, strict=True)]
            for of_each_law in zip(*starts, strict=True):
                yield np.concatenate((*of_each_law, np.log(sizes[1:] / sizes[0])))

    def _maximum_or_none(self, family: Family, start: Floats) -> FittedFamily | None:
        try:
            return self.maximum(family, rarest_first(family, start))
        except CountsError:
            return None


_searches: WeakKeyDictionary[ActivationCounts, Search] = WeakKeyDictionary()


def _finalists(reached: Floats, heights: Floats) -> list[Floats]:
    """The highest points of several climbs, and only one of those that are as high as each
    other.
    """
    highest: list[Floats] = []
    lowest = np.inf
    for fit in np.argsort(-heights, kind="stable"):
        if heights[fit] < lowest - SAME_HEIGHT:
            highest.append(reached[fit])
            lowest = heights[fit]
    return highest[:MOST_FINALISTS]


def _shared_out(
    atoms: list[Atom], distinct: DistinctCounts, units: Floats
) -> tuple[Floats, list[float]]:
    """Units of each count left to the laws, and the units that each atom starts with."""
    left, of_atoms = units.copy(), []
    for atom in atoms:
        possible = np.isfinite(atom.log_pmf(np.empty(0), distinct))
        of_atoms.append(max((1 - UNITS_KEPT) * left[possible].sum(), 1e-3))
        left[possible] *= UNITS_KEPT
    return left, of_atoms


def with_atom(fitted: FittedFamily, *, share: float) -> Floats:
    """Parameters of the family with one atom more, which takes a share of all units."""
    first = fitted.family.shares(fitted.parameters)[0]
    return np.append(fitted.parameters, np.log(share / (1 - share) / first))


def halved(fitted: FittedFamily | None, family: Family) -> list[Floats]:
    """Where to begin with a family of two laws, given a fit of one with the same atoms: the law,
    twice.
    """
    if fitted is None or fitted.family.components[1:] != family.components[2:]:
        return []
    law, atoms = fitted.parameters[:2], fitted.parameters[2:]
    away = np.array([LAWS_APART / 2, 0.0])
    return [np.concatenate((law - away, law + away, [0.0], atoms + np.log(2)))]


def rarest_first(family: Family, parameters: Floats) -> Floats:
    """The same mixture of two laws with the one of the rarer units first."""
    two_laws = len(family.components) > 1 and isinstance(family.components[1], Law)
    if not two_laws or parameters[0] <= parameters[2]:
        return parameters
    one, other, second, atoms = parameters[:2], parameters[2:4], parameters[4], parameters[5:]
    return np.concatenate((other, one, [-second], atoms - second))


def _splits(distinct: DistinctCounts, units: Floats) -> Iterator[Floats]:
    """Units of a lower and an upper part, (2, n_distinct), split where a share of the units, or of
    all activations, lies below.

    Each part holds a tenth of the other's units, so that its counts always vary.
    """
    by_units = np.cumsum(units * (distinct.successes > 0))
    by_activations = np.cumsum(units * distinct.successes)
    at = {
        int(np.searchsorted(below, q * below[-1]))
        for below in (by_units, by_activations)
        for q in (0.2, 0.5, 0.8)
    }
    for last in sorted(at):
        lower = np.where(np.arange(units.size) <= last, 0.9, 0.1)
        yield np.stack((units * lower, units * (1 - lower)))


def _coarse(distinct: DistinctCounts, units: Floats) -> tuple[DistinctCounts, Floats]:
    """Counts in bins, each at the mean of its units, and how many they are."""
    _, first, bins = np.unique(_bins(distinct), return_index=True, return_inverse=True)
    total = np.bincount(bins, units).astype(float)
    alone = np.bincount(bins) == 1

    def in_bins(counts: Floats) -> Floats:
        mean = np.bincount(bins, units * counts) / total
        return np.where(alone, counts[first], mean)  # a mean of one would be rounded

    coarse = DistinctCounts(
        successes=in_bins(distinct.successes),
        failures=in_bins(distinct.failures),
        samples=distinct.samples,
    )
    return coarse, total


def _bins(distinct: DistinctCounts) -> Floats:
    """Number of each count's bin, equal in width in the log of the count from the nearer end."""
    is_low = distinct.successes <= distinct.failures
    from_end = np.where(is_low, distinct.successes, distinct.failures)
    log_bin = np.log(np.maximum(from_end, UNBINNED_COUNTS) / UNBINNED_COUNTS) // LOG_BIN_WIDTH
    bins = np.where(from_end < UNBINNED_COUNTS, from_end, UNBINNED_COUNTS + log_bin)
    return np.where(is_low, bins, 1e6 - bins)
