"""First activations as waiting times, against SciPy, enumeration and draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import expon

from actilaw.forecasting.logged_curve import LoggedCurve, logged_curve
from actilaw.forecasting.waiting_times import MOST_INTERVALS, waiting_times

ENDS = np.unique(np.geomspace(1, 2000, 50).round().astype(int))


def curve_of(first: np.ndarray) -> LoggedCurve:
    """The curve of units that were first active at samples 1, 2, ..; those beyond 2,000 not yet."""
    return logged_curve(ENDS, [np.sum(first <= end) for end in ENDS], first.size)


def test_intervals_of_one_rate_have_the_probabilities_of_exponential_times() -> None:
    times = waiting_times(logged_curve([10, 30, 60, 100], [5, 20, 35, 50], 80))
    assert times.frequencies.tolist() == [5, 15, 15, 15, 30]
    for activations in (0.01, 1.0, 20.0):
        cdf = expon.cdf([0.1, 0.3, 0.6, 1.0], scale=1 / activations)
        expected = [*np.diff(np.append(0, cdf)), 1 - cdf[-1]]
        found = times.probabilities(np.array([activations]))[:, 0]
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_rows_of_a_long_log_are_joined_without_losing_a_unit() -> None:
    rng = np.random.default_rng(0)
    working = np.cumsum(rng.poisson(30 / np.arange(1, 5001)))
    times = waiting_times(logged_curve(np.arange(1, 5001), working, 2000))
    assert times.ends.size <= MOST_INTERVALS
    assert times.ends[-1] == 1
    assert times.frequencies.sum() == 2000
    assert times.frequencies[-1] == 2000 - working[-1]


def test_units_that_start_together_are_overdispersed() -> None:
    rng = np.random.default_rng(1)
    rates = rng.gamma(0.4, 1 / 100, 6000)
    alone = rng.geometric(-np.expm1(-rates)).astype(float)
    groups = rng.geometric(-np.expm1(-rng.gamma(0.4, 1 / 100, 600))).astype(float)
    together = np.repeat(groups, 10)
    assert waiting_times(curve_of(alone)).overdispersion < 2
    found = waiting_times(curve_of(together)).overdispersion
    print(f"overdispersion of groups of ten: {found:.1f}")
    assert 5 < found < 20


@pytest.mark.parametrize("shape", [0.2, 1.0, 3.0])
def test_the_bound_holds_for_rates_of_any_density(shape: float) -> None:
    rates = np.random.default_rng(2).gamma(shape, 1 / 1000 / shape, 5000)
    expected = [float(np.sum(-np.expm1(-rates * end))) for end in ENDS]
    times = waiting_times(LoggedCurve(ENDS, np.rint(expected).astype(int), 5000))
    more = np.array([1, 100, 2000, 10**6])
    ahead = np.exp(-rates * 2000) @ -np.expm1(-np.outer(rates, more))
    assert np.all(times.most_newly_working(more, 0.0) >= ahead - 1)
    assert np.all(times.most_newly_working(more, 2.0) > times.most_newly_working(more, 0.0))
