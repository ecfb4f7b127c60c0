"""A fitted accumulation curve: forecasts of a layer of which nothing but the number of working
units was logged.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from actilaw.fitting.look_back import remark_on
from actilaw.forecasting.forecaster import Forecaster
from actilaw.forecasting.hindcast import BacktestResult, compare
from actilaw.forecasting.inverse import samples_for
from actilaw.forecasting.logged_curve import LoggedCurve
from actilaw.forecasting.simultaneous import forecast_table
from actilaw.support.arrays import Ints
from actilaw.support.blas_threads import one_blas_thread
from actilaw.support.numerics import log_grid
from actilaw.support.remarks import with_remarks
from actilaw.support.validation import (
    LARGEST_WHOLE,
    fraction,
    one_fraction,
    one_or_more,
    samples_from,
    whole,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOTTED_MULTIPLE = 100  # plots reach to this many times the samples logged
SUMMARY_MULTIPLES = (10, 100)  # of the samples logged, that the summary forecasts


@dataclass(frozen=True, eq=False, repr=False)
class FittedAccumulation:
    """What a logged curve says of the units that have not worked yet.

    Attributes:
        curve: the rows that were fitted.
        forecaster: what forecasts are made by.
        early: the same from the rows of the first tenth of the samples, for looking back; None
            where these are too few.
    """

    curve: LoggedCurve
    forecaster: Forecaster[LoggedCurve]
    early: Forecaster[LoggedCurve] | None

    @one_blas_thread()
    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """One row per quantity: estimate, lower and upper bound at `level`, in units. What was
        logged is exact. Remarks stand below the table, and in `.attrs["remarks"]`.

        Raises:
            InputError: if the level is not in (0, 1).
        """
        one_fraction("level", level)
        curve = self.curve
        logged = {"units": curve.units, "samples": curve.samples, "working": curve.working}
        rows = {name: (float(value),) * 3 for name, value in logged.items()}
        ahead = self.forecast([f"{factor}x" for factor in SUMMARY_MULTIPLES], level=level)
        bounds = ahead[["expected", "lower", "upper"]].to_numpy(float).tolist()
        for factor, row in zip(SUMMARY_MULTIPLES, bounds, strict=True):
            rows[f"working_at_{factor}x"] = tuple(row)
        table = pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "lower", "upper"])
        return with_remarks(table, self.remarks())

    def remarks(self) -> tuple[str, ...]:
        """What else to know, a sentence each: where a forecast from the first tenth of the curve
        missed what then happened.
        """
        remark = remark_on(self.look_back)
        return () if remark is None else (remark,)

    @cached_property
    def look_back(self) -> BacktestResult | None:
        """The forecast from the first tenth of the samples beside all of them."""
        return None if self.early is None else compare(self.early, self.curve)

    @one_blas_thread()
    def forecast(
        self,
        samples: ArrayLike | None = None,
        *,
        level: float = 0.95,
        simultaneous: bool = False,
    ) -> pd.DataFrame:
        """Working units after `samples` samples in all, given the curve so far.

        Args:
            samples: D', whole numbers of samples, at least 1, counted from the very first, or
                multiples of those logged such as "10x"; one, or (n,). Those logged, if left out.
            level: probability that the interval is meant to hold the count.
            simultaneous: whether the intervals are to hold the whole curve, up to the largest of
                `samples`, with that probability.

        Returns:
            One row per D': columns samples, expected, lower, upper, in units.

        Raises:
            InputError: if samples are not whole or below 1, or the level is not in (0, 1).
        """
        one_fraction("level", level)
        grid = self._samples("samples", self.curve.samples if samples is None else samples)
        table = forecast_table(self.forecaster, grid, level, simultaneous=simultaneous)
        return with_remarks(table, self.remarks())

    @one_blas_thread()
    def samples_for(self, working: ArrayLike, *, level: float = 0.95) -> pd.DataFrame:
        """Samples after which a share of the units works: `forecast` asked backwards.

        Args:
            working: share of the units, in (0, 1); one, or (n,).
            level: probability that the interval is meant to hold the number of samples.

        Returns:
            One row per share: columns working, expected, lower, upper, in whole samples counted
            from the very first; infinity where that is never, at this level.

        Raises:
            InputError: if a share or the level is not in (0, 1).
        """
        shares = one_or_more("working", fraction("working", working))
        return samples_for(self.forecaster, shares, one_fraction("level", level))

    @one_blas_thread()
    def residual_risk(self, more: ArrayLike, *, level: float = 0.95) -> pd.DataFrame:
        """Probability that a unit idle so far is activated within `more` samples.

        Args:
            more: further samples, at least 1, or multiples of those logged such as "1x"; one, or
                (n,).
            level: of the interval and of the bound.

        Returns:
            One row per entry of `more`: columns more, expected, lower, upper; and bound, which
            assumes no density of rates: no more units start to work per sample than in the later
            half of the samples logged.

        Raises:
            InputError: if no unit is idle, `more` is not whole or below 1, or the level is not in
                (0, 1).
        """
        one_fraction("level", level)
        return self.forecaster.risk(self._samples("further samples (more)", more), level)

    def plot(self, ax: Axes | None = None, *, simultaneous: bool = False) -> Axes:
        """Working units against samples, logged and forecast, with the forecast's 95 % interval.

        Args:
            ax: Matplotlib axes to draw on; new ones if left out.
            simultaneous: whether to draw the 95 % band of the whole curve instead.

        Returns:
            The axes.
        """
        from actilaw.fitting.plot import plot_accumulation  # Matplotlib is an extra

        samples = self.curve.samples
        ahead = log_grid(samples, min(PLOTTED_MULTIPLE * samples, LARGEST_WHOLE), 40)
        table = self.forecast(ahead, simultaneous=simultaneous)
        return plot_accumulation(self.curve, table, simultaneous=simultaneous, ax=ax)

    def __repr__(self) -> str:
        curve = self.curve
        return (
            f"<FittedAccumulation: {curve.working:,} of {curve.units:,} units working after "
            f"{curve.samples:,} samples, {curve.rows.size:,} rows;\n forecasts from rate_density"
            + "".join(f";\n {remark}" for remark in self.remarks())
            + ">"
        )

    def _repr_html_(self) -> str:
        table = pd.DataFrame(self.summary()).to_html()
        return table + "".join(f"<p>{escape(remark)}</p>" for remark in self.remarks())

    def _samples(self, name: str, given: ArrayLike) -> Ints:
        """Whole numbers of samples as (n,), from numbers and multiples of those logged."""
        asked = samples_from(given, self.curve.samples, name)
        return one_or_more(name, whole(name, np.asarray(asked), least=1))
