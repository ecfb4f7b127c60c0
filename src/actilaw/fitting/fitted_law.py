"""A FittedLaw holds two models: a closed-form law, and a forecaster.

The closed form is the activation law of Zhang & Sui (2024), unless another family is asked for: a
few parameters that can be compared between networks. Forecasts are made from a nonparametric
estimate of the distribution of firing rates, because real layers depart from every closed form; or
from the closed form itself, where a family is asked for by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import InputError
from actilaw.fitting.delta_method import ClosedFormRates, slopes_of
from actilaw.fitting.domains import bounds_within, domain_of
from actilaw.fitting.families.mixture import FittedFamily
from actilaw.fitting.look_back import look_back, remark_on
from actilaw.forecasting.forecaster import Forecaster
from actilaw.forecasting.intervals import count_interval
from actilaw.forecasting.inverse import samples_for, units_for
from actilaw.forecasting.other_widths import width_forecast
from actilaw.forecasting.rate_density import RateDensity
from actilaw.forecasting.rising import RisingBounds, doublings
from actilaw.forecasting.simultaneous import forecast_table
from actilaw.forecasting.width_assumptions import assumptions_named, remark_on_widths
from actilaw.support.arrays import Floats, Ints
from actilaw.support.blas_threads import one_blas_thread
from actilaw.support.numerics import log_grid, two_sided_z
from actilaw.support.remarks import with_remarks
from actilaw.support.validation import (
    LARGEST_WHOLE,
    fraction,
    one_fraction,
    one_or_more,
    one_whole,
    samples_from,
    whole,
)
from actilaw.theory import ActivationLaw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOTTED_FACTOR = 100  # plots reach to this many times the samples counted
LEAST_ENTRIES = 6  # texts or images, of which positions tell how they differ


@dataclass(frozen=True, eq=False, repr=False)
class FittedLaw:
    """A law with its uncertainty, and the counts it was fitted to.

    Attributes:
        counts: what it was fitted to.
        closed_form: the family in closed form at the maximum of its likelihood.
        clustered_covariance: of the closed form's parameters, on the family's own scale, with what
            units share by seeing the same samples; (n_parameters, n_parameters).
        forecaster: what forecasts are made by.
        lenders: number of layers that lent their shape to the density of rates; None if none was
            given.
    """

    counts: ActivationCounts
    closed_form: FittedFamily
    clustered_covariance: Floats
    forecaster: Forecaster
    lenders: int | None = None

    @property
    def law(self) -> ActivationLaw:
        """The activation law; in a family of several laws that of the rarest units, which decide
        the forecasts.
        """
        return self.closed_form.family.law(self.closed_form.parameters, self.counts.units)

    @property
    def family(self) -> str:
        """Name of the family in closed form: law, zero_inflated, mixture or heavy_tail."""
        return self.closed_form.name

    @property
    def params(self) -> dict[str, float]:
        """All estimates of the family by name, in their units: the rows of `summary` that are not
        counted.
        """
        return self._estimates(self.closed_form.parameters)

    @property
    def covariance(self) -> pd.DataFrame:
        """Covariance of the estimates in `params`, in their units, by the delta method.

        It has no full rank: alpha = 1 − b, and the family has fewer parameters than there are
        estimates.
        """

        def values(parameters: Floats) -> Floats:
            return np.array(list(self._estimates(parameters).values()))

        slopes = slopes_of(values, self.closed_form)
        names = list(self.params)
        covariance = slopes.T @ self.clustered_covariance @ slopes
        return pd.DataFrame(covariance, index=names, columns=names)

    @property
    def standard_errors(self) -> dict[str, float]:
        """Standard error of each estimate in `params`, in the unit of the estimate."""
        covariance = self.covariance
        errors = np.sqrt(np.diag(covariance))
        return dict(zip(covariance.columns, map(float, errors), strict=True))

    @property
    def log_likelihood(self) -> float:
        """Of the counts under the family in closed form, in nats."""
        return self.closed_form.log_likelihood

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2 (n_parameters − log-likelihood): lower is better, between families
        on one layer.
        """
        return self.closed_form.aic

    @property
    def forecasts_from(self) -> str:
        """What forecasts are made from: "rate_density", or the name of a family in closed form."""
        is_density = isinstance(self.forecaster.rates, RateDensity)
        return "rate_density" if is_density else self.family

    @one_blas_thread()
    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """One row per quantity: estimate, standard_error, and the bounds of its interval at
        `level`, which never leave the quantity's domain.

        What was counted is exact and has standard error 0; expected_working is the closed form's
        own E K(D) beside it. Remarks on the fit stand below the table, and in
        `.attrs["remarks"]`.

        Raises:
            InputError: if the level is not in (0, 1).
        """
        z = two_sided_z(one_fraction("level", level))
        counts, errors = self.counts, self.standard_errors
        counted = {"units": counts.units, "samples": counts.samples, "working": counts.working}
        rows = {
            name: (float(value), 0.0, float(value), float(value)) for name, value in counted.items()
        }
        for name, value in self.params.items():
            bounds = bounds_within(domain_of(name, counts.units), value, errors[name], z)
            rows[name] = (value, errors[name], *bounds)
        table = pd.DataFrame.from_dict(
            rows, orient="index", columns=["estimate", "standard_error", "lower", "upper"]
        )
        return with_remarks(table, self.remarks())

    def remarks(self) -> tuple[str, ...]:
        """What else to know of this fit, a sentence each: where c of the law is not the number of
        units counted as active, where a forecast from the first tenth of the recording missed what
        then happened, and where positions were counted without blocks.
        """
        remarks = (
            self.remark_on_active(),
            self._remark_on_forecasts,
            self._remark_on_missing_blocks(),
            self._remark_on_few_entries(),
            self._remark_on_lenders(),
        )
        return tuple(remark for remark in remarks if remark)

    @one_blas_thread()
    def forecast(
        self,
        samples: ArrayLike | None = None,
        *,
        units: ArrayLike | None = None,
        assumption: str = "study",
        level: float = 0.95,
        simultaneous: bool = False,
    ) -> pd.DataFrame:
        """Working units after `samples` inputs in all, given the counts so far; or of a layer of
        another width.

        The interval holds the uncertainty of the estimates, of the model, and of which units start
        to work; units that see the same samples start together, which the blocks of the counts
        show. More samples never make a bound lower, and a row does not depend on what else is
        asked, unless it is of a simultaneous band, whose width depends on the farthest. Up to the
        samples counted, the forecast is what a random part of them shows. Beyond 100 times the
        samples counted it rests on the assumed shape of the density of rates alone.
        Where the same forecast from the first tenth of the blocks missed what then happened, a
        sentence below the table says so; it is in `.attrs["remarks"]` too.

        Args:
            samples: D', whole numbers of samples, at least 1, counted from the very first, or
                multiples of those counted such as "10x"; one, or (n,). Those counted, if left out.
            units: N', widths of layers that nobody has trained, at least 2, or multiples such as
                "2x"; one, or (m,).
            assumption: about b and the mean number of active units c at another width. "study":
                both change with N as they did in networks trained at several widths, and the
                interval holds how much those differ. "b fixed": K/N depends on D/N alone. "bN
                fixed": c and the mass bN stay. "all": a row for each.
            level: probability that the interval is meant to hold the count.
            simultaneous: whether the intervals are to hold the whole curve, up to the largest of
                `samples`, with that probability; not with `units`.

        Returns:
            One row per D': columns samples, expected, lower, upper, in units. With `units`, a row
            per D', N' and assumption, columns samples, units, assumption, expected, lower, upper.

        Raises:
            InputError: if samples or units are not whole, too small or none, the assumption is
                unknown, the level is not in (0, 1), or a simultaneous band is asked of widths.
        """
        assumptions = assumptions_named(assumption)
        if simultaneous and units is not None:
            raise InputError(
                "expected a simultaneous band over samples alone, but got units too: leave out "
                "units, or simultaneous"
            )
        one_fraction("level", level)
        grid = self._samples("samples", self.counts.samples if samples is None else samples)
        remarks = [self._remark_on_forecasts, self._remark_on_lenders()]
        if units is None:
            table = forecast_table(self.forecaster, grid, level, simultaneous=simultaneous)
        else:
            widths = _grid("units", samples_from(units, self.counts.units, "units"), least=2)
            table = width_forecast(self.forecaster, grid, widths, level, assumptions)
            remarks.append(remark_on_widths(self.counts.units, widths, assumptions))
        return with_remarks(table, [remark for remark in remarks if remark])

    def samples_for(self, working: ArrayLike, *, level: float = 0.95) -> pd.DataFrame:
        """Samples after which a share of the units works: `forecast` asked backwards.

        Shares that were reached long ago are answered by what a random part of the samples shows,
        without a width.

        Args:
            working: share of the units, in (0, 1); one, or (n,).
            level: probability that the interval is meant to hold the number of samples.

        Returns:
            One row per share: columns working, expected, lower, upper, in whole samples counted
            from the very first, to a part in a million. Expected is the first number of samples by
            which the forecast reaches the share; lower, by which the upper bound of the forecast
            does; upper, by which its lower bound does. Infinity where that is never, at this
            level: silent units may be more than the share leaves.

        Raises:
            InputError: if a share or the level is not in (0, 1).
        """
        shares = one_or_more("working", fraction("working", working))
        return samples_for(self.forecaster, shares, one_fraction("level", level))

    def units_for(
        self,
        working: ArrayLike,
        samples: float | str | None = None,
        *,
        assumption: str = "study",
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Width of a layer of which a share of the units works after given samples: `forecast` for
        other widths asked backwards.

        Args:
            working: share of the units, in (0, 1); one, or (n,).
            samples: D', a whole number of samples, or a multiple of those counted such as "10x".
                Those counted, if left out.
            assumption: about b and c at another width, as in `forecast`.
            level: probability that the interval is meant to hold the width.

        Returns:
            One row per share and assumption: columns working,
            samples, assumption, expected, lower, upper, in whole units, to about a part in 10,000.
            Expected is the largest width of which the forecast says that at least the share works;
            lower and upper, of which the lower and upper bound of the forecast say so. NaN where
            that is none, at this level: the layer would be no wider than the units that one sample
            activates.

        Raises:
            InputError: if a share or the level is not in (0, 1), the assumption is unknown, or
                `samples` is not one whole number, at least 1.
        """
        assumptions = assumptions_named(assumption)
        shares = one_or_more("working", fraction("working", working))
        counted = self.counts.samples
        given = counted if samples is None else samples_from(samples, counted)
        number = one_whole("samples", given, least=1)
        level = one_fraction("level", level)
        return units_for(self.forecaster, shares, number, level, assumptions)

    @one_blas_thread()
    def curve(self, samples: ArrayLike, *, level: float = 0.95) -> pd.DataFrame:
        """Working units of a new layer drawn from the closed form, whatever has been counted: the
        theory's accumulation curve.

        Args:
            samples: D, whole numbers of samples, at least 1, or multiples of those counted such as
                "10x"; one, or (n,).
            level: probability that the interval is meant to hold the count of such a layer.

        Returns:
            One row per D: columns samples, expected, lower, upper, in units.

        Raises:
            InputError: if samples are not whole or below 1, or the level is not in (0, 1).
        """
        one_fraction("level", level)
        asked, units = self._samples("samples", samples), self.counts.units
        grid = doublings(1, int(asked.max()))
        rates = ClosedFormRates(self.closed_form, self.clustered_covariance, self.counts.samples)
        share, variance = rates.working(np.concatenate((asked, grid)))
        bounds = count_interval(units, share, variance, overdispersion=1.0, level=level)
        at_asked, at_grid = np.split(np.stack(bounds, axis=1), [asked.size])
        lower, upper = RisingBounds.over(grid, at_grid).kept(asked, at_asked).T
        expected = units * share[: asked.size]
        return pd.DataFrame(
            {"samples": asked, "expected": expected, "lower": lower, "upper": upper}
        )

    @one_blas_thread()
    def residual_risk(self, more: ArrayLike, *, level: float = 0.95) -> pd.DataFrame:
        """Probability that a unit idle so far is activated within `more` samples: the risk of
        removing it.

        Args:
            more: further samples, at least 1, or multiples of those counted such as "1x"; one, or
                (n,).
            level: of the interval and of the bound.

        Returns:
            One row per entry of `more`: columns more, expected, lower, upper; and bound, which
            assumes no distribution of rates: the rate of all idle units together is that of units
            active in one sampling unit, by Good & Turing (Good 1953).

        Raises:
            InputError: if no unit is idle, `more` is not whole or below 1, or the level is not in
                (0, 1).
        """
        one_fraction("level", level)
        return self.forecaster.risk(self._samples("further samples (more)", more), level)

    def plot(self, ax: Axes | None = None, *, simultaneous: bool = False) -> Axes:
        """The accumulation curve: working units against samples, counted and forecast, with the
        forecast's 95 % interval.

        Args:
            ax: Matplotlib axes to draw on; new ones if left out.
            simultaneous: whether to draw the 95 % band of the whole curve instead.

        Returns:
            The axes.
        """
        from actilaw.fitting.plot import plot_accumulation  # Matplotlib is an extra

        samples = self.counts.samples
        ahead = log_grid(samples, min(PLOTTED_FACTOR * samples, LARGEST_WHOLE), 40)
        table = self.forecast(ahead, simultaneous=simultaneous)
        return plot_accumulation(self.counts, table, simultaneous=simultaneous, ax=ax)

    def plot_counts(self, ax: Axes | None = None) -> Axes:
        """Units per count beside the closed form, on logarithmic axes.

        Args:
            ax: Matplotlib axes to draw on; new ones if left out.

        Returns:
            The axes.
        """
        from actilaw.fitting.plot import plot_counts  # Matplotlib is an extra

        k = log_grid(1, self.counts.samples, 200)
        closed_form = self.closed_form
        log_pmf = closed_form.family.log_pmf(closed_form.parameters, k, self.counts.samples)
        expected = self.counts.units * np.exp(log_pmf)
        return plot_counts(self.counts, pd.Series(expected, index=k, name=self.family), ax)

    def __repr__(self) -> str:
        counts, errors = self.counts, self.standard_errors
        estimates = [
            f"{name} {value:.4g} ± {errors[name]:.2g}"
            for name, value in self.params.items()
            if name in ("active", "b", "knee", "s", "silent_share")
        ]
        return (
            f"<FittedLaw {self.family}: {', '.join(estimates)};\n"
            f" {counts.units:,} units, {counts.samples:,} samples, {counts.working:,} working;\n"
            f" forecasts from {self.forecasts_from}; log-likelihood {self.log_likelihood:.6g}, "
            f"AIC {self.aic:.6g}" + "".join(f";\n {remark}" for remark in self.remarks()) + ">"
        )

    def _repr_html_(self) -> str:
        remarks = "".join(f"<p>{escape(remark)}</p>" for remark in self.remarks())
        return self.summary().to_html() + remarks

    @cached_property
    def _remark_on_forecasts(self) -> str | None:
        """Whether the forecast from the first tenth of the blocks missed what then happened."""
        from_density = isinstance(self.forecaster.rates, RateDensity)
        return remark_on(look_back(self.counts, None if from_density else self.family))

    def remark_on_active(self) -> str | None:
        """Where c of the law and the mean number of active units differ by more than chance."""
        counted, fitted = self.counts.active, self.params["active"]
        if abs(counted - fitted) <= two_sided_z(0.95) * self.standard_errors["active"]:
            return None
        why = {
            "law": "c of the one law that makes all counts most likely, and the counts depart from "
            "that law",
            "zero_inflated": "c of the law alone, without the units that are always on",
        }.get(self.family, "c of the law of the rarer units alone")
        return f"A sample activated {counted:.4g} units on average; active, {fitted:.4g}, is {why}."

    def _remark_on_missing_blocks(self) -> str | None:
        """What positions without blocks do not tell, and how often intervals held for it."""
        counts = self.counts
        if counts.per != "position" or counts.blocks is not None or counts.idle == 0:
            return None
        if not isinstance(self.forecaster.rates, RateDensity):
            return None
        return (
            "Positions were counted without blocks of samples, so how many units start to work "
            "together is guessed: on language models blocks narrowed the interval, by 13 % in the "
            "median, and forecasts from them missed a twelfth less."
        )

    def _remark_on_few_entries(self) -> str | None:
        """What positions of few texts or images do not tell."""
        entries = self.counts.entries
        if self.counts.per == "sample" or entries is None or self.counts.idle == 0:
            return None
        if entries >= LEAST_ENTRIES:
            return None
        return (
            f"These positions come from {entries} {'entry' if entries == 1 else 'entries'} of the "
            "data alone, which tell little of how entries differ. Intervals are wider for it, and "
            "still held the count less often than they say on routed networks, 17 of 22 from one "
            f"or two texts; from {LEAST_ENTRIES} or more, all held. Count {LEAST_ENTRIES} entries "
            "or more."
        )

    def _remark_on_lenders(self) -> str | None:
        """How many of the layers given as `like` lent their shape."""
        if self.lenders is None:
            return None
        if self.lenders == 0:
            return (
                "No other layer lent its shape to these forecasts: none was given that was "
                "counted over as many samples and blocks and could be fitted itself."
            )
        others = "another layer" if self.lenders == 1 else f"{self.lenders} other layers"
        return f"These forecasts borrow the shape of the rates of {others}."

    def _samples(self, name: str, given: ArrayLike) -> Ints:
        """Whole numbers of samples as (n,), from numbers and multiples of those counted."""
        return _grid(name, samples_from(given, self.counts.samples, name), least=1)

    def _estimates(self, parameters: Floats) -> dict[str, float]:
        return self.closed_form.family.estimates(parameters, self.counts.units, self.counts.samples)


def _grid(name: str, values: ArrayLike, least: int) -> Ints:
    """Whole numbers from `least` on as (n,)."""
    return one_or_more(name, whole(name, values, least=least))
