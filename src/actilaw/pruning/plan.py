"""What can be removed, planned from counts alone: neither a model nor PyTorch is needed.

Without a budget the idle units go. With one, the rarest go as long as the expected share of samples
that any of them would have been active on stays within it:

    (RP1) affected = 1 − ∏ over removed units of (1 − r_i)  [derived]

r_i is the probability that the unit is active on a sample, given its count: (D_i + b)/(D + D*) by
(13) where it has worked, and what the forecaster expects of an idle unit where it has not. Units
are taken as independent; those that are active together affect fewer samples. The residual risk,
of a removed unit being active on further samples, comes from the forecaster too, and so has an
interval and Good and Turing's bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.census import Census, require_census
from actilaw.errors import CountsError, InputError
from actilaw.fitting.fit import fit
from actilaw.forecasting.forecaster import rate_density_forecaster
from actilaw.forecasting.intervals import share_interval
from actilaw.support.arrays import Floats, Ints
from actilaw.support.blas_threads import one_blas_thread
from actilaw.support.numerics import two_sided_z
from actilaw.support.validation import one_fraction, one_or_more, samples_from, whole

IDLE, COUNT, POSTERIOR_RATE = "idle", "count", "posterior rate"
RATE_TIMES_WEIGHT, CHANGE = "rate x weight", "change"
LARGEST_RATE = 1 - 1e-12  # whose logarithm of not being active is finite
RANKINGS = (IDLE, COUNT, POSTERIOR_RATE, RATE_TIMES_WEIGHT, CHANGE)


@dataclass(frozen=True, eq=False, repr=False)
class RemovalPlan:
    """Units to remove, and what that is expected to cost.

    Attributes:
        census: the counts that it was made from.
        units: indices of the units to remove, by layer, those to go first in front; (n,) each.
        ranking: in which order they go, in words.
        budget: the share of samples that may be affected, in 0..1; None if idle units go.
    """

    census: Census
    units: Mapping[str, Ints]
    ranking: str = IDLE
    budget: float | None = None

    @property
    def units_removed(self) -> int:
        """Number of units to remove, over all layers."""
        return sum(units.size for units in self.units.values())

    @cached_property
    def rates(self) -> dict[str, Floats]:
        """Probability r_i that each unit is active on one further sample, by layer; (n_units,)."""
        return {name: posterior_rates(counts) for name, counts in self.census.items()}

    @cached_property
    def affected_by_layer(self) -> dict[str, float]:
        """Expected share of samples on which a removed unit of the layer would be active, (RP1)."""
        return {name: _affected(self.rates[name][units]) for name, units in self.units.items()}

    @property
    def affected(self) -> float:
        """Expected share of samples on which any removed unit would be active, (RP1); in 0..1."""
        return _affected(np.array(list(self.affected_by_layer.values())))

    @one_blas_thread()
    def summary(self) -> pd.DataFrame:
        """A row per layer, by name: columns units, removed (numbers of units), share (of the units,
        in 0..1), affected (expected share of samples, in 0..1), and by_law, the share of units
        that the fitted law expects to carry no signal, (bN/(cD + bN))^b of (11); NaN where the
        layer cannot be fitted.
        """
        rows = {
            name: {
                "units": counts.units,
                "removed": self.units[name].size,
                "share": self.units[name].size / counts.units,
                "affected": self.affected_by_layer[name],
                "by_law": _idle_by_law(counts),
            }
            for name, counts in self.census.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index")

    @one_blas_thread()
    def residual_risk(self, more: ArrayLike | None = None, *, level: float = 0.95) -> pd.DataFrame:
        """Share of the removed units of each layer that would be active on further samples: the
        probability that a removed one is.

        Args:
            more: M, further samples, at least 1, or multiples of those counted such as "1x"; one,
                or (n,). As many as were counted, if left out.
            level: probability that the interval is meant to hold the share, and that the bound is
                meant to be above the probability.

        Returns:
            A row per layer with removed units and entry of `more`: columns layer, more, removed (in
            units), expected, lower, upper, bound. The interval holds the uncertainty of the rates
            and chance; `bound` assumes no distribution of rates (Good & Turing), and is NaN where
            units go that have worked.

        Raises:
            InputError: if `more` is not whole or below 1, or the level is not in (0, 1).
        """
        one_fraction("level", level)
        tables = []
        for name, counts in self.census.items():
            if self.units[name].size:
                given = counts.samples if more is None else samples_from(more, counts.samples)
                asked = one_or_more("more", whole("further samples (more)", given, least=1))
                table = _risk(counts, self.units[name], self.rates[name], asked, level)
                tables.append(table.assign(layer=name))
        columns = ["layer", "more", "removed", "expected", "lower", "upper", "bound"]
        if not tables:
            return pd.DataFrame(columns=columns)
        return pd.concat(tables, ignore_index=True)[columns]

    @one_blas_thread()
    def compressibility(
        self,
        samples: ArrayLike | None = None,
        *,
        units: ArrayLike | None = None,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Share of the units that will still carry no signal after other numbers of samples, or in
        a layer of another width: the forecast of `fit(counts).forecast`, as a share.

        Args:
            samples: D', as for `FittedLaw.forecast`; those counted, if left out.
            units: N', widths of layers that nobody has trained; those counted, if left out.
            level: probability that the interval is meant to hold the share.

        Returns:
            A row per layer, D' and N': columns layer, samples, units, expected, lower, upper.
        """
        tables = []
        for name, fitted in self.census.map(fit).items():
            table = fitted.forecast(samples, units=units, level=level)
            width = table["units"] if units is not None else fitted.counts.units
            tables.append(
                pd.DataFrame(
                    {
                        "layer": name,
                        "samples": table["samples"],
                        "units": width,
                        "expected": 1 - table["expected"] / width,
                        "lower": 1 - table["upper"] / width,
                        "upper": 1 - table["lower"] / width,
                    }
                )
            )
        return pd.concat(tables, ignore_index=True)

    def __repr__(self) -> str:
        total = sum(counts.units for counts in self.census.values())
        within = "" if self.budget is None else f", at most {self.budget:.3g} of samples affected"
        return (
            f"<RemovalPlan: {self.units_removed:,} of {total:,} units in {len(self.units)} layers, "
            f"by {self.ranking}{within}>"
        )

    def _repr_html_(self) -> str:
        return self.summary().to_html()


