"""The density of rates, against SciPy and on draws of known rates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import betabinom, binom

from actilaw.forecasting.incidence import IncidenceFrequencies, incidence_frequencies
from actilaw.forecasting.rate_density import DRIFT, fit_rate_density
from builders.drawn import draw_counts


@pytest.mark.parametrize(("n", "cells"), [(20, 21), (500, 33), (10**15, 33)])
def test_incidence_at_one_rate_is_binomial(n: int, cells: int) -> None:
    activations = np.array([1e-3, 0.5, 3.0, 20.0])
    incidence = IncidenceFrequencies(n, n, np.zeros(cells))
    kernel = incidence.probabilities(activations)
    np.testing.assert_allclose(kernel.sum(axis=0), 1, rtol=1e-9)
    by_scipy = binom.pmf(np.arange(cells - 1)[:, np.newaxis], n, -np.expm1(-activations / n))
    np.testing.assert_allclose(kernel[:-1], by_scipy, rtol=1e-6, atol=1e-200)


@pytest.mark.parametrize("b", [0.2, 0.6, 1.5])
def test_a_power_law_is_extrapolated_from_where_counts_show_it(b: float) -> None:
    counts = draw_counts(units=20_000, active=200, b=b, samples=300, seed=3)
    knee = b * 20_000 / 200
    idle = [betabinom.pmf(0, n, b, knee - b) for n in (300, 3000)]
    share, variance = fit_rate_density(incidence_frequencies(counts)).newly_working(3000)
    off = np.log(share / (1 - share)) - np.log((idle[0] - idle[1]) / idle[1])
    print(f"b={b}: log odds off by {off[0]:+.3f}, stated error {np.sqrt(variance[0]):.3f}")
    assert abs(off[0]) < 2 * np.sqrt(variance[0])


def test_more_samples_make_more_units_work_and_never_all() -> None:
    factors = np.array([1.0001, 1.1, 2, 10, 100, 1e4, 1e9])
    density = fit_rate_density(incidence_frequencies(draw_counts(1000, 20, 0.4, 300, seed=0)))
    share, variance = density.newly_working(factors * 300)
    assert np.all(np.diff(share) >= 0)
    assert 0 < share[0] < 1e-3
    assert share[-1] <= 1
    assert np.all(np.isfinite(variance) & (variance > 0))


def test_the_log_odds_are_the_less_certain_the_further_ahead() -> None:
    incidence = incidence_frequencies(draw_counts(20_000, 200, 0.3, 300, seed=5))
    density = fit_rate_density(incidence)
    factors = np.array([2.0, 10.0, 100.0])
    _, variance = density.newly_working(factors * 300)
    of_estimate = np.array([member.log_odds(factors - 1) for member in density.members])
    without = of_estimate[:, 1].mean(axis=0) + of_estimate[:, 0].var(axis=0)
    np.testing.assert_allclose(variance - without, DRIFT * np.log(factors), rtol=1e-9)


@pytest.mark.slow
def test_the_variance_of_the_log_odds_is_that_of_the_delta_method() -> None:
    """Slopes by central differences of the log odds, and the precision solved for them."""
    density = fit_rate_density(incidence_frequencies(draw_counts(500, 9, 0.3, 400, seed=1)))
    further = np.array([0.1, 1.0, 30.0])
    for member in density.members:
        step = 1e-5
        slopes = []
        for i in range(member.weights.size):
            logs = [np.log(member.weights) + sign * step * (np.arange(member.weights.size) == i)
                    for sign in (1, -1)]  # fmt: skip
            ends = [replace(member, weights=np.exp(log)).log_odds(further)[0] for log in logs]
            slopes.append((ends[0] - ends[1]) / (2 * step))
        slope = np.array(slopes)
        variance = np.sum(slope * np.linalg.solve(member.precision, slope), axis=0)
        np.testing.assert_allclose(member.log_odds(further)[1], variance, rtol=1e-5)
