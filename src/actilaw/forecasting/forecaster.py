"""Forecasts of the working units at more samples, conditional on the counts so far.

Working units stay working, so only the N − K idle ones are uncertain. A model of the firing rates
(`Rates`: the rate density, or a closed form) gives the share of them that works by D' samples, and
that share's error. The interval (`intervals`) adds chance: which idle units start to work is
random, and units that answer to the same samples start together (`clustering`).
Its bounds are made for each D' and then kept from falling (`rising`). Up to the D samples counted,
the forecast is the rarefaction curve of the counts, without a width.

Forecasts by the rate density look back once: the first third of the blocks forecasts all of them,
and where that missed by more than its standard error, the variance of the log odds is multiplied by
`lookback_inflation`. That takes 12 blocks; without any a usual factor stands in. A closed form
asked for by name is never inflated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit, logit, ndtri

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import InputError
from actilaw.forecasting.clustering import (
    overdispersion_ahead,
    overdispersion_of_first,
    variance_between_entries,
)
from actilaw.forecasting.incidence import (
    LEAST_BLOCKS_FOR_INCIDENCE,
    incidence_frequencies,
)
from actilaw.forecasting.intervals import (
    finite_log_odds,
    log_odds_of_counted,
    share_interval,
    variance_of_draw,
)
from actilaw.forecasting.logged_curve import LoggedCurve
from actilaw.forecasting.rate_density import fit_rate_density
from actilaw.forecasting.relatives import density_of_relatives
from actilaw.forecasting.rising import RisingBounds, doublings
from actilaw.forecasting.waiting_times import waiting_times
from actilaw.support.arrays import Floats, Ints
from actilaw.support.numerics import two_sided_z
from actilaw.support.validation import LARGEST_WHOLE

UNTESTED_INFLATION = 1.25  # where there are no blocks: about the mean over layers that have some
LOOKBACK_PRIOR = 14  # look-backs that went as they should, against which the one made is weighed


class Rates(Protocol):
    """A model of the units' firing rates, as far as forecasts need it."""

    def newly_working(self, samples: ArrayLike) -> tuple[Floats, Floats]:
        """Share of the idle units that work by `samples` samples in all, and the variance of its
        log odds; (n,) each.
        """
        ...

    def covariance(self, samples: ArrayLike) -> Floats:
        """Covariance of those log odds at several numbers of samples, (n,); (n, n)."""
        ...


class Seen(Protocol):
    """What has been seen of a layer so far: counts, or a curve."""

    @property
    def samples(self) -> int:
        """D, samples so far."""
        ...

    @property
    def units(self) -> int:
        """N, units of the layer."""
        ...

    @property
    def working(self) -> int:
        """K(D), units that some sample activated."""
        ...

    @property
    def idle(self) -> int:
        """N − K(D)."""
        ...

    def rarefied(self, samples: ArrayLike) -> Floats:
        """Working units after part of the samples."""
        ...


class Evidence(Protocol):
    """What the units seen so far say beside the density of their rates."""

    @property
    def overdispersion(self) -> float:
        """Variance of numbers of newly working units over that of independent ones, >= 1."""
        ...

    def most_newly_working(self, more: Ints, z: float) -> Floats:
        """Upper bound of the idle units that work after `more` further samples; (n,)."""
        ...


SeenT = TypeVar("SeenT", bound=Seen)


