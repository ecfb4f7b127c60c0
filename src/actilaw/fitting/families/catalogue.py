"""Families of laws that counts may follow, each fitted by maximum likelihood.

    law            the activation law
    zero_inflated  a law, units that are never activated, and units that always are
    mixture        two laws, units that are never activated, and units that always are
    heavy_tail     units of rare contexts, units that are never activated, and units that always are

Parts that the counts do not support are left out, and the family that remains is named for what it
is: with a silent share of zero, zero_inflated is the law itself. Silent units are kept where they
make the counts more likely; beside a second law or a heavy tail, which have much the same effect,
where they lower the Bayesian information criterion (Schwarz 1978). Units that are always on are
kept where some were activated by every sample and the share lowers Akaike's criterion.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from weakref import WeakKeyDictionary

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.fitting.families.components import ALWAYS_ON, SILENT, Law, RateLaw
from actilaw.fitting.families.heavy_tail import HeavyTail
from actilaw.fitting.families.mixture import Family, FittedFamily
from actilaw.fitting.families.multistart import Search, halved, with_atom

LEAST_GAIN = 1e-6  # nats that a part must add to the log-likelihood to be more than rounding
TRIED_SILENT_SHARE = 0.01  # with which silent units are added to a fit


def fit_law(counts: ActivationCounts) -> FittedFamily:
    """The activation law that makes the counts most likely."""
    return Search.of(counts).law


def fit_zero_inflated(counts: ActivationCounts) -> FittedFamily:
    """A law, with silent and always-on units where the counts support them."""
    search = Search.of(counts)
    if search not in _zero_inflated:
        _zero_inflated[search] = _best(search, (Law(),)) or search.law
    return _zero_inflated[search]


def fit_mixture(counts: ActivationCounts) -> FittedFamily:
    """Two laws, the one of the rarer units first, with silent and always-on units where the counts
    support them.
    """
    one = fit_zero_inflated(counts)
    two = _best(Search.of(counts), (Law(), Law()), one, silent_price=_bic(counts))
    return _higher(one, two)


def fit_heavy_tail(counts: ActivationCounts) -> FittedFamily:
    """Units of rare contexts; where the counts prefer rates without a heavy tail (m → ∞), its
    boundary: the law, with silent and always-on units where the counts support them.
    """
    search, boundary = Search.of(counts), fit_zero_inflated(counts)
    heavy = _best(search, (HeavyTail(),), silent_price=_bic(counts))
    if _higher(boundary, heavy) is boundary or heavy is None:
        return boundary
    atoms = heavy.family.components[1:]
    with_law = Family((Law(), *atoms))
    nearest = search.best(with_law, search.starts(with_law)) or boundary
    odds, log_knee = nearest.parameters[:2]
    return replace(heavy, family=Family((HeavyTail((odds, log_knee)), *atoms)))


FAMILIES: dict[str, Callable[[ActivationCounts], FittedFamily]] = {
    "law": fit_law,
    "zero_inflated": fit_zero_inflated,
    "mixture": fit_mixture,
    "heavy_tail": fit_heavy_tail,
}


# The other families start from it, so that it is fitted once for as long as the counts are in use.
_zero_inflated: WeakKeyDictionary[Search, FittedFamily] = WeakKeyDictionary()


def _bic(counts: ActivationCounts) -> float:
    """What one more parameter must add to the log-likelihood, in nats (Schwarz 1978)."""
    return math.log(counts.units) / 2


def _best(
    search: Search,
    laws: tuple[RateLaw, ...],
    smaller: FittedFamily | None = None,
    *,
    silent_price: float = LEAST_GAIN,
) -> FittedFamily | None:
    """These laws with the atoms that the counts support; None if every maximum is at the boundary.

    Args:
        search: over the counts.
        laws: one or two.
        smaller: a fit with one law less, to begin from.
        silent_price: what silent units must add to the log-likelihood, in nats.
    """

    def with_silent(family: Family) -> FittedFamily | None:
        fit = search.best(family, [*search.starts(family), *halved(smaller, family)])
        if not search.gains_from(SILENT, fit):
            return fit
        larger = Family((*family.components, SILENT))
        starts = [*search.starts(larger), *halved(smaller, larger)]
        if fit is None:
            return search.best(larger, starts)
        starts.append(with_atom(fit, share=TRIED_SILENT_SHARE))
        return _higher(fit, search.best(larger, starts), silent_price)

    fit = with_silent(Family(laws))
    if not search.gains_from(ALWAYS_ON, fit):
        return fit
    found = with_silent(Family((*laws, ALWAYS_ON)))
    return found if fit is None or (found and found.aic < fit.aic) else fit


def _higher(
    fitted: FittedFamily, larger: FittedFamily | None, price: float = LEAST_GAIN
) -> FittedFamily:
    """The larger family, unless its maximum is at the boundary, which is the smaller one."""
    return larger if larger and larger.log_likelihood > fitted.log_likelihood + price else fitted
