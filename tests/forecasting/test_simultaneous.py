"""Bands that hold a whole forecast curve."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import multivariate_normal, norm

from actilaw import ActivationCounts, fit, fit_accumulation
from actilaw.errors import InputError
from actilaw.forecasting import simultaneous
from actilaw.forecasting.simultaneous import error_covariance, level_of_band
from builders.drawn import draw_blocks, draw_counts

MULTIPLES = np.array([1.2, 2, 4, 8, 16, 32])


@pytest.mark.parametrize("family", [None, "law", "mixture"])
def test_the_covariance_has_the_variances_of_single_forecasts_on_its_diagonal(
    family: str | None,
) -> None:
    forecaster = fit(draw_counts(2000, 20, 0.3, 300, seed=1), family).forecaster
    samples = (300 * MULTIPLES).astype(np.int64)
    covariance = error_covariance(forecaster, samples)
    share, variance = forecaster.newly_working(samples)
    idle = forecaster.counts.idle
    chance = forecaster.overdispersion_ahead / (idle * share * (1 - share))
    np.testing.assert_allclose(np.diag(covariance), variance + chance, rtol=1e-6)
    assert np.linalg.eigvalsh(covariance).min() > -1e-9


@pytest.mark.slow
def test_the_covariance_of_chance_is_that_of_counted_units() -> None:
    """Log odds of numbers of idle units of known rates that work by two numbers of samples."""
    forecaster = fit(draw_counts(4000, 20, 0.3, 300, seed=2), "law").forecaster
    samples = np.array([600, 3000])
    share, _ = forecaster.newly_working(samples)
    rng, idle = np.random.default_rng(0), forecaster.counts.idle
    starts = rng.random((20_000, 1, idle), dtype=np.float32)
    drawn = (starts < share[:, np.newaxis].astype(np.float32)).sum(axis=2) / idle
    log_odds = np.log(drawn / (1 - drawn))
    of_rates = forecaster.rates.covariance(samples)
    chance = error_covariance(forecaster, samples) - of_rates
    overdispersion = forecaster.overdispersion_ahead
    np.testing.assert_allclose(chance / overdispersion, np.cov(log_odds.T), rtol=0.06)


def test_the_level_is_that_of_the_normal_distribution_in_two_dimensions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forecaster = fit(draw_counts(2000, 20, 0.3, 300, seed=1)).forecaster
    samples = np.array([330, 9000])
    monkeypatch.setattr(simultaneous, "_points", lambda *_: samples)
    z = norm.isf((1 - level_of_band(forecaster, 9000, 0.9)) / 2)
    covariance = error_covariance(forecaster, samples)
    deviations = np.sqrt(np.diag(covariance))
    correlated = multivariate_normal(np.zeros(2), covariance / np.outer(deviations, deviations))
    held = correlated.cdf(np.array([z, z]), lower_limit=np.array([-z, -z]))
    assert held == pytest.approx(0.9, abs=0.005)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(0, 30), min_size=8, max_size=60),
    st.one_of(st.floats(0.5, 0.99), st.just(1 - 1e-7)),
    st.sampled_from([31, 60, 3000, 3 * 10**9, 2**63 - 1]),
)
def test_a_band_contains_the_intervals_and_never_falls(
    counts: list[int], level: float, farthest: int
) -> None:
    fitted = fit(ActivationCounts(np.array([0, 1, 2, 5, *counts]), 30))
    samples = [15, 30, 31, (31 + farthest) // 2, farthest]
    one_by_one = fitted.forecast(samples, level=level)
    band = fitted.forecast(samples, level=level, simultaneous=True)
    assert (band["expected"] == one_by_one["expected"]).all()
    assert (band["lower"] <= one_by_one["lower"]).all()
    assert (band["upper"] >= one_by_one["upper"]).all()
    for column in ("expected", "lower", "upper"):
        assert np.all(np.diff(band[column]) >= 0)


@pytest.mark.slow
def test_a_band_that_reaches_farther_is_never_narrower() -> None:
    forecaster = fit(draw_counts(2000, 40, 0.3, 500, seed=1)).forecaster
    levels = [level_of_band(forecaster, 500 + 2**power, 0.95) for power in range(1, 62, 4)]
    assert np.all(np.diff(levels) >= 0)
    assert 0.995 < level_of_band(forecaster, 50_000, 0.95) < 0.998  # what the docs say


@pytest.mark.parametrize("units", [3000, 1_000_000])
def test_a_band_holds_curves_with_the_errors_that_it_supposes(units: int) -> None:
    """Curves whose log odds err by the normal distribution of (SB2), at 300 numbers of samples."""
    counts = draw_counts(units, units / 50, 0.3, 300, seed=4)
    fitted = fit(counts)
    samples = 300 + np.unique(np.geomspace(100, 30_000, 300).astype(np.int64))
    covariance = error_covariance(fitted.forecaster, samples)
    share, _ = fitted.forecaster.newly_working(samples)
    errors = np.random.default_rng(0).multivariate_normal(np.zeros(samples.size), covariance, 4000)
    working = counts.working + counts.idle * expit(logit(share) + errors)
    table = fitted.forecast(samples, level=0.9, simultaneous=True)
    assert 0.88 < share_of_curves_inside(table, working) < 0.95
    one_by_one = fitted.forecast(samples, level=0.9)
    assert share_of_curves_inside(one_by_one, working) < 0.8


def share_of_curves_inside(table: pd.DataFrame, working: np.ndarray) -> float:
    lower, upper = table[["lower", "upper"]].to_numpy().T
    return ((lower <= working) & (working <= upper)).all(axis=1).mean()


def test_where_nothing_is_left_to_forecast_a_band_is_an_interval() -> None:
    counts = draw_counts(200, 20, 0.3, 50, seed=3)
    everything = ActivationCounts(counts.counts + 1, 51)
    for fitted, samples in ((fit(counts), 40), (fit(everything), 500)):
        band = fitted.forecast(samples, simultaneous=True)
        assert band.equals(fitted.forecast(samples))


def test_a_curve_alone_has_a_band_too() -> None:
    rng = np.random.default_rng(1)
    counts = draw_blocks(rng.beta(0.3, 15, 2000), 20, 16, rng)
    logged = [counts.prefix(blocks) for blocks in range(1, 21)]
    fitted = fit_accumulation(
        [part.samples for part in logged], [part.working for part in logged], units=2000
    )
    band, interval = (fitted.forecast("10x", simultaneous=flag).iloc[0] for flag in (True, False))
    assert band.lower < interval.lower < interval.upper < band.upper


def test_widths_have_no_band() -> None:
    with pytest.raises(InputError, match="expected a simultaneous band over samples alone"):
        fit(draw_counts(200, 20, 0.3, 50, seed=3)).forecast(units=400, simultaneous=True)