@dataclass(frozen=True, eq=False, repr=False)
class Forecaster(Generic[SeenT]):
    """Forecasts from counts, or a curve, and a model of the rates.

    Attributes:
        counts: what has been seen so far: `ActivationCounts`, or a `LoggedCurve`.
        incidence: incidence frequencies of counts, or waiting times of a curve: for the
            overdispersion and for the bound of risks.
        rates: what the share of idle units that start to work is computed from.
        inflation: factor on the variance of that share's log odds, >= 1.
        overdispersion: variance of the number of units that will start to work over that of
            independent ones, >= 1; that of the incidence if None.
        between_entries: variance of the log odds because positions of few texts or images do not
            tell how entries differ.
    """

    counts: SeenT
    incidence: Evidence
    rates: Rates
    inflation: float = 1.0
    overdispersion: float | None = None
    between_entries: float = 0.0

    def __repr__(self) -> str:
        return (
            f"<Forecaster by {type(self.rates).__name__} from {self.counts.samples:,} samples, "
            f"{self.counts.working:,} of {self.counts.units:,} units working; overdispersion "
            f"{self.overdispersion_ahead:.3g}, inflation {self.inflation:.3g}>"
        )

    @property
    def overdispersion_ahead(self) -> float:
        """Variance of the number of units that will start to work over that of independent ones."""
        known = self.overdispersion
        return self.incidence.overdispersion if known is None else known

    def at(self, samples: Ints, level: float) -> pd.DataFrame:
        """Working units after `samples` samples in all, given the counts so far.

        Args:
            samples: D', at least 1; (n,).
            level: probability that the interval is meant to hold the count, in (0, 1).

        Returns:
            One row per D': columns samples, expected, lower, upper, in units.
        """
        grid = doublings(self.counts.samples, int(samples.max()))
        ahead = samples[samples > self.counts.samples]
        # The grid and what is asked in one call, whose cost hardly depends on how many they are.
        units = _newly_working_units(self, np.concatenate((grid, ahead)), level)
        forecast = AccumulationForecast.through(self, level, grid, units[:, : grid.size])
        expected, lower, upper = forecast.whole(samples, units[:, grid.size :])
        return pd.DataFrame(
            {"samples": samples, "expected": expected, "lower": lower, "upper": upper}
        )

    def risk(self, more: Ints, level: float) -> pd.DataFrame:
        """Probability that a unit idle so far is activated within `more` samples.

        Args:
            more: further samples, at least 1; (n,).
            level: of the interval and of the bound, in (0, 1).

        Returns:
            One row per entry of `more`: columns more, expected, lower, upper, bound; the bound is
            Good and Turing's, which assumes no distribution of rates.

        Raises:
            InputError: if no unit is idle.
        """
        counts = self.counts
        if counts.idle == 0:
            raise InputError(
                "expected idle units to ask about, but every unit has been activated: ask for "
                "forecasts instead"
            )
        asked = counts.samples + np.minimum(more, LARGEST_WHOLE - counts.samples)
        grid = doublings(counts.samples, int(asked.max()))

        share, variance = self.newly_working(np.concatenate((asked, grid)))
        log_odds, reach = finite_log_odds(share), two_sided_z(level) * np.sqrt(variance)
        lower, upper = expit(log_odds - reach), expit(log_odds + reach)
        bounds = np.stack((np.minimum(lower, share), np.maximum(upper, share)), axis=1)
        at_asked, at_grid = np.split(bounds, [asked.size])
        lower, upper = RisingBounds.over(grid, at_grid).kept(asked, at_asked).T
        return pd.DataFrame(
            {
                "more": more,
                "expected": share[: asked.size],
                "lower": lower,
                "upper": upper,
                "bound": np.minimum(
                    1.0, self.incidence.most_newly_working(more, float(ndtri(level))) / counts.idle
                ),
            }
        )

    def newly_working(self, samples: Ints) -> tuple[Floats, Floats]:
        """Share of the idle units that work by `samples` samples in all, and the whole variance of
        its log odds; (n,) each.
        """
        share, variance = self.rates.newly_working(samples)
        return share, variance * self.inflation + self.between_entries


@dataclass(frozen=True, eq=False)
class AccumulationForecast:
    """Working units at any number of samples up to some farthest one, with bounds that never fall.

    Attributes:
        forecaster: that makes it.
        level: of the interval.
        rising: the bounds of the number of newly working units, made for doublings of the samples
            counted; (n, 2).
    """

    forecaster: Forecaster
    level: float
    rising: RisingBounds

    @staticmethod
    def reaching(forecaster: Forecaster, farthest: int, level: float) -> AccumulationForecast:
        """The forecast for up to `farthest` samples."""
        grid = doublings(forecaster.counts.samples, farthest)
        units = _newly_working_units(forecaster, grid, level)
        return AccumulationForecast.through(forecaster, level, grid, units)

    @staticmethod
    def through(
        forecaster: Forecaster, level: float, grid: Ints, units: Floats
    ) -> AccumulationForecast:
        """The forecast that keeps the bounds made for a grid: expected, lower and upper number of
        newly working units there, (3, n_grid).
        """
        return AccumulationForecast(forecaster, level, RisingBounds.over(grid, units[1:].T))

    def whole(self, samples: Ints, units: Floats | None = None) -> tuple[Floats, Floats, Floats]:
        """Expected working units after `samples` samples in all, lower and upper; (n,) each.

        Beyond the samples counted, bounds are whole numbers of units.

        Args:
            samples: (n,).
            units: newly working units at those beyond the samples counted, where they have been
                computed: expected, lower and upper; (3, n_ahead).
        """
        known, (expected, lower, upper) = self._known(samples), self._newly_working(samples, units)
        return known + expected, known + np.floor(lower), known + np.ceil(upper)

    def at(self, samples: Ints) -> tuple[Floats, Floats, Floats]:
        """The same before bounds are rounded to whole units, which has no steps."""
        known, (expected, lower, upper) = self._known(samples), self._newly_working(samples)
        return known + expected, known + lower, known + upper

    def _known(self, samples: Ints) -> Floats:
        """Working units after as many of the samples counted; (n,)."""
        counts = self.forecaster.counts
        return counts.rarefied(np.minimum(samples, counts.samples))

    def _newly_working(self, samples: Ints, units: Floats | None = None) -> Floats:
        """Idle units that start to work beyond the samples counted: expected, lower and upper;
        (3, n).
        """
        ahead = samples > self.forecaster.counts.samples
        newly_working = np.zeros((3, samples.size))
        if ahead.any():
            asked = samples[ahead]
            if units is None:
                units = _newly_working_units(self.forecaster, asked, self.level)
            kept = self.rising.kept(asked, units[1:].T)
            newly_working[:, ahead] = np.vstack((units[:1], kept.T))
        return newly_working


