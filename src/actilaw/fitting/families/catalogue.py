"""Families of laws that counts may follow, each fitted by maximum likelihood.

    law      one activation law, the paper's
    silent   a law, units that never fire, and units that always do
    mixture  two laws, units that never fire, and units that always do
    heavy    units that answer to rare contexts, units that never fire, and units that always do

What the counts do not ask for is left out, and the family that remains is named for what it is: a
silent share of zero is the law itself. Silent units are kept where they make the counts more
likely; beside a second law or a heavy tail, which do much the same, where they lower the Bayesian
information criterion. Units that are always on are kept where some fired on every sample and the
share lowers Akaike's criterion.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.fitting.families.components import ALWAYS_ON, SILENT, Law, RateLaw
from actilaw.fitting.families.heavy_tail import HeavyTail
from actilaw.fitting.families.mixture import Family, FittedFamily
from actilaw.fitting.families.multistart import Search, halved, with_atom

__all__ = ["FAMILIES", "Family", "FittedFamily"]

GAIN = 1e-6  # nats: what a part must add to the log-likelihood to be more than rounding
TRIED = 0.01  # share of the units with which silent units are added to a fit


def fit_law(counts: ActivationCounts) -> FittedFamily:
    """The activation law that makes the counts most likely."""
    return _law(Search(counts))


def fit_zero_inflated(counts: ActivationCounts) -> FittedFamily:
    """A law, with silent and always-on units where the counts ask for them."""
    search = Search(counts)
    return _best(search, (Law(),)) or _law(search)


def fit_mixture(counts: ActivationCounts) -> FittedFamily:
    """Two laws, the one of the rarer units first, with silent and always-on units where the counts
    ask for them.
    """
    search = Search(counts)
    one = _best(search, (Law(),)) or _law(search)
    two = _best(search, (Law(), Law()), one, silent_price=_bic(counts))
    return _higher(one, two)


def fit_heavy_tail(counts: ActivationCounts) -> FittedFamily:
    """Units of rare contexts; where the counts prefer rates without a heavy tail (m → ∞), its
    boundary: the law, with silent and always-on units where the counts ask for them."""
    search = Search(counts)
    boundary = _best(search, (Law(),)) or _law(search)
    heavy = _best(search, (HeavyTail(),), silent_price=_bic(counts))
    if _higher(boundary, heavy) is boundary or heavy is None:
        return boundary
    alike = Family((Law(), *heavy.family.components[1:]))
    odds, log_knee = (search.best(alike, search.starts(alike)) or boundary).parameters[:2]
    return replace(
        heavy, family=Family((HeavyTail((odds, log_knee)), *heavy.family.components[1:]))
    )


FAMILIES: dict[str, Callable[[ActivationCounts], FittedFamily]] = {
    "law": fit_law,
    "zero_inflated": fit_zero_inflated,
    "mixture": fit_mixture,
    "heavy_tail": fit_heavy_tail,
}


def _bic(counts: ActivationCounts) -> float:
    """What one more parameter must add to the log-likelihood, in nats (Schwarz 1978)."""
    return math.log(counts.units) / 2


def _law(search: Search) -> FittedFamily:
    return search.maximum(Family((Law(),)), Law.moments(search.distinct, search.units))


def _best(
    search: Search,
    laws: tuple[RateLaw, ...],
    smaller: FittedFamily | None = None,
    *,
    silent_price: float = GAIN,
) -> FittedFamily | None:
    """These laws with the atoms that the counts ask for; None if every maximum is at the boundary.

    `smaller` is a fit to begin from; `silent_price`, in nats, what silent units must add to the
    log-likelihood.
    """

    def with_silent(family: Family) -> FittedFamily | None:
        larger = Family((*family.components, SILENT))
        fit = search.best(family, [*search.starts(family), *halved(smaller, family)])
        if not search.wants(SILENT, fit):
            return fit
        small = [with_atom(fit, share=TRIED)] if fit else []
        found = search.best(larger, [*search.starts(larger), *halved(smaller, larger), *small])
        return _higher(fit, found, silent_price) if fit else found

    fit = with_silent(Family(laws))
    if not search.wants(ALWAYS_ON, fit):
        return fit
    found = with_silent(Family((*laws, ALWAYS_ON)))
    return found if fit is None or (found and found.aic < fit.aic) else fit


def _higher(fitted: FittedFamily, larger: FittedFamily | None, price: float = GAIN) -> FittedFamily:
    """The larger family, unless its maximum is at the boundary, which is the smaller one."""
    return larger if larger and larger.log_likelihood > fitted.log_likelihood + price else fitted