def plan_removal(
    census: Census,
    budget: float | None = None,
    *,
    ranking: str | None = None,
    importance: Mapping[str, ArrayLike] | None = None,
    equal_widths: bool = False,
) -> RemovalPlan:
    """Which units to remove, from counts alone; never all units of a layer.

    Args:
        census: counts of the layers to remove units from.
        budget: the expected share of samples, in (0, 1), that may have been active in a removed
            unit, over all layers together; samples are what the census counted, positions if it
            counted these. None removes the idle units alone.
        ranking: which units go first: "count", the rarest; "posterior rate", the rarest by the rate
            that the law expects given the count, which compares layers; "rate x weight", that rate
            times `importance`, as the length of the weights that take the unit in; "change", by
            `importance` alone. By default "idle" without a budget, else "posterior rate".
        importance: for the last two, a number for each unit, at least 0, by layer; (n_units,).
        equal_widths: remove as many units of each layer as can be removed of all layers that are as
            wide, for architectures that know one width alone.

    Raises:
        InputError: if the budget is not in (0, 1), the ranking is unknown or needs an importance
            that is not there, or no budget is given for it.
    """
    require_census(census)
    ranking = _checked_ranking(ranking, budget, importance)
    if budget is None:
        order = {name: counts.idle_units for name, counts in census.items()}
        order = {name: _but_one(units, census[name].units) for name, units in order.items()}
        rates = None
    else:
        rates = {name: posterior_rates(counts) for name, counts in census.items()}
        scores = _scores(census, ranking, rates, importance)
        order = _within(one_fraction("budget", budget), scores, rates)
    if equal_widths:
        order = _of_equal_widths(census, order)
    plan = RemovalPlan(census, order, ranking, budget)
    if rates is not None:
        plan.__dict__["rates"] = rates
    return plan


def posterior_rates(counts: ActivationCounts) -> Floats:
    """Probability that each unit is active on one further sample, given its count; (n_units,).

    Of a layer that cannot be fitted (always idle, or always active) the counts are taken as they
    are, with half a sample granted on either side.
    """
    try:
        fitted = fit(counts)
    except CountsError:
        return (counts.counts + 0.5) / (counts.samples + 1)
    rates = (counts.counts + fitted.law.b) / (counts.samples + fitted.law.knee)
    if counts.idle:
        one_more = np.array([counts.samples + 1])
        rates[counts.counts == 0] = fitted.forecaster.newly_working(one_more)[0][0]
    return np.minimum(rates, 1.0)


def _checked_ranking(ranking: str | None, budget: float | None, importance: object) -> str:
    if ranking is None:
        ranking = IDLE if budget is None else POSTERIOR_RATE
    if ranking not in RANKINGS:
        raise InputError(
            f"expected ranking to be one of {', '.join(RANKINGS)}, but got {ranking!r}"
        )
    if (ranking == IDLE) != (budget is None):
        raise InputError(
            "expected a budget, the share of samples that may be affected, with every ranking but "
            f"'idle', and none with that, but got ranking={ranking!r} and budget={budget!r}"
        )
    if ranking in (RATE_TIMES_WEIGHT, CHANGE) and importance is None:
        raise InputError(
            f"expected importance=, a number for each unit of each layer, with ranking={ranking!r}:"
            " give it, or let prune measure it"
        )
    return ranking


