"""Extrapolation to layers of another width, which nobody has trained, under an assumption about how
b and c change with the width.

    (OW1) b ~ N^β and c ~ N^γ: then D* = bN/c ~ N^(1 + β − γ), and with r = M/N
          1 − K_M(D)/M = (1 − K_N(D r^(γ − β − 1))/N)^(r^β)  by (6)  [derived]

    b fixed    β = 0, γ = 0: K/N depends on D/N alone, as every part of a layer is like the whole
    bN fixed   β = −1, γ = 0: the knee stays, and units added are rarer than those there were
    study      β falls with the share of units that the samples leave idle, as measured on networks
               trained at several widths; see STUDY in `width_assumptions`

Between trained networks neither b nor bN is constant. While samples have shown little of a layer,
units added find nothing left to do, and bN falls; once nearly all units work, those added work as
well, and b is nearly fixed. With u the working share after the samples counted,

    (OW2) d ln b/d ln N = β(u) = β_idle + (β_working − β_idle) u  [measured]

and (OW1) holds with the mean of β(u) over ln N between the two widths, since it may be applied in
small steps. The interval of "study" spans those with β or γ at the ends of their own intervals over
the networks of the study. No fewer units work than one sample activates, whatever the width.

The interval holds the error of the rates, the chance with which the counted layer came by its K,
and that with which the new layer will. Units whose rates are drawn from one density work by D with
a binomial number. Of that variance, what comes from which samples were seen is

    (OW3) Σ p_i (1 − p_i) = K(2D) − K(D), with p_i the probability that unit i works by D  [derived]

and only this part is multiplied by the overdispersion of units that start to work together: which
rates the units of a layer have is not decided by the samples. By all assumptions a layer has no
fewer working units after more samples, and where b or bN is fixed none the fewer with more units,
so bounds are kept from falling (`rising`): those of one width between two points of a grid of
samples, and of a fixed b or bN on straight lines between two points of a grid of widths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import InputError
from actilaw.forecasting.forecaster import AccumulationForecast, Forecaster
from actilaw.forecasting.intervals import log_odds_of_counted, share_interval, variance_of_draw
from actilaw.forecasting.rising import RisingBounds
from actilaw.forecasting.width_assumptions import WidthAssumption
from actilaw.support.arrays import Floats, Ints
from actilaw.support.numerics import two_sided_z
from actilaw.support.validation import LARGEST_WHOLE

BOUNDS = ("expected", "lower", "upper")
# Between neighbours of the grids, of samples and of widths, on which bounds are kept from falling.
SAMPLES_RATIO, WIDTHS_RATIO = 2.0, 2.0**0.5
POINTS_BELOW = 6  # of the grid of samples, below those counted
MOST_DOUBLINGS = 20  # of the samples counted, and halvings, by which β(u) is followed
WIDTH_STEPS = 16  # from one width to another, over which it is
LARGEST_SAMPLES = float(np.nextafter(2.0**63, 0))  # as a float that fits into int64
SHARES_WITH_LOG_ODDS = 1e-300, 1 - 1e-12
MOST_ACTIVE = 1 - 1e-9  # of a layer's units on one sample
SharesAt = Callable[[Floats], Floats]  # numbers of samples, (n,), to shares of units, (..., n)


def width_forecast(
    forecaster: Forecaster,
    samples: Ints,
    units: Ints,
    level: float,
    assumptions: Sequence[WidthAssumption],
) -> pd.DataFrame:
    """Working units of layers of other widths: a row per samples, units and assumption.

    Args:
        forecaster: of the layer counted.
        samples: D', at least 1; (n,).
        units: N', widths; (m,).
        level: probability that the interval is meant to hold the count, in (0, 1).
        assumptions: about b and c.

    Returns:
        Columns samples, units, assumption (its name), expected, lower, upper.

    Raises:
        InputError: if a width is no larger than the number of units that one sample activates.
    """
    active = forecaster.counts.active
    if units.min() <= active:
        raise InputError(
            f"expected more units than the {active:.4g} that one sample activates, but got "
            f"{units.min()}: ask for wider layers"
        )
    found = {
        name: forecast.at(samples.astype(float), units.astype(float))
        for name, forecast in width_forecasts(forecaster, level, assumptions).items()
    }
    tables = [
        pd.DataFrame(
            {
                "samples": samples,
                "units": width,
                "assumption": name,
                "expected": bounds[0, :, column],
                "lower": np.floor(bounds[1, :, column]),
                "upper": np.ceil(bounds[2, :, column]),
            }
        )
        for column, width in enumerate(units)
        for name, bounds in found.items()
    ]
    return pd.concat(tables, ignore_index=True)


def width_forecasts(
    forecaster: Forecaster, level: float, assumptions: Sequence[WidthAssumption]
) -> dict[str, WidthForecast]:
    """Forecasts of other widths under each assumption, by its name."""
    like = _LikeLayer(forecaster, level)
    return {assumption.name: WidthForecast(like, assumption) for assumption in assumptions}


@dataclass(frozen=True, eq=False)
class _LikeLayer:
    """Another layer like the one counted, of its width: one more draw from the same rates.

    Attributes:
        forecaster: of the layer counted.
        level: of the intervals.
        known: forecasts of the layer counted that were asked for before, by samples.
    """

    forecaster: Forecaster
    level: float
    known: dict[int, Floats] = field(default_factory=dict)

    @property
    def units(self) -> int:
        return self.forecaster.counts.units

    def expected(self, samples: Floats) -> Floats:
        """Expected share of working units after `samples`, whole or not; (n,)."""
        return self._interpolated(lambda whole: expit(self._log_odds(whole)[0]), samples)

    def roughly(self, log_samples: Floats) -> Floats:
        """As `expected` at the logarithms of numbers of samples, between doublings of those
        counted; (n,).
        """
        log_odds = np.interp(log_samples, *self._doublings)
        return expit(log_odds) * np.exp(np.minimum(log_samples, 0))

    @cached_property
    def _doublings(self) -> tuple[Floats, Floats]:
        """Logarithms of numbers of samples, and the log odds that a unit works by them."""
        counted = float(self.forecaster.counts.samples)
        samples = counted * 2.0 ** np.arange(-MOST_DOUBLINGS, MOST_DOUBLINGS + 1)
        whole = np.unique(np.clip(samples, 1, LARGEST_SAMPLES).astype(np.int64))
        return np.log(whole), self._log_odds(whole)[0]

    def shares(self, samples: Floats) -> Floats:
        """Share of working units after `samples`, expected, lower and upper; (3, n).

        The layer counted is itself one draw, which counts within it do not show: the variance of
        that draw is added.
        """
        return self._interpolated(self._shares, samples)

    def _shares(self, samples: Ints) -> Floats:
        doubled = samples + np.minimum(samples, LARGEST_WHOLE - samples)
        log_odds = self._log_odds(np.concatenate((samples, doubled)))
        expected, lower, upper = log_odds[:, : samples.size]
        share, doubled_share = np.split(expit(log_odds[0]), 2)

        overdispersion = _overdispersion_of_width(self.forecaster, share, doubled_share)
        chance = variance_of_draw(self.units, share, overdispersion)
        reach_of_draw = two_sided_z(self.level) ** 2 * chance
        down = np.sqrt((expected - lower) ** 2 + reach_of_draw)
        up = np.sqrt((upper - expected) ** 2 + reach_of_draw)
        return expit(np.array([expected, expected - down, expected + up]))

    def _log_odds(self, samples: Ints) -> Floats:
        """Log odds of the share of the layer counted that works: expected, lower, upper; (3, n)."""
        distinct, place = np.unique(samples, return_inverse=True)
        new = np.setdiff1d(distinct, list(self.known))
        if new.size:
            forecast = AccumulationForecast.reaching(self.forecaster, int(new.max()), self.level)
            self.known.update(zip(new.tolist(), np.array(forecast.at(new)).T, strict=True))
        working = np.array([self.known[number] for number in distinct.tolist()])
        return log_odds_of_counted(working.T[:, place], self.units)

    @staticmethod
    def _interpolated(shares: Callable[[Ints], Floats], samples: Floats) -> Floats:
        """Shares between two whole numbers of samples, and below one sample, where K is c D."""
        samples = np.minimum(samples, LARGEST_SAMPLES)
        below = np.maximum(np.floor(samples), 1).astype(np.int64)
        above = np.maximum(np.ceil(samples), 1).astype(np.int64)
        at_below, at_above = np.split(shares(np.concatenate((below, above))), 2, axis=-1)
        part = samples - np.floor(samples)
        return (at_below * (1 - part) + at_above * part) * np.minimum(samples, 1)


@dataclass(frozen=True, eq=False)
class WidthForecast:
    """Working units of layers of any width after any samples, under one assumption.

    Attributes:
        like: a layer like the one counted.
        assumption: about b and c.
    """

    like: _LikeLayer
    assumption: WidthAssumption

    def at(self, samples: Floats, widths: Floats) -> Floats:
        """Expected number of working units, and lower and upper before they are rounded to whole
        units; (3, n, m).

        Args:
            samples: D'; (n,).
            widths: N', above the number of units that one sample activates; (m,).
        """
        if self.assumption.has_spread:
            return self._over_spread(samples, widths)
        lines = self._lines(widths.max()) if self.assumption.is_constant else np.empty(0)
        columns = [(width, self._grid(samples.max(), width)) for width in (*widths, *lines)]
        lengths = [samples.size + grid.size for _, grid in columns]
        expected, bounds = self._one_by_one(
            np.concatenate([np.append(samples, grid) for _, grid in columns]),
            np.repeat([width for width, _ in columns], lengths),
        )
        ends = np.cumsum(lengths)[:-1]
        expected = np.stack([part[: samples.size] for part in np.split(expected, ends)])
        expected = expected[: widths.size]
        rising = np.stack(
            [
                RisingBounds.over(grid, part[samples.size :]).kept(samples, part[: samples.size])
                for (_, grid), part in zip(columns, np.split(bounds, ends), strict=True)
            ]
        )
        bounds, of_lines = np.split(rising, [widths.size])
        if lines.size:
            bounds = RisingBounds.over(lines, np.maximum(of_lines, 0)).between(widths)
        lower, upper = np.moveaxis(np.minimum(bounds, widths[:, None, None]), -1, 0)
        bounds = np.minimum(lower, expected), np.maximum(upper, expected)
        return np.stack((expected, *bounds)).swapaxes(1, 2)

    def _over_spread(self, samples: Floats, widths: Floats) -> Floats:
        """As `at`: the interval reaches as far as those of the assumption with β or γ at either end
        of its own interval. None of these falls with the samples, and so neither does what spans
        them.
        """
        z = two_sided_z(self.like.level)
        steps = ((0.0, 0.0), (-z, 0.0), (z, 0.0), (0.0, -z), (0.0, z))
        found = [
            WidthForecast(self.like, self.assumption.at_spread(*step)).at(samples, widths)
            for step in steps
        ]
        middle = found[0]
        lower = np.min([bounds[1] for bounds in found], axis=0)
        upper = np.max([bounds[2] for bounds in found], axis=0)
        return np.stack((middle[0], lower, upper))

    def _one_by_one(self, samples: Floats, widths: Floats) -> tuple[Floats, Floats]:
        """Expected, (n,), and bounds, (n, 2), for pairs of samples and widths, (n,) each, that know
        nothing of each other.
        """
        forecaster, level = self.like.forecaster, self.like.level
        shares = self._of_width(self.like.shares, samples, widths)
        share, lower, upper = np.clip(shares, *SHARES_WITH_LOG_ODDS)
        doubled_share = self._of_width(self.like.expected, 2 * samples, widths)
        of_rates = ((logit(upper) - logit(lower)) / (2 * two_sided_z(level))) ** 2
        low, high = share_interval(
            widths,
            share,
            of_rates,
            overdispersion=_overdispersion_of_width(forecaster, share, doubled_share),
            level=level,
        )
        growth, active = self._active(widths)
        least = np.minimum(_least_active(forecaster.counts, samples, level) * growth, active)
        expected = np.maximum(widths * share, active)
        low = np.maximum(widths * low, least)
        bounds = np.minimum(low, expected), np.maximum(widths * high, expected)
        return expected, np.stack(bounds, axis=1)

    def roughly(self, samples: Floats, widths: Floats) -> Floats:
        """Expected number of working units, for pairs of samples and widths, fast: the layer
        counted is interpolated between doublings of its samples; (n,).
        """
        _, active = self._active(widths)
        shares = self._of_width(lambda of_like: self.like.roughly(np.log(of_like)), samples, widths)
        return np.maximum(widths * shares, active)

    def _active(self, widths: Floats) -> tuple[Floats, Floats]:
        """How many times as many units one sample activates at these widths, and how many; (n,)
        each.
        """
        growth = (widths / self.like.units) ** self.assumption.c_exponent
        active = self.like.forecaster.counts.active
        return growth, np.minimum(active * growth, MOST_ACTIVE * widths)

    def _of_width(self, of_like: SharesAt, samples: Floats, widths: Floats) -> Floats:
        """Shares of working units in layers of these widths, from those of a layer like the one
        counted, (OW1).
        """
        ratio, exponents = widths / self.like.units, self._b_exponents(widths)
        shares = of_like(samples / ratio ** self._knee_exponents(exponents))
        if not exponents.any():
            return shares
        return 1 - (1 - shares) ** ratio**exponents

    def _b_exponents(self, widths: Floats) -> Floats:
        """The mean of β over ln N from the layer counted to each width, (OW2); (n,)."""
        if self.assumption.is_constant:
            return np.full(widths.shape, self.assumption.b_exponent)
        step = np.log(widths / self.like.units) / WIDTH_STEPS
        log_samples = np.log(float(self.like.forecaster.counts.samples))
        knee, power = np.zeros((2, *widths.shape))  # logarithms of what (OW1) has so far
        for _ in range(WIDTH_STEPS):
            stay_idle = (1 - self.like.roughly(log_samples - knee)) ** np.exp(power)
            exponent = self.assumption.b_exponent_at(1 - stay_idle)
            power += exponent * step
            knee += self._knee_exponents(exponent) * step
        at_own_width = self.assumption.b_exponent_at(self.like.roughly(np.array([log_samples])))
        return np.divide(power, step * WIDTH_STEPS, where=step != 0, out=at_own_width + power)

    def _knee_exponents(self, b_exponents: Floats) -> Floats:
        """How the knee D* = bN/c grows with the width."""
        return 1 + b_exponents - self.assumption.c_exponent

    def _grid(self, farthest: float, width: float) -> Floats:
        """Numbers of samples on which bounds of this width are kept from falling: those that show
        as much of the layer counted at every width.
        """
        counted = float(self.like.forecaster.counts.samples)
        exponent = self._knee_exponents(self._b_exponents(np.array([width])))[0]
        counted *= (width / self.like.units) ** exponent
        return _lattice(counted * SAMPLES_RATIO**-POINTS_BELOW, SAMPLES_RATIO, farthest)

    def _lines(self, farthest: float) -> Floats:
        """Widths on which bounds are kept from falling."""
        units, active = self.like.units, self.like.forecaster.counts.active
        below = np.ceil(np.log(units / active) / np.log(WIDTHS_RATIO))
        return _lattice(units * WIDTHS_RATIO**-below, WIDTHS_RATIO, farthest)


def _lattice(first: float, ratio: float, farthest: float) -> Floats:
    """first, and its products with powers of `ratio` as far as to pass `farthest`."""
    steps = np.ceil(np.log(max(farthest / first, 1.0)) / np.log(ratio))
    return first * ratio ** np.arange(steps + 2)


def _overdispersion_of_width(
    forecaster: Forecaster, share: Floats, doubled_share: Floats
) -> Floats:
    """Variance of the number of working units of a new layer, over that of a binomial number.

    Args:
        forecaster: of the layer counted, which has the overdispersion of newly working units.
        share: of units that work by some samples, in (0, 1); (n,).
        doubled_share: of units that work by twice as many; (n,).
    """
    of_samples = np.clip((doubled_share - share) / (share * (1 - share)), 0, 1)  # (OW3)
    return 1 + (forecaster.overdispersion_ahead - 1) * of_samples


def _least_active(counts: ActivationCounts, samples: Floats, level: float) -> Floats:
    """Lower bound of the mean number of units that one of `samples` samples activates: no fewer
    work.
    """
    variance = counts.active_variance
    if variance is None:
        variance = counts.active  # that of a Poisson number
    return counts.active - two_sided_z(level) * np.sqrt(variance / samples)
