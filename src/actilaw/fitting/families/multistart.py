"""The search for the highest maximum of a likelihood that may have several, from starts that the
counts suggest.

A few steps of Newton's method from every start, over counts in bins of 5 %, tell which starts are
worth the whole way over all counts. Nothing is random: the same counts give the same fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import CountsError
from actilaw.fitting.families.components import Atom, DistinctCounts, Law
from actilaw.fitting.families.mixture import Family, FittedFamily
from actilaw.fitting.families.newton import climb, maximise
from actilaw.support.arrays import Floats

SINGLES = 32  # counts from either end that keep a bin of their own in the search
BIN = 0.05  # width of the others, in e-folds
TRIAL_STEPS = 15
FINALISTS = 2
SAME = 1e-3  # nats between climbs that have met
APART = 2.0  # e-folds between the rates of two laws made of one
# Share of the units at count 0 that the laws are started with where silent units are to be found.
LEFT = 0.2


class Search:
    """Counts of one layer, at full and at coarse resolution."""

    def __init__(self, counts: ActivationCounts) -> None:
        k, units = counts.histogram()
        self.distinct, self.units = DistinctCounts.of(k, counts.samples), units.astype(float)

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
        reached = [climb(roughly, start, steps=TRIAL_STEPS) for start in starts]
        found = (self._maximum_or_none(family, start) for start in _finalists(reached))
        return next((fit for fit in found if fit), None)

    def wants(self, atom: Atom, fitted: FittedFamily | None) -> bool:
        """Whether a small share of such units would make the counts more likely than a fit without
        them: the score at share 0, (units at the atom's count)/P(count) − N, is positive. Without a
            fit, whether there are any."""
        at = np.isfinite(atom.log_pmf(np.empty(0), self.distinct))
        there = float(self.units @ at)
        if fitted is None or there == 0:
            return there > 0
        count = self.distinct.samples if atom.always_on else 0.0
        log_p = fitted.family.log_pmf(fitted.parameters, np.array([count]), self.distinct.samples)
        return bool(there > self.units.sum() * np.exp(log_p[0]))

    def starts(self, family: Family) -> Iterator[Floats]:
        """Where to begin: one law at the moments of the counts, two at those below and above a
        split.
        """
        distinct, kept = self.coarse
        kept, taken = kept.copy(), []
        laws = [component for component in family.components if not isinstance(component, Atom)]
        for atom in family.components[len(laws) :]:
            at = np.isfinite(atom.log_pmf(np.empty(0), distinct))
            taken.append(max((1 - LEFT) * kept[at].sum(), 1e-3))
            kept[at] *= LEFT
        for parts in _splits(distinct, kept) if len(laws) == 2 else [kept[np.newaxis]]:
            sizes = np.append(parts.sum(1), taken)
            for own in zip(
                *(law.starts(distinct, part) for law, part in zip(laws, parts, strict=True)),
                strict=True,
            ):
                yield np.concatenate((*own, np.log(sizes[1:] / sizes[0])))

    def _maximum_or_none(self, family: Family, start: Floats) -> FittedFamily | None:
        try:
            return self.maximum(family, rarest_first(family, start))
        except CountsError:
            return None


def _finalists(reached: list[tuple[Floats, float]]) -> list[Floats]:
    """The highest points of several climbs, and only one of those that are as high as each
    other.
    """
    highest: list[tuple[Floats, float]] = []
    for at, height in sorted(reached, key=lambda pair: -pair[1]):
        if not highest or height < highest[-1][1] - SAME:
            highest.append((at, height))
    return [at for at, _ in highest[:FINALISTS]]


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
    away = np.array([APART / 2, 0.0])
    return [np.concatenate((law - away, law + away, [0.0], atoms + np.log(2)))]


def rarest_first(family: Family, parameters: Floats) -> Floats:
    """The same mixture of two laws with the one of the rarer units first."""
    two_laws = len(family.components) > 1 and isinstance(family.components[1], Law)
    if not two_laws or parameters[0] <= parameters[2]:
        return parameters
    one, other, second, atoms = parameters[:2], parameters[2:4], parameters[4], parameters[5:]
    return np.concatenate((other, one, [-second], atoms - second))


def _splits(distinct: DistinctCounts, units: Floats) -> Iterator[Floats]:
    """Units of a lower and an upper part, (2, K), split where a share of the units, or of what
    fires, lies below.

    Each part holds a tenth of the other's units, so that its counts always vary.
    """
    by_units = np.cumsum(units * (distinct.successes > 0))
    by_fires = np.cumsum(units * distinct.successes)
    at = {
        int(np.searchsorted(below, q * below[-1]))
        for below in (by_units, by_fires)
        for q in (0.2, 0.5, 0.8)
    }
    for last in sorted(at):
        lower = np.where(np.arange(units.size) <= last, 0.9, 0.1)
        yield np.stack((units * lower, units * (1 - lower)))


def _coarse(distinct: DistinctCounts, units: Floats) -> tuple[DistinctCounts, Floats]:
    """Counts in bins, each at the mean of its units, and how many they are."""
    low = distinct.successes <= distinct.failures
    side = np.where(low, distinct.successes, distinct.failures)
    place = np.where(
        side < SINGLES, side, SINGLES + np.log(np.maximum(side, SINGLES) / SINGLES) // BIN
    )
    _, first, bins = np.unique(
        np.where(low, place, 1e6 - place), return_index=True, return_inverse=True
    )
    total, alone = np.bincount(bins, units).astype(float), np.bincount(bins) == 1
    means = (
        np.bincount(bins, units * part) / total for part in (distinct.successes, distinct.failures)
    )
    exact = (distinct.successes[first], distinct.failures[first])
    successes, failures = (
        np.where(alone, one, mean) for one, mean in zip(exact, means, strict=True)
    )
    return DistinctCounts(successes, failures, distinct.samples), total
