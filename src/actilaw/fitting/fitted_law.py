"""A fitted law: estimates with standard errors, and forecasts with intervals.

What describes a layer and what tells its future are two things. It is described by a law in closed
form, the paper's unless another family is asked for: a few numbers that can be compared between
networks. Real layers depart from every closed form, so its future is read from a law of rates of
any smooth shape, unless a family is asked for by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit
from scipy.stats import norm

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import InputError
from actilaw.fitting.families.catalogue import FittedFamily
from actilaw.forecasting.incidence import Occasions
from actilaw.forecasting.intervals import count_interval, good_turing
from actilaw.forecasting.other_widths import width_forecast
from actilaw.forecasting.rate_density import SmoothLaw
from actilaw.support.arrays import Floats
from actilaw.support.validation import fraction, whole
from actilaw.theory import ActivationLaw

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AVERAGE = {"smooth": 0.5, "smooth + silent": 0.5}


@dataclass(frozen=True, eq=False)
class FittedLaw:
    """A law with its uncertainty, and the counts it was fitted to.

    Attributes:
        counts: what it was fitted to.
        described: the family in closed form at the maximum of its likelihood.
        covariance: of its parameters, on the family's own scale, with what units share by seeing
            the same samples.
        seen: on how many occasions units were seen.
        smooth: the law of rates that forecasts come from, or None where they come from `described`.
        widening: how much wider forecasts are made because they failed on earlier parts of the same
            counts; >= 1.
    """

    counts: ActivationCounts
    described: FittedFamily
    covariance: Floats
    seen: Occasions
    smooth: SmoothLaw | None
    widening: float = 1.0

    @property
    def law(self) -> ActivationLaw:
        """The activation law; in a family of several laws that of the rarest units, where forecasts
        are decided.
        """
        return self.described.family.law(self.described.parameters, self.counts.units)

    @property
    def family(self) -> str:
        """Name of the family in closed form: law, silent, mixture or heavy."""
        return self.described.name

    @property
    def weights(self) -> dict[str, float]:
        """What forecasts are averaged over, with the weight of each."""
        return {self.family: 1.0} if self.smooth is None else dict(AVERAGE)

    @property
    def parameters(self) -> Floats:
        """Estimates on the family's own scale, where every real number is allowed;
        (n_parameters,).
        """
        return self.described.parameters

    @property
    def log_likelihood(self) -> float:
        """Of the counts under the family in closed form, in nats."""
        return self.described.log_likelihood

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2 (n_parameters − log-likelihood): lower is better, between families
        on one layer.
        """
        return self.described.aic

    @property
    def standard_errors(self) -> dict[str, float]:
        """Standard error of each estimate, in the unit of the estimate."""
        at, estimates = self.parameters, self._estimates
        names = list(estimates(at))
        errors = np.sqrt(
            self._variance(lambda parameters: np.array(list(estimates(parameters).values())))
        )
        return dict(zip(names, map(float, errors), strict=True))

    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """One row per quantity: estimate, standard_error, and the bounds of its interval at
        `level`.

        What was counted is exact and has standard error 0; "expected_working" is the law's own E
        K(D) beside it.
        """
        fraction("level", level)
        counts, errors = self.counts, self.standard_errors
        counted = {"units": counts.units, "samples": counts.samples, "working": counts.working}
        rows = {name: (float(value), 0.0) for name, value in counted.items()}
        rows |= {
            name: (value, errors[name]) for name, value in self._estimates(self.parameters).items()
        }
        table = pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "standard_error"])
        reach = norm.ppf((1 + level) / 2) * table["standard_error"]
        return table.assign(lower=table["estimate"] - reach, upper=table["estimate"] + reach)

    def forecast(
        self,
        samples: ArrayLike | None = None,
        level: float = 0.95,
        *,
        units: ArrayLike | None = None,
    ) -> pd.DataFrame:
        """Working units after `samples` inputs in all, given the counts seen so far; or of a layer
        of another width.

        The interval holds the uncertainty of the law, of its kind, and of which units wake; units
        that see the same samples wake together, which the blocks of the counts show. Up to the
        samples counted, the forecast is what a random part of them shows. Beyond 100 times the
        samples counted it rests on the shape of the law alone.

        Args:
            samples: D', whole numbers of samples, at least 1, counted from the very first; scalar
                or (n,). Those counted, if left out.
            level: probability that the interval is meant to hold the count.
            units: N', widths of layers that nobody has trained, at least 2; scalar or (m,).

        Returns:
            One row per D': columns samples, expected, lower, upper, in units. With `units`, a row
            per D', N' and assumption, columns samples, units, assumption, expected, lower, upper:
            "b fixed" keeps b and the mean number of active units c, so that K/N depends on D/N
            alone; "bN fixed" keeps c and the mass bN.
        """
        fraction("level", level)
        grid = _grid("samples", self.counts.samples if samples is None else samples, least=1)
        if units is None:
            return self._at_more_samples(grid, level)
        return width_forecast(self, grid, _grid("units", units, least=2), level)

    def curve(self, samples: ArrayLike, level: float = 0.95) -> pd.DataFrame:
        """Working units of a layer drawn from the law anew, whatever has been counted: what the
        theory's curve says.

        Args:
            samples: D, whole numbers of samples, at least 1; scalar or (n,).
            level: probability that the interval is meant to hold the count of such a layer.

        Returns:
            One row per D: columns samples, expected, lower, upper, in units.
        """
        fraction("level", level)
        grid, units = _grid("samples", samples, least=1), self.counts.units
        share, variance = self._log_odds(
            lambda parameters: -np.expm1(self._log_idle(parameters, grid))
        )
        lower, upper = count_interval(units, share, variance, dispersion=1.0, level=level)
        return pd.DataFrame(
            {"samples": grid, "expected": units * share, "lower": lower, "upper": upper}
        )

    def residual_risk(self, more: ArrayLike, level: float = 0.95) -> pd.DataFrame:
        """Probability that a unit idle so far is activated within `more` samples: the risk of
        removing it.

        Args:
            more: further samples, at least 1; scalar or (n,).
            level: of the interval and of the bound.

        Returns:
            One row per entry of `more`: columns more, expected, lower, upper; and bound, which
            assumes no law: the rate of all idle units together is that of units seen once, by Good
                & Turing (Good 1953).
        """
        fraction("level", level)
        grid = _grid("more", more, least=1)
        if self.counts.idle == 0:
            raise InputError("expected idle units to ask about, but every unit has been activated")
        share, variance = self._wake(self.counts.samples + grid.astype(float))
        reach = norm.ppf((1 + level) / 2) * np.sqrt(variance)
        lower, upper = (expit(logit(share) + sign * reach) for sign in (-1, 1))
        bound = good_turing(self.counts, self.seen, grid, level)
        return pd.DataFrame(
            {"more": grid, "expected": share, "lower": lower, "upper": upper, "bound": bound}
        )

    def plot(self) -> Figure:
        """Counts beside the law, and working units with their forecast; a Matplotlib figure, two
        panels.
        """
        from actilaw.fitting.plot import plot  # Matplotlib is an extra

        return plot(self)

    def _at_more_samples(self, grid: NDArray[np.int64], level: float) -> pd.DataFrame:
        counts = self.counts
        ahead = grid > counts.samples
        expected = counts.rarefied(np.minimum(grid, counts.samples))
        lower, upper = expected.copy(), expected.copy()
        if ahead.any() and counts.idle:
            doublings = counts.samples * 2.0 ** np.arange(
                1, np.log2(grid.max() / counts.samples) + 1
            )
            at = np.sort(np.concatenate((grid[ahead].astype(float), doublings)))
            share, variance = self._wake(at)
            bounds = count_interval(
                counts.idle, share, variance, dispersion=self.seen.dispersion, level=level
            )
            # Units do not fall idle again: what holds at half the samples holds. Doublings make
            # that independent of what else was asked.
            least = np.maximum.accumulate(np.where(np.isin(at, doublings), bounds[0], 0))
            where = np.searchsorted(at, grid[ahead])
            expected[ahead] = counts.working + counts.idle * share[where]
            lower[ahead] = counts.working + np.maximum(bounds[0], least)[where]
            upper[ahead] = counts.working + bounds[1][where]
        return pd.DataFrame({"samples": grid, "expected": expected, "lower": lower, "upper": upper})

    def _wake(self, samples: Floats) -> tuple[Floats, Floats]:
        """Share of the idle units that wake by `samples` in all, and the variance of its log
        odds.
        """
        if self.smooth is not None:
            share, variance = self.smooth.wake(samples / self.counts.samples)
            return share, variance * self.widening**2

        def wake(parameters: Floats) -> Floats:
            return -np.expm1(
                self._log_idle(parameters, samples)
                - self._log_idle(parameters, self.counts.samples)
            )

        return self._log_odds(wake)

    def _log_idle(self, parameters: Floats, samples: ArrayLike) -> Floats:
        return np.log(self.described.family.idle(parameters, samples))

    def _log_odds(self, share_of: Callable[[Floats], Floats]) -> tuple[Floats, Floats]:
        """A share that depends on the parameters, and the variance of its log odds."""
        return share_of(self.parameters), self._variance(
            lambda parameters: logit(np.clip(share_of(parameters), 1e-300, 1 - 1e-16))
        )

    def _estimates(self, parameters: Floats) -> dict[str, float]:
        return self.described.family.estimates(parameters, self.counts.units, self.counts.samples)

    def _variance(self, of: Callable[[Floats], Floats]) -> Floats:
        """Variance of a function of the parameters, to first order (the delta method)."""
        steps = 1e-4 * np.sqrt(np.diag(self.described.covariance))
        slopes = [
            (of(self.parameters + d) - of(self.parameters - d)) / (2 * d.sum())
            for d in np.diag(steps)
        ]
        return np.einsum("i...,ij,j...->...", np.array(slopes), self.covariance, np.array(slopes))


def _grid(name: str, values: ArrayLike, least: int) -> NDArray[np.int64]:
    """Ints numbers from `least` on as (n,)."""
    grid = np.atleast_1d(whole(name, values, least=least))
    if grid.ndim != 1:
        raise InputError(f"expected {name} as one number or (n,), but got shape {grid.shape}")
    return grid