def _newly_working_units(forecaster: Forecaster, samples: Ints, level: float) -> Floats:
    """Idle units that work by `samples` > D: expected, lower, upper; (3, n).

    The bounds are those of one number of samples at a time, not whole, and include what is
    expected.
    """
    idle = forecaster.counts.idle
    if idle == 0 or samples.size == 0:
        return np.zeros((3, samples.size))
    share, variance = forecaster.newly_working(samples)
    lower, upper = share_interval(
        idle,
        share,
        variance,
        overdispersion=forecaster.overdispersion_ahead,
        level=level,
    )
    expected = idle * share
    return np.array(
        [expected, np.minimum(idle * lower, expected), np.maximum(idle * upper, expected)]
    )


def rate_density_forecaster(
    counts: ActivationCounts, like: Iterable[ActivationCounts] = ()
) -> Forecaster[ActivationCounts]:
    """A forecaster that uses the density of rates, with the inflation that looking back gives.

    Args:
        counts: of the layer.
        like: counts of layers that may resemble it and were seen alike, whose density of rates
            lends its shape.
    """
    incidence = incidence_frequencies(counts)
    return Forecaster(
        counts=counts,
        incidence=incidence,
        rates=fit_rate_density(incidence, density_of_relatives(incidence, like)),
        inflation=lookback_inflation(counts),
        overdispersion=overdispersion_ahead(counts, incidence),
        between_entries=variance_between_entries(counts, incidence),
    )


def curve_forecaster(curve: LoggedCurve) -> Forecaster[LoggedCurve]:
    """A forecaster that uses the density of rates that first activations show."""
    times = waiting_times(curve)
    return Forecaster(
        counts=curve,
        incidence=times,
        rates=fit_rate_density(times),
        overdispersion=overdispersion_of_first(times),
    )


def lookback_inflation(counts: ActivationCounts) -> float:
    """Factor on the variance of forecasts, from how far off the forecast of all counts from the
    first third of their blocks was; at least 1.

    One look-back says little, so its squared error in standard errors is averaged with 14 of 1.
    Without blocks nothing can be looked back on, and intervals are made wider by a usual factor. So
    few blocks that a third of them are no blocks to forecast from make them no wider: they show how
    units start together, and intervals held without.
    """
    least = LEAST_BLOCKS_FOR_INCIDENCE
    ends = [] if counts.blocks is None else np.flatnonzero(counts.blocks.samples) + 1
    if len(ends) < least:
        return UNTESTED_INFLATION
    if len(ends) < 2 * least:
        return 1.0
    early = counts.prefix(int(ends[max(least, len(ends) // 3) - 1]))
    if early.working == 0 or early.idle == 0:
        return 1.0
    incidence = incidence_frequencies(early)
    shares, variances = fit_rate_density(incidence).newly_working(counts.samples)
    share, variance = float(shares[0]), float(variances[0])
    counted = log_odds_of_counted(counts.working - early.working, early.idle)
    error = counted - logit(share)
    chance = variance_of_draw(early.idle, share, overdispersion_ahead(early, incidence))
    squared_error = error**2 / (variance + chance)
    return float(max(1.0, (LOOKBACK_PRIOR + squared_error) / (LOOKBACK_PRIOR + 1)))
