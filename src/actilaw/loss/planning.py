"""Where a budget of compute is best spent, from a fitted surface of the loss.

    (PN1)  N(C) minimises L(N, D) where cost(N, D) = C; without another cost C = 6 N D, the FLOP of
           training a dense network (Kaplan et al. 2020)
    (PN2)  variance of ln N(C):  Σ_f w_f [v_f + (ln N_f(C) − ln N(C))²],
           N_f  the optimum of form f, and v_f its variance by the delta method

(PN2) is (AV2) of `averaging` for an optimum rather than a loss: each form's own uncertainty, and
how far the forms lie apart. The optimum is flat, so its interval is wide where that of the loss
there is narrow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from actilaw.errors import InputError
from actilaw.loss.averaging import AveragedForms, Member
from actilaw.loss.measurements import Measurements
from actilaw.support.arrays import Floats
from actilaw.support.numerics import two_sided_z
from actilaw.support.validation import positive_array

# cost(size, samples) of trainings, arrays in, arrays out; rises in samples.
Cost = Callable[[Floats, Floats], ArrayLike]

FLOP_PER_PARAMETER_AND_SAMPLE = 6.0
LOG_ROOM = float(np.log(1e3))  # around the sizes measured, in which a best one is looked for
GRID_STEP = 0.05  # e-folds
FINE_STEPS = 2  # times the grid is made finer around its minimum
FINE_POINTS = 41
DELTA = 0.05  # standard errors, for differences
LOG_SAMPLES_SEARCHED = (-50.0, 150.0)  # e-folds, for a cost of the user's
HALVINGS_OF_SAMPLES = 60
FARTHEST_SAMPLES = 1e9  # times the data
POINTS_OF_REACH = 240
SMALLEST_LOSS = 1e-300  # so that bounds of 0 and infinity have logarithms
LEAST_SEARCHED_LOG_COMPUTE = 12.0  # e-folds either side, for the compute of a loss


def samples_within(cost: Cost | None, compute: ArrayLike, size: Floats) -> Floats:
    """Samples that a budget pays for at each size, (n,).

    Raises:
        InputError: if the cost does not meet the budget at any number of samples.
    """
    budget = positive_array("compute", compute)
    if cost is None:
        return budget / (FLOP_PER_PARAMETER_AND_SAMPLE * size)
    low = np.full(size.shape, LOG_SAMPLES_SEARCHED[0])
    high = np.full(size.shape, LOG_SAMPLES_SEARCHED[1])
    if np.any(_cost_of(cost, size, np.exp(low)) > budget) or np.any(
        _cost_of(cost, size, np.exp(high)) < budget
    ):
        raise InputError(
            "expected a cost that rises in samples from below the budget to above it at every size "
            f"from {size.min():.4g} to {size.max():.4g}, but it does not meet {budget:.4g}"
        )
    for _ in range(HALVINGS_OF_SAMPLES):
        middle = (low + high) / 2
        below = _cost_of(cost, size, np.exp(middle)) < budget
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.exp((low + high) / 2)


def _cost_of(cost: Cost | None, size: Floats, samples: Floats) -> Floats:
    if cost is None:
        return FLOP_PER_PARAMETER_AND_SAMPLE * size * samples
    return np.broadcast_to(np.asarray(cost(size, samples), float), size.shape)


def reach_of(samples: Floats) -> Floats:
    """A grid of amounts of data from the least to far beyond the largest, (m,)."""
    least, largest = samples.min(), samples.max()
    return np.geomspace(least / FARTHEST_SAMPLES, largest * FARTHEST_SAMPLES, POINTS_OF_REACH)


def when_reached(samples: Floats, forecast: pd.DataFrame, target: float) -> dict[str, float]:
    """Samples at which a forecast over them, (m,), comes down to a loss: expected, and lower and
    upper, between which its interval holds that loss without a gap.

    Far below the data an interval is so wide that it holds any loss; so the bounds are looked for
    from the expected crossing on.
    """
    x, aim = np.log(samples), np.log(target)
    logs = {
        name: np.log(np.clip(forecast[name].to_numpy(), SMALLEST_LOSS, 1 / SMALLEST_LOSS)) - aim
        for name in ("expected", "lower", "upper")
    }
    below = np.flatnonzero(logs["expected"] <= 0)
    expected = _crossing(x, logs["expected"], int(below[0])) if below.size else np.inf
    before = np.flatnonzero((logs["lower"] > 0) & (x < expected))
    after = np.flatnonzero((logs["upper"] <= 0) & (x > expected))
    lower = _crossing(x, logs["lower"], int(before[-1]) + 1) if before.size else -np.inf
    upper = _crossing(x, logs["upper"], int(after[0])) if after.size else np.inf
    found = {"expected": expected, "lower": lower, "upper": upper}
    return {name: float(np.exp(value)) for name, value in found.items()}


def _crossing(x: Floats, values: Floats, i: int) -> float:
    """Where the values change sign between i − 1 and i, by a straight line; minus infinity at the
    first, infinity beyond the last.
    """
    if i == 0 or i == x.size:
        return -np.inf if i == 0 else np.inf
    share = values[i - 1] / (values[i - 1] - values[i])
    return float(x[i - 1] + share * (x[i] - x[i - 1]))


@dataclass(frozen=True, eq=False)
class Planner:
    """Budgets spent by one fitted surface.

    Attributes:
        averaged: the surface.
        measured: the losses it was fitted to.
        cost: of a training; 6 N D for None.
    """

    averaged: AveragedForms
    measured: Measurements
    cost: Cost | None = None

    def best(self, compute: float, level: float) -> dict[str, float]:
        """The row of `FittedLoss.allocate` for one budget, without its loss."""
        low, high = self._room(compute)
        best = self._minimum(compute, self.averaged.log_loss)
        variance = 0.0
        for member in self.averaged.members:
            own, own_variance = self._optimum_of(member, compute)
            variance += member.weight * (own_variance + (own - best) ** 2)
        reach = two_sided_z(level) * np.sqrt(variance)
        lower = best - reach if best - reach > low + GRID_STEP else -np.inf
        upper = best + reach if best + reach < high - GRID_STEP else np.inf
        size = float(np.exp(best))
        sizes = np.array([np.exp(max(lower, low)), size, np.exp(min(upper, high))])
        samples = samples_within(self.cost, compute, sizes)
        return {
            "compute": compute,
            "size": size,
            "size_lower": float(np.exp(lower)),
            "size_upper": float(np.exp(upper)),
            "samples": float(samples[1]),
            "samples_lower": float(samples[2]) if upper < np.inf else 0.0,
            "samples_upper": float(samples[0]) if lower > -np.inf else np.inf,
        }

    def spent(self) -> Floats:
        """What each measured run cost, (n,)."""
        assert self.measured.size is not None
        return _cost_of(self.cost, self.measured.size, self.measured.samples)

    def least_loss(self, compute: float) -> float:
        """Expected loss of the best network for a budget."""
        size = np.exp([self._minimum(compute, self.averaged.log_loss)])
        x = np.log([samples_within(self.cost, compute, size), size])
        return float(np.exp(self.averaged.log_loss(x)[0]))

    def other_lengths(self, compute: float, factors: Floats) -> pd.DataFrame:
        """The table of `FittedLoss.other_lengths`."""
        size = np.exp(self._minimum(compute, self.averaged.log_loss))
        sizes = np.full(factors.shape, size)
        samples = factors * samples_within(self.cost, compute, sizes)
        spent = _cost_of(self.cost, sizes, samples)
        expected = np.exp(self.averaged.log_loss(np.log([samples, sizes])))
        needed = np.array(
            [self._compute_for(loss, cost) for loss, cost in zip(expected, spent, strict=True)]
        )
        return pd.DataFrame(
            {
                "factor": factors,
                "size": sizes,
                "samples": samples,
                "compute": spent,
                "expected": expected,
                "best_expected": [self.least_loss(cost) for cost in spent],
                "compute_needed": needed,
                "overspent": spent / needed,
            }
        )

    def _compute_for(self, loss: float, at_most: float) -> float:
        """Least compute that brings this loss, which `at_most` brings surely; NaN if not found."""
        from scipy.optimize import brentq  # slow to import

        def excess(log_compute: float) -> float:
            return np.log(self.least_loss(float(np.exp(log_compute))) / loss)

        high = np.log(at_most)
        low = high - LEAST_SEARCHED_LOG_COMPUTE
        if excess(high) >= 0:  # nothing to gain: the best network itself
            return at_most
        return float(np.exp(brentq(excess, low, high))) if excess(low) > 0 else np.nan

    def _room(self, compute: float) -> tuple[float, float]:
        """Logarithms of the sizes among which the best is looked for."""
        assert self.measured.size is not None
        sizes = np.log(self.measured.size)
        spent = np.log(self.spent())
        beyond = max(0.0, np.log(compute) - spent.max(), spent.min() - np.log(compute))
        return sizes.min() - LOG_ROOM - beyond, sizes.max() + LOG_ROOM + beyond

    def _minimum(self, compute: float, log_loss: Callable[[Floats], Floats]) -> float:
        """ln N of least loss: on a grid, which is then made finer around its minimum."""
        low, high = self._room(compute)
        logs = np.arange(low, high + GRID_STEP, GRID_STEP)
        best = low
        for _ in range(1 + FINE_STEPS):
            sizes = np.exp(logs)
            at = np.log([samples_within(self.cost, compute, sizes), sizes])
            best = float(logs[np.argmin(log_loss(at))])
            step = logs[1] - logs[0]
            logs = np.linspace(max(low, best - step), min(high, best + step), FINE_POINTS)
        return best

    def _optimum_of(self, member: Member, compute: float) -> tuple[float, float]:
        """ln N of a form's own optimum, and its variance by the delta method."""

        def optimum(coordinates: Floats) -> float:
            return self._minimum(
                compute, lambda x: member.form.log_loss(coordinates[np.newaxis], x)[0][0]
            )

        steps = DELTA * member.root.T
        slopes = [
            (optimum(member.coordinates + step) - optimum(member.coordinates - step)) / (2 * DELTA)
            for step in steps
        ]
        return optimum(member.coordinates), float(np.sum(np.square(slopes)))