def _scores(
    census: Census,
    ranking: str,
    rates: Mapping[str, Floats],
    importance: Mapping[str, ArrayLike] | None,
) -> dict[str, Floats]:
    """By layer, a number for each unit; the least go first."""
    if ranking == COUNT:
        return {name: counts.frequencies for name, counts in census.items()}
    if ranking == POSTERIOR_RATE:
        return dict(rates)
    found = {}
    for name, counts in census.items():
        given = np.asarray((importance or {}).get(name), float)
        if given.shape != (counts.units,) or not np.all(given >= 0):
            raise InputError(
                f"expected an importance of at least 0 for each of the {counts.units} units of "
                f"layer {name!r}, but got shape {given.shape}"
            )
        found[name] = given * rates[name] if ranking == RATE_TIMES_WEIGHT else given
    return found


def _within(
    budget: float, scores: Mapping[str, Floats], rates: Mapping[str, Floats]
) -> dict[str, Ints]:
    """Units in order of their scores, as long as the samples affected stay within the budget; one
    that is too frequent for what is left is passed over.
    """
    names = list(scores)
    layer = np.concatenate([np.full(scores[name].size, at) for at, name in enumerate(names)])
    unit = np.concatenate([np.arange(scores[name].size) for name in names])
    score = np.concatenate([scores[name] for name in names])
    rate = np.concatenate([rates[name] for name in names])
    with np.errstate(divide="ignore"):
        cost = -np.log1p(-rate)  # of (RP1), which adds up
    left, chosen = -np.log1p(-budget), [[] for _ in names]
    for place in np.lexsort((rate, score)):
        mine = chosen[layer[place]]
        if cost[place] <= left and len(mine) + 1 < scores[names[layer[place]]].size:
            mine.append(unit[place])
            left -= cost[place]
    return {name: np.array(chosen[at], np.int64) for at, name in enumerate(names)}


def _but_one(units: Ints, total: int) -> Ints:
    """All of them, unless these are all units of the layer: then all but the first."""
    return units[1:] if units.size == total else units


def _of_equal_widths(census: Census, order: Mapping[str, Ints]) -> dict[str, Ints]:
    least: dict[int, int] = {}
    for name, units in order.items():
        width = census[name].units
        least[width] = min(least.get(width, width), units.size)
    return {name: units[: least[census[name].units]] for name, units in order.items()}


def _affected(shares: Floats) -> float:
    with np.errstate(divide="ignore"):
        return float(-np.expm1(np.log1p(-np.asarray(shares, float)).sum()))


def _idle_by_law(counts: ActivationCounts) -> float:
    try:
        law = fit(counts).law
    except CountsError:
        return float("nan")
    return float(law.idle_fraction(counts.samples, exact=False))


def _risk(
    counts: ActivationCounts, units: Ints, rates: Floats, more: Ints, level: float
) -> pd.DataFrame:
    """Of one layer: share of the removed units that would be active on `more` samples."""
    idle = counts.counts[units] == 0
    n_idle, n_working = int(idle.sum()), int((~idle).sum())
    expected = np.zeros(more.size)
    low, high = np.zeros(more.size), np.zeros(more.size)
    bound = np.full(more.size, np.nan)
    if n_idle:
        forecaster = rate_density_forecaster(counts)
        share, variance = forecaster.newly_working(counts.samples + more)
        lower, upper = share_interval(
            n_idle,
            share,
            variance,
            overdispersion=forecaster.overdispersion_ahead,
            level=level,
        )
        # Whole units, as of forecasts: the share of few units takes few values.
        low = np.floor(n_idle * np.minimum(lower, share))
        high = np.ceil(n_idle * np.maximum(upper, share))
        expected = n_idle * share
        if not n_working:
            bound = forecaster.risk(more, level)["bound"].to_numpy()
    if n_working:
        active = -np.expm1(np.outer(more, np.log1p(-np.minimum(rates[units[~idle]], LARGEST_RATE))))
        mean, spread = active.sum(axis=1), np.sqrt((active * (1 - active)).sum(axis=1))
        reach = two_sided_z(level) * spread
        expected = expected + mean
        low = low + np.maximum(np.floor(mean - reach), 0.0)
        high = high + np.minimum(np.ceil(mean + reach), n_working)
    size = units.size
    return pd.DataFrame(
        {
            "more": more,
            "removed": size,
            "expected": expected / size,
            "lower": low / size,
            "upper": high / size,
            "bound": bound,
        }
    )
