"""Families of laws that counts may follow, each fitted by maximum likelihood.

    law      one activation law, the paper's
    silent   a law, units that never fire, and units that always do
    mixture  two laws, units that never fire, and units that always do

What the counts do not ask for is left out, and the family that remains is named for what it is: a silent share of
zero is the law itself. Silent units are kept where they make the counts more likely; units that are always on, where
some fired on every sample and the share lowers Akaike's criterion.
"""

from __future__ import annotations

from collections.abc import Callable

from actilaw.counts import ActivationCounts
from actilaw.fit.components import AlwaysOn, Component, Law, Silent
from actilaw.fit.family import Family, FittedFamily
from actilaw.fit.likelihood import Vector
from actilaw.fit.search import Search, halved, with_atom

__all__ = ["FAMILIES", "Family", "FittedFamily"]

GAIN = 1e-6  # nats: what a part must add to the log-likelihood to be more than rounding
TRIED = 0.01  # share of the units with which silent units are added to a fit


def fit_law(counts: ActivationCounts) -> FittedFamily:
    """The activation law that makes the counts most likely."""
    return _law(Search(counts))


def fit_silent(counts: ActivationCounts) -> FittedFamily:
    """A law, with silent and always-on units where the counts ask for them."""
    search = Search(counts)
    return _best(search, (Law(),)) or _law(search)


def fit_mixture(counts: ActivationCounts) -> FittedFamily:
    """Two laws, the one of the rarer units first, with silent and always-on units where the counts ask for them."""
    search = Search(counts)
    one = _best(search, (Law(),)) or _law(search)
    two = _best(search, (Law(), Law()), one)
    return _higher(one, two)


FAMILIES: dict[str, Callable[[ActivationCounts], FittedFamily]] = {
    "law": fit_law,
    "silent": fit_silent,
    "mixture": fit_mixture,
}


def _law(search: Search) -> FittedFamily:
    return search.maximum(Family((Law(),)), Law.start(search.tally, search.units))


def _best(search: Search, laws: tuple[Component, ...], smaller: FittedFamily | None = None) -> FittedFamily | None:
    """These laws with the atoms that the counts ask for; None if every maximum is at the boundary."""
    always_on = [(), (AlwaysOn(),)] if search.always_on else [()]
    fits = [_with_silent(search, (*laws, *atoms), smaller) for atoms in always_on]
    return min((fit for fit in fits if fit), key=lambda fit: fit.aic, default=None)


def _with_silent(
    search: Search, components: tuple[Component, ...], smaller: FittedFamily | None
) -> FittedFamily | None:
    """These components, and silent units if the counts are more likely with than without them."""
    family, larger = Family(components), Family((*components, Silent()))
    without = search.best(family, [*search.starts(family), *halved(smaller, family)])
    if without is not None and not search.wants_silent(without):
        return without
    small = [with_atom(without, share=TRIED)] if without else []
    found = search.best(larger, [*search.starts(larger), *halved(smaller, larger), *small])
    return _higher(without, found) if without else found


def _higher(fitted: FittedFamily, larger: FittedFamily | None) -> FittedFamily:
    """The larger family, unless its maximum is at the boundary, which is the smaller one."""
    gains = larger is not None and larger.log_likelihood > fitted.log_likelihood + GAIN
    return larger if larger is not None and gains else fitted


class LawFamily(Family):
    """The law alone, for those who maximise its likelihood themselves."""

    def __init__(self) -> None:
        super().__init__((Law(),))

    @staticmethod
    def start(counts: ActivationCounts) -> Vector:
        """Moments of the counts."""
        search = Search(counts)
        return Law.start(search.tally, search.units)
