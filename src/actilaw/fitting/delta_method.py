"""The delta method: variances of whatever depends on a fitted family's parameters, to first order.

With V the covariance of the parameters θ at their estimates,

    (DM1) Var f(θ) = ∇f' V ∇f

Slopes are central differences, in steps that are small beside the standard errors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from actilaw.fitting.families.mixture import FittedFamily
from actilaw.forecasting.intervals import LEAST_SHARE
from actilaw.support.arrays import Floats
from actilaw.support.numerics import central_difference

DELTA_METHOD_STEP = 1e-4  # of a standard error
LEAST_LOG_IDLE = np.log(LEAST_SHARE)


def slopes_of(function: Callable[[Floats], Floats], closed_form: FittedFamily) -> Floats:
    """Slopes of a function of the family's parameters, at their estimates; (n_parameters, ...)."""
    steps = DELTA_METHOD_STEP * np.sqrt(np.diag(closed_form.covariance))
    return central_difference(function, closed_form.parameters, steps)


@dataclass(frozen=True, eq=False)
class ClosedFormRates:
    """The firing rates of a fitted family in closed form, with the uncertainty of its parameters.

    Attributes:
        closed_form: the family at the maximum of its likelihood.
        covariance_of_parameters: on the family's own scale; (n_parameters, n_parameters).
        samples: D, samples counted.
    """

    closed_form: FittedFamily
    covariance_of_parameters: Floats
    samples: int

    def working(self, samples: ArrayLike) -> tuple[Floats, Floats]:
        """Share of all units that work after `samples`, and the variance of its log odds; (n,)
        each.
        """

        def log_idle(parameters: Floats) -> Floats:
            return np.log(self.closed_form.family.idle(parameters, samples))

        return self._with_variance(log_idle)

    def newly_working(self, samples: ArrayLike) -> tuple[Floats, Floats]:
        """Share of the units idle so far that work by `samples` samples in all, and the variance of
        its log odds; (n,) each.
        """
        return self._with_variance(self._log_stay_idle(samples))

    def covariance(self, samples: ArrayLike) -> Floats:
        """Covariance of those log odds at several numbers of samples, (n,); (n, n)."""
        slopes = self._slopes(self._log_stay_idle(samples))
        return slopes.T @ self.covariance_of_parameters @ slopes

    def _log_stay_idle(self, samples: ArrayLike) -> Callable[[Floats], Floats]:
        """Log share of the units idle so far that are idle after `samples`, of the parameters."""
        more = np.asarray(samples) - self.samples  # exact, however many samples there are
        family = self.closed_form.family
        return lambda parameters: family.log_stay_idle(parameters, self.samples, more)

    def _with_variance(self, log_idle: Callable[[Floats], Floats]) -> tuple[Floats, Floats]:
        """The share that is not idle at the estimates, and the variance of its log odds, (DM1)."""
        slopes = self._slopes(log_idle)
        variance = np.einsum("i...,ij,j...->...", slopes, self.covariance_of_parameters, slopes)
        return -np.expm1(log_idle(self.closed_form.parameters)), variance

    def _slopes(self, log_idle: Callable[[Floats], Floats]) -> Floats:
        """Slopes of the log odds of not being idle; (n_parameters, ...)."""

        def log_odds(parameters: Floats) -> Floats:
            # From the share that is idle, which keeps its digits where the other is nearly 1.
            log_share = np.maximum(log_idle(parameters), LEAST_LOG_IDLE)
            return np.log(np.maximum(-np.expm1(log_share), LEAST_SHARE)) - log_share

        return slopes_of(log_odds, self.closed_form)
